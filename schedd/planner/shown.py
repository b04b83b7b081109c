"""What the planner shows of itself, put together when somebody asks."""

from schedd.fire import Fire
from schedd.planner import backlog
from schedd.planner.admission import Admission
from schedd.planner.later import Later
from schedd.planner.locks import caution
from schedd.planner.pauses import Pauses
from schedd.planner.registry import Registration, Registry
from schedd.planner.view import Awaited, LockView, ScheduleView, Wait
from schedd.schedule import Lock

NEXT_SLOTS = 5
MOST_NAMED = 20
"""Holders and waiters of a lock that are named, in each schedule that shares it; all are counted."""


class Shown:
    """Looks at all that the planner owns, and changes nothing."""

    def __init__(self, registry: Registry, admission: Admission, later: Later, pauses: Pauses) -> None:
        self._registry = registry
        self._admission = admission
        self._places = admission.places
        self._later = later
        self._pauses = pauses

    def view(self, script: str, now_ms: int) -> ScheduleView | None:
        """Return one registered schedule as it stands now."""
        registration = self._registry.get(script)
        return None if registration is None else self._view(registration, now_ms, {})

    def views(self, now_ms: int) -> list[ScheduleView]:
        """Return all registered schedules as they stand now, ordered by script."""
        locks: dict[str, LockView] = {}
        registrations = sorted(self._registry, key=lambda registration: registration.script)
        views = (self._view(registration, now_ms, locks) for registration in registrations)
        return [view for view in views if view is not None]

    def wait(self, fire: Fire) -> Wait:
        """Return what a held fire waits for."""
        locks = self._places.locks
        name = locks.awaited(fire.run_id)
        if name is not None:
            holders = locks.holders(name)
            return Wait(Awaited.LOCK, name, holders[0].fire if holders else None)
        if self._places.is_at_door(fire):
            return Wait(Awaited.PLACE)
        if self._later.due_ms(fire) is not None:
            return Wait(Awaited.TIME)
        if fire.kind in backlog.KINDS:
            return Wait(Awaited.TURN)
        return Wait(Awaited.RUN, fire=self._places.ahead_of_others(fire.script))

    def _view(
        self, registration: Registration, now_ms: int, locks: dict[str, LockView]
    ) -> ScheduleView | None:
        """Return a schedule; `locks` are those that were looked at already, for it and the next ones."""
        script, schedule, places = registration.script, registration.schedule, self._places
        if schedule is None:
            return None
        held = places.held_of(script)
        lock = None if schedule.lock is None else self._lock(schedule.lock, locks)
        cautioned = None if schedule.lock is None else caution(schedule.lock, places.locks.law(schedule.lock))
        return ScheduleView(
            schedule=schedule,
            registered_at_ms=registration.registered_at_ms,
            next_slots=self._registry.to_run(script, NEXT_SLOTS) if registration.enabled else (),
            running=places.runs_of(script),
            held=(*held, *self._later.of(script)),
            pause=self._pauses.covering(script, now_ms),
            lock=lock,
            in_line=tuple(fire.run_id for fire in held if places.locks.awaited(fire.run_id) is not None),
            pace=self._admission.cadence.pace(script),
            cautions=() if cautioned is None else (cautioned,),
        )

    def _lock(self, lock: Lock, known: dict[str, LockView]) -> LockView:
        if lock.name not in known:
            locks = self._places.locks
            holders = [holder for holder in locks.holders(lock.name) if holder.since_ms is not None]
            line = locks.line(lock.name)
            known[lock.name] = LockView(
                name=lock.name,
                slots=locks.law(lock).slots,
                taken=len(holders),
                holders=tuple(holders[:MOST_NAMED]),
                waiting=len(line),
                waiters=tuple(waiting.fire for waiting in line.ahead(MOST_NAMED)),
            )
        return known[lock.name]
