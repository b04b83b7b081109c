"""Stretches: many slots of one script that end the same way, told in one line.

A *stretch* is open: each slot of a disabled script prolongs it, and the ledger knows since when, so that a
crash forgets none of them. It is closed into one line when the script is enabled again, changes or goes,
when the daemon stops, and at least daily. *Missed* slots are collected within one turn and closed at its
end.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from schedd.fire import Fire, Reason, Status
from schedd.planner.actions import Action, Close, Open
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

MAX_STRETCH_S = 86_400
"""A stretch is told at least once a day, so that history is never silent for longer."""
COUNT_CHUNK = 512


@dataclass(slots=True)
class _Span:
    fire: Fire
    status: Status
    reason: Reason
    error: str
    first: Slot
    last: Slot
    count: int = 1

    def close(self) -> Close:
        return Close(
            fire=self.fire,
            status=self.status,
            reason=self.reason,
            error=self.error,
            last_slot=self.last,
            count=self.count,
        )


class Stretches:
    """The open stretches, by script."""

    def __init__(self) -> None:
        self._open: dict[str, _Span] = {}

    def prolong(self, script: str, slot: Slot, reason: Reason, error: str | None = None) -> bool:
        """Count one slot into the stretch of a script; False if a stretch must be opened for it.

        With an `error` the stretch has to be for the same.
        """
        span = self._open.get(script)
        if span is None or span.reason is not reason or slot - span.first >= MAX_STRETCH_S:
            return False
        if error not in {None, span.error}:
            return False
        if slot > span.last:
            span.last = slot
            span.count += 1
        return True

    def open(self, stretch: Open) -> Iterable[Action]:
        """Begin a stretch at the slot of its fire, in place of the one that is open."""
        yield from self.close(stretch.fire.script)
        self._open[stretch.fire.script] = _span(stretch)
        yield stretch

    def is_for(self, script: str, *reasons: Reason) -> bool:
        """Whether the script has an open stretch for one of these reasons."""
        span = self._open.get(script)
        return span is not None and span.reason in reasons

    def ends_before(self, script: str, slot: Slot) -> bool:
        """Whether a slot is too late for the stretch of a script that is open."""
        return slot - self._open[script].first >= MAX_STRETCH_S

    def scripts(self) -> tuple[str, ...]:
        """Return the scripts with an open stretch."""
        return tuple(self._open)

    def resume(
        self, stretch: Open, timetable: Timetable, until: Slot, covers: Callable[[Slot], bool]
    ) -> None:
        """Take up a stretch after a restart: its slots up to `until` are counted again.

        `covers` tells which slots are its own: a pause may have ended before.
        """
        span = _span(stretch)
        for slot in _between(timetable, span.first, until):
            if covers(slot):
                span.last = slot
                span.count += 1
        self._open[stretch.fire.script] = span

    def close(self, script: str) -> Iterable[Action]:
        """Close the stretch of a script, if one is open."""
        span = self._open.pop(script, None)
        if span is not None:
            yield span.close()

    def close_all(self) -> Iterable[Action]:
        """Close every stretch."""
        for script in list(self._open):
            yield from self.close(script)


def _span(stretch: Open) -> _Span:
    first = stretch.fire.slot
    assert first is not None
    return _Span(stretch.fire, stretch.status, stretch.reason, stretch.error, first, first)


def _between(timetable: Timetable, after: Slot, until: Slot) -> Iterable[Slot]:
    while slots := timetable.upcoming(after, COUNT_CHUNK):
        for slot in slots:
            if slot > until:
                return
            yield slot
        after = slots[-1]
