"""The planner: state and now in, actions out.

It never waits, so nothing can happen between two of its decisions, and it reads no clock, so the same
inputs always give the same actions. Slots are decided in time order; one number, the *watermark*, says how
far that has come: every slot at or before it is decided. Whatever lies between the watermark and now, after
a restart, a suspend or a clock step, is a gap like any other, and goes through the same turn of the wheel.

A slot that is found less than a minute late fires late, whoever was away: the machine was busy, or the
daemon was being restarted. A slot older than that was missed, and says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from schedd.fire import Fire, Kind, Reason, RunId, Status
from schedd.planner.actions import Action, Close, Decided, Open, Register, Unregister
from schedd.planner.admission import Admission, skipped
from schedd.planner.stretches import Missed, Stretches
from schedd.planner.view import ScheduleView
from schedd.planner.wheel import Wheel
from schedd.schedule import Schedule
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

LATE_S = 60
"""A slot found this late was missed; before that it fires late."""
REWIND_S = 3 * 3600
"""A step back by more than this means that the clock was wrong before: slots are counted anew."""
NEXT_SLOTS = 5


@dataclass(slots=True, kw_only=True)
class _Registration:
    script: str
    expression: str
    timetable: Timetable
    enabled: bool
    order: int
    registered_at_ms: int
    sha256: str
    schedule: Schedule | None
    """None while the planner settles the past of a script that has changed or gone since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A registration that was in force when the daemon stopped."""

    script: str
    expression: str
    timetable: Timetable
    enabled: bool
    sha256: str
    registered_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the ledger knows when the daemon starts."""

    watermark: Slot | None = None
    registered: tuple[Remembered, ...] = ()
    held: tuple[Fire, ...] = ()
    stretches: tuple[Open, ...] = ()
    beyond: Mapping[str, Slot] = field(default_factory=dict)
    """The newest slot of a script that was decided, though the watermark that says so was never written."""


class Planner:
    """Owns the wheel, the stations of all fires, and the watermark.

    `new_run_id` gives an id for a fire, from the wall clock in milliseconds.
    """

    def __init__(self, *, new_run_id: Callable[[int], RunId], max_running: int, max_held: int) -> None:
        self._new_run_id = new_run_id
        self._wheel = Wheel()
        self._admission = Admission(self._schedule, max_running=max_running, max_held=max_held)
        self._places = self._admission.places
        self._stretches = Stretches()
        self._missed = Missed()
        self._registrations: dict[str, _Registration] = {}
        self._orders = 0
        self._watermark: Slot | None = None
        self._draining = False

    # What others see.

    @property
    def watermark(self) -> Slot | None:
        """Every slot at or before this one is decided; None before the first start."""
        return self._watermark

    @property
    def running_count(self) -> int:
        """How many runs are in flight."""
        return self._places.running_count

    @property
    def held_count(self) -> int:
        """How many fires wait."""
        return self._places.held_count

    def __contains__(self, script: str) -> bool:
        return script in self._registrations

    def __len__(self) -> int:
        return len(self._registrations)

    def next_slot(self) -> Slot | None:
        """Return the next second in which something may be due."""
        return self._wheel.next_slot()

    def schedules(self) -> dict[str, Schedule]:
        """Return what is registered, by script."""
        return {script: r.schedule for script, r in self._registrations.items() if r.schedule is not None}

    def running(self) -> tuple[Fire, ...]:
        """Return the runs in flight, oldest first."""
        return self._places.all_running()

    def held(self) -> tuple[Fire, ...]:
        """Return the fires that wait."""
        return self._places.all_held()

    def view(self, script: str) -> ScheduleView | None:
        """Return one registered schedule as it stands now."""
        registration = self._registrations.get(script)
        if registration is None or registration.schedule is None:
            return None
        return ScheduleView(
            schedule=registration.schedule,
            registered_at_ms=registration.registered_at_ms,
            next_slots=self._wheel.upcoming(script, NEXT_SLOTS) if registration.enabled else (),
            running=self._places.runs_of(script),
            held=self._places.held_of(script),
        )

    def views(self) -> list[ScheduleView]:
        """Return all registered schedules as they stand now, ordered by script."""
        views = (self.view(script) for script in sorted(self._registrations))
        return [view for view in views if view is not None]

    # What happens.

    def restore(self, past: Past, schedules: Mapping[str, Schedule], now_ms: int) -> list[Action]:
        """Take up where the ledger ends, then register what is there now.

        A script whose timetable is the same before and after keeps its registration, and its slots in the gap
        are decided as if the daemon had been slow; the slots of one that has changed or gone are missed.
        """
        self._watermark = past.watermark
        for old in past.registered:
            self._remember(old, schedules.get(old.script), past.beyond.get(old.script, Slot(0)))
        for stretch in past.stretches:
            self._resume_stretch(stretch)
        actions: list[Action] = []
        for fire in past.held:
            self._resume_held(fire, now_ms, actions)
        return actions + self.reconcile(schedules, now_ms)

    def startup(self, now_ms: int) -> list[Action]:
        """Fire every `@reboot` script: the host has booted since the daemon last ran."""
        actions: list[Action] = []
        for registration in list(self._registrations.values()):
            if registration.timetable.reboot:
                self._decide_new(registration, Kind.STARTUP, None, now_ms, actions)
        return actions

    def tick(self, now_ms: int) -> list[Action]:
        """Decide every slot at or before now that is not decided yet."""
        now = Slot(now_ms // 1000)
        if self._watermark is None:
            self._watermark = now
        if now <= self._watermark:
            return self._rewind(now) if now < self._watermark - REWIND_S else []
        decided: list[Action] = []
        for slot, scripts in self._wheel.turn(now):
            for script in scripts:
                self._decide(self._registrations[script], slot, now, now_ms, decided)
        self._watermark = now
        # What was missed is older than what fires, and a torn write must not lose the older part alone.
        return self._decided([*self._missed.close(now_ms, self._new_run_id), *decided])

    def reconcile(self, schedules: Mapping[str, Schedule], now_ms: int) -> list[Action]:
        """Make `schedules` what is registered; new slots are those after now, runs go on undisturbed."""
        actions = self.tick(now_ms)
        for script in [s for s in self._registrations if s not in schedules]:
            self._unregister(script, actions)
        for script, schedule in schedules.items():
            self._register(script, schedule, now_ms, actions)
        return self._decided(actions)

    def limit(self, *, max_running: int, max_held: int) -> None:
        """Go by other limits from the next decision on."""
        self._admission.limit(max_running=max_running, max_held=max_held)

    def trigger(self, script: str, now_ms: int) -> tuple[Fire, list[Action]]:
        """Make a manual fire of a registered script."""
        actions = self.tick(now_ms)
        fire = self._decide_new(self._registrations[script], Kind.MANUAL, None, now_ms, actions)
        return fire, actions

    def ended(self, run_id: RunId, script: str, now_ms: int) -> list[Action]:
        """A run is over: whoever waited for it may start."""
        actions: list[Action] = []
        self._admission.ended(run_id, now_ms, actions, registered=script in self._registrations)
        return actions + self.tick(now_ms)

    def drop(self, run_id: RunId, error: str) -> list[Action]:
        """Give up a fire that waits, because somebody asked to; no action if it does not wait."""
        dropped = self._places.drop(lambda fire: fire.run_id == run_id)
        return [Close(fire=f, status=Status.ERROR, reason=Reason.STOPPED, error=error) for f in dropped]

    def drain(self, now_ms: int) -> list[Action]:
        """Admit nothing from now on: what waits, and each slot to come, is skipped."""
        actions = self.tick(now_ms)
        self._draining = True
        actions += [_drained(fire) for fire in self._places.drop(lambda _: True)]
        return actions

    def finish(self, now_ms: int) -> list[Action]:
        """Close what is open, before the daemon stops."""
        return self._decided([*self.tick(now_ms), *self._stretches.close_all()])

    # Deciding.

    def _decided(self, actions: list[Action]) -> list[Action]:
        """Put the watermark behind the actions that it vouches for; without any it need not be written."""
        if actions and self._watermark is not None:
            actions.append(Decided(self._watermark))
        return actions

    def _decide(
        self, registration: _Registration, slot: Slot, now: Slot, now_ms: int, actions: list[Action]
    ) -> None:
        if not registration.enabled:
            self._disabled(registration, slot, now_ms, actions)
        elif registration.schedule is None or now - slot >= LATE_S:
            self._missed.add(registration.script, registration.expression, slot)
        else:
            self._decide_new(registration, Kind.SCHEDULE, slot, now_ms, actions)

    def _decide_new(
        self,
        registration: _Registration,
        kind: Kind,
        slot: Slot | None,
        now_ms: int,
        actions: list[Action],
    ) -> Fire:
        fire = Fire(self._new_run_id(now_ms), registration.script, registration.expression, kind, slot)
        if self._draining:
            actions.append(_drained(fire))
        elif not registration.enabled:
            actions.append(_disabled(fire))
        else:
            self._admission.admit(fire, now_ms, actions)
        return fire

    def _disabled(self, registration: _Registration, slot: Slot, now_ms: int, actions: list[Action]) -> None:
        if not self._stretches.prolong(registration.script, slot):
            fire = Fire(
                self._new_run_id(now_ms), registration.script, registration.expression, Kind.SCHEDULE, slot
            )
            actions += self._stretches.open(fire, slot, Status.DISABLED, Reason.DISABLED)

    # Registering.

    def _register(self, script: str, schedule: Schedule, now_ms: int, actions: list[Action]) -> None:
        old = self._registrations.get(script)
        if old is None or old.schedule is None or old.timetable != schedule.timetable:
            if old is not None:
                self._forget(script, actions)
            self._place(script, schedule, now_ms)
            actions.append(Register(schedule, now_ms))
            return
        told = (old.expression, old.sha256, old.enabled)
        if schedule.enabled and not old.enabled:
            actions += self._stretches.close(script)
        old.schedule, old.expression = schedule, schedule.expression
        old.sha256, old.enabled = schedule.sha256, schedule.enabled
        if told != (old.expression, old.sha256, old.enabled):
            actions.append(Register(schedule, old.registered_at_ms))
        self._admission.release(script, now_ms, actions)

    def _place(self, script: str, schedule: Schedule, now_ms: int) -> None:
        self._orders += 1
        self._registrations[script] = _Registration(
            script=script,
            expression=schedule.expression,
            timetable=schedule.timetable,
            enabled=schedule.enabled,
            order=self._orders,
            registered_at_ms=now_ms,
            sha256=schedule.sha256,
            schedule=schedule,
        )
        after = max(Slot(now_ms // 1000), self._watermark or Slot(0))
        self._wheel.add(script, schedule.timetable, order=self._orders, after=after)

    def _unregister(self, script: str, actions: list[Action]) -> None:
        self._forget(script, actions)
        for fire in self._places.drop(lambda fire: fire.script == script):
            error = "the script was removed while this fire waited"
            actions.append(Close(fire=fire, status=Status.LOAD_ERROR, reason=Reason.UNREADABLE, error=error))
        actions.append(Unregister(script))

    def _forget(self, script: str, actions: list[Action]) -> None:
        self._wheel.remove(script)
        del self._registrations[script]
        actions += self._stretches.close(script)

    def _schedule(self, script: str) -> Schedule:
        schedule = self._registrations[script].schedule
        assert schedule is not None, script
        return schedule

    # Taking up the past.

    def _remember(self, old: Remembered, current: Schedule | None, decided: Slot) -> None:
        same = current is not None and current.timetable == old.timetable and current.enabled == old.enabled
        self._orders += 1
        self._registrations[old.script] = _Registration(
            script=old.script,
            expression=old.expression,
            timetable=old.timetable,
            enabled=old.enabled,
            order=self._orders,
            registered_at_ms=old.registered_at_ms,
            sha256=old.sha256,
            schedule=current if same else None,
        )
        after = max(Slot(old.registered_at_ms // 1000), self._watermark or Slot(0), decided)
        self._wheel.add(old.script, old.timetable, order=self._orders, after=after)

    def _resume_stretch(self, stretch: Open) -> None:
        registration = self._registrations.get(stretch.fire.script)
        if registration is not None and self._watermark is not None:
            self._stretches.resume(stretch, registration.timetable, self._watermark)

    def _resume_held(self, fire: Fire, now_ms: int, actions: list[Action]) -> None:
        registration = self._registrations.get(fire.script)
        due = fire.slot if fire.slot is not None else now_ms // 1000
        if registration is None or registration.schedule is None or now_ms // 1000 - due >= LATE_S:
            error = "schedd stopped while this fire was held, and came back too late to run it"
            actions.append(Close(fire=fire, status=Status.ERROR, reason=Reason.MISSED, error=error))
        else:
            self._admission.admit(fire, now_ms, actions)

    def _rewind(self, now: Slot) -> list[Action]:
        """Begin to count from `now`: the clock was far ahead of the truth before, so all is dated anew."""
        actions: list[Action] = [*self._stretches.close_all()]
        self._watermark = now
        self._wheel = Wheel()
        for r in self._registrations.values():
            r.registered_at_ms = now * 1000
            self._wheel.add(r.script, r.timetable, order=r.order, after=now)
            if r.schedule is not None:
                actions.append(Register(r.schedule, r.registered_at_ms))
        return [*actions, Decided(now)]


def _drained(fire: Fire) -> Close:
    return skipped(fire, Reason.DRAINING, "schedd was shutting down")


def _disabled(fire: Fire) -> Close:
    error = "the script's header says @enabled false"
    return Close(fire=fire, status=Status.DISABLED, reason=Reason.DISABLED, error=error)
