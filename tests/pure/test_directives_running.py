"""How a script is run beside others: `@lock`, `@requires`, `@mode` and `@detach`."""

import pytest

from schedd.schedule import Lock, Mode, Requirement
from tests.pure.headers import accepted, refused, warned


@pytest.mark.parametrize(
    ("written", "lock"),
    [
        ("database", Lock("database")),
        ("database:2", Lock("database", 2)),
        ("database:1", Lock("database", 1)),
        ("db_1/shop.example-eu:1000", Lock("db_1/shop.example-eu", 1000)),
        ("'database:2'", Lock("database", 2)),
        ("x" * 100, Lock("x" * 100)),
    ],
)
def test_a_lock_is_a_name_and_perhaps_a_number(written, lock):
    assert accepted(f"@lock {written}").lock == lock


@pytest.mark.parametrize("name", ["", "-x", "a b", "böse", "x" * 101, "a,b", "*"])
def test_what_is_no_name_for_a_lock_is_refused(name):
    reason, _ = refused(f"@lock {name}".rstrip())
    assert reason.endswith("write up to 100 letters, digits and - _ . /, as in `database` or `database:2`")


@pytest.mark.parametrize("slots", ["", "0", "1001", "-1", "two", "1:2", "٣", " 2"])
def test_a_number_that_no_lock_can_have_is_pointed_at(slots):
    reason, there = refused(f"@lock database:{slots}")
    assert reason.startswith(f"@lock: {slots!r} runs at once will not do: write a number from 1 to 1000")
    assert there == slots


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["@overlap allow", "@lock db"], "@overlap asks for more than @lock gives: at most one run is"),
        (["@concurrent 3", "@lock db"], "@concurrent asks for more than @lock gives: at most one run is"),
        (
            ["@concurrent true", "@lock db:2"],
            "@concurrent asks for more than @lock gives: at most 2 runs are",
        ),
        (
            ["@concurrent 3", "@overlap allow", "@lock db:2"],
            "@concurrent asks for more than @lock gives: at most 2",
        ),
    ],
)
def test_more_runs_than_the_lock_gives_are_pointed_out(lines, reason):
    ((line, said),) = warned(*lines)
    assert line == 1
    assert said.startswith(reason)


@pytest.mark.parametrize(
    "lines",
    [["@lock db"], ["@overlap queue", "@lock db"], ["@concurrent 2", "@lock db:2"], ["@overlap allow"]],
)
def test_as_many_runs_as_the_lock_gives_are_not(lines):
    assert warned(*lines) == []


def test_requirements_are_programs_files_and_variables():
    schedule = accepted(
        "@requires cmd:pg_dump  file:/mnt/b/\tenv:PGHOST cmd:/usr/bin/env file:../data cmd:pg_dump"
    )
    assert schedule.requires == (
        Requirement("cmd", "pg_dump"),
        Requirement("file", "/mnt/b"),
        Requirement("env", "PGHOST"),
        Requirement("cmd", "/usr/bin/env"),
        Requirement("file", "/srv/default/data"),
    )


@pytest.mark.parametrize(
    ("written", "reason", "there"),
    [
        ("", "it needs a value, for example `cmd:pg_dump file:/mnt/backup env:PGHOST`", "@requires"),
        ("pg_dump", "'pg_dump' is not a requirement: write cmd:NAME, file:NAME, env:NAME", "pg_dump"),
        ("cmd:a net:b", "'net:b' is not a requirement: write cmd:NAME, file:NAME, env:NAME", "net:b"),
        ("cmd: a", "'cmd:' names nothing: write it without a space behind the colon", "cmd: a"),
        ("cmd:a env:9", "'9' is not the name of a variable", "9"),
        ("env:A=b", "'A=b' is not the name of a variable", "A=b"),
        ("cmd:bin/x", "'bin/x' is neither a name on PATH nor an absolute path", "bin/x"),
        ("file:a file:~/b", "'~/b': ~ means nobody's home here, write an absolute path", "~/b"),
    ],
)
def test_what_is_no_requirement_is_pointed_at(written, reason, there):
    assert refused(f"@requires {written}".rstrip()) == (f"@requires: {reason}", there)


def test_requirements_have_an_end():
    names = [f"cmd:x{number}" for number in range(51)]
    assert len(accepted(f"@requires {' '.join(names[:50])}").requires) == 50
    assert "more than 50 requirements" in refused(f"@requires {' '.join(names)}")[0]


@pytest.mark.parametrize(("line", "mode"), [("@mode cold", Mode.COLD), ("@mode warm", Mode.WARM)])
def test_a_mode_is_cold_or_warm(line, mode):
    assert accepted(line).mode is mode
    assert accepted().mode is None


@pytest.mark.parametrize("written", ["", "hot", "Warm", "true"])
def test_another_mode_is_refused(written):
    assert refused(f"@mode {written}".rstrip())[0] == f"@mode: {written!r} is not a mode: write cold or warm"


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("a.sh", []),
        ("a.bash", []),
        ("a.py", ["@runtime program"]),
        ("a", ["@runtime /usr/bin/perl"]),
    ],
)
def test_a_program_that_shall_be_warm_is_pointed_out(script, lines):
    assert warned("@mode warm", *lines, script=script) == [
        (1, "@mode warm does nothing here: a program is always started for the run")
    ]


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("a.py", ["@mode warm"]),
        ("a.ts", ["@mode warm"]),
        ("a", ["@mode warm"]),
        ("a.sh", ["@mode warm", "@runtime python"]),
        ("a", ["@mode warm", "@runtime /opt/venv/bin/python3.12"]),
        ("a.sh", ["@mode cold"]),
    ],
)
def test_what_can_be_warm_or_is_cold_is_not(script, lines):
    assert warned(*lines, script=script) == []


@pytest.mark.parametrize(
    ("line", "detach"), [("@detach", True), ("@detach true", True), ("@detach false", False)]
)
def test_detach_is_a_flag(line, detach):
    assert accepted(line).detach is detach
    assert accepted().detach is False


def test_detach_is_nothing_else():
    assert refused("@detach yes") == ("@detach: 'yes' is neither: write true or false", "yes")
