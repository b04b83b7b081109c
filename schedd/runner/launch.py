"""What the runner is told about one fire, beyond the fire itself."""

from dataclasses import dataclass

from schedd.fire import Fire
from schedd.schedule import Schedule
from schedd.timetable.instant import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One fire to run, with all that a script is told about its past."""

    fire: Fire
    schedule: Schedule
    prev_slot: Slot | None = None
    last_ok_slot: Slot | None = None

    @property
    def timeout_ms(self) -> int:
        """The limit of this run in milliseconds; 0 = unlimited."""
        return self.schedule.timeout_for(scheduled=self.fire.slot is not None)
