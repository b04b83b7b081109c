"""May this fire start now? The overlap policies, as one function without memory."""

from enum import Enum, auto

from schedd.schedule import Overlap, Schedule

MAX_QUEUED = 100
"""How many slots `@overlap queue-all` holds for one script."""


class Verdict(Enum):
    """What to do with a fire that has just come due."""

    START = auto()
    HOLD = auto()
    SUPERSEDE = auto()
    """Drop what is held of this script, hold this one."""
    REPLACE = auto()
    """The same, and stop the runs that it waits for."""
    OVERLAP = auto()
    HOLD_FULL = auto()


def admit(schedule: Schedule, *, occupied: int, held: int) -> Verdict:
    """Decide on one fire of a schedule.

    `occupied` counts its runs in flight and those that only wait for a free place; `held` counts the fires
    that wait behind them.
    """
    if schedule.max_runs is None or occupied < schedule.max_runs:
        return Verdict.START
    match schedule.overlap:
        case Overlap.SKIP | Overlap.ALLOW:
            return Verdict.OVERLAP
        case Overlap.QUEUE:
            return Verdict.SUPERSEDE
        case Overlap.QUEUE_ALL:
            return Verdict.HOLD if held < MAX_QUEUED else Verdict.HOLD_FULL
        case Overlap.REPLACE:
            return Verdict.REPLACE
