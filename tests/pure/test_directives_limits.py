"""What a run may use: `@memory`, `@cpu`, `@pids` (or `@shell-limit`) and `@files`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.schedule import Limits
from schedd.scripts import limits
from tests.pure.headers import accepted, found, refused

KIB = 1024


def test_without_a_limit_there_is_none():
    assert accepted().limits == Limits()
    assert not accepted().limits


def test_the_limits_stand_side_by_side():
    schedule = accepted("@memory 512M", "@cpu 50%", "@pids 64", "@files 1024")
    assert schedule.limits == Limits(memory_bytes=512 * KIB**2, cpu_percent=50, pids=64, files=1024)
    assert schedule.limits


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("512M", 512 * KIB**2),
        ("1G", KIB**3),
        ("1.5G", 3 * KIB**3 // 2),
        ("1024K", KIB**2),
        ("1T", KIB**4),
        ("1048576", KIB**2),
        ("512m", 512 * KIB**2),
        ("512MB", 512 * KIB**2),
        ("512MiB", 512 * KIB**2),
        ("512Mi", 512 * KIB**2),
    ],
)
def test_memory_is_a_size_in_powers_of_1024_however_people_spell_it(written, size):
    assert accepted(f"@memory {written}").limits.memory_bytes == size


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "'' is not a size: write it like 64K, 512M or 1.5G"),
        ("half", "'half' is not a size: write it like 64K, 512M or 1.5G"),
        ("50%", "'50%' is not a size: write it like 64K, 512M or 1.5G"),
        ("512 M", "'512 M' is not a size: write it like 64K, 512M or 1.5G"),
        ("-1M", "'-1M' is not a size: write it like 64K, 512M or 1.5G"),
        ("512i", "'512i' is not a size: write it like 64K, 512M or 1.5G"),
        ("1.0000001G", "'1.0000001G' is not a size: write it like 64K, 512M or 1.5G"),
        ("٣M", "'٣M' is not a size: write it like 64K, 512M or 1.5G"),
        ("512", "'512' is too little to start anything: write a size like 64M or 1.5G"),
        ("0", "'0' is too little to start anything: write a size like 64M or 1.5G"),
        ("0.00001K", "'0.00001K' is not a number of whole bytes"),
        ("1025T", "'1025T' is too large: write 1024T or less"),
    ],
)
def test_what_is_no_size_is_told_what_to_write(written, reason):
    line = f"@memory {written}".rstrip()
    assert refused(line) == (f"@memory: {reason}", written or "@memory")


@given(st.integers(1, 1 << 50), st.sampled_from(sorted(limits.UNIT_BYTES)))
def test_a_size_is_read_as_it_was_written(number, unit):
    size = number * limits.UNIT_BYTES[unit]
    if size <= limits.MOST_BYTES:
        assert limits.size_bytes(f"{number}{unit}") == size
    else:
        with pytest.raises(ValueError, match="too large"):
            limits.size_bytes(f"{number}{unit}")


@pytest.mark.parametrize(
    ("written", "percent"), [("50%", 50), ("200%", 200), ("1%", 1), ("100000%", 100_000), ("50 %", 50)]
)
def test_cpu_is_a_share_of_one_processor(written, percent):
    assert accepted(f"@cpu {written}").limits.cpu_percent == percent


@pytest.mark.parametrize("written", ["", "2", "0.5", "1.5%", "half", "%", "-5%", "٣%"])
def test_a_number_without_percents_is_not_taken_for_processors(written):
    reason, _ = refused(f"@cpu {written}".rstrip())
    assert reason == f"@cpu: {written!r} is not a share: write percents of one processor, 50% or 200%"


@pytest.mark.parametrize("written", ["0%", "100001%"])
def test_no_processor_and_too_many_are_refused(written):
    reason, _ = refused(f"@cpu {written}")
    assert reason == f"@cpu: {written!r} will not do: write something from 1% to 100000%"


@pytest.mark.parametrize("name", ["pids", "shell-limit"])
def test_pids_has_two_names(name):
    assert accepted(f"@{name} 64").limits == Limits(pids=64)


@pytest.mark.parametrize("lines", [("@pids 64", "@shell-limit 64"), ("@shell-limit 64", "@pids 64")])
def test_both_names_of_pids_together_are_one_too_many(lines):
    first, second = (line.split()[0] for line in lines)
    (problem,) = found("@schedule 0 5 * * *", *lines).problems
    assert problem.reason == f"{second} means the same as {first} in line 2: keep one"
    assert problem.line == 3


def test_a_wrong_number_under_each_name_is_told_beside_that():
    problems = found("@schedule 0 5 * * *", "@pids 0", "@shell-limit x").problems
    assert [(problem.line, problem.reason.split()[-1]) for problem in problems] == [
        (2, "4194304"),
        (3, "one"),
        (3, "4194304"),
    ]


@pytest.mark.parametrize(("name", "least", "most"), [("pids", 1, 4_194_304), ("files", 16, 1_048_576)])
def test_counts_have_the_kernels_bounds(name, least, most):
    for number in (least, most):
        assert getattr(accepted(f"@{name} {number}").limits, name) == number
    for written in ("", str(least - 1), str(most + 1), "-1", "many", "1e3", "64.5", "9" * 400, "٣٣"):
        reason, _ = refused(f"@{name} {written}".rstrip())
        assert reason.endswith(f"will not do: write a number from {least} to {most}")
        assert len(reason) < 200
