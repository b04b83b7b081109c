"""What `@catchup`, `@deadline`, `@jitter` and `@retry` mean, and what is said where they cannot work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.schedule import Catchup, FileStamp, Retry, Schedule
from schedd.scripts.directives import read_header
from schedd.scripts.registration import Defaults, Finding, Registrar, Source
from schedd.timetable import duration

SCRIPT = "default/cron/job.py"
HOUR_MS = 3_600_000


def found(*lines: str, script: str = SCRIPT) -> Finding:
    source = Source(script=script, path=f"/srv/{script}", sha256="ab" * 32, stamp=FileStamp(1, 2, 3))
    header = read_header("".join(f"# {line}\n" for line in lines).encode(), script)
    return Registrar(Defaults()).register(header, source)


def accepted(line: str, expression: str = "0 5 * * *") -> Schedule:
    result = found(f"@schedule {expression}", line)
    assert result.problems == ()
    assert result.schedule is not None
    return result.schedule


def refused(line: str) -> str:
    result = found("@schedule 0 5 * * *", line)
    assert result.schedule is None
    (problem,) = result.problems
    assert (problem.path, problem.line) == (SCRIPT, 2)
    assert problem.column == (len(line) - len(line.partition(" ")[2]) + 3 if " " in line else 3)
    return problem.reason


def warned(expression: str, *lines: str) -> list[str]:
    result = found(f"@schedule {expression}", *lines)
    assert result.schedule is not None, result.problems
    assert result.schedule.warnings == tuple(f"line {w.line}: {w.reason}" for w in result.warnings)
    return [warning.reason for warning in result.warnings]


@pytest.mark.parametrize(
    ("written", "policy", "within_ms"),
    [
        ("none", Catchup.NONE, None),
        ("last", Catchup.LAST, None),
        ("all", Catchup.ALL, None),
        ("last within 6h", Catchup.LAST, 6 * HOUR_MS),
        ("all  within\t1h30m", Catchup.ALL, HOUR_MS * 3 // 2),
        ("last within 1m", Catchup.LAST, 60_000),
        ("'all within 7d'", Catchup.ALL, 7 * 24 * HOUR_MS),
    ],
)
def test_catchup_is_a_policy_and_perhaps_a_bound(written, policy, within_ms):
    schedule = accepted(f"@catchup {written}")
    assert (schedule.catchup, schedule.catchup_within_ms) == (policy, within_ms)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "'' is not a policy: write none, last or all, or `last within 6h`"),
        ("true", "'true' is not a policy: write none, last or all, or `last within 6h`"),
        ("Last", "'Last' is not a policy: write none, last or all, or `last within 6h`"),
        ("within 6h", "'within 6h' is not a policy: write none, last or all, or `last within 6h`"),
        ("last 6h", "'last 6h' is not understood: write `last`, or `last within 6h`"),
        ("last within", "'last within' is not understood: write `last`, or `last within 6h`"),
        ("all within 6 h", "'all within 6 h' is not understood: write `all`, or `all within 6h`"),
        ("last within 6", "'6' has no unit, write 6s or use m, h, d"),
        ("last within soon", "'soon' is not a duration, write it like 90s, 1h30m or 2d"),
        ("last within 59s", "'59s' is too short: write 1m or more"),
        ("last within 366d", "'366d' is too long: write 365d or less"),
        ("none within 6h", "none catches up nothing, however old: write `none`, or `last within 6h`"),
    ],
)
def test_what_is_no_catchup_is_told_what_to_write(written, reason):
    assert refused(f"@catchup {written}".rstrip()) == f"@catchup: {reason}"


@pytest.mark.parametrize(("written", "limit_ms"), [("10m", 600_000), ("1s", 1000), ("1.5s", 1500)])
def test_a_deadline_is_a_duration(written, limit_ms):
    assert accepted(f"@deadline {written}").deadline_ms == limit_ms


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "'' is not a duration, write it like 90s, 1h30m or 2d"),
        ("600", "'600' has no unit, write 600s or use m, h, d"),
        ("0s", "'0s' is too short: write 1s or more"),
        ("999ms", "'999ms' is too short: write 1s or more"),
        ("8761h", "'8761h' is too long: write 365d or less"),
        ("none", "'none' is not a duration, write it like 90s, 1h30m or 2d"),
    ],
)
def test_what_is_no_deadline_is_told_what_to_write(written, reason):
    assert refused(f"@deadline {written}".rstrip()) == f"@deadline: {reason}"


@pytest.mark.parametrize(
    ("written", "jitter_s"), [("5m", 300), ("1s", 1), ("1.5m", 90), ("24h", 86_400), ("1000ms", 1), ("0", 0)]
)
def test_jitter_goes_into_the_timetable(written, jitter_s):
    schedule = accepted(f"@jitter {written}")
    assert schedule.timetable.jitter_s == jitter_s
    assert schedule.timetable.offset_s in range(max(jitter_s, 1))


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "'' is not a duration, write it like 90s, 1h30m or 2d"),
        ("5", "'5' has no unit, write 5s or use m, h, d"),
        ("0s", "'0s' is too short: write 1s or more"),
        ("500ms", "'500ms' is too short: write 1s or more"),
        ("1500ms", "'1500ms' is not a number of whole seconds, and slots are"),
        ("25h", "'25h' is too long: write 1d or less"),
    ],
)
def test_what_is_no_jitter_is_told_what_to_write(written, reason):
    assert refused(f"@jitter {written}".rstrip()) == f"@jitter: {reason}"


def test_a_bad_jitter_does_not_hide_a_bad_expression_or_zone():
    problems = found("@timezone Mars/Olympus", "@schedule every blue moon", "@jitter 5", "@retry x").problems
    assert [problem.line for problem in problems] == [1, 2, 3, 4]


def test_scripts_without_jitter_share_a_timetable_and_those_with_it_have_their_own():
    registrar = Registrar(Defaults())

    def timetable(script: str, text: bytes) -> object:
        source = Source(script=script, path=f"/{script}", sha256="", stamp=FileStamp(1, 2, 3))
        return registrar.register(read_header(text), source).schedule.timetable

    plain, jittered = b"# @schedule 0 5 * * *\n", b"# @schedule 0 5 * * *\n# @jitter 1h\n"
    assert timetable("a.py", jittered) != timetable("b.py", jittered)
    assert timetable("a.py", plain) is timetable("b.py", plain)
    assert timetable("a.py", jittered) == timetable("a.py", jittered)


@pytest.mark.parametrize(
    ("written", "retry"),
    [
        ("0", None),
        ("3 every 30s", Retry(limit=3, first_ms=30_000, most_ms=30_000)),
        ("1 every 1s", Retry(limit=1, first_ms=1000, most_ms=1000)),
        ("100 every 7d", Retry(limit=100, first_ms=168 * HOUR_MS, most_ms=168 * HOUR_MS)),
        ("5 backoff 10s..10m", Retry(limit=5, first_ms=10_000, most_ms=600_000)),
        ("5 backoff 10s .. 10m", Retry(limit=5, first_ms=10_000, most_ms=600_000)),
        ("5 backoff 1.5s..1.5s", Retry(limit=5, first_ms=1500, most_ms=1500)),
    ],
)
def test_retry_is_a_number_and_a_delay_or_two(written, retry):
    assert accepted(f"@retry {written}").retry == retry


FORMS = "write `3 every 30s`, `5 backoff 10s..10m`, or `0` for none"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", f"'' is not understood: {FORMS}"),
        ("true", f"'true' is not understood: {FORMS}"),
        ("-1 every 30s", f"'-1 every 30s' is not understood: {FORMS}"),
        ("٣ every 30s", f"'٣ every 30s' is not understood: {FORMS}"),
        ("3", f"'3' does not say after how long: {FORMS}"),
        ("3 30s", f"'3 30s' is not understood: {FORMS}"),
        ("3 times every 30s", f"'3 times every 30s' is not understood: {FORMS}"),
        ("3 every 30s..1m", "'30s..1m' is not a duration, write it like 90s, 1h30m or 2d"),
        ("3 every 30 s", f"'3 every 30 s' is not understood: {FORMS}"),
        ("3 every", f"'3 every' is not understood: {FORMS}"),
        ("3 every 30", "'30' has no unit, write 30s or use m, h, d"),
        ("3 every 0s", "'0s' is too short: write 1s or more"),
        ("3 every 8d", "'8d' is too long: write 7d or less"),
        ("3 backoff", f"'3 backoff' is not understood: {FORMS}"),
        ("3 backoff 10s", f"'3 backoff 10s' is not understood: {FORMS}"),
        ("3 backoff 10s-10m", f"'3 backoff 10s-10m' is not understood: {FORMS}"),
        ("3 backoff 1s..2s..3s", f"'3 backoff 1s..2s..3s' is not understood: {FORMS}"),
        ("3 backoff ..10m", "'' is not a duration, write it like 90s, 1h30m or 2d"),
        ("3 backoff 10m..10s", "'10m..10s' runs backwards: write 10s..10m"),
        ("3 backoff 10s..8d", "'8d' is too long: write 7d or less"),
        ("0 every 30s", "'0' tries will not do: write a number from 1 to 100, or `0`"),
        ("101 every 30s", "'101' tries will not do: write a number from 1 to 100, or `0`"),
        ("9999999999999999 every 1s", f"'9999999999999999 every 1s' is not understood: {FORMS}"),
    ],
)
def test_what_is_no_retry_is_told_what_to_write(written, reason):
    assert refused(f"@retry {written}".rstrip()) == f"@retry: {reason}"


@given(
    st.sampled_from(["catchup", "deadline", "jitter", "retry"]),
    st.lists(
        st.sampled_from(
            ["none", "last", "all", "within", "every", "backoff", "..", "3", "0", "1s", "6h", "9d"]
        )
    ),
    st.sampled_from(["", " "]),
)
def test_any_mixture_of_words_is_taken_or_refused_with_a_sentence(name, words, between):
    result = found("@schedule 0 5 * * *", f"@{name} {between.join(words)}")
    assert (result.schedule is None) == bool(result.problems)
    assert all(problem.reason.isprintable() and problem.line == 2 for problem in result.problems)
    if result.schedule is not None and result.schedule.retry is not None:
        assert 1000 <= result.schedule.retry.first_ms <= result.schedule.retry.most_ms


def test_a_value_too_long_or_too_short_is_answered_with_one_that_is_taken():
    for line in ("@jitter 25h", "@jitter 1ms", "@deadline 366d", "@deadline 1ms", "@catchup last within 1s"):
        bound = refused(line).partition("write ")[2].split()[0]
        assert duration.parse_ms(bound)
        accepted(" ".join([*line.split()[:-1], bound]))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("@catchup last", "@catchup does nothing here: @reboot has no slots that could be missed"),
        ("@deadline 5m", "@deadline does nothing here: @reboot has no slots to be late for"),
        ("@jitter 5m", "@jitter does nothing here: @reboot has no slots to move"),
    ],
)
def test_what_is_about_slots_is_idle_beside_reboot_and_said_so(line, reason):
    assert warned("@reboot", line) == [reason]
    assert warned("@reboot | 0 5 * * *", line) == []
    assert warned("@at 2019-01-31T09:00", line) == []


def test_a_failed_start_of_the_host_may_be_retried():
    assert warned("@reboot", "@retry 3 every 30s") == []


@pytest.mark.parametrize(
    ("expression", "line", "reason"),
    [
        ("* * * * *", "3 every 1m", "a new slot comes every minute and takes its place"),
        ("*/5 9-17 * * 1-5", "3 backoff 10m..1h", "a new slot comes every 5 minutes and takes its place"),
        ("@every 90s", "1 every 2m", "a new slot comes every 1 minute 30 seconds and takes its place"),
    ],
)
def test_a_retry_that_a_new_slot_always_overtakes_is_pointed_out(expression, line, reason):
    assert warned(expression, f"@retry {line}") == [f"@retry waits too long: {reason}"]


@pytest.mark.parametrize(
    ("expression", "line"),
    [
        ("* * * * *", "3 every 59s"),
        ("* * * * *", "3 backoff 10s..1h"),
        ("0,5 0 * * *", "3 every 10m"),
        ("0 5 * * *", "3 every 1h"),
        ("@at 2027-01-31T09:00", "3 every 7d"),
        ("0 0 29 2 */7", "3 every 7d"),
    ],
)
def test_a_retry_that_has_room_is_not(expression, line):
    assert warned(expression, f"@retry {line}") == []


def test_a_jitter_beyond_the_next_slot_is_pointed_out():
    assert warned("*/5 * * * *", "@jitter 10m") == [
        "@jitter is longer than it need be: a slot comes every 5 minutes"
    ]
    assert warned("*/5 * * * *", "@jitter 5m") == []
    assert warned("0,5 0 * * *", "@jitter 1h") == []


def test_warnings_come_in_the_order_of_the_lines_with_those_of_the_header():
    result = found("@jitter 2m", "@timezon UTC", "@schedule * * * * *", "@retry 1 every 5m")
    assert [(warning.line, warning.column) for warning in result.warnings] == [(1, 11), (2, 3), (4, 10)]
    assert len(result.schedule.warnings) == 3
