"""What the planner shows of itself: frozen, made on demand, safe to hand to anybody."""

from dataclasses import dataclass

from schedd.fire import Fire
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
class ScheduleView:
    """One registered schedule as it stands now."""

    schedule: Schedule
    registered_at_ms: int
    next_slots: tuple[Slot, ...]
    """The next slots, at most five; empty when none will come or the script is disabled."""
    running: tuple[Fire, ...]
    held: tuple[Fire, ...]
    pause: Pause | None = None
    """The pause that keeps it from firing now: its own, else that of all."""

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
