"""The planner: state and now in, actions out.

It never waits, so nothing can happen between two of its decisions, and it reads no clock, so the same inputs
always give the same actions. Slots are decided in time order; one number, the *watermark*, says how far that
has come: every slot at or before it is decided. Whatever lies between the watermark and now, after a restart,
a suspend or a clock step, is a gap like any other, and goes through the same turn of the wheel.

A slot that is found less than a minute late fires late, whoever was away: the machine was busy, or the daemon
was being restarted. A slot older than that was missed, and `@catchup` says what becomes of it.
"""

from collections.abc import Callable, Mapping, Sequence

from schedd.fire import Fire, Kind, Outcome, Reason, RunId, Status
from schedd.planner.actions import (
    Action,
    Close,
    Decided,
    Lagging,
    Register,
    Start,
    Unregister,
)
from schedd.planner.admission import Admission, skipped
from schedd.planner.comeback import Comeback
from schedd.planner.gaps import LATE_S, Gaps, by_slot
from schedd.planner.later import Later
from schedd.planner.past import Past
from schedd.planner.quiet import Quiet, closed
from schedd.planner.registry import Registration, Registry, Turn
from schedd.planner.shown import Shown
from schedd.planner.view import Pace, Pause, ScheduleView, Wait
from schedd.schedule import Schedule
from schedd.timetable.instant import Slot

PORTION = 500
"""So many slots are decided at a time, where others are not to wait until a crowded second is decided."""
REWIND_S = 3 * 3600
"""A step back by more than this means that the clock was wrong before: slots are counted anew."""


class Planner:
    """Owns the registrations, the stations of all fires, the pauses, and the watermark.

    `new_run_id` gives an id for a fire, from the wall clock in milliseconds.
    """

    def __init__(self, *, new_run_id: Callable[[int], RunId], max_running: int, max_held: int) -> None:
        self._new_run_id = new_run_id
        self._registry = Registry()
        self._admission = Admission(self._registry.current, max_running=max_running, max_held=max_held)
        self._places = self._admission.places
        self._gaps = Gaps()
        self._quiet = Quiet(new_run_id)
        self._later = Later(self._admission, self._registry, self._quiet, new_run_id)
        self._shown = Shown(self._registry, self._admission, self._later, self._quiet.pauses)
        self._watermark: Slot | None = None
        self._turning: Turn | None = None
        self.portion = PORTION
        self._spent = Slot(0)
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
        return self._places.held_count + len(self._later)

    def __contains__(self, script: str) -> bool:
        return script in self._registry

    def __len__(self) -> int:
        return len(self._registry)

    def next_ms(self) -> int | None:
        """Return when something may have to be decided next, in milliseconds since the epoch."""
        slot = self.next_slot()
        times = (None if slot is None else slot * 1000, self._later.next_ms(), self._quiet.pauses.next_ms())
        return min((at_ms for at_ms in times if at_ms is not None), default=None)

    def next_slot(self) -> Slot | None:
        """Return the next second in which something may be due, or one of which not all is decided."""
        return self._registry.next_slot() if self._turning is None else self._turning.slot

    def schedule(self, script: str) -> Schedule | None:
        """Return what is registered of a script."""
        return self._registry.current(script)

    def schedules(self) -> dict[str, Schedule]:
        """Return what is registered, by script."""
        return {r.script: r.schedule for r in self._registry if r.schedule is not None}

    def running(self) -> tuple[Fire, ...]:
        """Return the runs in flight, oldest first."""
        return self._places.all_running()

    def run(self, run_id: RunId) -> Fire | None:
        """Return a run in flight; None when there is none of this id, or it waits."""
        return self._places.run(run_id)

    def held(self) -> tuple[Fire, ...]:
        """Return the fires that wait: for a place, behind a run, for their next try, to be caught up."""
        return (*self._places.all_held(), *self._later.all())

    def due_ms(self, fire: Fire) -> int | None:
        """Return when a retry that waits is due, in milliseconds since the epoch."""
        return self._later.due_ms(fire)

    def wait(self, fire: Fire) -> Wait:
        """Return what a held fire waits for."""
        return self._shown.wait(fire)

    def lagging(self) -> dict[str, Pace]:
        """Return the scripts whose runs outlast their interval, and how they get along."""
        return self._admission.cadence.lagging()

    def pauses(self) -> tuple[Pause, ...]:
        """Return the pauses in force, that of all first."""
        return self._quiet.pauses.all()

    def view(self, script: str, now_ms: int) -> ScheduleView | None:
        """Return one registered schedule as it stands now."""
        return self._shown.view(script, now_ms)

    def views(self, now_ms: int) -> list[ScheduleView]:
        """Return all registered schedules as they stand now, ordered by script."""
        return self._shown.views(now_ms)

    # What happens.

    def restore(self, past: Past, schedules: Mapping[str, Schedule], now_ms: int) -> list[Action]:
        """Take up where the ledger ends, then register what is there now.

        A script whose timetable is the same before and after keeps its registration, and its slots in the gap
        are decided as if the daemon had been slow; the slots of one that has changed or gone are missed.
        """
        self._watermark = past.watermark
        self._spent = past.spent
        comeback = Comeback(past, self._registry, self._admission, self._quiet, self._later)
        actions = comeback.take_up(schedules, now_ms)
        return actions + self.reconcile(schedules, now_ms)

    def startup(self, now_ms: int) -> list[Action]:
        """Fire every `@reboot` script: the host has booted since the daemon last ran."""
        actions: list[Action] = []
        for registration in self._registry:
            if registration.timetable.reboot and self._quiet.why(registration, now_ms) is None:
                self._decide_new(registration, Kind.STARTUP, None, now_ms, actions)
        return actions

    def tick(self, now_ms: int, *, whole: bool = True) -> list[Action]:
        """Decide everything that is due and not decided yet; a portion of it unless it is to be `whole`.

        What is left is due at once, as `next_ms` says; the watermark stays until nothing is.
        """
        now = Slot(now_ms // 1000)
        if self._watermark is None:
            self._watermark = now
        actions = self._decide_due(now, now_ms, whole=whole)
        if self._turning is not None:
            return actions
        if now < self._watermark - REWIND_S:
            actions += self._rewind(now)
        actions += self._quiet.end_those_over(now_ms)
        if not self._draining:
            self._later.release(now_ms, actions)
        return self._decided(actions)

    def expire(self, now_ms: int) -> list[Action]:
        """Give up what has waited for longer than its deadline. Asked for now and then."""
        return self._admission.expire(now_ms) if self._turning is None else []

    def reconcile(self, schedules: Mapping[str, Schedule], now_ms: int) -> list[Action]:
        """Make `schedules` what is registered; new slots are those after now, runs go on undisturbed."""
        actions = self.tick(now_ms)
        for registration in self._registry:
            if registration.script not in schedules:
                self._unregister(registration.script, actions)
        for schedule in schedules.values():
            self._register(schedule, now_ms, actions)
        self._admission.regulate(schedules, now_ms, actions, draining=self._draining)
        return self._decided(actions)

    def update(self, schedules: Mapping[str, Schedule], now_ms: int) -> list[Action]:
        """Register these as well, new ones or others than before; none of them names, or named, a lock."""
        actions = self.tick(now_ms)
        for schedule in schedules.values():
            self._register(schedule, now_ms, actions)
        self._admission.let_go_on(now_ms, actions, draining=self._draining)
        return self._decided(actions)

    def limit(self, *, max_running: int, max_held: int) -> None:
        """Go by other limits from the next decision on."""
        self._admission.limit(max_running=max_running, max_held=max_held)

    def pace(self, at_once: int) -> None:
        """Let so many fires of the backlog run at the same time."""
        self._later.pace(at_once)

    def trigger(self, script: str, now_ms: int, *, force: bool = False) -> tuple[Fire, list[Action]]:
        """Make a manual fire of a registered script; a pause stops it unless it is forced."""
        actions = self.tick(now_ms)
        registration = self._registry[script]
        fire = self._fire(registration, Kind.MANUAL, None, now_ms)
        why = self._quiet.why(registration, now_ms, force=force)
        if why is None or self._draining:
            self._dispatch(fire, now_ms, actions)
        else:
            actions.append(closed(fire, why))
        return fire, actions

    def replay(self, slots: Sequence[tuple[str, Slot]], now_ms: int) -> tuple[list[Fire], list[Action]]:
        """Queue fires of these slots again; what is not registered, or waits or runs already, is left out."""
        actions = self.tick(now_ms)
        made = []
        for script, slot in slots:
            registration = self._registry.get(script)
            if registration is None or self._later.waits(script, slot):
                continue
            fire = self._fire(registration, Kind.REPLAY, slot, now_ms)
            if self._later.add(fire, actions):
                made.append(fire)
        if not self._draining:
            self._later.release(now_ms, actions)
        return made, actions

    def pause(self, pause: Pause, now_ms: int) -> list[Action]:
        """Let slots end as disabled from now on."""
        return self._decided([*self.tick(now_ms), *self._quiet.begin(pause)])

    def resume(self, script: str | None, by: str, now_ms: int) -> list[Action]:
        """End a pause, if there is one."""
        actions = [*self.tick(now_ms), *self._quiet.end(script, by, now_ms)]
        return self._decided(actions) + self.tick(now_ms)

    def ended(self, fire: Fire, outcome: Outcome, now_ms: int) -> list[Action]:
        """A run is over: whoever waited for it may start, and it may itself be tried again."""
        actions: list[Action] = []
        self._later.retry(fire, outcome, now_ms, actions)
        self._admission.ended(fire, outcome, now_ms, actions, draining=self._draining)
        # A turn that is under way goes on when the alarm rings; many runs may end at once.
        return actions if self._turning is not None else actions + self.tick(now_ms, whole=False)

    def drop(self, run_id: RunId, error: str) -> list[Action]:
        """Give up a fire that waits, because somebody asked to; no action if it does not wait."""
        dropped = self._drop(lambda fire: fire.run_id == run_id)
        return [Close(fire=f, status=Status.ERROR, reason=Reason.STOPPED, error=error) for f in dropped]

    def drain(self, now_ms: int) -> list[Action]:
        """Admit nothing from now on: what is held, and each slot to come, is skipped.

        What waits for its next try, or to be caught up, is in no hurry: the ledger keeps it meanwhile.
        """
        actions = self.tick(now_ms)
        self._draining = True
        actions += [_drained(fire) for fire in self._places.drop(lambda _: True)]
        return actions

    def finish(self, now_ms: int) -> list[Action]:
        """Close what is open, before the daemon stops."""
        lagging = [Lagging(script, pace) for script, pace in self.lagging().items()]
        return self._decided([*self.tick(now_ms), *self._quiet.stretches.close_all(), *lagging])

    # Deciding.

    def _decide_due(self, now: Slot, now_ms: int, *, whole: bool) -> list[Action]:
        """Go on with the turn of the wheel that is under way, and begin the next one."""
        decided: list[Action] = []
        left = self.portion
        while self._turning is not None or now > (self._watermark or now):
            turning = self._turning = self._turning or Turn(now, self._registry.turn(now))
            for slot, registration in turning.due:
                self._decide(registration, slot, now, now_ms, decided)
                left -= 1
                # What was missed is told with the rest of its turn: newer lines alone would hide it.
                if left <= 0 and not whole and not self._gaps:
                    turning.slot = slot
                    return decided
            decided = self._missed(decided, now_ms)
            self._watermark, self._turning = turning.until, None
        return decided

    def _missed(self, decided: list[Action], now_ms: int) -> list[Action]:
        """Put what nobody was there to decide between what was decided."""
        found: list[Action] = []
        for closes, kept in self._gaps.close(now_ms, self._new_run_id):
            found += closes
            for fire in kept:
                self._later.add(fire, found)
        return by_slot(found, decided) if found else decided

    def _decided(self, actions: list[Action]) -> list[Action]:
        """Put the watermark behind the actions that it vouches for; without any it need not be written."""
        if actions and self._watermark is not None:
            actions.append(Decided(self._watermark))
        return actions

    def _decide(
        self, registration: Registration, slot: Slot, now: Slot, now_ms: int, actions: list[Action]
    ) -> None:
        why = self._quiet.why(registration, slot * 1000)
        if slot <= self._spent and now - slot >= LATE_S:
            return  # decided before the clock was set back by hours, and ahead again
        if why is not None:
            actions += self._quiet.tell(registration, slot, why, now_ms)
            return
        timetable = registration.timetable
        closed_by = None if timetable.closures is None else timetable.closed_by(slot)
        if closed_by is not None:
            following = self._registry.following(registration.script)
            actions += self._quiet.shut(registration, slot, closed_by, following, now_ms)
            self._gaps.cut(registration.script, slot)
            return
        actions += self._quiet.opened(registration.script)
        if registration.schedule is None or now - slot >= LATE_S:
            self._gaps.add(registration, slot, now_ms)
        else:
            self._decide_new(registration, Kind.SCHEDULE, slot, now_ms, actions)

    def _decide_new(
        self, registration: Registration, kind: Kind, slot: Slot | None, now_ms: int, actions: list[Action]
    ) -> None:
        fire = self._fire(registration, kind, slot, now_ms)
        self._dispatch(fire, now_ms, actions)
        last = actions[-1]
        if isinstance(last, Start) and last.fire is fire:
            self._later.supersede(fire, actions)

    def _dispatch(self, fire: Fire, now_ms: int, actions: list[Action]) -> None:
        if self._draining:
            actions.append(_drained(fire))
        else:
            self._admission.admit(fire, now_ms, actions)

    def _fire(self, registration: Registration, kind: Kind, slot: Slot | None, now_ms: int) -> Fire:
        return Fire(self._new_run_id(now_ms), registration.script, registration.expression, kind, slot)

    def _drop(self, unwanted: Callable[[Fire], bool]) -> list[Fire]:
        return [*self._admission.drop(unwanted), *self._later.drop(unwanted)]

    # Registering.

    def _register(self, schedule: Schedule, now_ms: int, actions: list[Action]) -> None:
        script = schedule.script
        old = self._registry.get(script)
        if old is None or old.schedule is None or old.timetable != schedule.timetable:
            if old is not None:
                self._forget(script, actions)
            after = max(Slot(now_ms // 1000), self._watermark or Slot(0))
            self._registry.place(schedule, now_ms=now_ms, after=after)
            actions.append(Register(schedule, now_ms))
            return
        told = old.told()
        if schedule.enabled is not old.enabled:
            # Told of later, by another header, the slots of the stretch would not be known as its own.
            actions += self._quiet.stretches.close(script)
        old.take(schedule)
        if told != old.told():
            actions.append(Register(schedule, old.registered_at_ms))

    def _unregister(self, script: str, actions: list[Action]) -> None:
        self._forget(script, actions)
        error = "the script was removed while this fire waited"
        actions += [
            Close(fire=fire, status=Status.LOAD_ERROR, reason=Reason.UNREADABLE, error=error)
            for fire in self._drop(lambda fire: fire.script == script)
        ]
        actions.append(Unregister(script))

    def _forget(self, script: str, actions: list[Action]) -> None:
        self._registry.forget(script)
        actions += self._quiet.stretches.close(script)
        kept_up = self._admission.cadence.forget(script)
        if kept_up is not None:
            actions.append(kept_up)

    def _rewind(self, now: Slot) -> list[Action]:
        """Begin to count from `now`: the clock was far ahead of the truth before, so all is dated anew."""
        self._spent = max(self._spent, self._watermark or Slot(0))
        self._watermark = now
        self._registry.restart(now)
        dated = [Register(r.schedule, r.registered_at_ms) for r in self._registry if r.schedule is not None]
        self._admission.cadence.restart()
        return [*self._quiet.stretches.close_all(), *dated]


def _drained(fire: Fire) -> Close:
    return skipped(fire, Reason.DRAINING, "schedd was shutting down")
