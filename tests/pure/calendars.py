"""Calendars for tests, made of what they close."""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime

from schedd.timetable.calendar import DAY_S, Calendar, Event, Once, Pattern, wall_of
from schedd.timetable.observance import How, Observance

Hours = tuple[datetime, datetime, str | None]


def made(*events: Event, file: str = "test.txt") -> Calendar:
    sha256 = hashlib.sha256(repr(events).encode()).hexdigest()
    return Calendar(file, sha256, events)


def day(of: date, name: str = "") -> Event:
    pattern = Once(wall_of(of), wall_of(of) + DAY_S)
    return Event(name=name or of.isoformat(), pattern=pattern, whole_days=True)


def hours(start: datetime, end: datetime, zone: str | None = None, name: str = "") -> Event:
    pattern = Once(wall(start), wall(end))
    return Event(name=name or f"{start} to {end}", pattern=pattern, whole_days=False, zone=zone)


def closing(days: Iterable[date], windows: Iterable[Hours] = ()) -> Calendar:
    return made(*map(day, sorted(days)), *(hours(*window) for window in windows))


def weekly(pattern: Pattern, name: str, *, whole_days: bool) -> Event:
    return Event(name=name, pattern=pattern, whole_days=whole_days)


def observed(calendar: Calendar, how: str) -> Observance:
    return Observance(calendar, How(how))


def wall(moment: datetime) -> int:
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    return wall_of(moment.date(), seconds)


def at(text: str) -> datetime:
    """Return a time on the wall."""
    return datetime.fromisoformat(text)
