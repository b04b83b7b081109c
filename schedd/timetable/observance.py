"""What a calendar does to the slots of a timetable: they are left out, or moved to a day that is open.

With `skip` each slot stays a due slot, and one that is closed does not run; nothing is decided here. With
`next` and `previous` a closed slot moves to the same time of day on the next, or the last, day that is not
closed as a whole; of closed hours only `next` knows a way out, to their end. It goes on from there, if that
is closed too. A slot that would have to go further than `MOST_DAYS` days is not moved: it stays, and is
closed. Slots that come together are one.

Moving breaks the order of slots: what was due on a holiday comes between what is due on the day after it. So
slots are not sorted afterwards (a holiday of seconds has 86,400 of them) but merged: within one `Piece` the
wall clock only goes on, and with it the times that its slots move to, so each closed piece is a stream of its
own, begun where it matters by bisection. One slot costs as many streams as days were closed before it.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schedd.timetable.calendar import DAY_S, Calendar
from schedd.timetable.closures import Closures, Piece

MOST_DAYS: Final = 100
"""A summer's school holidays and more; who is closed for longer does not mean to run on the day after."""

_MOST_HOPS = 4 * MOST_DAYS
_NEVER = 1 << 40
"""Further than any slot."""
_PATIENCE = 4
"""So many slots of a piece are passed over one by one; beginning anew behind it costs about as much."""

Slots = Callable[[int], Iterator[int]]
"""Given an instant, steps through the slots strictly after it, without end or until there are no more."""


class How(StrEnum):
    """What becomes of a slot that is closed."""

    SKIP = "skip"
    NEXT = "next"
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class Observance:
    """Which calendar a script observes, and how."""

    calendar: Calendar
    how: How

    def __str__(self) -> str:
        return f"{self.calendar.file} {self.how.value}"


class Moves:
    """The slots of one timetable as the calendar moves them. `how` is next or previous."""

    def __init__(self, closures: Closures, how: How, plain: Slots) -> None:
        assert how is not How.SKIP, "what is skipped stays where it is"
        self._closures = closures
        self._ahead = how is How.NEXT
        self._plain = plain

    def slots(self, after: int) -> Iterator[int]:
        """Yield the slots strictly after `after`, ascending, each once."""
        coming, begun = _Merged(), after
        absorbed = self._closures.local(after) // DAY_S - 1
        sources = self._sources(after)
        source = next(sources, None)
        if self._ahead:
            for closed in self._closures.between(self._reach_back(after), after + 1):
                coming.add(self._moved(closed, after))
        while True:
            while source is not None and (not coming or source[0] <= coming.next):
                slot, piece = source
                if piece is None:
                    coming.add(iter((slot,)))
                elif self._ahead and piece.start > begun:
                    coming.add(self._moved(piece, after))
                elif not self._ahead:
                    absorbed = self._absorb(coming, self._open_day(piece.day), absorbed, after)
                source = next(sources, None)
            if coming and not self._ahead:
                absorbed = self._absorb(coming, self._closures.local(coming.next) // DAY_S, absorbed, after)
            if not coming:
                return
            value = coming.take()
            if value > after:
                yield value
                after = value

    def landing(self, slot: int) -> int:
        """Return where a slot of the expression is due: where it was, unless it is moved."""
        piece = self._closures.at(slot)
        course = None if piece is None else self._course(piece)
        return slot if course is None else course(slot)

    def origins(self, slot: int) -> list[tuple[int, Piece]]:
        """Return the slots that were moved here, from where they were: the first of each piece, with it."""
        if self._ahead:
            pieces = self._closures.between(self._reach_back(slot - 1), slot)
        else:
            pieces = self._run_after(self._closures.local(slot) // DAY_S)
        found = []
        for piece in pieces:
            course = self._course(piece)
            if course is None:
                continue
            seconds = range(piece.start, piece.end)
            first = bisect_left(seconds, slot, key=course)
            end = bisect_right(seconds, slot, key=course)
            source = next(self._plain(piece.start + first - 1), None)
            if source is not None and source < piece.start + end:
                found.append((source, piece))
        return found

    # Where slots come from.

    def _sources(self, after: int) -> Iterator[tuple[int, Piece | None]]:
        """Yield the slots that stay and, for each piece that moves, the first slot in it."""
        walk = self._plain(after)
        slot = next(walk, None)
        known: Piece | None = None
        moves = False
        while slot is not None:
            piece = self._closures.at(slot)
            if piece is not None and piece is not known:
                known, moves = piece, self._course(piece) is not None
            if piece is None or not moves:
                yield slot, None
                slot = next(walk, None)
                continue
            yield slot, piece
            slot = next(walk, None)
            for _ in range(_PATIENCE):
                if slot is None or slot >= piece.end:
                    break
                slot = next(walk, None)
            if slot is not None and slot < piece.end:
                walk = self._plain(piece.end - 1)
                slot = next(walk, None)

    def _moved(self, piece: Piece, after: int) -> Iterator[int]:
        """Yield where the slots of a piece go, as far as that is after `after`, ascending."""
        course = self._course(piece)
        if course is None or (last := course(piece.end - 1)) <= after:
            return
        seconds = range(piece.start, piece.end)

        def begun_after(value: int) -> Iterator[int]:
            skipped = bisect_right(seconds, value, key=course) if course(piece.start) <= value else 0
            return self._plain(piece.start + skipped - 1)

        walk = begun_after(after)
        value, again = None, 0
        while (slot := next(walk, None)) is not None and slot < piece.end:
            to = course(slot)
            again = again + 1 if to == value else 0
            if again == 0:
                yield to
            if to == last:
                return
            if again > _PATIENCE:
                walk, again = begun_after(to), 0
            value = to

    def _absorb(self, coming: "_Merged", day: int | None, absorbed: int, after: int) -> int:
        """Take in what moves back to an open day; return the newest day that this was done for."""
        if day is None or day <= absorbed:
            return absorbed
        for piece in self._run_after(day):
            coming.add(self._moved(piece, after))
        return day

    def _run_after(self, day: int) -> Iterator[Piece]:
        """Yield the pieces of the closed days that follow an open one."""
        zone, last = self._closures.zone, day
        while last - day < MOST_DAYS and (self._is_closed(last + 1) or not self._closures.exists(last + 1)):
            last += 1
        begin, end = zone.reach((day + 1) * DAY_S), zone.reach((last + 1) * DAY_S) + DAY_S
        for piece in self._closures.between(begin, end):
            if day < piece.day <= last:
                yield piece

    def _reach_back(self, after: int) -> int:
        """Return an instant before which no slot is moved beyond `after`."""
        begin, floor = after, after - (MOST_DAYS + 2) * DAY_S
        while begin > floor:
            piece = self._closures.at(begin)
            if piece is not None:
                begin = piece.start - 1
                continue
            start = self._closures.zone.reach(self._closures.local(begin) // DAY_S * DAY_S)
            if not self._is_closed(self._closures.local(start - 1) // DAY_S):
                break
            begin = start - 1
        return begin

    # Where they go.

    def _course(self, piece: Piece) -> Callable[[int], int] | None:
        """Return where each instant of a piece goes, later ones never before; None if they stay."""
        last = self._goal(piece.end - 1)
        if (
            last in (piece.end - 1, _NEVER)
            or abs(self._closures.local(last) // DAY_S - piece.day) > MOST_DAYS
        ):
            return None
        return lambda at: min(self._goal(at), last)

    def _goal(self, at: int) -> int:
        if not self._ahead:
            return self._on_open_day(at)
        for _ in range(_MOST_HOPS):
            piece = self._closures.at(at)
            if piece is None:
                return at
            if not piece.whole:
                at = piece.end
            elif (to := self._on_open_day(at)) != at:
                at = to
            else:
                break
        return _NEVER

    def _on_open_day(self, at: int) -> int:
        """Return the same time on the open day next to a closed one; the instant itself if none is near.

        A time that the clock jumps over that day is the first instant after the jump, or, where the jump is
        over midnight, the last one before it.
        """
        zone, wall = self._closures.zone, self._closures.local(at)
        day = self._open_day(wall // DAY_S)
        if day is None:
            return at
        return min(zone.reach(day * DAY_S + wall % DAY_S), zone.reach((day + 1) * DAY_S) - 1)

    def _open_day(self, day: int) -> int | None:
        return self._closures.open_day(day, 1 if self._ahead else -1, MOST_DAYS)

    def _is_closed(self, day: int) -> bool:
        return self._closures.is_closed_day(day)


class _Merged:
    """Ascending streams, merged; more may join at any time."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Iterator[int]]] = []
        self._joined = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    @property
    def next(self) -> int:
        """The smallest value."""
        return self._heap[0][0]

    def add(self, stream: Iterator[int]) -> None:
        """Let a stream join."""
        value = next(stream, None)
        if value is not None:
            self._joined += 1
            heapq.heappush(self._heap, (value, self._joined, stream))

    def take(self) -> int:
        """Remove and return the smallest value."""
        value, number, stream = self._heap[0]
        following = next(stream, None)
        if following is None:
            heapq.heappop(self._heap)
        else:
            heapq.heapreplace(self._heap, (following, number, stream))
        return value
