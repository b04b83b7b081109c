"""How many slots come in each step of a stretch: of all schedules together, or of each of some.

A minutely schedule has 43,200 slots in a month and walking them takes 0.6 s, so cron expressions are not
walked: a day matches or it does not, and how many of a day's times lie between two instants follows from the
fields. Only the day after a change of the clock is walked, since only there a zone decides what becomes of a
wall time. Schedules that share their times are counted once. Which days match is asked of the expression,
and remembered for each rule of days.

Walked are also timetables of several expressions (their slots may coincide) and those whose calendar moves
slots, up to `MOST_WALKED` slots in one answer.

Of all schedules together the slots are counted without `@jitter`, which makes ten thousand timetables of one
and moves a slot by less than the schedule's own interval; of schedules that are named, with it.

Blocking, and not to be used by two threads at once.
"""

import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from schedd.timetable.expression import Expression
from schedd.timetable.fields import Fields
from schedd.timetable.grid import Grid
from schedd.timetable.instant import Slot
from schedd.timetable.observance import How
from schedd.timetable.parts import HORIZON, Cron, Every, Part
from schedd.timetable.timetable import Timetable

MOST_WALKED: Final = 200_000
"""Slots in one answer: a few seconds of a thread."""
MOST_BLOCKS: Final = 8_192
MOST_LISTED: Final = 1_440
"""So many times of one day are kept as a list: one for each minute."""

_DAY_S: Final = 86_400
_BLOCK: Final = 64
_WALK: Final = 200

Counts = dict[int, int]
"""How many, by the index of the step; only those that are not zero.

Not a Counter: hundreds of those, with thousands of numbers each, are walked in one piece by the collector of
garbage, which leaves plain dicts of numbers alone.
"""


class TooManyError(Exception):
    """More slots would have to be walked than one answer may take."""


@dataclass(frozen=True, slots=True)
class Coming:
    """A schedule whose slots are wanted from one second on."""

    script: str
    timetable: Timetable
    start: int


class Load:
    """Counts slots, and remembers which days match."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[Hashable, int], tuple[int, ...]] = {}
        self._walked = 0

    def together(self, schedules: Iterable[Coming], grid: Grid) -> list[int]:
        """Return how many slots of all these come in each step. Raises TooManyError."""
        self._walked = 0
        alike: Counter[tuple[Hashable, int]] = Counter()
        timetables: dict[Hashable, Timetable] = {}
        for each in schedules:
            key = _key(each.timetable)
            timetables.setdefault(key, each.timetable)
            alike[key, max(each.start, grid.begin)] += 1
        total = [0] * len(grid)
        for (key, start), weight in alike.items():
            found = self._count(timetables[key], grid, start, exact=isinstance(key, Timetable))
            for index, count in found.items():
                total[index] += count * weight
        return total

    def each(self, schedules: Iterable[Coming], grid: Grid) -> dict[str, Counts]:
        """Return how many slots of each come in which step. Raises TooManyError."""
        self._walked = 0
        return {
            each.script: self._count(each.timetable, grid, max(each.start, grid.begin), exact=True)
            for each in schedules
        }

    def _count(self, timetable: Timetable, grid: Grid, start: int, *, exact: bool) -> Counts:
        """Count the slots in [start, grid.end) that the calendar lets run."""
        found: Counter[int] = Counter()
        end = min(grid.end, HORIZON)
        if start >= end:
            return {}
        if _must_be_walked(timetable):
            found.update(map(grid.index, self._walk(timetable, start, end)))
            return dict(found)
        (part,) = timetable.parts
        shift = timetable.offset_s if exact else 0
        self._add(found, part, grid, start, end, shift=shift, sign=1)
        if timetable.closures is not None:
            for piece in timetable.closures.between(start, end):
                stretch = max(start, piece.start), min(end, piece.end)
                self._add(found, part, grid, *stretch, shift=shift, sign=-1)
        return {index: count for index, count in found.items() if count}

    def _walk(self, timetable: Timetable, start: int, end: int) -> Iterator[Slot]:
        after = Slot(start - 1)
        while True:
            slots = timetable.to_run(after, _WALK)
            self._spend(len(slots))
            yield from slots[: bisect_left(slots, end)]
            if len(slots) < _WALK or slots[-1] >= end:
                return
            after = slots[-1]

    def _add(
        self, found: Counter[int], part: Part, grid: Grid, begin: int, end: int, *, shift: int, sign: int
    ) -> None:
        """Add the slots of one form in [begin, end), each moved by `shift`."""
        if isinstance(part, Cron):
            for index, count in self._cron(part, grid, begin, end, shift):
                found[index] += sign * count
        elif isinstance(part, Every):
            for low, high in _pairs(grid.edges(begin, end)):
                count = _multiples(part.interval_s, low - shift, high - shift)
                found[grid.index(low)] += sign * count
        else:
            for slot in part.slots(begin - shift - 1):
                if slot + shift < end:
                    found[grid.index(slot + shift)] += sign

    def _cron(self, part: Cron, grid: Grid, begin: int, end: int, shift: int) -> Iterator[tuple[int, int]]:
        """Yield steps and counts, segment by segment of the zone; a step may come more than once."""
        low, stop = max(begin - shift, 0), end - shift
        while low < stop:
            segment = part.zone.segment(low)
            settled = max(segment.start, segment.fresh - segment.offset) + _DAY_S
            if low < settled:
                high = min(stop, settled)
                for slot in self._stepped(part, low, high):
                    yield grid.index(slot + shift), 1
            else:
                high = min(stop, segment.end)
                for day in self._matching(part.expression, low + segment.offset, high + segment.offset):
                    midnight = day * _DAY_S - segment.offset
                    day_end = min(high, midnight + _DAY_S)
                    moved = midnight + shift
                    yield from _of_day(part, grid, max(low, midnight) + shift, day_end + shift, moved)
            low = high

    def _stepped(self, part: Cron, low: int, high: int) -> Iterator[int]:
        for slot in part.slots(low - 1):
            self._spend(1)
            if slot >= high:
                return
            yield slot

    def _matching(self, expression: Expression, begin: int, end: int) -> Iterator[int]:
        """Yield the days of the wall seconds [begin, end) on which an expression has times."""
        first, last = begin // _DAY_S, (end - 1) // _DAY_S
        rule = tuple(tuple(side.split()[-3:]) for side in expression.sides)
        for number in range(first // _BLOCK, last // _BLOCK + 1):
            days = self._blocks.get((rule, number))
            if days is None:
                if len(self._blocks) >= MOST_BLOCKS:
                    self._blocks.clear()
                days = self._blocks[rule, number] = tuple(_days(expression, number))
            yield from (day for day in days if first <= day <= last)

    def _spend(self, slots: int) -> None:
        self._walked += slots
        if self._walked > MOST_WALKED:
            raise TooManyError


def _key(timetable: Timetable) -> Hashable:
    """Return what timetables with the same slots share: the form, whatever it was drawn from."""
    if timetable.closures is not None or _must_be_walked(timetable):
        return timetable
    return timetable.zone, timetable.zone_data, timetable.parts


def _must_be_walked(timetable: Timetable) -> bool:
    observance = timetable.observance
    return len(timetable.parts) != 1 or (observance is not None and observance.how is not How.SKIP)


def _pairs(edges: list[int]) -> Iterator[tuple[int, int]]:
    return itertools.pairwise(edges)


def _of_day(part: Cron, grid: Grid, begin: int, end: int, midnight: int) -> Iterator[tuple[int, int]]:
    """Yield steps and counts of [begin, end), in one day, at whose `midnight` its times are counted from."""
    clock = _clock(part.expression.fields)
    size = _size(clock)
    if size <= MOST_LISTED and size * grid.step_s <= _DAY_S:
        times = _times(*clock)
        for time in times[bisect_left(times, begin - midnight) : bisect_left(times, end - midnight)]:
            yield grid.index(midnight + time), 1
        return
    for low, high in _pairs(grid.edges(begin, end)):
        yield grid.index(low), _before(clock, high - midnight) - _before(clock, low - midnight)


def _multiples(interval: int, low: int, high: int) -> int:
    """Return how many multiples of an interval, from 0 on, lie in [low, high)."""
    return (max(high, 0) - 1) // interval - (max(low, 0) - 1) // interval


def _days(expression: Expression, block: int) -> Iterator[int]:
    day, end = block * _BLOCK, (block + 1) * _BLOCK
    while day < end:
        wall = next(expression.walls(day * _DAY_S - 1), None)
        if wall is None or wall >= end * _DAY_S:
            return
        yield wall // _DAY_S
        day = wall // _DAY_S + 1


_Clock = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Hours, minutes, seconds."""


def _clock(fields: Fields) -> _Clock:
    return fields.hour.numbers, fields.minute.numbers, fields.second.numbers if fields.second else (0,)


def _size(clock: _Clock) -> int:
    return len(clock[0]) * len(clock[1]) * len(clock[2])


@lru_cache(maxsize=512)
def _times(hours: tuple[int, ...], minutes: tuple[int, ...], seconds: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(h * 3600 + m * 60 + s for h in hours for m in minutes for s in seconds)


def _before(clock: _Clock, time: int) -> int:
    """Return how many times of a day come before a second of it (86,400: all)."""
    hours, minutes, seconds = clock
    hour, rest = divmod(time, 3600)
    at = bisect_left(hours, hour)
    count = at * len(minutes) * len(seconds)
    if at == len(hours) or hours[at] != hour:
        return count
    minute, second = divmod(rest, 60)
    at = bisect_left(minutes, minute)
    count += at * len(seconds)
    if at == len(minutes) or minutes[at] != minute:
        return count
    return count + bisect_left(seconds, second)
