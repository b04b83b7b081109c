"""Events that repeat by a rule of RFC 5545, as calendar programs write them (RRULE, RDATE, EXDATE).

dateutil steps the rules, in naive wall-clock time and only within the stretch that is asked about: its
iterator walks every occurrence from the first one on, so a rule without COUNT is first moved ahead by whole
periods to where the question begins, with what it takes from its start (the day, the weekday) spelled out.
dateutil's own reader of rules was rejected: it reads UNTIL with a parser that takes almost anything.

Rules that repeat within a day are refused: no holiday is hourly, and stepping them is slow.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from dateutil import rrule

MOST_COUNTED: Final = 10_000
"""COUNT: its occurrences are walked from the first one each time."""
MOST_VALUES: Final = 400
"""Of one list, such as BYYEARDAY."""

_EPOCH = datetime.fromtimestamp(0, UTC)
_LAST = datetime(2299, 12, 31, tzinfo=UTC)
_DAY = timedelta(days=1)
_WEEKDAYS = {day: getattr(rrule, day) for day in ("MO", "TU", "WE", "TH", "FR", "SA", "SU")}
_FREQUENCIES: dict[str, Literal[0, 1, 2, 3]] = {
    "DAILY": rrule.DAILY,
    "WEEKLY": rrule.WEEKLY,
    "MONTHLY": rrule.MONTHLY,
    "YEARLY": rrule.YEARLY,
}
_LISTS = {
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 59),
}
_OF_DAYS = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY")


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What an RRULE says, read."""

    frequency: Literal[0, 1, 2, 3]
    interval: int
    count: int | None
    until: int | None
    """The last wall second at which an occurrence may begin."""
    by: tuple[tuple[str, tuple[Any, ...]], ...]
    """dateutil's arguments, in its words."""
    week_start: int

    def starts(self, first: int, begin: int, end: int) -> Iterator[int]:
        """Yield the wall seconds in [begin, end) at which an occurrence begins; `first` is its DTSTART."""
        last = end - 1 if self.until is None else min(end - 1, self.until)
        start = _moment(first)
        if self.count is None:
            start = self._ahead(start, _moment(begin))
        by: dict[str, Any] = dict(self.by)
        steps = rrule.rrule(
            self.frequency,
            dtstart=start,
            interval=self.interval,
            wkst=self.week_start,
            until=_moment(last),
            **by,
        )
        for moment in itertools.islice(steps, self.count):
            if (wall := _wall(moment)) >= begin:
                yield wall

    def _ahead(self, start: datetime, begin: datetime) -> datetime:
        """Return a later start with the same occurrences from `begin` on, a period before it at least."""
        if self.frequency in (rrule.DAILY, rrule.WEEKLY):
            period = _DAY * self.interval * (7 if self.frequency == rrule.WEEKLY else 1)
            periods = (begin - start) // period - 1
            return start + period * periods if periods > 0 else start
        months = self.interval * (12 if self.frequency == rrule.YEARLY else 1)
        apart = (begin.year - start.year) * 12 + begin.month - start.month
        periods = apart // months - 1
        if periods <= 0:
            return start
        years, month = divmod(start.month - 1 + periods * months, 12)
        if self.frequency == rrule.YEARLY:
            month = 0
        return start.replace(year=start.year + years, month=month + 1, day=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """An event that repeats: by a recurrence, on dates of its own, and not on some. All wall seconds."""

    first: int
    length: int
    recurrence: Recurrence | None = None
    besides: tuple[int, ...] = ()
    """RDATE."""
    without: frozenset[int] = frozenset()
    """EXDATE, and what other entries replace: starts that are none."""

    def spans(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the spans that overlap [begin, end), each once; not sorted.

        The first occurrence is one even where the rule does not say so, as calendar programs show it.
        """
        earliest = begin - self.length + 1
        starts = {start for start in (self.first, *self.besides) if earliest <= start < end}
        if self.recurrence is not None:
            starts |= set(self.recurrence.starts(self.first, earliest, end))
        for start in starts - self.without:
            yield start, start + self.length


def parse(text: str, first: int, until: Callable[[str], int]) -> Recurrence:
    """Read the value of an RRULE for an event that begins at `first`; `until` reads the value of UNTIL.

    Raises ValueError with one sentence.
    """
    parts: dict[str, str] = {}
    for part in text.upper().strip(";").split(";"):
        name, equals, value = part.strip().partition("=")
        if not equals or not value:
            raise ValueError(f"{part!a} in the RRULE is not understood")
        if name in parts:
            raise ValueError(f"{name} stands twice in the RRULE")
        parts[name] = value
    frequency = parts.pop("FREQ", "")
    if frequency not in _FREQUENCIES:
        raise ValueError(f"FREQ={frequency[:20]} is not supported: it may be {', '.join(_FREQUENCIES)}")
    read = Recurrence(
        frequency=_FREQUENCIES[frequency],
        interval=_number("INTERVAL", parts.pop("INTERVAL", "1"), 1, 1_000),
        count=None
        if (count := parts.pop("COUNT", None)) is None
        else _number("COUNT", count, 1, MOST_COUNTED),
        until=None if (last := parts.pop("UNTIL", None)) is None else until(last),
        week_start=_week_start(parts.pop("WKST", "MO")),
        by=tuple((name.lower(), tuple(_values(name, value))) for name, value in parts.items()),
    )
    return _spelled_out(read, _moment(first))


def _values(name: str, value: str) -> Iterator[Any]:
    terms = value.split(",")
    if len(terms) > MOST_VALUES:
        raise ValueError(f"{name} has more than {MOST_VALUES} values")
    for term in terms:
        if name == "BYDAY":
            yield _weekday(term.strip())
        elif name in _LISTS:
            number = _number(name, term, *_LISTS[name])
            if number == 0 and _LISTS[name][0] < 0:
                raise ValueError(f"{name}=0 means nothing")
            yield number
        else:
            raise ValueError(f"{name[:20]!a} in the RRULE is not supported")


def _weekday(term: str) -> Any:
    day, nth = term[-2:], term[:-2]
    if day not in _WEEKDAYS:
        raise ValueError(f"BYDAY={term[:20]} is not a day: it may be {', '.join(_WEEKDAYS)}, or 2MO, -1FR")
    return _WEEKDAYS[day](_number("BYDAY", nth, -53, 53)) if nth else _WEEKDAYS[day]


def _week_start(day: str) -> int:
    if day not in _WEEKDAYS:
        raise ValueError(f"WKST={day[:20]} is not a day")
    return list(_WEEKDAYS).index(day)


def _number(name: str, text: str, least: int, most: int) -> int:
    digits = text.strip().removeprefix("+")
    plain = digits.removeprefix("-")
    if plain.isascii() and plain.isdigit() and len(plain) < 9 and least <= (number := int(digits)) <= most:
        return number
    raise ValueError(f"{name}={text[:20]} is not a number from {least} to {most}")


def _spelled_out(read: Recurrence, first: datetime) -> Recurrence:
    """Say what the rule takes from its start, since the start will be moved (RFC 5545, 3.3.10)."""
    by = dict(read.by)
    if "byday" in by:
        by["byweekday"] = by.pop("byday")
    if not any(name.lower() in dict(read.by) for name in _OF_DAYS):
        if read.frequency == rrule.WEEKLY:
            by["byweekday"] = (first.weekday(),)
        elif read.frequency != rrule.DAILY:
            by["bymonthday"] = (first.day,)
            if read.frequency == rrule.YEARLY:
                by.setdefault("bymonth", (first.month,))
    return replace(read, by=tuple(sorted(by.items())))


def _moment(wall: int) -> datetime:
    """Return a naive moment: dateutil steps those."""
    return min(datetime.fromtimestamp(wall, UTC), _LAST).replace(tzinfo=None)


def _wall(moment: datetime) -> int:
    return (moment.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
