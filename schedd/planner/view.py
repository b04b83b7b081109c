"""What the planner shows of itself: frozen, made on demand, safe to hand to anybody."""

from dataclasses import dataclass
from enum import StrEnum

from schedd.fire import Fire, RunId
from schedd.planner.locks import Holder
from schedd.schedule import Schedule
from schedd.timetable.instant import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause in force: of one script, or of all (`script` None: maintenance). Instants are ms."""

    script: str | None
    since_ms: int
    by: str
    note: str | None = None
    until_ms: int | None = None
    """It ends by itself then; None = only when somebody resumes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a schedule that lags gets along."""

    since: Slot
    """The slot of the first run that outlasted its interval."""
    slots: int
    """How many were due from then on, at least two."""
    span_s: int
    """From the first of them to the last."""
    ran: int
    """How many of them were started, and not replaced by the next."""
    p50_ms: int
    """How long the middle one of the last runs took."""

    @property
    def interval_s(self) -> int:
        """How far the slots are apart, on average."""
        return max(1, round(self.span_s / max(1, self.slots - 1)))

    @property
    def slots_per_day(self) -> int:
        """How many slots are due in a day."""
        return max(1, round(86_400 * (self.slots - 1) / max(1, self.span_s)))

    @property
    def ran_per_day(self) -> int:
        """How many of them run."""
        return round(self.slots_per_day * self.ran / max(1, self.slots))


@dataclass(frozen=True, slots=True, kw_only=True)
class LockView:
    """A lock as it stands now."""

    name: str
    slots: int
    """What counts: the smallest number that a script says."""
    taken: int
    holders: tuple[Holder, ...]
    """The first of those who have it."""
    waiting: int
    waiters: tuple[Fire, ...]
    """The next of those who stand in line for it."""


class Awaited(StrEnum):
    """What a fire waits for."""

    LOCK = "lock"
    RUN = "run"
    """A run of its own script."""
    PLACE = "place"
    TIME = "time"
    """Of its next try."""
    TURN = "turn"
    """Its turn among what is caught up and replayed, a few at a time."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a fire waits, and for whom."""

    what: Awaited
    lock: str | None = None
    fire: Fire | None = None
    """The one that has the lock (the first), or that it waits behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """One registered schedule as it stands now."""

    schedule: Schedule
    registered_at_ms: int
    next_slots: tuple[Slot, ...]
    """The next slots that its calendar lets run, at most five; empty without any, or if it is disabled."""
    running: tuple[Fire, ...]
    held: tuple[Fire, ...]
    pause: Pause | None = None
    """The pause that keeps it from firing now: its own, else that of all."""
    lock: LockView | None = None
    in_line: tuple[RunId, ...] = ()
    """Those of `held` that stand in line for the lock."""
    pace: Pace | None = None
    """How it gets along, if its runs outlast its interval."""
    cautions: tuple[str, ...] = ()
    """What its author should look at, of what the header alone does not tell."""

    @property
    def status(self) -> str:
        """One of `scheduled`, `running`, `paused`, `disabled`, `stale`."""
        if self.schedule.stale is not None:
            return "stale"
        if self.running:
            return "running"
        if not self.schedule.enabled:
            return "disabled"
        return "scheduled" if self.pause is None else "paused"
