"""The daemon as the web layer knows it: requests in, frozen views out.

Reading asks the planner's view and the ledger; acting puts a message into the inbox and waits for the reply.
Nothing in here decides.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from schedd import __version__
from schedd.daemon import metering
from schedd.daemon.daemon import Daemon
from schedd.daemon.lately import Lately
from schedd.daemon.messages import Message, PauseAsked, ReplayAsked, ResumeAsked, StopAsked, TriggerAsked
from schedd.daemon.settings import LiveScanner
from schedd.daemon.vitals import OVERDUE_S
from schedd.fire import Entry, Fire, RunId
from schedd.host.clock import Clock
from schedd.insight.recent import Recent
from schedd.ledger.annals import Chronicle
from schedd.ledger.facts import LastOutcome
from schedd.ledger.history import Page, Query
from schedd.ledger.ledger import Ledger
from schedd.ledger.tally import Tally, Wanted
from schedd.planner.view import Pause, ScheduleView
from schedd.runner.lines import Item
from schedd.runner.runner import Runner
from schedd.schedule import Schedule
from schedd.scripts import values
from schedd.scripts.directives import Problem
from schedd.timetable.instant import Slot
from schedd.timetable.observance import Observance
from schedd.web.control import Failure, Health, Phase, RefusedError, ReloadReport, RunView, Ticket, Why
from schedd.web.meters import Now

T = TypeVar("T")

NOT_INSIDE = "scriptPath must be inside scripts directory"
UNAVAILABLE = "scheduler unavailable"


class Front:
    """Fulfils `schedd.web.control.Control`."""

    def __init__(
        self,
        *,
        daemon: Daemon,
        clock: Clock,
        ledger: Ledger,
        lately: Lately,
        runner: Runner,
        scanner: LiveScanner,
        inbox: "asyncio.Queue[Message]",
        scripts_dir: str,
        host: str,
        limits: Mapping[str, str],
        journal_dropped: Callable[[], int],
    ) -> None:
        """`limits` says what keeps each; `journal_dropped` how many lines the journal did not take."""
        self._daemon = daemon
        self._clock = clock
        self._ledger = ledger
        self._lately = lately
        self._runner = runner
        self._scanner = scanner
        self._inbox = inbox
        self._scripts_dir = os.path.realpath(scripts_dir)
        self._host = host
        self._limits = limits
        self._journal_dropped = journal_dropped
        self._keyed = asyncio.Lock()

    # Reading.

    def health(self) -> Health:
        """Return how the daemon is."""
        planner = self._daemon.planner
        reasons = tuple(self._why_not_ready())
        return Health(
            phase=self._daemon.phase,
            ready=not reasons,
            reasons=reasons,
            started_ms=self._daemon.started_ms,
            version=__version__,
            host=self._host,
            pid=os.getpid(),
            scripts_dir=self._scripts_dir,
            schedules=len(planner),
            running=planner.running_count,
            held=planner.held_count,
            failed=len(self._daemon.reloading.failed),
            limits=self._limits,
        )

    def metrics_now(self) -> Now:
        """Return the numbers of this moment, for Prometheus."""
        return metering.now(
            self._daemon,
            self._ledger,
            now_ms=self._clock.now_ms(),
            host=self._host,
            journal_dropped=self._journal_dropped(),
            output_not_in_journal=self._runner.journaling.dropped,
        )

    def now_ms(self) -> int:
        """Return the wall clock, in milliseconds since the epoch."""
        return self._clock.now_ms()

    def revision(self) -> int:
        """Return a number that grows before schedules, their outcomes or pauses are others."""
        return self._daemon.revision

    def schedule(self, script: str) -> ScheduleView | None:
        """Return one registered schedule. Raises RefusedError before the first scan."""
        if self._daemon.phase is Phase.STARTING:
            raise RefusedError(Why.UNAVAILABLE, UNAVAILABLE)
        return self._daemon.planner.view(script, self._clock.now_ms())

    def schedules_of(self, scripts: Collection[str]) -> Sequence[Schedule]:
        """Return what is registered of these scripts (none = all). Raises RefusedError at the start."""
        if self._daemon.phase is Phase.STARTING:
            raise RefusedError(Why.UNAVAILABLE, UNAVAILABLE)
        if not scripts:
            return list(self._daemon.planner.schedules().values())
        found = map(self._daemon.planner.schedule, scripts)
        return [schedule for schedule in found if schedule is not None]

    def failures(self) -> Sequence[Failure]:
        """Return the scripts that were refused when the directory was last read."""
        return self._daemon.reloading.failed

    def last_outcome(self, script: str) -> LastOutcome | None:
        """Return the newest outcome of a script, if it has one."""
        return self._ledger.state.last.get(script)

    def runs(self) -> Sequence[RunView]:
        """Return the runs in flight, oldest first, then the fires that are held."""
        planner = self._daemon.planner
        running = [self._run_view(made, held=False) for made in planner.running()]
        return running + [self._run_view(made, held=True) for made in planner.held()]

    def run(self, run_id: RunId) -> RunView | None:
        """Return a run in flight; None when there is none of this id, or it waits."""
        made = self._daemon.planner.run(run_id)
        return None if made is None else self._run_view(made, held=False)

    def relative(self, path: str) -> str:
        """Return a script path relative to the scripts directory.

        Raises RefusedError (INVALID) when it lies outside.
        """
        joined = os.path.normpath(os.path.join(self._scripts_dir, path))
        if "\0" in path or not joined.startswith(self._scripts_dir + "/"):
            raise RefusedError(Why.INVALID, NOT_INSIDE)
        return joined[len(self._scripts_dir) + 1 :]

    async def history(self, query: Query) -> Page:
        """Read the fires log, newest first."""
        with _readable():
            return await self._ledger.history(query)

    async def tally(self, wanted: Wanted) -> Tally:
        """Count the fires that ended, step by step."""
        with _readable():
            return await self._ledger.tally(wanted)

    async def recent(self, scripts: Sequence[str]) -> Mapping[str, Recent]:
        """Return the last outcomes of these scripts; who asks early waits for what is left to be read."""
        with _readable():
            return await self._lately.of(scripts)

    async def chronicle(self, since_ms: int, until_ms: int, *, script: str | None) -> Chronicle:
        """Read the ledger for what was in force or happened in [since, until)."""
        with _readable():
            told = await self._ledger.chronicle(since_ms, until_ms, script=script)
        named = {each.calendar: each.script for each in told.registrations if each.calendar}
        if not named:
            return told
        return replace(told, observances=await asyncio.to_thread(self._observances, named))

    async def observance(self, text: str) -> Observance:
        """Return what `@calendar` with this text would mean now. Raises RefusedError (INVALID)."""
        try:
            name, how = values.calendar(text)
            return Observance(await asyncio.to_thread(self._scanner.calendar, name), how)
        except ValueError as error:
            raise RefusedError(Why.INVALID, f"calendar: {error}") from error

    async def output(self, run_id: RunId) -> bytes | None:
        """Return what a run printed so far; None when it printed nothing."""
        return await self._runner.output(run_id)

    async def result(self, run_id: RunId) -> str | None:
        """Return a run's result as JSON text; None when it had none."""
        return await self._runner.result(run_id)

    def follow(self, run_id: RunId) -> AsyncIterator[bytes]:
        """Yield a run's output as it comes, until the run ends."""
        return self._runner.follow(run_id)

    def lines(self, run_id: RunId, after: int) -> AsyncIterator[list[Item]]:
        """Yield a live run's output as lines and gaps behind an offset, until the run ends."""
        return self._runner.lines(run_id, after)

    def end_of(self, run_id: RunId) -> "asyncio.Future[Entry] | None":
        """Return what gets the line of a fire that runs or waits; None when it is over."""
        return self._daemon.end_of(run_id)

    # Acting.

    async def reload(self, *, dry_run: bool) -> ReloadReport:
        """Read the scripts directory again; with `dry_run` only say what would change."""
        self._require_running()
        return await self._daemon.reloading.reload(dry_run=dry_run)

    async def trigger(self, script: str, *, force: bool, by: str, key: str | None = None) -> Ticket:
        """Start a manual fire of the script at this relative path. Raises RefusedError.

        Under a `key` that has a fire already: the ticket of that one. Two that ask at once come one after the
        other, so that the second finds the fire of the first.
        """
        if key is None:
            return await self._start(script, force=force, by=by, key=None)
        async with self._keyed:
            known = self._ledger.state.fire_of(key, self._clock.now_ms())
            if known is None or self._daemon.phase is Phase.STARTING:
                return await self._start(script, force=force, by=by, key=key)
        if known.path != script:
            raise RefusedError(
                Why.CONFLICT, "this Idempotency-Key was used for another script", reason=known.path
            )
        return Ticket(known.run_id, script, self._daemon.end_of(known.run_id))

    async def _start(self, script: str, *, force: bool, by: str, key: str | None) -> Ticket:
        self._require_running()
        found = self._daemon.planner.schedule(script)
        if found is None:
            found = await asyncio.to_thread(self._find, script)
        if found.guarded and not force:
            raise RefusedError(Why.FORBIDDEN, "script has a @token: force must be true")
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[RunId | None] = loop.create_future()
        done: asyncio.Future[Entry] = loop.create_future()
        self._inbox.put_nowait(TriggerAsked(script, found, force, by, key, reply, done))
        run_id = await reply
        if run_id is None:
            raise RefusedError(Why.UNAVAILABLE, UNAVAILABLE)
        return Ticket(run_id, script, done)

    async def stop(self, run_id: RunId, *, by: str) -> bool:
        """Stop a run in flight, or drop a held fire; False when no such run is in flight."""
        if self._daemon.phase is Phase.STOPPED:
            return False
        return await self._asked(lambda reply: StopAsked(run_id, by, reply))

    def pauses(self) -> Sequence[Pause]:
        """Return the pauses in force, that of all first."""
        return self._daemon.planner.pauses()

    async def pause(self, script: str | None, *, note: str | None, until_ms: int | None, by: str) -> Pause:
        """Let the slots of a script (None = of all) end as disabled from now on. Raises RefusedError."""
        self._require_running()
        now_ms = self._clock.now_ms()
        if script is not None and script not in self._daemon.planner:
            raise RefusedError(Why.NOT_FOUND, "script is not registered")
        if until_ms is not None and until_ms <= now_ms:
            raise RefusedError(Why.INVALID, "until must be in the future")
        pause = Pause(script=script, since_ms=now_ms, by=by, note=note, until_ms=until_ms)
        await self._asked(lambda reply: PauseAsked(pause, reply))
        return pause

    async def resume(self, script: str | None, *, by: str) -> bool:
        """End a pause; False when there was none. Raises RefusedError."""
        self._require_running()
        return await self._asked(lambda reply: ResumeAsked(script, by, reply))

    async def replay(self, slots: Sequence[tuple[str, Slot]], *, by: str) -> Sequence[Fire]:
        """Queue fires of kind replay; return those that were made. Raises RefusedError."""
        self._require_running()
        if self._ledger.failing:
            # What ran is not on the disk yet, and would look as if it had been missed.
            raise RefusedError(Why.UNAVAILABLE, f"not now: {'; '.join(self._ledger.failing)}")
        return await self._asked(lambda reply: ReplayAsked(slots, by, reply))

    async def _asked(self, message: "Callable[[asyncio.Future[T]], Message]") -> T:
        """Put a message into the inbox and wait for its reply."""
        reply: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait(message(reply))
        return await reply

    def _require_running(self) -> None:
        if self._daemon.phase is not Phase.RUNNING:
            raise RefusedError(Why.UNAVAILABLE, UNAVAILABLE)

    def _observances(self, named: Mapping[str, str]) -> dict[str, Observance]:
        """Find calendars as they are observed now: by a script that does, else as they were last read."""
        found: dict[str, Observance] = {}
        for told, script in named.items():
            schedule = self._daemon.planner.schedule(script)
            observance = None if schedule is None else schedule.timetable.observance
            if observance is None or str(observance) != told:
                observance = self._scanner.observance(told)
            if observance is not None:
                found[told] = observance
        return found

    def _find(self, script: str) -> Schedule:
        """Read a script that is not registered. Raises RefusedError."""
        path = os.path.join(self._scripts_dir, script)
        if not os.path.lexists(path):
            raise RefusedError(Why.NOT_FOUND, "script not found")
        found = self._scanner.read(script)
        if isinstance(found, Schedule):
            return found
        if found is None:
            raise RefusedError(Why.INVALID, "script has no @schedule directive")
        raise RefusedError(Why.INVALID, "script is not schedulable", reason=_sentence(found))

    def _run_view(self, made: Fire, *, held: bool) -> RunView:
        alive = self._daemon.alive.get(made.run_id)
        schedule = self._daemon.planner.schedule(made.script)
        return RunView(
            fire=made,
            started_ms=alive.started_ms if alive else None,
            pid=alive.pid if alive else None,
            timeout_ms=schedule.timeout_for(scheduled=made.slot is not None) if schedule else 0,
            held=held,
            due_ms=self._daemon.planner.due_ms(made) if held else None,
            wait=self._daemon.planner.wait(made) if held else None,
        )

    def _why_not_ready(self) -> list[str]:
        reasons = list(self._ledger.failing)
        if self._daemon.phase is not Phase.RUNNING:
            reasons.append(f"the daemon is {self._daemon.phase.value}")
        overdue_s = self._daemon.vitals.overdue_s
        if overdue_s >= OVERDUE_S:
            reasons.append(f"a slot has been due for {overdue_s:.0f} s and is not decided yet")
        return reasons


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Answer for a record that the disk does not give."""
    try:
        yield
    except OSError as error:
        raise RefusedError(Why.UNAVAILABLE, f"the record cannot be read: {error.strerror}") from error


def _sentence(problems: Sequence[Problem]) -> str:
    return "; ".join(problem.reason for problem in problems)
