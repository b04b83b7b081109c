"""Calendars as plain text: one day, range or window on each line, and what people call it.

    2026-12-25                              Christmas Day
    2026-12-24..2027-01-03                  the winter closure
    05-01                                   Labour Day, each year
    12-24..01-01                            each year
    12-31 14:00-24:00                       New Year's Eve
    2026-11-27 08:00..2026-11-30 08:00      a freeze
    2026-12-01 22:00-23:30                  new disks
    Sat,Sun
    Mon-Fri 09:00-17:00                     office hours
    01:00-05:00                             each night

What a line says decides what it is; there is nothing to declare. Times are on the wall clock of each script.
Weekdays may go round (`Fri-Mon`), and so may hours (`22:00-06:00`), since neither means anything else here.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date

from schedd.scripts.calendars.faults import FIRST_YEAR, LAST_YEAR, MOST_EVENTS, CalendarError, shown
from schedd.timetable.calendar import DAY_S, Event, Once, Pattern, Weekly, Yearly, wall_of

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DATE, _MONTH_DAY, _TIME = r"\d{4}-\d\d-\d\d", r"\d\d-\d\d", r"\d\d:\d\d(?::\d\d)?"
_STRAY = re.compile(
    r"\.\.|[-\u2013\u2014,&+]|(to|until|till|and)\s|\d+[-:/.h]\d|\d+\s*[ap]\.?m\b", re.IGNORECASE
)
"""What looks like more of a day or an hour is no name: `9:00-17:00` must not close a whole day."""
_DAY_NAMES = r"[A-Za-z]{3}(?:[-,][A-Za-z]{3})*"
_FORMS = (
    "write a day (2026-12-25), days (2026-12-24..2026-12-26), a day of each year (12-25), weekdays (Sat,Sun)"
    ", or hours (2026-12-24 18:00..2026-12-25 06:00, Mon-Fri 09:00-17:00)"
)


def read(text: str) -> tuple[Event, ...]:
    """Return the events of a file. Raises CalendarError, with the line, for the first that is wrong."""
    events: list[Event] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            events.append(_event(stripped))
        except ValueError as error:
            raise CalendarError(str(error), number) from None
        if len(events) > MOST_EVENTS:
            raise CalendarError(f"a calendar has at most {MOST_EVENTS} entries", number)
    return tuple(events)


def _event(line: str) -> Event:
    for form, make in _READERS:
        match = form.match(line)
        if match is not None:
            rest = line[match.end() :].strip()
            if _STRAY.match(rest):
                break
            pattern, whole_days = make(*match.groups())
            name = shown(rest.lstrip("#")) or shown(match[0])
            return Event(name=name, pattern=pattern, whole_days=whole_days)
    raise ValueError(f"'{shown(line)}' is not understood: {_FORMS}")


def _days(first: str, last: str | None) -> tuple[Pattern, bool]:
    begin = _date(first)
    end = begin if last is None else _date(last)
    if end < begin:
        raise ValueError(f"{last} is before {first}")
    return Once(wall_of(begin), wall_of(end) + DAY_S), True


def _moments(first: str, start: str, last: str, stop: str) -> tuple[Pattern, bool]:
    begin, end = wall_of(_date(first), _time(start)), wall_of(_date(last), _time(stop))
    if end <= begin:
        raise ValueError(f"{last} {stop} is not after {first} {start}")
    return Once(begin, end), False


def _day_hours(day: str, start: str, stop: str) -> tuple[Pattern, bool]:
    begin, end = _hours(start, stop)
    midnight = wall_of(_date(day))
    return Once(midnight + begin, midnight + end), False


def _hours_each_year(day: str, start: str, stop: str) -> tuple[Pattern, bool]:
    month_day = _month_day(day)
    return Yearly(month_day, month_day, *_hours(start, stop)), False


def _each_year(first: str, last: str | None) -> tuple[Pattern, bool]:
    begin = _month_day(first)
    return Yearly(begin, begin if last is None else _month_day(last)), True


def _weekdays(names: str, start: str | None, stop: str | None) -> tuple[Pattern, bool]:
    days = frozenset(_weekday_numbers(names))
    if start is None or stop is None:
        return Weekly(days), True
    return Weekly(days, *_hours(start, stop)), False


def _each_day(start: str, stop: str) -> tuple[Pattern, bool]:
    return Weekly(frozenset(range(7)), *_hours(start, stop)), False


_READERS: tuple[tuple[re.Pattern[str], Callable[..., tuple[Pattern, bool]]], ...] = tuple(
    (re.compile(rf"{form}(?=\s|$)", re.ASCII), make)
    for form, make in (
        (rf"({_DATE})[T ]+({_TIME})\s*\.\.\s*({_DATE})[T ]+({_TIME})", _moments),
        (rf"({_DATE})[T ]+({_TIME})\s*-\s*({_TIME})", _day_hours),
        (rf"({_DATE})(?:\s*\.\.\s*({_DATE}))?", _days),
        (rf"({_MONTH_DAY})\s+({_TIME})\s*-\s*({_TIME})", _hours_each_year),
        (rf"({_MONTH_DAY})(?:\s*\.\.\s*({_MONTH_DAY}))?", _each_year),
        (rf"({_DAY_NAMES})(?:\s+({_TIME})\s*-\s*({_TIME}))?", _weekdays),
        (rf"({_TIME})\s*-\s*({_TIME})", _each_day),
    )
)
"""A line is of the first form that it begins with."""


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is not a date ({error})") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"'{text}' is not within {FIRST_YEAR}-{LAST_YEAR}")
    return day


def _month_day(text: str) -> tuple[int, int]:
    month, day = int(text[:2]), int(text[3:])
    try:
        date(2024, month, day)  # a leap year: 02-29 is a day of some years
    except ValueError as error:
        raise ValueError(f"'{text}' is not a day of the year ({error})") from None
    return month, day


def _time(text: str) -> int:
    hour, minute, second = (int(part) for part in f"{text}:00".split(":")[:3])
    seconds = hour * 3600 + minute * 60 + second
    if minute > 59 or second > 59 or seconds > DAY_S:
        raise ValueError(f"'{text}' is not a time of day")
    return seconds


def _hours(start: str, stop: str) -> tuple[int, int]:
    """Return two seconds of a day; the second one is of the next day if it is not later."""
    begin, end = _time(start), _time(stop)
    if begin in {end, DAY_S}:
        raise ValueError(f"{start}-{stop} are no hours: for whole days leave the times out")
    return begin, end if end > begin else end + DAY_S


def _weekday_numbers(names: str) -> Iterator[int]:
    for term in names.lower().split(","):
        ends = term.split("-")
        for name in ends:
            if name not in WEEKDAYS:
                raise ValueError(f"'{name}' is not a weekday: write {', '.join(WEEKDAYS).title()}")
        if len(ends) > 2:
            raise ValueError(f"'{term}' is not understood: write two days, as in Mon-Fri")
        first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        yield from (day % 7 for day in range(first, (last if last >= first else last + 7) + 1))
