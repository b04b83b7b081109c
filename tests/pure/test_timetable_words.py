"""Timetables in plain words, and the sentences that warn their authors."""

import pytest

from schedd.timetable.instant import Slot, to_ms
from schedd.timetable.timetable import Timetable

SPRING = "On 2027-03-28 the clock goes from 02:00 to 03:00: "
AUTUMN = "On 2027-10-31 the clock goes back from 03:00 to 02:00: "

NOW = Slot(to_ms("2027-01-15T08:00:00Z") // 1000)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("30 2 * * 1-5", "At 02:30 on Monday through Friday"),
        ("*/15 * * * *", "Every 15th minute of every hour"),
        ("0 0 22 * *", "At 00:00 on the 22nd day of every month"),
        ("0 0 1,13,23,31 * *", "At 00:00 on the first, the 13th, the 23rd, and the 31st day of month"),
        ("0 0 13 * 5", "At 00:00 on the 13th day of month and on Friday"),
        ("0 0 * * L5", "At 00:00 on the last Friday of the month"),
        ("0 0 * * 5#2", "At 00:00 on the second Friday of the month"),
        ("0 0 L * *", "At 00:00 on the last day of every month"),
        ("15 30 2 * * *", "At 02:30:15 every day"),
        ("@weekly", "At 00:00 on Sunday"),
        ("@every 90s", "Every 1 minute 30 seconds"),
        ("@every 1h", "Every hour"),
        ("@every 2d", "Every 2 days"),
        ("@at 2027-01-31T09:00", "Once, at 2027-01-31 09:00:00 Europe/Berlin"),
        ("@at 2027-01-31T09:00+02:00", "Once, at 2027-01-31 07:00:00 UTC"),
        ("@reboot", "When the host starts"),
        ("@reboot | 0 9 * * 1-5", "When the host starts; and at 09:00 on Monday through Friday"),
    ],
)  # fmt: skip
def test_a_timetable_is_said_in_plain_words(expression, words):
    assert Timetable.parse(expression, "Europe/Berlin").words() == words


def test_h_is_said_as_the_time_that_it_stands_for():
    timetable = Timetable.parse("H H * * *", "UTC", seed="a.py")
    at = timetable.next_after(NOW) % 86_400
    assert timetable.words() == f"At {at // 3600:02}:{at // 60 % 60:02} every day"


@pytest.mark.parametrize(
    ("expression", "warnings"),
    [
        ("30 2 * * *", [SPRING + "its 02:30 runs at 03:00."]),
        ("0,30 2 * * *", [SPRING + "its 02:00 and 02:30 run as one at 03:00."]),
        (
            "*/15 2 * * *",
            [
                SPRING + "its 02:00, 02:15, 02:30 and 1 more are left out.",
                AUTUMN + "its 02:00, 02:15, 02:30 and 1 more run twice.",
            ],
        ),
        ("0 */2 * * *", [SPRING + "its 02:00 is left out.", AUTUMN + "its 02:00 runs twice."]),
        (
            "0-59 * 2 * * *",
            [
                "Six fields have the seconds first: this runs 60 times in each minute that matches.",
                SPRING + "its 02:00:00, 02:00:01, 02:00:02 and many more are left out.",
                AUTUMN + "its 02:00:00, 02:00:01, 02:00:02 and many more run twice.",
            ],
        ),
        (
            "0 0-23 * * *",
            [
                SPRING + "its 02:00 runs at 03:00.",
                AUTUMN + "its 02:00 runs the first time only; write * for the hour to follow elapsed time.",
            ],
        ),
        ("*/10 2 * * 1", []),
        ("*/15 * * * *", []),
        ("0 9 * * *", []),
        ("@every 7m", []),
        ("@reboot", []),
        ("@at 2027-03-28T02:30", [SPRING + "02:30 does not exist, it runs at 03:00."]),
        ("@at 2027-10-31T02:30", [AUTUMN + "02:30 comes twice, it runs the first time."]),
        ("@at 2026-03-29T02:30", []),
        ("30 2 * * * | 30 2 * * 0", [SPRING + "its 02:30 runs at 03:00."]),
    ],
)
def test_clock_changes_of_the_coming_year_are_told(expression, warnings):
    assert list(Timetable.parse(expression, "Europe/Berlin").warnings(NOW)) == warnings


@pytest.mark.parametrize(
    ("expression", "warning"),
    [
        ("*/7 * * * *", "'*/7' in the minute field starts again each hour, its last step is 4 minutes"),
        ("0 */5 * * *", "'*/5' in the hour field starts again each day, its last step is 4 hours"),
        ("0 */23 * * *", "'*/23' in the hour field starts again each day, its last step is 1 hour"),
        ("0 0 */2 * *", "'*/2' in the day of month field starts again on the 1st of each month."),
        ("*/90 * * * *", "'*/90' in the minute field matches 0 only."),
        ("*/30 * * * * *", "Six fields have the seconds first: this runs 2 times in each minute"),
    ],
)
def test_what_does_not_do_what_it_seems_to_is_told(expression, warning):
    (told,) = Timetable.parse(expression, "UTC").warnings(NOW)
    assert told.startswith(warning)


def test_an_uneven_step_is_told_with_the_interval_that_is_even():
    (told,) = Timetable.parse("*/7 * * * *", "UTC").warnings(NOW)
    assert told.endswith("; '@every 7m' is even.")
    assert Timetable.parse("@every 7m", "UTC").warnings(NOW) == ()


@pytest.mark.parametrize(
    "expression", ["*/5 * * * *", "0 */8 * * *", "0 0 */1 * *", "0 30 2 * * *", "0 0 1-31/2 * *"]
)
def test_an_even_step_needs_no_warning(expression):
    assert Timetable.parse(expression, "UTC").warnings(NOW) == ()


def test_what_a_warning_says_of_a_change_is_what_the_slots_do():
    for expression, count in (("30 2 * * *", 1), ("*/15 2 * * *", 0)):
        timetable = Timetable.parse(expression, "Europe/Berlin")
        assert timetable.warnings(NOW)
        midnight = Slot(to_ms("2027-03-27T23:00:00Z") // 1000)
        assert len([slot for slot in timetable.upcoming(midnight, 9) if slot < midnight + 82_800]) == count


def test_a_lost_day_is_told_with_its_dates():
    before = Slot(to_ms("2011-06-01T00:00:00Z") // 1000)
    assert Timetable.parse("0 12 30 12 *", "Pacific/Apia").warnings(before) == (
        "The clock goes from 2011-12-30 00:00 to 2011-12-31 00:00: its 12:00 is left out.",
    )
