"""All that can happen, as it enters the daemon: by one inbox, one after the other."""

import asyncio
from dataclasses import dataclass

from schedd.fire import Ended, Entry, Fire, RunId
from schedd.schedule import Schedule
from schedd.scripts.catalogue import Scan
from schedd.web.control import ReloadReport


@dataclass(frozen=True, slots=True)
class Rang:
    """The alarm rang: something may be due, or the clock was set, or it is time for a sign of life."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run is alive."""

    run_id: RunId
    pid: int
    started_ms: int


@dataclass(frozen=True, slots=True)
class TriggerAsked:
    """Somebody wants a manual fire; `found` is the script's schedule if it is not registered yet."""

    script: str
    found: Schedule | None
    by: str
    reply: "asyncio.Future[Fire | None]"
    """None: the script is not registered (any more), or the daemon is draining."""
    done: "asyncio.Future[Entry]"
    """Gets the line of the fire when it can be read."""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Somebody wants a run stopped, or a held fire dropped."""

    run_id: RunId
    by: str
    reply: "asyncio.Future[bool]"


@dataclass(frozen=True, slots=True)
class Scanned:
    """The scripts directory was read."""

    scan: Scan
    said: tuple[str, ...]
    """What is to be said about the configuration."""
    dry_run: bool
    reply: "asyncio.Future[ReloadReport]"


@dataclass(frozen=True, slots=True)
class HangUp:
    """SIGHUP: read the scripts directory again."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Stop in order: admit nothing, wait for the runs."""

    why: str


@dataclass(frozen=True, slots=True)
class StopRuns:
    """Waiting is over: stop the runs that are left."""

    why: str


Message = Rang | Started | Ended | TriggerAsked | StopAsked | Scanned | HangUp | Drain | StopRuns
