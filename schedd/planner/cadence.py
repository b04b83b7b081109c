"""Schedules that cannot keep up: their runs outlast their interval.

A run outlasts its interval when a slot of its own script finds it still in flight. One that does so is bad
luck; when it is three of the last five the schedule *lags*, until at most one of the last five does. So a
script that is slow once a night is not told of, and one that is slow most of the time is not told of anew
with each quick run. A run that does not end at all tells by the number of slots that find it.

Only scripts that have lost a slot are remembered, by a few numbers each: nothing is kept for those that keep
up. Whose slot was lost to somebody else's run (a lock, no free place) lags behind nothing of its own.
"""

import statistics
from collections import deque
from dataclasses import dataclass, field

from schedd.fire import Fire, Kind, Outcome, Reason, RunId
from schedd.planner.actions import KeptUp, Lagging
from schedd.planner.view import Pace
from schedd.timetable.instant import Slot

WINDOW = 5
"""So many runs are looked at."""
LAGS = 3
KEEPS_UP = 1
ENDLESS = 20
"""Slots that find one and the same run in flight."""
DURATIONS = 15
"""Runs of which the median is taken."""


@dataclass(slots=True)
class _Record:
    since: Slot
    last: Slot
    slots: int
    span_s: int
    ran: int
    durations_ms: deque[int]
    in_the_way: set[RunId] = field(default_factory=set)
    """Runs in flight that outlasted the interval."""
    outlasted: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    """Of the last runs that ended, oldest first."""
    in_a_row: int = 0
    """Slots that found the same run in flight."""
    told: int = 0
    """With how many slots it was told that this schedule lags; 0 = it was not."""

    def pace(self) -> Pace:
        """Return the numbers; while no run has ended, its duration is what it has lasted."""
        durations_ms = self.durations_ms or [(self.last - self.since) * 1000]
        return Pace(
            since=self.since,
            slots=self.slots,
            span_s=self.span_s,
            ran=self.ran,
            p50_ms=round(statistics.median(durations_ms)),
        )

    def count(self, slot: Slot) -> None:
        """Count a slot that came due."""
        # After a restart, or with the clock set back, the distance says nothing.
        usual_s = self.span_s // max(1, self.slots - 1)
        self.span_s += slot - self.last if slot > self.last > 0 else usual_s
        self.last = slot
        self.slots += 1

    def lags(self) -> bool:
        """Whether enough of the last runs outlasted the interval, or one that does not end."""
        return sum(self.outlasted) >= LAGS or self.in_a_row >= ENDLESS

    def keeps_up(self) -> bool:
        """Whether too few of them did to remember it."""
        return len(self.outlasted) == WINDOW and sum(self.outlasted) <= KEEPS_UP


class Cadence:
    """Owns what is remembered of the scripts that have lost slots to their own runs."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}

    def pace(self, script: str) -> Pace | None:
        """Return how a schedule gets along that lags; None if it does not."""
        record = self._records.get(script)
        return record.pace() if record is not None and record.told else None

    def lagging(self) -> dict[str, Pace]:
        """Return the schedules that lag."""
        return {script: record.pace() for script, record in self._records.items() if record.told}

    def due(self, fire: Fire) -> None:
        """Note that a fire came due."""
        record = self._records.get(fire.script)
        if record is not None and fire.kind is Kind.SCHEDULE and fire.slot is not None:
            record.count(fire.slot)

    def started(self, fire: Fire) -> None:
        """Note that a fire was started."""
        record = self._records.get(fire.script)
        if record is not None and fire.kind is Kind.SCHEDULE:
            record.ran += 1

    def outlasted(self, runs: tuple[Fire, ...], fire: Fire) -> Lagging | None:
        """Note that a slot (which `due` knows of) found these runs of its script in its way, oldest first."""
        if fire.kind is not Kind.SCHEDULE or fire.slot is None:
            return None
        record = self._records.get(fire.script)
        if record is None:
            record = self._records[fire.script] = _begun(runs, fire.slot)
        run_id = runs[0].run_id
        record.in_a_row = record.in_a_row + 1 if run_id in record.in_the_way else 1
        record.in_the_way.add(run_id)
        return self._tell(fire.script, record)

    def ended(self, fire: Fire, outcome: Outcome) -> Lagging | KeptUp | None:
        """Note that a run is over."""
        record = self._records.get(fire.script)
        if record is None or outcome.reason is Reason.SPAWN:
            return None
        outlasted = fire.run_id in record.in_the_way
        record.in_the_way.discard(fire.run_id)
        record.outlasted.append(outlasted)
        record.durations_ms.append(outcome.duration_ms)
        record.in_a_row = 0
        if outlasted and outcome.reason is Reason.STOPPED and fire.kind is Kind.SCHEDULE and record.ran:
            record.ran -= 1
        return self.forget(fire.script) if record.keeps_up() else self._tell(fire.script, record)

    def forget(self, script: str) -> KeptUp | None:
        """Begin anew with a script, whose timetable is another one now."""
        record = self._records.pop(script, None)
        return KeptUp(script) if record is not None and record.told else None

    def restart(self) -> None:
        """Measure from the next slot on: the clock was wrong before, and so are the distances to it."""
        for record in self._records.values():
            record.last = Slot(0)

    def resume(self, script: str, pace: Pace) -> None:
        """Take up, after a restart, what was told of a schedule that lags."""
        self._records[script] = _Record(
            since=pace.since,
            last=Slot(0),
            slots=pace.slots,
            span_s=pace.span_s,
            ran=pace.ran,
            durations_ms=deque([pace.p50_ms], DURATIONS),
            outlasted=deque([True] * WINDOW, WINDOW),
            told=pace.slots,
        )

    def _tell(self, script: str, record: _Record) -> Lagging | None:
        """Tell that a schedule lags: when it begins to, and when the numbers are old."""
        if not record.told and not record.lags():
            return None
        if record.slots < 2 * record.told:
            return None
        begins, record.told = not record.told, record.slots
        return Lagging(script, record.pace(), begins)


def _begun(runs: tuple[Fire, ...], slot: Slot) -> _Record:
    """Begin with the slots of the runs that are in the way, and the one that found them there."""
    slots = [run.slot for run in runs if run.slot is not None and run.kind is Kind.SCHEDULE] or [slot]
    since = min(slots[0], slot)
    own = len(slots) if since < slot else 0
    return _Record(
        since=since,
        last=slot,
        slots=max(own + 1, 1),
        span_s=slot - since,
        ran=own,
        durations_ms=deque(maxlen=DURATIONS),
    )
