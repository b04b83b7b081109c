"""Fires that wait for a time of their own: for their next try, to be caught up, to be replayed.

They outlive the daemon: the ledger has them as held, and a start takes them up again.
"""

from collections.abc import Callable

from schedd.fire import Fire, Kind, Outcome, Reason, RunId
from schedd.planner import backlog, retries
from schedd.planner.actions import Action, Hold
from schedd.planner.admission import Admission, named, skipped
from schedd.planner.backlog import Backlog
from schedd.planner.quiet import Quiet, closed
from schedd.planner.registry import Registry
from schedd.planner.retries import Retries
from schedd.timetable.instant import Slot


class Later:
    """Owns the backlog and the retries, and lets them in when their time has come."""

    def __init__(
        self, admission: Admission, registry: Registry, quiet: Quiet, new_run_id: Callable[[int], RunId]
    ) -> None:
        self._admission = admission
        self._registry = registry
        self._quiet = quiet
        self._new_run_id = new_run_id
        self._backlog = Backlog()
        self._retries = Retries()
        self._at_once = backlog.AT_ONCE
        self._in_line: dict[str, RunId] = {}
        """The last of the backlog that was let in and found its lock taken, by lock."""

    def __len__(self) -> int:
        return len(self._backlog) + len(self._retries)

    def all(self) -> tuple[Fire, ...]:
        """Return all that waits: retries in the order of their times, then the backlog in its own order."""
        return (*self._retries.all(), *self._backlog.all())

    def of(self, script: str) -> tuple[Fire, ...]:
        """Return what waits of a script."""
        return (*self._retries.of(script), *self._backlog.of(script))

    def next_ms(self) -> int | None:
        """Return when the next retry is due."""
        return self._retries.next_ms()

    def due_ms(self, fire: Fire) -> int | None:
        """Return when a retry that waits is due."""
        return self._retries.due_ms(fire)

    def pace(self, at_once: int) -> None:
        """Let so many fires of the backlog run at the same time."""
        self._at_once = max(0, min(at_once, backlog.AT_ONCE))

    def add(self, fire: Fire, actions: list[Action]) -> bool:
        """Put a new fire into the backlog; False if it is full, and the fire skipped."""
        if not self._admission.has_room(fire, actions, besides=len(self)):
            return False
        self._backlog.add(fire)
        actions.append(Hold(fire))
        return True

    def resume(self, fire: Fire, due_ms: int) -> None:
        """Take up a fire that waited when the daemon stopped."""
        if fire.kind is Kind.RETRY:
            self._retries.add(fire, due_ms)
        else:
            self._backlog.add(fire)

    def waits(self, script: str, slot: Slot) -> bool:
        """Whether a replay of this slot waits or runs."""
        places = self._admission.places
        let_in = (*places.runs_of(script), *places.held_of(script))
        is_in = any(fire.slot == slot and fire.kind is Kind.REPLAY for fire in let_in)
        return is_in or self._backlog.has(script, slot)

    def retry(self, fire: Fire, outcome: Outcome, now_ms: int, actions: list[Action]) -> None:
        """Let a fire that has failed be tried again, if its script wants that."""
        registration = self._registry.get(fire.script)
        if registration is None or registration.schedule is None:
            return
        wait_ms = retries.delay_ms(fire, outcome, registration.schedule)
        if wait_ms is None:
            return
        run_id = self._new_run_id(now_ms)
        again = Fire(run_id, fire.script, fire.expression, Kind.RETRY, fire.slot, fire.attempt + 1)
        self._retries.add(again, now_ms + wait_ms)
        actions.append(Hold(again, now_ms + wait_ms))

    def supersede(self, fire: Fire, actions: list[Action]) -> None:
        """Give up the retries of a script, since a newer slot of it has started."""
        if fire.script not in self._retries:
            return
        error = f"{named(fire)} took its place"
        dropped = self._retries.drop(lambda waiting: waiting.script == fire.script)
        actions += [skipped(old, Reason.SUPERSEDED, error) for old in dropped]

    def release(self, now_ms: int, actions: list[Action]) -> None:
        """Let in whose time has come."""
        for fire in self._retries.due(now_ms):
            self._readmit(fire, now_ms, actions)
        busy = self._busy() if len(self._backlog) else 0
        while len(self._backlog) and busy < self._at_once:
            next_fire = self._backlog.next(lambda script: self._is_free(script, now_ms))
            if next_fire is None:
                return
            self._admission.admit(next_fire, now_ms, actions)
            lock = self._admission.places.locks.awaited(next_fire.run_id)
            if lock is None:
                busy += 1
            else:
                self._in_line[lock] = next_fire.run_id

    def drop(self, unwanted: Callable[[Fire], bool]) -> list[Fire]:
        """Remove and return the fires that are unwanted."""
        return [*self._retries.drop(unwanted), *self._backlog.drop(unwanted)]

    def _busy(self) -> int:
        """Count those of the backlog that run, or will when a place is free."""
        places = self._admission.places
        return sum(fire.kind in backlog.KINDS for fire in (*places.all_running(), *places.at_door))

    def _is_free(self, script: str, now_ms: int) -> bool:
        places = self._admission.places
        if places.occupied(script) or places.behind(script) or self._is_lock_awaited(script):
            return False
        return self._quiet.why(self._registry[script], now_ms) is None

    def _is_lock_awaited(self, script: str) -> bool:
        """Whether one of the backlog is in line for the script's lock: a second one would only crowd it."""
        lock = self._registry.schedule(script).lock
        if lock is None or lock.name not in self._in_line:
            return False
        if self._admission.places.locks.awaited(self._in_line[lock.name]) == lock.name:
            return True
        del self._in_line[lock.name]
        return False

    def _readmit(self, fire: Fire, now_ms: int, actions: list[Action]) -> None:
        why = self._quiet.why(self._registry[fire.script], now_ms)
        if why is None:
            self._admission.admit(fire, now_ms, actions)
        else:
            actions.append(closed(fire, why))
