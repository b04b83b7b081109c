"""All that can happen, as it enters the daemon: by one inbox, one after the other."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from schedd.fire import Ended, Entry, Fire, RunId
from schedd.planner.view import Pause
from schedd.schedule import Schedule
from schedd.scripts.catalogue import Scan
from schedd.timetable.instant import Slot
from schedd.web.control import ReloadReport

T = TypeVar("T")

MOST_TOLD = 8
"""So many starts and ends of runs are taken at once."""


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
    force: bool
    by: str
    key: str | None
    reply: "asyncio.Future[RunId | None]"
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
class PauseAsked:
    """Somebody wants slots to end as disabled."""

    pause: Pause
    reply: "asyncio.Future[None]"


@dataclass(frozen=True, slots=True)
class ResumeAsked:
    """Somebody wants a pause to end, of one script or (None) of all."""

    script: str | None
    by: str
    reply: "asyncio.Future[bool]"


@dataclass(frozen=True, slots=True)
class ReplayAsked:
    """Somebody wants slots to be run again."""

    slots: Sequence[tuple[str, Slot]]
    by: str
    reply: "asyncio.Future[list[Fire]]"


@dataclass(frozen=True, slots=True)
class Scanned:
    """The scripts directory was read."""

    scan: Scan
    said: tuple[str, ...]
    """What is to be said about the configuration."""
    reply: "asyncio.Future[ReloadReport]"
    dry_run: bool
    quiet: bool
    """Nothing is said or written when nothing has changed."""


@dataclass(frozen=True, slots=True)
class Edited:
    """Some scripts were read, of which nothing is to be known but that these are their headers now."""

    schedules: Mapping[str, Schedule]
    reply: "asyncio.Future[None]"


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


Asked = TriggerAsked | StopAsked | PauseAsked | ResumeAsked | ReplayAsked
Message = Rang | Started | Ended | Asked | Scanned | Edited | HangUp | Drain | StopRuns


async def taken(inbox: "asyncio.Queue[Message]") -> tuple[list[Started | Ended], Message | None]:
    """Wait for what comes next; take it, or all that runs tell in a row and what comes behind that."""
    told: list[Started | Ended] = []
    message = await inbox.get()
    while isinstance(message, Started | Ended):
        told.append(message)
        if inbox.empty() or len(told) == MOST_TOLD:
            return told, None
        message = inbox.get_nowait()
    return told, message


def answer(future: "asyncio.Future[T]", value: T) -> None:
    """Answer, unless whoever asked has gone."""
    if not future.done():
        future.set_result(value)


def answer_when(future: "asyncio.Future[T]", value: T, _: object) -> None:
    """Answer when another future is done, as its callback."""
    answer(future, value)


def refuse(message: Message) -> None:
    """Answer what came too late to be handled."""
    match message:
        case TriggerAsked(reply=trigger_reply):
            answer(trigger_reply, None)
        case StopAsked(reply=reply) | ResumeAsked(reply=reply):
            answer(reply, value=False)
        case ReplayAsked(reply=replay_reply):
            answer(replay_reply, [])
        case PauseAsked(reply=none_reply) | Edited(reply=none_reply):
            none_reply.cancel()
        case Scanned(reply=scan_reply):
            scan_reply.cancel()
        case _:
            pass
