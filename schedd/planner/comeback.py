"""After a restart: taking up where the ledger ends.

What waited goes on waiting, what ran when the daemon died is tried again if its script wants that, and what
was told in stretches is told on. Locks are as free as on the first day: whatever had one is over.
"""

from collections.abc import Mapping

from schedd.fire import Fire, Kind, Reason, Status
from schedd.planner import backlog
from schedd.planner.actions import Action, Close, KeptUp, Open
from schedd.planner.admission import Admission
from schedd.planner.gaps import LATE_S
from schedd.planner.later import Later
from schedd.planner.past import DIED, Past
from schedd.planner.quiet import Quiet
from schedd.planner.registry import Registry
from schedd.schedule import Catchup, Schedule
from schedd.timetable.instant import Slot


class Comeback:
    """Gives its past back to each part of a planner that has just been made."""

    def __init__(
        self, past: Past, registry: Registry, admission: Admission, quiet: Quiet, later: Later
    ) -> None:
        self._past = past
        self._registry = registry
        self._admission = admission
        self._quiet = quiet
        self._later = later

    def take_up(self, schedules: Mapping[str, Schedule], now_ms: int) -> list[Action]:
        """Take up all that there was; `schedules` is what will be registered.

        A script whose timetable is the same before and after keeps its registration, and its slots in the gap
        are decided as if the daemon had been slow; the slots of one that has changed or gone are missed.
        """
        past = self._past
        self._admission.declare(schedules)
        for pause in past.pauses:
            self._quiet.pauses.begin(pause)
        self._remember(schedules)
        for stretch in past.stretches:
            self._resume_stretch(stretch)
        actions: list[Action] = []
        for script, pace in past.lagging.items():
            if script in self._registry:
                self._admission.cadence.resume(script, pace)
            else:
                actions.append(KeptUp(script))
        for fire, due_ms in past.held:
            self._resume_held(fire, due_ms, now_ms, actions)
        for fire in past.interrupted:
            self._later.retry(fire, DIED, now_ms, actions)
        return actions

    def _remember(self, schedules: Mapping[str, Schedule]) -> None:
        watermark = self._past.watermark or Slot(0)
        for old in self._past.registered:
            current = schedules.get(old.script)
            if current is not None and (current.timetable, current.enabled) != (old.timetable, old.enabled):
                current = None
            after = max(Slot(old.registered_at_ms // 1000), watermark)
            after = max(after, self._past.beyond.get(old.script, Slot(0)))
            self._registry.remember(old, current, after=after)

    def _resume_stretch(self, stretch: Open) -> None:
        registration, watermark = self._registry.get(stretch.fire.script), self._past.watermark
        if registration is None or watermark is None:
            return

        def covers(slot: Slot) -> bool:
            if stretch.reason is Reason.BLACKOUT:
                return True  # it was closed with its last slot, whatever the calendar says by now
            why = self._quiet.why(registration, slot * 1000)
            return why is not None and why[0] is stretch.reason

        until = max(watermark, self._past.beyond.get(registration.script, watermark))
        self._quiet.stretches.resume(stretch, registration.timetable, until, covers)

    def _resume_held(self, fire: Fire, due_ms: int | None, now_ms: int, actions: list[Action]) -> None:
        registration = self._registry.get(fire.script)
        schedule = None if registration is None else registration.schedule
        late = fire.slot is not None and now_ms // 1000 - fire.slot >= LATE_S
        patient = fire.kind is Kind.RETRY or fire.kind in backlog.KINDS
        if schedule is not None and (patient or (late and schedule.catchup is not Catchup.NONE)):
            self._later.resume(fire, now_ms if due_ms is None else due_ms)
        elif schedule is not None and not late:
            self._admission.admit(fire, now_ms, actions)
        else:
            error = "schedd stopped while this fire was held, and came back too late to run it"
            actions.append(Close(fire=fire, status=Status.ERROR, reason=Reason.MISSED, error=error))
