"""iCalendar files: what their events close, in the zones and by the rules of RFC 5545."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.scripts.calendars import ics
from schedd.scripts.calendars.faults import CalendarError
from schedd.timetable import closures, zone
from schedd.timetable.calendar import Calendar

YEAR = (1_767_225_600, 1_798_761_600)


def file(*events: str) -> str:
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n"
    return (
        head + "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events) + "END:VCALENDAR\r\n"
    )


def closed(*events: str, on: str = "Europe/Berlin") -> list[str]:
    """Return what a file closes in 2026, as the wall clock shows it; stretches that touch are one."""
    made = Calendar("x.ics", str(events), ics.read(file(*events)))
    shut = closures.of(made, zone.load(on))
    found: list[list[int]] = []
    for piece in shut.between(*YEAR):
        if found and found[-1][1] == piece.start:
            found[-1][1] = piece.end
        else:
            found.append([piece.start, piece.end])
    return [
        " to ".join(f"{datetime.fromtimestamp(shut.local(at), UTC):%m-%d %H:%M}" for at in s) for s in found
    ]


def refused(*events: str) -> tuple[str, int | None]:
    with pytest.raises(CalendarError) as told:
        ics.read(file(*events))
    return str(told.value), told.value.line


@pytest.mark.parametrize(
    ("event", "spans"),
    [
        ("DTSTART;VALUE=DATE:20261225", ["12-25 00:00 to 12-26 00:00"]),
        ("DTSTART:20261225", ["12-25 00:00 to 12-26 00:00"]),
        ("DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227", ["12-24 00:00 to 12-27 00:00"]),
        ("DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261224", ["12-24 00:00 to 12-25 00:00"]),
        ("DTSTART;VALUE=DATE:20261224\r\nDURATION:P1W", ["12-24 00:00 to 12-31 00:00"]),
        ("DTSTART:20261201T080000Z\r\nDTEND:20261201T100000Z", ["12-01 09:00 to 12-01 11:00"]),
        ("DTSTART:20261201T080000\r\nDURATION:PT1H30M", ["12-01 08:00 to 12-01 09:30"]),
        (
            "DTSTART;TZID=America/New_York:20261201T080000\r\nDTEND;TZID=America/New_York:20261201T090000",
            ["12-01 14:00 to 12-01 15:00"],
        ),
        (
            'DTSTART;TZID="/example.org/20110821/Europe/London":20260701T080000\r\nDURATION:PT1H',
            ["07-01 09:00 to 07-01 10:00"],
        ),
        ("DTSTART;TZID=Asia/Tokyo:20261201T080000\r\nDTEND:20261201T000000Z", ["12-01 00:00 to 12-01 01:00"]),
        ("DTSTART:20261201T080000Z", []),
        ("DTSTART;VALUE=DATE:20261225\r\nSTATUS:CANCELLED", []),
        ("DTSTART;VALUE=DATE:20261225\r\nTRANSP:TRANSPARENT", ["12-25 00:00 to 12-26 00:00"]),
        (
            "DTSTART;VALUE=DATE:20261225\r\nBEGIN:VALARM\r\nDURATION:PT5M\r\nTRIGGER:-PT1H\r\nEND:VALARM",
            ["12-25 00:00 to 12-26 00:00"],
        ),
        ("DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY", ["12-25 00:00 to 12-26 00:00"]),
        ("DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY;COUNT=6", []),
        ("DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY;UNTIL=20261225", ["12-25 00:00 to 12-26 00:00"]),
        ("DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY;UNTIL=20261224", []),
        (
            "DTSTART;VALUE=DATE:20250525\r\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO",
            ["05-25 00:00 to 05-26 00:00"],
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20260328T013000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=2",
            ["03-28 01:30 to 03-28 02:30", "03-29 01:30 to 03-29 03:00"],
        ),
        (
            (
                "DTSTART:20260105T090000\r\nDURATION:PT1H\r\n"
                "RRULE:FREQ=WEEKLY;UNTIL=20260119T235959Z\r\nEXDATE:20260112T090000"
            ),
            ["01-05 09:00 to 01-05 10:00", "01-19 09:00 to 01-19 10:00"],
        ),
        (
            (
                "DTSTART;TZID=Europe/Berlin:20260105T090000\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\n"
                "EXDATE:20260112T080000Z\r\nEXDATE;VALUE=DATE:20260119\r\n"
                "RDATE:20260201T090000,20260202T090000"
            ),
            ["01-05 09:00 to 01-05 10:00", "02-01 09:00 to 02-01 10:00", "02-02 09:00 to 02-02 10:00"],
        ),
    ],
)
def test_an_event_closes_what_it_covers(event: str, spans: list[str]) -> None:
    assert closed(event) == spans


def test_an_occurrence_that_was_moved_is_where_it_was_moved_to() -> None:
    series = "UID:1\r\nDTSTART:20260105T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=3"
    moved = "UID:1\r\nRECURRENCE-ID:20260112T090000Z\r\nDTSTART:20260113T110000Z\r\nDURATION:PT2H"
    gone = "UID:1\r\nRECURRENCE-ID;TZID=Asia/Tokyo:20260119T180000\r\nDTSTART:20260119T090000Z"
    gone += "\r\nSTATUS:CANCELLED"
    assert closed(series, moved, gone, on="UTC") == [
        "01-05 09:00 to 01-05 10:00",
        "01-13 11:00 to 01-13 13:00",
    ]
    assert closed(moved.replace("UID:1", "UID:2"), series, on="UTC") == [
        "01-05 09:00 to 01-05 10:00",
        "01-12 09:00 to 01-12 10:00",
        "01-13 11:00 to 01-13 13:00",
        "01-19 09:00 to 01-19 10:00",
    ]


def test_lines_are_unfolded_and_names_unescaped() -> None:
    (event,) = ics.read(
        file(
            "DTSTART;VALUE=DATE:2026\r\n 1225\r\n"
            "SUMMARY;LANGUAGE=en:Christ\r\n\tmas\\, the first\\nday\\; \\\\o/"
        )
    )
    assert event.name == "Christmas, the first day; \\o/"


def test_what_is_no_event_is_passed_over() -> None:
    text = file("DTSTART;VALUE=DATE:20261225").replace(
        "BEGIN:VEVENT", "BEGIN:VTODO\r\nDTSTART:soon\r\nEND:VTODO\r\nX-WR-CALNAME:all:of;it\r\nBEGIN:VEVENT"
    )
    assert [event.name for event in ics.read(text)] == ["2026-12-25"]
    assert ics.read(file()) == ()


@pytest.mark.parametrize(
    ("event", "line", "reason"),
    [
        ("SUMMARY:x", 4, "this event has no DTSTART"),
        ("DTSTART:soon", 5, "DTSTART: 'soon' is not a date or a time, such as 20261225 or 20261225T090000Z"),
        ("DTSTART:20261325", 5, "DTSTART: '20261325' is not a date (month must be in 1..12)"),
        ("DTSTART:10661014", 5, "DTSTART: '10661014' is not within 1900-2299"),
        ("DTSTART:20261225T250000", 5, "DTSTART: '20261225T250000' is not a time of day"),
        ("DTSTART:20261225\r\nDTSTART:20261226", 6, "DTSTART stands twice in this event"),
        (
            "DTSTART;TZID=W. Europe Standard Time:20261225T090000",
            5,
            "DTSTART: the TZID 'W. Europe Standard Time' is not a time zone of IANA's, such as Europe/Berlin",
        ),
        ("DTSTART:20261225\r\nDTEND:20261224", 6, "DTEND is before DTSTART"),
        (
            "DTSTART:20261225\r\nDTEND:20261226T090000",
            6,
            "DTEND and DTSTART are not both a DATE or both a DATE-TIME",
        ),
        (
            "DTSTART:20261225\r\nDTEND:20261226\r\nDURATION:P1D",
            7,
            "an event has DTEND or DURATION, not both",
        ),
        ("DTSTART:20261225\r\nDURATION:-P1D", 6, "DURATION:-P1D is not understood"),
        ("DTSTART:20261225\r\nDURATION:P", 6, "DURATION:P is not understood"),
        ("DTSTART:20261225\r\nDURATION:PT1H", 6, "an event of whole days has a DURATION of whole days"),
        (
            "DTSTART:20261225\r\nDURATION:P99999999999999999999W",
            6,
            "DURATION:P99999999999999999999W is longer than a year",
        ),
        (
            "DTSTART:20261225\r\nRRULE:FREQ=HOURLY",
            6,
            "FREQ=HOURLY is not supported: it may be DAILY, WEEKLY, MONTHLY, YEARLY",
        ),
        (
            "DTSTART:20261225\r\nRRULE:COUNT=3",
            6,
            "FREQ= is not supported: it may be DAILY, WEEKLY, MONTHLY, YEARLY",
        ),
        ("DTSTART:20261225\r\nRRULE:FREQ=DAILY;X=1", 6, "'X' in the RRULE is not supported"),
        ("DTSTART:20261225\r\nRRULE:FREQ=DAILY;COUNT=0", 6, "COUNT=0 is not a number from 1 to 10000"),
        (
            "DTSTART:20261225\r\nRRULE:FREQ=DAILY;BYDAY=XX",
            6,
            "BYDAY=XX is not a day: it may be MO, TU, WE, TH, FR, SA, SU, or 2MO, -1FR",
        ),
        ("DTSTART:20261225\r\nRRULE:FREQ=DAILY;BYMONTHDAY=0", 6, "BYMONTHDAY=0 means nothing"),
        (
            "DTSTART:20261225\r\nRRULE:FREQ=DAILY;UNTIL=soon",
            6,
            "'SOON' is not a date or a time, such as 20261225 or 20261225T090000Z",
        ),
        ("DTSTART:20261225\r\nEXRULE:FREQ=DAILY", 6, "EXRULE is not supported: write EXDATE"),
        (
            "DTSTART:20261225T090000\r\nRDATE:20261226",
            6,
            "RDATE and DTSTART are not both a DATE or both a DATE-TIME",
        ),
        (
            "DTSTART:20261225T090000\r\nRDATE;VALUE=PERIOD:20261226T090000/PT1H",
            6,
            "an RDATE of periods is not supported: write events",
        ),
        (
            "DTSTART:20261225\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261225",
            6,
            "a RECURRENCE-ID for all later occurrences is not supported",
        ),
        (
            "DTSTART:20261225\r\nthis is no property",
            6,
            "'this is no property' is not a property of an iCalendar file",
        ),
    ],
)
def test_what_cannot_be_followed_is_told_with_its_line(event: str, line: int, reason: str) -> None:
    assert refused(event) == (reason, line)


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("", "there is nothing in it: an iCalendar file begins with BEGIN:VCALENDAR", None),
        ("\n\n", "there is nothing in it: an iCalendar file begins with BEGIN:VCALENDAR", None),
        ("<html>", "'<html>' is not a property of an iCalendar file", 1),
        ("BEGIN:VEVENT\n", "an iCalendar file begins with BEGIN:VCALENDAR", 1),
        ("X:1\n", "an iCalendar file begins with BEGIN:VCALENDAR", 1),
        ("BEGIN:VCALENDAR\nEND:VEVENT\n", "END:VEVENT does not end what was begun last", 2),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261225\n",
            "the file ends within VEVENT: it is cut off",
            None,
        ),
    ],
)
def test_what_is_no_calendar_is_refused_as_a_whole(text: str, reason: str, line: int | None) -> None:
    with pytest.raises(CalendarError) as told:
        ics.read(text)
    assert (str(told.value), told.value.line) == (reason, line)


PIECES = ["DTSTART", "DTEND", "RRULE", "EXDATE", ":", ";", "=", "20261225", "T090000", "Z", "FREQ=DAILY"]
PIECES += [
    "COUNT=2",
    "\r\n",
    "\n ",
    ",",
    "TZID",
    "Europe/Berlin",
    "BEGIN:VEVENT\n",
    "END:VEVENT\n",
    '"',
    "\0",
    "ä",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20))
def test_any_text_is_read_or_refused_with_a_sentence(pieces: list[str]) -> None:
    text = f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261225\n{''.join(pieces)}\nEND:VEVENT\nEND:VCALENDAR\n"
    try:
        events = ics.read(text)
    except CalendarError as error:
        reason = str(error)
    else:
        closures.Closures(Calendar("x.ics", text, events), zone.load("UTC")).at(YEAR[0])
        reason = ""
    assert reason.isprintable()
