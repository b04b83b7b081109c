"""What the ledger knows when the daemon starts, as the planner is told it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schedd.fire import Fire, Outcome, Reason, Status
from schedd.planner.actions import Open
from schedd.planner.registry import Remembered
from schedd.planner.view import Pace, Pause
from schedd.timetable.instant import Slot

DIED = Outcome(status=Status.ERROR, reason=Reason.INTERRUPTED, ended_ms=0)
"""How the runs ended that a dead daemon left behind, as far as a retry is concerned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Where the daemon before this one ended."""

    watermark: Slot | None = None
    spent: Slot = Slot(0)
    """The highest watermark from which the clock was ever set back by hours."""
    registered: tuple[Remembered, ...] = ()
    held: tuple[tuple[Fire, int | None], ...] = ()
    """Fires that waited; with the instant in ms before which they do not start, if there is one."""
    interrupted: tuple[Fire, ...] = ()
    """Fires that ran when it died."""
    stretches: tuple[Open, ...] = ()
    pauses: tuple[Pause, ...] = ()
    lagging: Mapping[str, Pace] = field(default_factory=dict)
    """The scripts whose runs outlasted their interval, as it was last told."""
    beyond: Mapping[str, Slot] = field(default_factory=dict)
    """The newest slot of a script that was decided, though the watermark that says so was never written."""
