"""A calendar: days and hours in which scripts are not to run, with their names. Holidays, freezes, blackouts.

It is a value, made of a file by whoever can read one (`schedd.scripts.calendars`), and knows nothing of a
script or its zone: its days are local days wherever it is asked about, and its times are those of a wall
clock, unless the file says which clock. So everything here is counted in *wall seconds*, the seconds since
1970-01-01T00:00 as a clock on the wall would count them; what instants they are is `closures`' affair.

Nothing is expanded when a calendar is made. A holiday that comes each year has no end, so what lies in a
stretch of time is worked out when somebody asks, and remembered by whoever asks.

Calendars are equal if their files are: so a timetable that observes one is another timetable after an edit.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from schedd.timetable.recurrence import Rule

DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
FIRST_YEAR, LAST_YEAR = 1900, 2299
"""Dates beyond are typing errors; slots are from 1970 to 2199."""

_EPOCH = date(1970, 1, 1)
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""

Span = tuple[int, int]
"""Wall seconds, the end exclusive."""


@dataclass(frozen=True, slots=True)
class Once:
    """From one wall second to another."""

    start: int
    end: int

    def spans(self, begin: int, end: int) -> Iterator[Span]:
        """Yield the spans that overlap [begin, end)."""
        if self.start < end and self.end > begin:
            yield self.start, self.end


@dataclass(frozen=True, slots=True)
class Yearly:
    """The same days of each year, from one (month, day) to another, which may be in the next year.

    `start` and `end` are seconds of the first and of the last day; `end` may be beyond it.
    """

    first: tuple[int, int]
    last: tuple[int, int]
    start: int = 0
    end: int = DAY_S

    def spans(self, begin: int, end: int) -> Iterator[Span]:
        """Yield the spans that overlap [begin, end)."""
        for year in range(_year(begin) - 1, _year(end) + 1):
            start = _midnight(year, self.first, up=True) + self.start
            stop = _midnight(year + (self.last < self.first), self.last, up=False) + self.end
            if start < min(stop, end) and stop > begin:
                yield start, stop


@dataclass(frozen=True, slots=True)
class Weekly:
    """The same hours on some days of each week; Monday is 0. Seconds of the day, `end` may be beyond it."""

    weekdays: frozenset[int]
    start: int = 0
    end: int = DAY_S

    def spans(self, begin: int, end: int) -> Iterator[Span]:
        """Yield the spans that overlap [begin, end)."""
        for day in range(begin // DAY_S - 1, -(-end // DAY_S)):
            if (day + _EPOCH_WEEKDAY) % 7 in self.weekdays:
                start, stop = day * DAY_S + self.start, day * DAY_S + self.end
                if start < end and stop > begin:
                    yield start, stop


Pattern = Once | Yearly | Weekly | Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of a calendar."""

    name: str
    """For people: what the file calls it, else what it says when it is."""
    pattern: Pattern
    whole_days: bool
    """It covers whole days, wherever one is; else the hours between two times."""
    zone: str | None = None
    """On which clock its times are; None = that of the script's zone."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The events of one file."""

    file: str
    """Its name without the directory: `holidays.ics`."""
    sha256: str
    events: tuple[Event, ...] = field(compare=False, repr=False)

    @property
    def timed(self) -> Event | None:
        """The first event that is not of whole days, if there is one."""
        return next((event for event in self.events if not event.whole_days), None)

    def sentence(self, event: Event) -> str:
        """Say what closes a slot: `holidays.ics: Christmas Day`."""
        return f"{self.file}: {event.name}"


def wall_of(day: date, seconds: int = 0) -> int:
    """Return the wall second of a day and a second in it."""
    return (day - _EPOCH).days * DAY_S + seconds


def _year(wall: int) -> int:
    return datetime.fromtimestamp(wall, UTC).year


def _midnight(year: int, month_day: tuple[int, int], *, up: bool) -> int:
    """Return the start of a day; a 29 February that the year lacks is the day after it, or the one before."""
    month, day = month_day
    try:
        return wall_of(date(year, month, day))
    except ValueError:
        return wall_of(date(year, 3, 1) if up else date(year, 3, 1) - timedelta(days=1))
