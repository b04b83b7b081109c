"""From a fire that is due to one that runs: admitted, held, started, or skipped with a reason.

Whether a fire may start is asked when it comes due and again each time that a run ends, by the header as it
is then. The limit of its own script comes first, then its lock, then the places that all scripts share.
"""

from collections.abc import Callable, Mapping

from schedd.fire import Fire, Kind, Outcome, Reason, Status
from schedd.planner import policy
from schedd.planner.actions import Action, Close, Hold, Start, Stop
from schedd.planner.cadence import Cadence
from schedd.planner.places import Places
from schedd.planner.policy import Verdict
from schedd.schedule import Lock, Schedule
from schedd.timetable.instant import from_ms, from_slot


class Admission:
    """Owns the stations of all fires that are decided but not over.

    `schedule_of` gives the schedule of a registered script, None for any other.
    """

    def __init__(
        self, schedule_of: Callable[[str], Schedule | None], *, max_running: int, max_held: int
    ) -> None:
        self._find = schedule_of
        self._max_held = max_held
        self.places = Places(max_running)
        self.cadence = Cadence()

    def limit(self, *, max_running: int, max_held: int) -> None:
        """Go by other limits from the next decision on."""
        self._max_held = max_held
        self.places.max_running = max_running

    def declare(self, schedules: Mapping[str, Schedule]) -> bool:
        """Go by what these headers say about locks; False if they say nothing new."""
        return self.places.locks.declare(schedules.values())

    def regulate(
        self, schedules: Mapping[str, Schedule], now_ms: int, actions: list[Action], *, draining: bool
    ) -> None:
        """Go by other headers, which are registered by now, and let go on who may by them."""
        if self.declare(schedules):
            self.places.relock(self._lock_of, now_ms)
        self.let_go_on(now_ms, actions, draining=draining)

    def let_go_on(self, now_ms: int, actions: list[Action], *, draining: bool) -> None:
        """Let go on who may, by the headers as they are now."""
        if draining:
            return
        for script in self.places.scripts_behind():
            self._release(script)
        self._seat(now_ms, actions)

    # A fire comes due.

    def admit(self, fire: Fire, now_ms: int, actions: list[Action]) -> None:
        """Decide on a fire of a registered script that is due."""
        self.cadence.due(fire)
        places, schedule = self.places, self._schedule_of(fire.script)
        if schedule.deadline_ms is not None and self._is_too_late(fire, now_ms):
            actions.append(self._too_late(fire))
            return
        occupied, behind = places.occupied(fire.script), places.behind(fire.script)
        verdict = policy.admit(schedule, occupied=occupied, behind=behind)
        if verdict is not Verdict.START:
            self._behind_own(verdict, fire, now_ms, actions)
        elif schedule.lock is not None and not places.locks.is_free(schedule.lock):
            verdict = policy.at_lock(schedule, fire.kind, in_line=places.in_line(fire.script))
            self._at_lock(verdict, fire, schedule.lock, now_ms, actions)
        elif places.has_free():
            self._start(fire, schedule, now_ms, actions)
        else:
            self._line_up(fire, schedule.lock, now_ms, actions)

    def _behind_own(self, verdict: Verdict, fire: Fire, now_ms: int, actions: list[Action]) -> None:
        """Decide on a fire for which its own script runs already as often as it may."""
        match verdict:
            case Verdict.HOLD:
                self._hold(fire, now_ms, actions)
            case Verdict.SUPERSEDE | Verdict.REPLACE:
                waits_behind = self._supersede(fire, now_ms, actions)
                if verdict is Verdict.REPLACE and waits_behind:
                    self._stop(fire, self.places.runs_of(fire.script), actions)
            case Verdict.SKIP:
                actions.append(self._overlap(fire))
            case Verdict.HOLD_FULL:
                actions.append(_hold_full(fire))
        self._note_outlasted(self.places.runs_of(fire.script), fire, actions)

    def _at_lock(self, verdict: Verdict, fire: Fire, lock: Lock, now_ms: int, actions: list[Action]) -> None:
        """Decide on a fire that finds its lock taken, though its own script may run once more."""
        own = self._own_in_the_way(fire, lock)
        match verdict:
            case Verdict.HOLD:
                self._line_up(fire, lock, now_ms, actions)
            case Verdict.SUPERSEDE | Verdict.REPLACE:
                waits = not self._take_turn(fire, actions) and self._line_up(fire, lock, now_ms, actions)
                if verdict is Verdict.REPLACE and waits:
                    self._stop(fire, own, actions)
            case Verdict.SKIP:
                actions.append(self._locked(fire, lock))
            case Verdict.HOLD_FULL:
                actions.append(_hold_full(fire))
        self._note_outlasted(own, fire, actions)

    def _supersede(self, fire: Fire, now_ms: int, actions: list[Action]) -> bool:
        """Hold a fire in place of what waits of its script; whether it waits for a run to end now."""
        newer = self._newer(fire)
        if newer is not None:
            actions.append(skipped(fire, Reason.SUPERSEDED, _in_place(newer)))
            return False
        gone = self.places.drop_behind(fire.script)
        actions += [skipped(old, Reason.SUPERSEDED, _in_place(fire)) for old in gone]
        return not self._take_turn(fire, actions) and self._hold(fire, now_ms, actions)

    def _newer(self, fire: Fire) -> Fire | None:
        """Return what waits of the script and is newer than the slot that this fire tries again."""
        if fire.kind is not Kind.RETRY or fire.slot is None:
            return None
        for held in self.places.held_of(fire.script):
            if held.kind is Kind.SCHEDULE and held.slot is not None and held.slot > fire.slot:
                return held
        return None

    def _take_turn(self, fire: Fire, actions: list[Action]) -> bool:
        """Let a fire take the turn of the newest one of its script that waits for a lock or a place.

        A newer slot that always went to the end of the line would never run.
        """
        old = self.places.newest_in_line(fire.script, policy.PASSING)
        if old is None or fire.kind not in policy.PASSING:
            return False
        actions.append(skipped(old.fire, Reason.SUPERSEDED, _in_place(fire)))
        self.places.substitute(old, fire)
        actions.append(Hold(fire))
        return True

    def _hold(self, fire: Fire, now_ms: int, actions: list[Action]) -> bool:
        if not self._may_wait(fire, actions):
            return False
        self.places.hold(self.places.arrive(fire, now_ms))
        return True

    def _line_up(self, fire: Fire, lock: Lock | None, now_ms: int, actions: list[Action]) -> bool:
        if not self._may_wait(fire, actions):
            return False
        self.places.join(self.places.arrive(fire, now_ms), lock)
        return True

    def _may_wait(self, fire: Fire, actions: list[Action]) -> bool:
        """Note that a fire waits; what has waited for its time before is held, and counted, already."""
        if fire.kind in policy.HELD_BEFORE:
            return True
        if not self.has_room(fire, actions):
            return False
        actions.append(Hold(fire))
        return True

    def has_room(self, fire: Fire, actions: list[Action], *, besides: int = 0) -> bool:
        """Whether one more may wait, besides so many that wait elsewhere; if not, the fire is skipped."""
        if self.places.held_count + besides < self._max_held:
            return True
        error = f"{self._max_held} fires are waiting already, as many as may wait at once (max_held)"
        actions.append(skipped(fire, Reason.OVERLOAD, error))
        return False

    # A run ends, or waiting does.

    def ended(
        self, fire: Fire, outcome: Outcome, now_ms: int, actions: list[Action], *, draining: bool
    ) -> None:
        """Let whoever waited for a run go on, unless nothing is to start any more."""
        ended = self.places.end(fire.run_id)
        assert ended is not None, fire
        told = self.cadence.ended(fire, outcome)
        if told is not None:
            actions.append(told)
        if not draining:
            self._release(fire.script)
            self._seat(now_ms, actions)

    def expire(self, now_ms: int) -> list[Action]:
        """Give up what has waited for longer than its deadline."""
        return [self._too_late(fire) for fire in self.drop(lambda fire: self._is_too_late(fire, now_ms))]

    def drop(self, unwanted: Callable[[Fire], bool]) -> list[Fire]:
        """Remove and return the waiting fires that are unwanted; what waited behind them comes forward."""
        dropped = self.places.drop(unwanted)
        for script in dict.fromkeys(fire.script for fire in dropped):
            self._release(script)
        return dropped

    def _release(self, script: str) -> None:
        """Let fires go on that wait behind those of their script, as many as its limit allows."""
        schedule = self._find(script)
        if schedule is None:
            return
        limit = schedule.max_runs
        while self.places.behind(script) and (limit is None or self.places.occupied(script) < limit):
            self.places.join(self.places.release(script), schedule.lock)

    def _seat(self, now_ms: int, actions: list[Action]) -> None:
        """Give the free places to those whose turn it is."""
        while (fire := self.places.next_at_door()) is not None:
            if self._is_too_late(fire, now_ms):
                actions.append(self._too_late(fire))
                self.places.give_up_locks(fire)
                self._release(fire.script)
            else:
                self._start(fire, self._schedule_of(fire.script), now_ms, actions)

    def _start(self, fire: Fire, schedule: Schedule, now_ms: int, actions: list[Action]) -> None:
        self.places.seat(fire, schedule.lock, now_ms)
        self.cadence.started(fire)
        actions.append(Start(fire, schedule))

    def _stop(self, fire: Fire, runs: tuple[Fire, ...], actions: list[Action]) -> None:
        """Stop the oldest of these runs, for another fire of its script."""
        if runs:
            error = f"stopped: replaced by {named(fire)} (@overlap replace)"
            actions.append(Stop(runs[0].run_id, error))

    # What is asked and said.

    def _schedule_of(self, script: str) -> Schedule:
        schedule = self._find(script)
        assert schedule is not None, script
        return schedule

    def _lock_of(self, script: str) -> Lock | None:
        schedule = self._find(script)
        return None if schedule is None else schedule.lock

    def _own_in_the_way(self, fire: Fire, lock: Lock) -> tuple[Fire, ...]:
        runs = self.places.runs_of(fire.script)
        return tuple(run for run in runs if self.places.locks.has(run.run_id, lock.name))

    def _note_outlasted(self, runs: tuple[Fire, ...], fire: Fire, actions: list[Action]) -> None:
        told = self.cadence.outlasted(runs, fire) if runs else None
        if told is not None:
            actions.append(told)

    def _is_too_late(self, fire: Fire, now_ms: int) -> bool:
        if fire.kind is not Kind.SCHEDULE or fire.slot is None:
            return False
        deadline_ms = self._schedule_of(fire.script).deadline_ms
        return deadline_ms is not None and now_ms - fire.slot * 1000 > deadline_ms

    def _too_late(self, fire: Fire) -> Close:
        deadline_ms = self._schedule_of(fire.script).deadline_ms
        error = f"it could not start within its @deadline of {(deadline_ms or 0) / 1000:g} s"
        return skipped(fire, Reason.TOO_LATE, error)

    def _overlap(self, fire: Fire) -> Close:
        runs = self.places.runs_of(fire.script)
        if runs:
            error = f"{named(runs[0])} was still running (run {runs[0].run_id})"
        else:
            waits = self.places.held_of(fire.script)[0]
            name = self.places.locks.awaited(waits.run_id)
            what = "a free place (max_running)" if name is None else f"the lock {name}"
            error = f"{named(waits)} was still waiting for {what}"
        return skipped(fire, Reason.OVERLAP, error)

    def _locked(self, fire: Fire, lock: Lock) -> Close:
        """Name who has the lock; what may be long comes last, since the sentence may be cut."""
        holders = self.places.locks.holders(lock.name)
        first, slots = holders[0], self.places.locks.law(lock).slots
        which = (
            f"the lock {lock.name}" if slots == 1 else f"each of the {slots} slots of the lock {lock.name}"
        )
        who = f"{named(first.fire)} of {first.fire.script}"
        if first.since_ms is None:
            error = f"{which} was taken: {who} has its turn, and waits for a free place (max_running)"
        else:
            run = f"since {from_ms(first.since_ms)} (run {first.fire.run_id})"
            error = f"{which} was taken, {'' if slots == 1 else 'the first '}{run} by {who}"
        return skipped(fire, Reason.LOCK, error)


def skipped(fire: Fire, reason: Reason, error: str) -> Close:
    """Return the end of a fire that was decided not to run."""
    return Close(fire=fire, status=Status.SKIPPED_OVERLOAD, reason=reason, error=error)


def named(fire: Fire) -> str:
    """Name a fire in a sentence."""
    if fire.slot is None:
        return f"the {fire.kind.value} run"
    return f"the slot of {from_slot(fire.slot)}"


def _in_place(fire: Fire) -> str:
    return f"{named(fire)} took its place in the queue"


def _hold_full(fire: Fire) -> Close:
    error = f"{policy.MAX_QUEUED} slots of this script are held already (@overlap queue-all)"
    return skipped(fire, Reason.HOLD_FULL, error)
