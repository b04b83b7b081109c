"""What the planner wants done: frozen, in order, carried out by the daemon.

Those that a crowded second has thousands of are Structs, which cost a fifth of a dataclass.
"""

from dataclasses import dataclass

import msgspec

from schedd.fire import Fire, Reason, RunId, Status
from schedd.planner.view import Pace, Pause
from schedd.schedule import Schedule
from schedd.timetable.instant import Slot


class Start(msgspec.Struct, frozen=True, gc=False):
    """Claim the fire, then run it."""

    fire: Fire
    schedule: Schedule


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Note that the fire waits; a later `Start` or `Close` settles it."""

    fire: Fire
    due_ms: int | None = None
    """It is not to start before this (a retry)."""


class Close(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Write the line of a fire that did not run; with `count`, the line of a span of slots."""

    fire: Fire
    status: Status
    reason: Reason
    error: str
    last_slot: Slot | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """Note that each slot from the fire's on ends the same way, until a `Close` with this fire."""

    fire: Fire
    status: Status
    reason: Reason
    error: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop a run in flight."""

    run_id: RunId
    error: str


@dataclass(frozen=True, slots=True)
class Register:
    """Note what is registered, and since when."""

    schedule: Schedule
    registered_at_ms: int


@dataclass(frozen=True, slots=True)
class Unregister:
    """Note that nothing of this script is due from now on."""

    script: str


@dataclass(frozen=True, slots=True)
class Paused:
    """Note a pause."""

    pause: Pause


@dataclass(frozen=True, slots=True)
class Resumed:
    """Note that a pause has ended, of one script or (None) of all."""

    script: str | None
    by: str


@dataclass(frozen=True, slots=True)
class Lagging:
    """Note that the runs of a script outlast its interval, and how it gets along."""

    script: str
    pace: Pace
    begins: bool = False
    """It was not told before."""


@dataclass(frozen=True, slots=True)
class KeptUp:
    """Note that they no longer do, or that the script has another timetable."""

    script: str


@dataclass(frozen=True, slots=True)
class Decided:
    """Note that every slot at or before this one is decided; comes last of its turn."""

    watermark: Slot


Action = (
    Start | Hold | Close | Open | Stop | Register | Unregister | Paused | Resumed | Lagging | KeptUp | Decided
)
