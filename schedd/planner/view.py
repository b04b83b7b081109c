"""What the planner shows of itself: frozen, made on demand, safe to hand to anybody."""

from dataclasses import dataclass

from schedd.fire import Fire
from schedd.schedule import Schedule
from schedd.timetable.instant import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """One registered schedule as it stands now."""

    schedule: Schedule
    registered_at_ms: int
    next_slots: tuple[Slot, ...]
    """The next slots, at most five; empty when none will come or the script is disabled."""
    running: tuple[Fire, ...]
    held: tuple[Fire, ...]

    @property
    def status(self) -> str:
        """One of `scheduled`, `running`, `disabled`, `stale`."""
        if self.schedule.stale is not None:
            return "stale"
        if self.running:
            return "running"
        return "scheduled" if self.schedule.enabled else "disabled"
