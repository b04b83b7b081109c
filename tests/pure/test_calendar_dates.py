"""Files of dates: what each line closes, and what is said of a line that means nothing."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.scripts.calendars import dates
from schedd.scripts.calendars.faults import CalendarError

PAGE = (Path(__file__).parents[2] / "docs/time-rules.md").read_text()
(DOCUMENTED,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
YEAR = (1_767_225_600, 1_798_761_600)
"""2026, in wall seconds."""


def spans(text, begin=YEAR[0], end=YEAR[1]):
    """Return what a file closes in 2026, as text."""
    found = [span for event in dates.read(text) for span in event.pattern.spans(begin, end)]
    return [f"{datetime.fromtimestamp(a, UTC):%a %m-%d %H:%M} {(b - a) / 3600:g}h" for a, b in sorted(found)]


@pytest.mark.parametrize(
    ("line", "closed"),
    [
        ("2026-12-25", ["Fri 12-25 00:00 24h"]),
        ("2026-12-24..2026-12-26", ["Thu 12-24 00:00 72h"]),
        ("2026-12-24 .. 2026-12-26", ["Thu 12-24 00:00 72h"]),
        ("05-01 Labour Day", ["Fri 05-01 00:00 24h"]),
        ("12-31..01-01", ["Wed 12-31 00:00 48h", "Thu 12-31 00:00 48h"]),
        ("12-31 14:00-24:00", ["Thu 12-31 14:00 10h"]),
        ("12-31 22:00-02:00", ["Wed 12-31 22:00 4h", "Thu 12-31 22:00 4h"]),
        ("02-29", []),
        ("02-29 22:00-23:00", []),
        ("02-29..03-01", ["Sun 03-01 00:00 24h"]),
        ("2026-11-27 08:00..2026-11-30 08:30", ["Fri 11-27 08:00 72.5h"]),
        ("2026-11-27T08:00..2026-11-27T09:00", ["Fri 11-27 08:00 1h"]),
        ("2026-12-01 22:00-23:30", ["Tue 12-01 22:00 1.5h"]),
        ("2026-12-01 22:00-01:30", ["Tue 12-01 22:00 3.5h"]),
        ("2026-12-01 22:00-24:00", ["Tue 12-01 22:00 2h"]),
    ],
)
def test_a_line_closes_what_it_says(line, closed):
    assert spans(line) == closed


def test_a_leap_day_is_closed_in_leap_years():
    begin, end = 1_830_297_600, 1_861_920_000  # 2028
    assert spans("02-29", begin, end) == ["Tue 02-29 00:00 24h"]


@pytest.mark.parametrize(
    ("line", "week"),
    [
        ("Sat,Sun", ["Sat 01-03 00:00 24h", "Sun 01-04 00:00 24h"]),
        ("Fri-Mon", [f"{d} 00:00 24h" for d in ("Fri 01-02", "Sat 01-03", "Sun 01-04", "Mon 01-05")]),
        ("sat 22:00-06:00", ["Sat 01-03 22:00 8h"]),
        ("Mon,Wed-Thu 09:00-17:00", [f"{d} 09:00 8h" for d in ("Thu 01-01", "Mon 01-05", "Wed 01-07")]),
    ],
)
def test_weekdays_come_each_week(line, week):
    assert spans(line, YEAR[0], YEAR[0] + 7 * 86_400) == week


def test_hours_alone_come_each_day_and_may_have_begun_the_day_before():
    assert spans("22:00-06:00", YEAR[0], YEAR[0] + 86_400) == ["Wed 12-31 22:00 8h", "Thu 01-01 22:00 8h"]


def test_the_files_of_the_page_can_be_read():
    events = dates.read(DOCUMENTED)
    assert len(events) == len([line for line in DOCUMENTED.splitlines() if not line.startswith("#")])
    assert [event.name for event in events[:2]] == ["Christmas Day", "the winter closure"]
    assert [event.whole_days for event in events] == [True] * 4 + [False] * 3 + [True] + [False] * 2


def test_an_entry_is_called_as_the_file_calls_it_else_as_it_is_written():
    events = dates.read("\n# comment\n\n2026-12-25\t# Christmas  Day\r\nSat,Sun\n2026-12-26  25th of\x07 x\n")
    assert [event.name for event in events] == ["Christmas Day", "Sat,Sun", "25th of? x"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2026-13-01", "'2026-13-01' is not a date (month must be in 1..12)"),
        ("2026-02-30 x", "'2026-02-30' is not a date (day is out of range for month)"),
        ("1066-10-14", "'1066-10-14' is not within 1900-2299"),
        ("02-30", "'02-30' is not a day of the year (day is out of range for month)"),
        ("2026-12-26..2026-12-25", "2026-12-25 is before 2026-12-26"),
        ("2026-12-25 10:00..2026-12-25 10:00", "2026-12-25 10:00 is not after 2026-12-25 10:00"),
        ("25:00-26:00", "'25:00' is not a time of day"),
        ("09:60-10:00", "'09:60' is not a time of day"),
        ("09:00-09:00", "09:00-09:00 are no hours: for whole days leave the times out"),
        ("Mom-Fri", "'mom' is not a weekday: write Mon, Tue, Wed, Thu, Fri, Sat, Sun"),
        ("Mon-Tue-Wed", "'mon-tue-wed' is not understood: write two days, as in Mon-Fri"),
    ],
)
def test_what_means_nothing_is_told_why(line, reason):
    with pytest.raises(CalendarError) as told:
        dates.read(f"# two good lines\n12-25\n{line}\n")
    assert (str(told.value), told.value.line) == (reason, 3)


@pytest.mark.parametrize(
    "line",
    [
        "every monday",
        "Sunday",
        "12/25",
        "2026-12-25..",
        "2026-12-25 2026-12-26",
        "2026-12-25 - 2026-12-26",
        "2026-12-25 \u2013 2026-12-26",
        "2026-12-25 to 2026-12-26",
        "2026-12-25 10:00",
        "12-25 10:00",
        "Mon 09:00",
        "Mon-Fri 9:00-17:00",
        "Mon 9am",
        "Sat, Sun",
        "2026-12-25, 2026-12-26",
        "2026-12-25 10:00-12:00-13:00",
    ],
)
def test_half_a_line_is_not_taken_for_the_whole(line):
    with pytest.raises(CalendarError, match=r"is not understood: write a day \(2026-12-25\)"):
        dates.read(line)


@given(st.text(alphabet="0123456789-:. ,#TMonFriSatx\n\r\t", max_size=40))
def test_any_text_is_read_or_refused_with_a_sentence_and_a_line(text):
    line, reason = 1, ""
    try:
        dates.read(text)
    except CalendarError as error:
        line, reason = error.line, str(error)
    assert line in range(1, text.count("\n") + 2)
    assert reason.isprintable()
