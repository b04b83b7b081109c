"""From a fire that is due to one that runs: admitted, held, started, or skipped with a reason.

Whether a fire may start is asked when it comes due and again each time that a run ends, by the header as it
is then.
"""

from collections.abc import Callable

from schedd.fire import Fire, Kind, Reason, Status
from schedd.planner import policy
from schedd.planner.actions import Action, Close, Hold, Start, Stop
from schedd.planner.places import Places
from schedd.schedule import Schedule
from schedd.timetable.instant import from_slot


class Admission:
    """Owns the stations of all fires that are decided but not over.

    `schedule_of` gives the schedule of a registered script.
    """

    def __init__(self, schedule_of: Callable[[str], Schedule], *, max_running: int, max_held: int) -> None:
        self._schedule_of = schedule_of
        self._max_held = max_held
        self.places = Places(max_running)

    def limit(self, *, max_running: int, max_held: int) -> None:
        """Go by other limits from the next decision on."""
        self._max_held = max_held
        self.places.max_running = max_running

    def admit(self, fire: Fire, now_ms: int, actions: list[Action]) -> None:
        """Decide on a fire of a registered script that is due."""
        if self._is_too_late(fire, now_ms):
            actions.append(self._too_late(fire))
            return
        places, script = self.places, fire.script
        verdict = policy.admit(
            self._schedule_of(script), occupied=places.occupied(script), held=places.held(script)
        )
        match verdict:
            case policy.Verdict.START:
                self._start_or_wait(fire, now_ms, actions)
            case policy.Verdict.HOLD:
                self._hold(fire, actions)
            case policy.Verdict.SUPERSEDE:
                self._supersede(fire, actions)
            case policy.Verdict.REPLACE:
                self._supersede(fire, actions)
                self._stop_oldest(fire, actions)
            case policy.Verdict.OVERLAP:
                actions.append(self._overlap(fire))
            case policy.Verdict.HOLD_FULL:
                error = f"{policy.MAX_QUEUED} slots of this script are held already (@overlap queue-all)"
                actions.append(skipped(fire, Reason.HOLD_FULL, error))

    def release(self, script: str, now_ms: int, actions: list[Action]) -> None:
        """Let fires go on that are held behind runs of a registered script, as many as its limit allows."""
        limit = self._schedule_of(script).max_runs
        while self.places.held(script) and (limit is None or self.places.occupied(script) < limit):
            self.places.wait(self.places.release(script), now_ms)
        self.seat_waiting(now_ms, actions)

    def seat_waiting(self, now_ms: int, actions: list[Action]) -> None:
        """Give the free places to those who have waited the longest."""
        while (fire := self.places.next_waiting()) is not None:
            if self._is_too_late(fire, now_ms):
                actions.append(self._too_late(fire))
            else:
                self.places.seat(fire)
                actions.append(Start(fire, self._schedule_of(fire.script)))

    def expire(self, now_ms: int) -> list[Action]:
        """Give up what has waited for longer than its deadline."""
        late = self.places.drop(lambda fire: self._is_too_late(fire, now_ms))
        return [self._too_late(fire) for fire in late]

    def _is_too_late(self, fire: Fire, now_ms: int) -> bool:
        if fire.kind is not Kind.SCHEDULE or fire.slot is None:
            return False
        deadline_ms = self._schedule_of(fire.script).deadline_ms
        return deadline_ms is not None and now_ms - fire.slot * 1000 > deadline_ms

    def _too_late(self, fire: Fire) -> Close:
        deadline_ms = self._schedule_of(fire.script).deadline_ms
        error = f"it could not start within its @deadline of {(deadline_ms or 0) / 1000:g} s"
        return skipped(fire, Reason.TOO_LATE, error)

    def _start_or_wait(self, fire: Fire, now_ms: int, actions: list[Action]) -> None:
        if self.places.run(fire):
            actions.append(Start(fire, self._schedule_of(fire.script)))
        elif self.has_room(fire, actions):
            self.places.wait(fire, now_ms)
            actions.append(Hold(fire))

    def _supersede(self, fire: Fire, actions: list[Action]) -> None:
        error = f"{named(fire)} took its place in the queue"
        actions += [skipped(old, Reason.SUPERSEDED, error) for old in self.places.drop_held(fire.script)]
        self._hold(fire, actions)

    def _hold(self, fire: Fire, actions: list[Action]) -> None:
        if self.has_room(fire, actions):
            self.places.hold(fire)
            actions.append(Hold(fire))

    def has_room(self, fire: Fire, actions: list[Action], *, besides: int = 0) -> bool:
        """Whether one more may wait, besides so many that wait elsewhere; if not, the fire is skipped."""
        if self.places.held_count + besides < self._max_held:
            return True
        error = f"{self._max_held} fires are waiting already, as many as may wait at once (max_held)"
        actions.append(skipped(fire, Reason.OVERLOAD, error))
        return False

    def _stop_oldest(self, fire: Fire, actions: list[Action]) -> None:
        runs = self.places.runs_of(fire.script)
        if runs:
            error = f"stopped: replaced by {named(fire)} (@overlap replace)"
            actions.append(Stop(runs[0].run_id, error))

    def _overlap(self, fire: Fire) -> Close:
        runs = self.places.runs_of(fire.script)
        if runs:
            error = f"{named(runs[0])} was still running (run {runs[0].run_id})"
        else:
            error = "an earlier fire of this script was still waiting for a free place (max_running)"
        return skipped(fire, Reason.OVERLAP, error)


def skipped(fire: Fire, reason: Reason, error: str) -> Close:
    """Return the end of a fire that was decided not to run."""
    return Close(fire=fire, status=Status.SKIPPED_OVERLOAD, reason=reason, error=error)


def named(fire: Fire) -> str:
    """Name a fire in a sentence."""
    if fire.slot is None:
        return f"the {fire.kind.value} run"
    return f"the slot of {from_slot(fire.slot)}"
