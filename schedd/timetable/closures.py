"""A calendar on the clock of one zone: which instants are closed, and by which event.

The closed instants are cut into *pieces*, none longer than a local day or beyond a change of the clock, so
that within a piece the wall clock only goes on. A whole day is every instant at which the wall clock shows
its date: where a clock goes back over midnight these are two stretches. The hours of an event begin and end
when the clock of its zone first shows those times, or is moved past them. Whole days go before hours.

A bit over a year of a calendar is worked out at a time, and remembered: after that a question is a search
in a list. All timetables of a zone that observe a calendar share this, a hundred thousand scripts as well.
"""

import functools
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from schedd.timetable import zone as zones
from schedd.timetable.calendar import DAY_S, Calendar, Event
from schedd.timetable.zone import Zone

_BLOCK_S: Final = 1 << 25
PATIENCE: Final = 1_100
"""So many closed pieces in a row are passed over: three years of days."""
_MARGIN_S: Final = 2 * DAY_S
"""No clock is further from UTC, nor from another clock."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Closed instants in a row, within one local day and one segment of the zone; `end` is exclusive."""

    start: int
    end: int
    day: int
    """The local day, counted from 1970-01-01."""
    whole: bool
    """The whole day is closed, not only some hours of it."""
    event: Event


@dataclass(frozen=True, slots=True)
class _Block:
    pieces: tuple[Piece, ...]
    days: dict[int, Event]
    """The days that are closed as a whole."""


class Closures:
    """The closed instants of one calendar in one zone, from 1970 on."""

    def __init__(self, calendar: Calendar, zone: Zone) -> None:
        self.calendar = calendar
        self.zone = zone
        self._blocks: dict[int, _Block] = {}
        self._open_days: dict[tuple[int, int], int | None] = {}

    def at(self, instant: int) -> Piece | None:
        """Return the piece that an instant is in; None if it is open."""
        pieces = self._block(instant // _BLOCK_S).pieces
        index = bisect_right(pieces, instant, key=lambda piece: piece.start) - 1
        return pieces[index] if index >= 0 and instant < pieces[index].end else None

    def between(self, begin: int, end: int) -> Iterator[Piece]:
        """Yield the pieces that overlap [begin, end), in the order of time."""
        for number in range(begin // _BLOCK_S, (end - 1) // _BLOCK_S + 1):
            for piece in self._block(number).pieces:
                if piece.end > begin and piece.start < end:
                    yield piece

    def open_after(self, instant: int) -> int | None:
        """Return the first open instant from one on; None if there is none for `PATIENCE` pieces."""
        for _ in range(PATIENCE):
            piece = self.at(instant)
            if piece is None:
                return instant
            instant = piece.end
        return None

    def is_closed_day(self, day: int) -> bool:
        """Whether a local day is closed as a whole."""
        return day in self._block(day * DAY_S // _BLOCK_S).days

    def open_day(self, day: int, step: int, most: int) -> int | None:
        """Return the next day that is not closed as a whole, and was one; backwards with a `step` of -1.

        None if there is none within `most` days. Remembered: each slot of a day asks for the same.
        """
        if (day, step) not in self._open_days:
            days = range(day + step, day + step * (most + 1), step)
            found = (near for near in days if not self.is_closed_day(near) and self.exists(near))
            self._open_days[day, step] = next(found, None)
        return self._open_days[day, step]

    def exists(self, day: int) -> bool:
        """Whether the zone had that day: Samoa had no 30 December 2011."""
        return self.local(self.zone.reach(day * DAY_S)) // DAY_S == day

    def local(self, instant: int) -> int:
        """Return what the clock on the wall shows then, in wall seconds."""
        return instant + self.zone.segment(instant).offset

    def _block(self, number: int) -> _Block:
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = self._worked_out(number * _BLOCK_S, (number + 1) * _BLOCK_S)
        return block

    def _worked_out(self, begin: int, end: int) -> _Block:
        days: dict[int, Event] = {}
        hours: list[tuple[int, int, Event]] = []
        for event in self.calendar.events:
            low, high = begin - _MARGIN_S, end + _MARGIN_S
            for span in event.pattern.spans(low, high):
                start, stop = max(span[0], low), min(span[1], high)
                if event.whole_days:
                    for day in range(start // DAY_S, -(-stop // DAY_S)):
                        days.setdefault(day, event)
                else:
                    clock = self.zone if event.zone is None else zones.load(event.zone)
                    hours.append((max(clock.reach(start), begin), min(clock.reach(stop), end), event))
        hours.sort(key=lambda closed: closed[:2])
        return _Block(tuple(self._pieces(begin, end, days, _apart(hours))), days)

    def _pieces(
        self, begin: int, end: int, days: dict[int, Event], hours: list[tuple[int, int, Event]]
    ) -> Iterator[Piece]:
        """Yield the pieces of a block, day by day; of `hours`, which do not overlap, what is in each."""
        at, next_hours = begin, 0
        while at < end:
            segment = self.zone.segment(at)
            day = (at + segment.offset) // DAY_S
            until = min(end, segment.end, (day + 1) * DAY_S - segment.offset)
            if day in days:
                yield Piece(at, until, day, whole=True, event=days[day])
            while next_hours < len(hours) and hours[next_hours][0] < until:
                start, stop, event = hours[next_hours]
                if day not in days and max(at, start) < min(until, stop):
                    yield Piece(max(at, start), min(until, stop), day, whole=False, event=event)
                if stop > until:
                    break
                next_hours += 1
            at = until


def _apart(hours: list[tuple[int, int, Event]]) -> list[tuple[int, int, Event]]:
    """Return the same hours without those that others cover already."""
    apart: list[tuple[int, int, Event]] = []
    covered = None
    for start, stop, event in hours:
        begin = start if covered is None else max(start, covered)
        if begin < stop:
            apart.append((begin, stop, event))
            covered = stop
    return apart


@functools.lru_cache(maxsize=64)
def of(calendar: Calendar, zone: Zone) -> Closures:
    """Return the closures of a calendar in a zone, the same for all who ask."""
    return Closures(calendar, zone)
