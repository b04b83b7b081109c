"""Spans: many slots of one script that ended the same way, told in one line.

A *stretch* is open: each slot of a disabled script prolongs it, and the ledger knows since when, so that a
crash forgets none of them. It is closed into one line when the script is enabled again, changes or goes,
when the daemon stops, and at least daily. *Missed* slots are collected within one turn and closed at its
end.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from schedd.fire import Fire, Kind, Reason, RunId, Status
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
    first: Slot
    last: Slot
    count: int = 1

    def close(self, error: str) -> Close:
        return Close(
            fire=self.fire,
            status=self.status,
            reason=self.reason,
            error=error,
            last_slot=self.last,
            count=self.count,
        )


class Stretches:
    """The open stretches, by script."""

    def __init__(self) -> None:
        self._open: dict[str, _Span] = {}

    def prolong(self, script: str, slot: Slot) -> bool:
        """Count one slot into the stretch of a script; False if a stretch must be opened for it."""
        span = self._open.get(script)
        if span is None or slot - span.first >= MAX_STRETCH_S:
            return False
        if slot > span.last:
            span.last = slot
            span.count += 1
        return True

    def open(self, fire: Fire, slot: Slot, status: Status, reason: Reason) -> Iterable[Action]:
        """Begin a stretch at this slot, in place of the one that is open; it goes by the fire's run id."""
        yield from self.close(fire.script)
        self._open[fire.script] = _Span(fire, status, reason, slot, slot)
        yield Open(fire, status, reason)

    def resume(self, stretch: Open, timetable: Timetable, watermark: Slot) -> None:
        """Take up a stretch after a restart: its slots up to the watermark are counted again."""
        first = stretch.fire.slot
        assert first is not None
        span = _Span(stretch.fire, stretch.status, stretch.reason, first, first)
        for slot in _between(timetable, first, watermark):
            span.last = slot
            span.count += 1
        self._open[stretch.fire.script] = span

    def close(self, script: str) -> Iterable[Action]:
        """Close the stretch of a script, if one is open."""
        span = self._open.pop(script, None)
        if span is not None:
            yield span.close("the script's header says @enabled false")

    def close_all(self) -> Iterable[Action]:
        """Close every stretch."""
        for script in list(self._open):
            yield from self.close(script)


class Missed:
    """The slots of this turn that nobody was there to decide."""

    def __init__(self) -> None:
        self._spans: dict[str, tuple[str, Slot, Slot, int]] = {}

    def add(self, script: str, expression: str, slot: Slot) -> None:
        """Count one slot in; slots of a script come in time order."""
        _, first, _, count = self._spans.get(script, (expression, slot, slot, 0))
        self._spans[script] = (expression, first, slot, count + 1)

    def close(self, now_ms: int, new_run_id: Callable[[int], RunId]) -> Iterable[Action]:
        """Give one line for each script, and begin anew."""
        spans, self._spans = self._spans, {}
        for script, (expression, first, last, count) in spans.items():
            fire = Fire(new_run_id(now_ms), script, expression, Kind.SCHEDULE, first)
            yield Close(
                fire=fire,
                status=Status.ERROR,
                reason=Reason.MISSED,
                error="schedd was not there to run it: stopped, suspended, or the clock was set ahead",
                last_slot=last,
                count=count,
            )


def _between(timetable: Timetable, after: Slot, until: Slot) -> Iterable[Slot]:
    while slots := timetable.upcoming(after, COUNT_CHUNK):
        for slot in slots:
            if slot > until:
                return
            yield slot
        after = slots[-1]
