"""What is refused, and which spelling the refusal offers instead."""

import pytest

from schedd.errors import TimetableError
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

LONG = ",".join(["1"] * 130)


def refusal(expression, zone="UTC"):
    with pytest.raises(TimetableError) as refused:
        Timetable.parse(expression, zone)
    return str(refused.value)


def test_a_text_that_is_no_expression_gets_the_bare_sentence():
    assert refusal("every blue moon") == "Invalid cron expression: 'every blue moon'"


def test_a_refusal_shows_the_text_as_it_was_written():
    assert refusal("run me every blue moon").endswith("'run' in the minute field is not understood")
    assert "'fri-mon' in the day of week field" in refusal("0 0 * * fri-mon")


@pytest.mark.parametrize(
    ("expression", "advice"),
    [
        ("* 22-2 * * *", "write 22-23,0-2"),
        ("* 22-4/3 * * *", "write 22,1,4"),
        ("* * * nov-feb *", "write 11-12,1-2"),
        ("* * 28-3 * *", "write 28-31,1-3"),
        ("* * * * fri-mon", "write 5-6,0-1"),
        ("* * * * sat-sun", "write 6,0"),
        ("5/15 * * * *", "write 5-59/15"),
        ("* * * * 1/2", "write 1-6/2"),
        ("R R * * *", "write H"),
        ("0 0 ? * *", "write *"),
        ("0 0 * * monday", "write mon"),
        ("0 0 * * 5L", "written L5"),
        ("0 0 * * L", "write L5"),
        ("0 0 15W * *", "nearest working day is not known"),
        ("0 0 * * 1,5#2", "join two expressions by |"),
        ("H,5 * * * *", "H stands alone"),
        ("@dialy", "did you mean @daily?"),
        ("@Daily", "did you mean @daily?"),
        ("@evry 5m", "did you mean @every?"),
        ("@every 90", "write 90s"),
        ("@at tomorrow", "write it like 2027-01-31T09:00"),
        ("0 0 * * * 2027", "2027 in the day of week field is not within 0-7"),
        ("0 0 0 1 1 * 2027", "a year cannot be given"),
        ("0 0 * *", "it has 4 fields, write five, or six with seconds first"),
        ("0 5 * * * # each night", "nothing may stand behind it, remove '# each night'"),
        ("0 5 * * * @timeout 5s", "nothing may stand behind it, remove '@timeout 5s'"),
        ("0 9 * * * |", "'0 9 * * * |': nothing stands beside a '|'"),
        ("|", "'|': nothing stands beside a '|'"),
        ("", "is empty"),
    ],
)
def test_a_refusal_names_the_spelling_that_was_meant(expression, advice):
    assert advice in refusal(expression)


@pytest.mark.parametrize(
    ("refused", "spelled_out", "hours"),
    [
        ("0 22-2 * * *", "0 22-23,0-2 * * *", [22, 23, 0, 1, 2]),
        ("0 22-4/3 * * *", "0 22,1,4 * * *", [22, 1, 4]),
    ],
)
def test_the_offered_spelling_fires_as_the_range_was_meant(refused, spelled_out, hours):
    assert spelled_out.split()[1] in refusal(refused)
    nine_pm = Slot(21 * 3600)
    slots = Timetable.parse(spelled_out, "UTC").upcoming(nine_pm, len(hours))
    assert [slot // 3600 % 24 for slot in slots] == hours


@pytest.mark.parametrize(
    "expression",
    [
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 0 *",
        "* * * 13 *",
        "* * * * 8",
        "60 * * * * *",
        "-1 * * * *",
        "*/0 * * * *",
        "*/x * * * *",
        "1-5/0 * * * *",
        "1,,2 * * * *",
        ",1 * * * *",
        "1- * * * *",
        "1-2-3 * * * *",
        "** * * * *",
        "*5 * * * *",
        "*-5 * * * *",
        "1.5 * * * *",
        "jan * * * *",
        "* * * mon *",
        "* * * * jan",
        "L * * * *",
        "* * L-3 * *",
        "* * LW * *",
        "* * * * 5#0",
        "* * * * 5#6",
        "* * * * L8",
        "* * * * mon#x",
        "H(5-5) * * * *",
        "H(0-99) * * * *",
        "H/0 * * * *",
        "H(1) * * * *",
        "* * * * H(0-7)",
        "٣ * * * *",
        "0\u00a00 * * *",
        "0 0 * * *\n",
        "0 0 * *\x00 *",
        f"{LONG} * * * *",
        "9" * 40 + " * * * *",
    ],
)
def test_what_cron_refuses_is_refused(expression):
    assert refusal(expression).startswith("Invalid cron expression: '")


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("0 0 30 2 *", "February has no day 30"),
        ("0 0 31 4,6,9,11 *", "none of its months has a day 31"),
        ("0 0 30 2 */2", "February has no day 30"),
        ("0 0 */29 2 1#5", "no such day comes in 50 years"),
    ],
)
def test_an_expression_that_never_fires_is_refused_and_says_why(expression, why):
    assert refusal(expression) == f"Invalid cron expression: '{expression}' never fires ({why})"


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("9-9 * * * *", "9 * * * *"),
        ("0 9-9/5 * * *", "0 9 * * *"),
        ("0 0 * * MON-Fri", "0 0 * * 1-5"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * 6-7", "0 0 * * 0,6"),
        ("0 0 * JAN,dec *", "0 0 * 1,12 *"),
        ("05 007 * * *", "5 7 * * *"),
        ("  0\t0   * * * ", "0 0 * * *"),
        ("*/90 * * * *", "0 * * * *"),
        ("0 0 * * fri#2", "0 0 * * 5#2"),
        ("0 0 l * lfri", "0 0 L * L5"),
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_two_spellings_of_one_timetable(written, means):
    after = Slot(1_800_000_000)
    assert Timetable.parse(written, "Europe/Berlin").upcoming(after, 30) == Timetable.parse(
        means, "Europe/Berlin"
    ).upcoming(after, 30)


def test_the_text_is_kept_as_it_was_written():
    assert Timetable.parse(" 0 9-9 * * Mon ", "UTC").expression == "0 9-9 * * Mon"


def test_a_long_text_is_shown_shortened():
    assert len(refusal("1," * 5000)) < 250
