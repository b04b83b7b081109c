"""May this fire start now? The overlap policies, as functions without memory."""

from enum import Enum, auto

from schedd.fire import Kind
from schedd.schedule import Overlap, Schedule

MAX_QUEUED = 100
"""How many slots `@overlap queue-all` holds for one script."""
PATIENT = (Kind.RETRY, Kind.CATCHUP, Kind.REPLAY, Kind.STARTUP)
"""Nothing comes after these that would do instead: they wait for a lock, whatever the policy."""
PASSING = (Kind.SCHEDULE, Kind.MANUAL)
"""The others, which a newer one may replace while they wait."""
HELD_BEFORE = (Kind.RETRY, Kind.CATCHUP, Kind.REPLAY)
"""These waited for their time already: they are on record as held, and counted."""


class Verdict(Enum):
    """What to do with a fire that has just come due."""

    START = auto()
    HOLD = auto()
    SUPERSEDE = auto()
    """Drop what waits of this script, hold this one."""
    REPLACE = auto()
    """The same, and stop the runs that it waits for."""
    SKIP = auto()
    HOLD_FULL = auto()


def admit(schedule: Schedule, *, occupied: int, behind: int) -> Verdict:
    """Decide on one fire of a schedule, by what its own script does.

    `occupied` counts its runs in flight and those that only wait for a lock or a free place; `behind` counts
    the fires that wait behind them.
    """
    if schedule.max_runs is None or occupied < schedule.max_runs:
        return Verdict.START
    return _by_policy(schedule.overlap, behind)


def at_lock(schedule: Schedule, kind: Kind, *, in_line: int) -> Verdict:
    """Decide on one fire that finds its lock taken.

    `in_line` counts the fires of its script that wait for the lock already.
    """
    if kind in PATIENT:
        return Verdict.HOLD
    return _by_policy(schedule.overlap, in_line)


def _by_policy(overlap: Overlap, waiting: int) -> Verdict:
    match overlap:
        case Overlap.SKIP | Overlap.ALLOW:
            return Verdict.SKIP
        case Overlap.QUEUE:
            return Verdict.SUPERSEDE
        case Overlap.QUEUE_ALL:
            return Verdict.HOLD if waiting < MAX_QUEUED else Verdict.HOLD_FULL
        case Overlap.REPLACE:
            return Verdict.REPLACE
