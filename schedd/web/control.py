"""What the web layer asks of the daemon: the only way in, and the only way out.

Handlers talk to this protocol, the daemon fulfils it, and so does a fake in the tests. Requests that are
refused raise `RefusedError`; all else that can go wrong is the daemon's own affair.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from schedd.errors import ScheddError
from schedd.fire import Entry, Fire, RunId
from schedd.insight.recent import Recent
from schedd.ledger.annals import Chronicle
from schedd.ledger.facts import LastOutcome
from schedd.ledger.history import Page, Query
from schedd.ledger.tally import Tally, Wanted
from schedd.planner.view import Pause, ScheduleView, Wait
from schedd.runner.lines import Item
from schedd.schedule import Schedule
from schedd.timetable.instant import Slot
from schedd.timetable.observance import Observance
from schedd.web.meters import Now


class Phase(StrEnum):
    """Where the daemon stands in its life."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"


class Why(StrEnum):
    """Why a request was refused."""

    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"


class RefusedError(ScheddError):
    """The daemon declines a request; `why` decides the HTTP status, `reason` goes to `details.reason`."""

    def __init__(self, why: Why, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.why = why
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the daemon is."""

    phase: Phase
    ready: bool
    reasons: tuple[str, ...]
    """Why it is not ready, one sentence each."""
    started_ms: int
    version: str
    host: str
    pid: int
    scripts_dir: str
    schedules: int
    running: int
    held: int
    failed: int
    """Scripts that the last scan refused."""
    limits: Mapping[str, str]
    """What keeps `memory`, `cpu`, `pids` and `files` within limits: `cgroup`, `setrlimit` or `none`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A script that was not registered, and why."""

    path: str
    reason: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadReport:
    """What a reload changed, or would change. Relative paths, sorted."""

    dry_run: bool
    added: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    failed: tuple[Failure, ...]
    warnings: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run in flight."""

    fire: Fire
    started_ms: int | None
    """None while it waits to be started."""
    pid: int | None
    timeout_ms: int
    held: bool = False
    due_ms: int | None = None
    """A held fire that does not start before this (a retry)."""
    wait: Wait | None = None
    """What a held fire waits for."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """An accepted trigger: `done` gets the fire's line when it is over. Awaiting it must be shielded."""

    run_id: RunId
    script: str
    done: "asyncio.Future[Entry] | None"
    """None for one that was made earlier and is over: its line is in the history."""


class Control(Protocol):
    """The daemon, as the web layer knows it."""

    def health(self) -> Health:
        """Return how the daemon is."""

    def now_ms(self) -> int:
        """Return the daemon's wall clock, in milliseconds since the epoch."""

    def revision(self) -> int:
        """Return a number that grows before anything changes of what the next three and `pauses` tell."""

    def schedule(self, script: str) -> ScheduleView | None:
        """Return one registered schedule; None if nothing of this path is registered."""

    def schedules_of(self, scripts: Collection[str]) -> Sequence[Schedule]:
        """Return what is registered of these scripts (none = all), without looking at how it stands."""

    def last_outcome(self, script: str) -> LastOutcome | None:
        """Return the newest outcome of a script, if it has one."""

    def failures(self) -> Sequence[Failure]:
        """Return the scripts that were refused when the directory was last read."""

    def metrics_now(self) -> Now:
        """Return the numbers of this moment, for Prometheus."""

    def runs(self) -> Sequence[RunView]:
        """Return the runs in flight and the fires that are held, oldest first."""

    def run(self, run_id: RunId) -> RunView | None:
        """Return a run in flight; None when there is none of this id, or it waits."""

    def relative(self, path: str) -> str:
        """Return a script path (absolute or relative) relative to the scripts directory.

        Raises RefusedError (INVALID, `scriptPath must be inside scripts directory`).
        """

    async def reload(self, *, dry_run: bool) -> ReloadReport:
        """Read the scripts directory again; with `dry_run` only say what would change."""

    async def trigger(self, script: str, *, force: bool, by: str, key: str | None = None) -> Ticket:
        """Start a fire of kind `manual` of the script at this relative path, for the client `by`.

        With a `key` under which a fire was made in the last 24 hours: the ticket of that fire, whatever
        became of it, also when the daemon does not run. A trigger that is refused leaves its key free.

        Raises RefusedError: INVALID (`script has no @schedule directive`, `script is not schedulable` with
        the reason), FORBIDDEN (`@token` without `force`), NOT_FOUND, UNAVAILABLE, CONFLICT (the key belongs
        to another script).
        """

    async def stop(self, run_id: RunId, *, by: str) -> bool:
        """Stop a run in flight (or drop a held fire); False when no such run is in flight."""

    def pauses(self) -> Sequence[Pause]:
        """Return the pauses in force, that of all first."""

    async def pause(self, script: str | None, *, note: str | None, until_ms: int | None, by: str) -> Pause:
        """Let the slots of a registered script (None = of all) end as `disabled` from now on.

        A second pause of the same replaces the first. Raises RefusedError: NOT_FOUND (not registered),
        INVALID (`until` is past), UNAVAILABLE.
        """

    async def resume(self, script: str | None, *, by: str) -> bool:
        """End a pause; False when there was none. Raises RefusedError (UNAVAILABLE)."""

    async def replay(self, slots: "Sequence[tuple[str, Slot]]", *, by: str) -> Sequence[Fire]:
        """Queue fires of kind `replay` for these (script, slot) pairs; return those that were made.

        Left out are slots of scripts that are not registered, and those with a replay that waits or runs.
        They run a few at a time, oldest first, when their script is not running. Raises RefusedError.
        """

    async def history(self, query: Query) -> Page:
        """Read the fires log, newest first."""

    async def tally(self, wanted: Wanted) -> Tally:
        """Count the fires that ended, step by step."""

    async def recent(self, scripts: Sequence[str]) -> Mapping[str, Recent]:
        """Return the last outcomes of these scripts."""

    async def chronicle(self, since_ms: int, until_ms: int, *, script: str | None) -> Chronicle:
        """Read the ledger for what was in force or happened in [since, until), of one script or of all."""

    async def observance(self, text: str) -> Observance:
        """Return what `@calendar` with this text would mean now. Raises RefusedError (INVALID)."""

    async def output(self, run_id: RunId) -> bytes | None:
        """Return what a run printed so far (kept head and tail); None when it printed nothing."""

    async def result(self, run_id: RunId) -> str | None:
        """Return a run's result as JSON text, up to 64 KiB; None when it had none."""

    def follow(self, run_id: RunId) -> AsyncIterator[bytes]:
        """Yield a run's output as it comes, from its start (or its kept head), until the run ends."""

    def lines(self, run_id: RunId, after: int) -> AsyncIterator[list[Item]]:
        """Yield a live run's output as lines and gaps behind this offset, until it ends.

        The first batch is empty. Nothing at all for a run that is not live.
        """

    def end_of(self, run_id: RunId) -> "asyncio.Future[Entry] | None":
        """Return what gets the line of a fire that runs or waits; None when it is over. Shield it."""
