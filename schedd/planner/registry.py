"""What is registered, since when, and its place on the wheel."""

from collections.abc import Iterator
from dataclasses import dataclass

from schedd.planner.wheel import Wheel
from schedd.schedule import Schedule
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A registration that was in force when the daemon stopped."""

    script: str
    expression: str
    timetable: Timetable
    enabled: bool
    sha256: str
    registered_at_ms: int
    calendar_sha256: str = ""
    """Of the calendar as it was then; the timetable has it as it is now."""


@dataclass(slots=True, kw_only=True)
class Registration:
    """One script as it is registered."""

    script: str
    expression: str
    timetable: Timetable
    enabled: bool
    sha256: str
    order: int
    registered_at_ms: int
    schedule: Schedule | None
    """None while the planner settles the past of a script that has changed or gone since."""
    calendar_sha256: str

    def told(self) -> tuple[str, str, bool, str]:
        """What the ledger knows of it, besides its timetable."""
        return self.expression, self.sha256, self.enabled, self.calendar_sha256

    def take(self, schedule: Schedule) -> None:
        """Go by another header with the same timetable."""
        self.schedule, self.expression = schedule, schedule.expression
        self.sha256, self.enabled = schedule.sha256, schedule.enabled
        self.calendar_sha256 = schedule.timetable.calendar_sha256


@dataclass(slots=True)
class Turn:
    """A turn of the wheel that is under way."""

    until: Slot
    due: Iterator[tuple[Slot, Registration]]
    slot: Slot = Slot(0)
    """The one that was given out last."""


class Registry:
    """Owns the registrations and the wheel that they are on."""

    def __init__(self) -> None:
        self._registrations: dict[str, Registration] = {}
        self._wheel = Wheel()
        self._orders = 0

    def __contains__(self, script: object) -> bool:
        return script in self._registrations

    def __len__(self) -> int:
        return len(self._registrations)

    def __iter__(self) -> Iterator[Registration]:
        return iter(list(self._registrations.values()))

    def __getitem__(self, script: str) -> Registration:
        return self._registrations[script]

    def get(self, script: str) -> Registration | None:
        """Return the registration of a script, if it is registered."""
        return self._registrations.get(script)

    def current(self, script: str) -> Schedule | None:
        """Return the schedule of a script, if it is registered and its file is as it was."""
        registration = self._registrations.get(script)
        return None if registration is None else registration.schedule

    def schedule(self, script: str) -> Schedule:
        """Return the schedule of a script that is registered, and whose file is as it was."""
        schedule = self._registrations[script].schedule
        assert schedule is not None, script
        return schedule

    def place(self, schedule: Schedule, *, now_ms: int, after: Slot) -> None:
        """Register a script now; its slots are those after `after`."""
        self._orders += 1
        registration = Registration(
            script=schedule.script,
            expression=schedule.expression,
            timetable=schedule.timetable,
            enabled=schedule.enabled,
            sha256=schedule.sha256,
            order=self._orders,
            registered_at_ms=now_ms,
            schedule=schedule,
            calendar_sha256=schedule.timetable.calendar_sha256,
        )
        self._put(registration, after)

    def remember(self, old: Remembered, current: Schedule | None, *, after: Slot) -> None:
        """Take up a registration of the past; `current` is the schedule if it is the same today."""
        self._orders += 1
        registration = Registration(
            script=old.script,
            expression=old.expression,
            timetable=old.timetable,
            enabled=old.enabled,
            sha256=old.sha256,
            order=self._orders,
            registered_at_ms=old.registered_at_ms,
            schedule=current,
            calendar_sha256=old.calendar_sha256,
        )
        self._put(registration, after)

    def forget(self, script: str) -> None:
        """Take a script off the wheel and out of the registry."""
        self._wheel.remove(script)
        del self._registrations[script]

    def restart(self, now: Slot) -> None:
        """Date every registration anew: the clock was wrong before."""
        self._wheel = Wheel()
        for r in self._registrations.values():
            r.registered_at_ms = now * 1000
            self._wheel.add(r.script, r.timetable, order=r.order, after=now)

    def turn(self, now: Slot) -> Iterator[tuple[Slot, Registration]]:
        """Give out every slot up to `now`, once for each registration, in order.

        Until all are given out, nothing is to be placed or forgotten.
        """
        for slot, scripts in self._wheel.turn(now):
            for script in scripts:
                yield slot, self._registrations[script]

    def next_slot(self) -> Slot | None:
        """Return the next second in which something may be due."""
        return self._wheel.next_slot()

    def following(self, script: str) -> Slot | None:
        """Return the next slot of a script that was not given out."""
        return next(iter(self._wheel.upcoming(script, 1)), None)

    def to_run(self, script: str, count: int) -> tuple[Slot, ...]:
        """Return the next slots of a script that its calendar lets run, at most `count`."""
        return self._wheel.to_run(script, count)

    def _put(self, registration: Registration, after: Slot) -> None:
        self._registrations[registration.script] = registration
        self._wheel.add(registration.script, registration.timetable, order=registration.order, after=after)
