"""Slots that are not to run: a calendar closes them, or their script is disabled, paused or in maintenance.

Each of them is decided all the same, and told in stretches. Who disables or pauses a script does not say for
how long; a calendar does, so what it closes is told with the last slot of it, on the day itself.
"""

from collections.abc import Callable, Iterable

from schedd.fire import Fire, Kind, Reason, RunId, Status
from schedd.planner.actions import Action, Close, Open, Paused, Resumed
from schedd.planner.pauses import Pauses, reason_of, sentence
from schedd.planner.registry import Registration
from schedd.planner.stretches import MAX_STRETCH_S, Stretches
from schedd.planner.view import Pause
from schedd.timetable.instant import Slot

Why = tuple[Reason, str]
ITS_END = "its end"
"""Who resumes a script whose pause is over by itself."""
SWITCHED_OFF = (Reason.DISABLED, "the script's header says @enabled false")


class Quiet:
    """Owns the pauses in force and the stretches that are open."""

    def __init__(self, new_run_id: Callable[[int], RunId]) -> None:
        self._new_run_id = new_run_id
        self.pauses = Pauses()
        self.stretches = Stretches()

    def why(self, registration: Registration, at_ms: int, *, force: bool = False) -> Why | None:
        """Return why the script does not fire at this moment, or None if it may; `force` passes a pause."""
        if not registration.enabled:
            return SWITCHED_OFF
        if force or not self.pauses:
            return None
        pause = self.pauses.covering(registration.script, at_ms)
        return None if pause is None else (reason_of(pause), sentence(pause))

    def tell(self, registration: Registration, slot: Slot, why: Why, now_ms: int) -> Iterable[Action]:
        """Count a slot into the stretch of its script."""
        reason, error = why
        if self.stretches.prolong(registration.script, slot, reason):
            return ()
        run_id = self._new_run_id(now_ms)
        fire = Fire(run_id, registration.script, registration.expression, Kind.SCHEDULE, slot)
        return self.stretches.open(Open(fire, Status.DISABLED, reason, error))

    def shut(
        self, registration: Registration, slot: Slot, closed_by: str, following: Slot | None, now_ms: int
    ) -> Iterable[Action]:
        """Count a slot that the calendar closes into the stretch of its script; `following` comes next."""
        script = registration.script
        why = Reason.BLACKOUT, closed_by
        goes_on = following is not None and registration.timetable.closed_by(following) == closed_by
        if self.stretches.prolong(script, slot, *why):
            if not goes_on or following is None or self.stretches.ends_before(script, following):
                yield from self.stretches.close(script)
            return
        run_id = self._new_run_id(now_ms)
        fire = Fire(run_id, script, registration.expression, Kind.SCHEDULE, slot)
        if goes_on and following is not None and following - slot < MAX_STRETCH_S:
            yield from self.stretches.open(Open(fire, Status.DISABLED, *why))
        else:
            yield from self.stretches.close(script)
            yield closed(fire, why)

    def opened(self, script: str) -> Iterable[Action]:
        """Close the stretch of a calendar that was edited: a slot of the script is open again."""
        return self.stretches.close(script) if self.stretches.is_for(script, Reason.BLACKOUT) else ()

    def begin(self, pause: Pause) -> Iterable[Action]:
        """Put a pause in force; what was told under one that it replaces is closed."""
        for script in self.stretches.scripts():
            if pause.script in (script, None) and self.stretches.is_for(script, reason_of(pause)):
                yield from self.stretches.close(script)
        self.pauses.begin(pause)
        yield Paused(pause)

    def end(self, script: str | None, by: str, now_ms: int) -> Iterable[Action]:
        """End a pause, if there is one."""
        if self.pauses.end(script):
            # The stretch first: torn behind it, the pause goes on, and nothing is told twice.
            yield from self._close(now_ms)
            yield Resumed(script, by)

    def end_those_over(self, now_ms: int) -> Iterable[Action]:
        """End the pauses that have come to their end."""
        ended = self.pauses.over(now_ms) if self.pauses else []
        if ended:
            yield from self._close(now_ms)
            yield from (Resumed(pause.script, ITS_END) for pause in ended)

    def _close(self, now_ms: int) -> Iterable[Action]:
        """Close the stretches of pauses that are no longer in force."""
        for script in self.stretches.scripts():
            if self.stretches.is_for(script, Reason.PAUSED, Reason.MAINTENANCE):
                pause = self.pauses.covering(script, now_ms)
                if pause is None or not self.stretches.is_for(script, reason_of(pause)):
                    yield from self.stretches.close(script)


def closed(fire: Fire, why: Why) -> Close:
    """Return the end of one fire that was not to be."""
    reason, error = why
    return Close(fire=fire, status=Status.DISABLED, reason=reason, error=error)
