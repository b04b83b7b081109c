"""Runs scripts: one process each, and exactly one report for each launch, whatever happens.

Launches queue up and are started a few for each turn of the event loop (`turns`), so that a thousand due in
one second hold nobody up. A run's life is a chain of callbacks: `_begin`, `_spawn`, then
`_readable` and `_exited` by its descriptors, `_finish` when nothing of its group is left, `_concluded`,
`_report`. Files are read and written in threads of the runner's own.

Rejected: a task for each run (a thousand tasks to do what a callback does), and telling of a run's end while
something of it is still alive.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial

from schedd.fire import REASONS, Ended, Outcome, Reason, RunId, Status
from schedd.host.clock import Clock
from schedd.host.journald import Journal
from schedd.runner import expect, leftovers, plan, process, store
from schedd.runner.child import Answer, Child, Exit, Failure
from schedd.runner.command import TRANSIENT, CannotStartError
from schedd.runner.flusher import Flusher
from schedd.runner.journaling import Journaling
from schedd.runner.launch import Launch
from schedd.runner.limits import Keeping
from schedd.runner.lines import Item
from schedd.runner.order import Order
from schedd.runner.output import OutputPolicy
from schedd.runner.plan import Plan, UnreadableError
from schedd.runner.plans import Found as FoundPlan
from schedd.runner.plans import Plans
from schedd.runner.redaction import Redaction
from schedd.runner.requires import UnmetError
from schedd.runner.result import NOTHING, Found
from schedd.runner.run import Cause, Run, ended_well, outcome, silence
from schedd.runner.starts import PLAIN, Means, Starts
from schedd.runner.tree import Tree
from schedd.runner.turns import Turns

UNKILLABLE_S = 5.0
"""A process that KILL has not ended after this (it waits for a dead disk) is not waited for at a stop."""

REFUSALS = {UnreadableError: Reason.UNREADABLE, UnmetError: Reason.PREFLIGHT}

_log = logging.getLogger(__name__)


class Runner:
    """Owns the live processes and their output. Make it on the event loop that it is to use."""

    def __init__(
        self,
        *,
        clock: Clock,
        report: Callable[[Ended], None],
        started: Callable[[RunId, int, int], None],
        state_dir: str,
        grace_s: float = 10.0,
        output: OutputPolicy = OutputPolicy(),  # noqa: B008 - a frozen value
        journal: Journal | None = None,
        means: Means = PLAIN,
        keeping: Keeping = Keeping(),  # noqa: B008 - a frozen value
    ) -> None:
        """Take all that is the same for every run.

        `report` is called once for each launch, `started` (run id, pid, ms since the epoch) once for each
        that could be started, before its report. `journal` gets what scripts print.
        """
        self._clock = clock
        self._report_to = report
        self._started = started
        self._state_dir = os.path.abspath(state_dir)
        self._loop = asyncio.get_running_loop()
        self.flusher = Flusher(self._loop)
        self._leftovers = leftovers.Leftovers(self._loop, clock)
        self._plans = Plans(self._loop, clock)
        self._expectations = expect.Expectations(self._loop)
        self._runs: dict[RunId, Run] = {}
        self._turns = Turns(self._loop, clock, self._begin)
        self._idle = asyncio.Event()
        self._closed = False
        if threading.current_thread() is threading.main_thread():
            process.shed_ignored_signals()
        self._starts = Starts(self._loop, state_dir=self._state_dir, means=means, keeping=keeping)
        self.journaling = Journaling(self._loop, journal)
        self.adopt(grace_s=grace_s, output=output, means=means)

    def adopt(self, *, grace_s: float, output: OutputPolicy, means: Means) -> None:
        """Take these settings for the runs that are asked for from now on (they may change with a reload)."""
        self._grace_s = grace_s
        self._output = output
        self._redaction = Redaction(output.redact, output.redact_patterns)
        self._starts.adopt(means)
        self._plans.adopt(self._starts.languages)

    def start(self, launch: Launch) -> None:
        """Run this, as soon as its turn comes; `report` will tell."""
        run_id = launch.fire.run_id
        assert not self._closed
        assert run_id not in self._runs, run_id
        tap = self.journaling.tap(launch.fire) if self._output.journal else None
        run = Run(launch, policy=self._output, redaction=self._redaction, tap=tap)
        self._runs[run_id] = run
        self._turns.add(run)

    def stop(self, run_id: RunId, reason: Reason, text: str) -> bool:
        """End a run: TERM to its group, after the grace KILL; its outcome is error/`reason` with this text.

        False when there is no such run, or its process has already ended. A run that was already told to end
        keeps its first reason.
        """
        assert reason in REASONS[Status.ERROR], reason
        run = self._runs.get(run_id)
        if run is None or run.exit is not None:
            return False
        self._end(run, Cause(Status.ERROR, reason, text))
        return True

    def live(self) -> tuple[tuple[RunId, int, int], ...]:
        """Return (run id, pid, start in ms since the epoch) of all processes, in the order of their start."""
        return tuple(
            (run_id, run.child.pid, run.started_ms)
            for run_id, run in self._runs.items()
            if run.child is not None and run.started_ms is not None
        )

    async def output(self, run_id: RunId) -> bytes | None:
        """Return what a run printed (so far, if it is live): its kept head and tail. None for nothing."""
        run = self._runs.get(run_id)
        if run is not None:
            return run.output.kept() or None
        return await asyncio.to_thread(store.read_output, self._state_dir, run_id)

    async def result(self, run_id: RunId) -> str | None:
        """Return a finished run's result as JSON text, at most 64 KiB; None when it had none."""
        if run_id in self._runs:
            return None
        return await asyncio.to_thread(store.read_result, self._state_dir, run_id)

    def follow(self, run_id: RunId) -> AsyncIterator[bytes]:
        """Yield the output of a live run: what is kept of it, then what comes, until it is over.

        Nothing at all for a run that is not live. Who is slow gets a counted gap, and is never waited for.
        """
        run = self._runs.get(run_id)
        return silence() if run is None else run.audience.follow()

    def lines(self, run_id: RunId, after: int) -> AsyncIterator[list[Item]]:
        """Yield the output of a live run as lines and gaps behind this offset, until it is over.

        The first batch is empty, so that a run that is live and silent differs from one that is not live.
        """
        run = self._runs.get(run_id)
        return silence() if run is None else run.audience.lines(after)

    async def close(self) -> None:
        """End what is still running and wait for it, then give everything back. Every launch is reported.

        A process that even KILL does not end within some seconds is reported, and left to the kernel.
        """
        if self._closed:
            return
        self._closed = True
        for run in tuple(self._runs.values()):
            if run.exit is None:
                self._end(run, Cause(Status.ERROR, Reason.STOPPED, "stopped, because schedd was stopped"))
        try:
            async with asyncio.timeout(self._grace_s + UNKILLABLE_S):
                while self._runs:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            for run in tuple(self._runs.values()):
                self._abandon(run)
        self._turns.close()
        self.flusher.close()
        self._plans.close()
        self._expectations.close()
        self.journaling.close()
        await self._starts.close()

    def _begin(self, run: Run) -> None:
        """Spawn a run whose file is known as it is now; have the file looked at first if it is not."""
        schedule = run.launch.schedule
        if schedule.requires and not run.provided:
            run.provided = True
            self._starts.requirements.ask(schedule, partial(self._provided, run), self._loop)
            return
        if run.plan is None:
            try:
                run.plan = self._plans.known(schedule)
            except OSError as error:
                self._refuse(run, plan.unreadable(schedule, error))
                return
        if run.plan is None:
            self._plans.find(schedule, partial(self._looked, run))
            return
        if not run.housed:
            run.housed = True
            if missing := self._starts.house(run, run.plan.identity):
                made = self.flusher.make(missing)
                made.add_done_callback(lambda _: self._turns.go_on(run))
                return
        self._spawn(run, run.plan)

    def _provided(self, run: Run, lacking: str | None) -> None:
        """Go on with a run that has what it requires."""
        if lacking is None:
            self._turns.go_on(run)
        elif not run.over:
            self._refuse(run, UnmetError(lacking))

    def _looked(self, run: Run, found: FoundPlan) -> None:
        """Go on with a run whose file was looked at."""
        if run.over:
            return
        if isinstance(found, Plan):
            run.plan = found
            self._turns.go_on(run)
        elif isinstance(found, OSError):
            self._no_room(run, found, run.launch.schedule.path)
        else:
            self._refuse(run, found)

    def _spawn(self, run: Run, how: Plan) -> None:
        run.started_ms, run.started_s = self._clock.now_ms(), self._clock.monotonic()
        try:
            order = self._starts.order(run, how)
        except (CannotStartError, OSError) as error:
            self._failed(run, None, error)
            return
        run.ordered = True
        answer = Answer(
            partial(self._begun, run), partial(self._exited, run), partial(self._failed, run, order)
        )
        self._starts.start(order, answer)

    def _failed(self, run: Run, order: Order | None, error: Failure) -> None:
        """Nothing was started: try again where there was only no room, else say why."""
        run.ordered, run.started_ms = False, None
        run.uproot()
        what = run.launch.schedule.path if order is None else order.argv[0]
        if run.cause is not None:
            self._never_ran(run, run.cause)
        elif isinstance(error, CannotStartError):
            self._refuse(run, error)
        elif isinstance(error, ValueError):
            self._refuse(run, CannotStartError(f"cannot start {what}: {error} in @env or @env-file"))
        elif error.errno in TRANSIENT:
            self._no_room(run, error, what)
        else:
            # An interpreter may have moved since the plan was made.
            self._plans.forget(run.launch.schedule.path)
            cwd = "" if order is None else order.cwd
            self._refuse(run, CannotStartError(process.explain(error, what, cwd)))

    def _no_room(self, run: Run, error: OSError, what: str) -> None:
        if not self._turns.hold(run, error):
            self._refuse(run, CannotStartError(f"cannot start {what}: {error.strerror}"))

    def _begun(self, run: Run, child: Child) -> None:
        """A process runs, and its end will be told."""
        self._turns.went_well()
        run.ordered, run.child = False, child
        assert run.started_ms is not None
        assert run.tree is not None
        run.tree.grow(child)
        if child.output_fd is not None:
            self._loop.add_reader(child.output_fd, self._readable, run, child)
        limit_ms = run.launch.timeout_ms
        if run.cause is not None:
            self._tell_to_end(run, run.tree)
        elif limit_ms:
            cause = Cause(
                Status.TIMEOUT, Reason.TIMEOUT, f"ran longer than its limit of {limit_ms / 1000:g} s"
            )
            run.set_timer(self._loop.call_later(limit_ms / 1000, self._end, run, cause))
        self._started(run.launch.fire.run_id, child.pid, run.started_ms)

    def _end(self, run: Run, cause: Cause) -> None:
        """Tell a run to end, unless it was told so before."""
        if run.cause is not None:
            return
        run.cause = cause
        if run.child is not None and run.tree is not None:
            self._tell_to_end(run, run.tree)
        elif not run.ordered:
            run.over = True
            self._loop.call_soon(self._never_ran, run, cause)

    def _tell_to_end(self, run: Run, tree: Tree) -> None:
        tree.signal(signal.SIGTERM)
        run.set_timer(self._loop.call_later(self._grace_s, tree.signal, signal.SIGKILL))

    def _readable(self, run: Run, child: Child) -> None:
        chunk = child.read(run.redactor.block_bytes)
        if chunk:
            run.take(chunk, self._clock.now_ms())
            self.flusher.touch(run)
        elif chunk is not None:
            self._close_output(child)

    def _exited(self, run: Run, how: Exit) -> None:
        """The process has ended; its leftovers may not have."""
        child, tree = run.child, run.tree
        if child is None or tree is None or run.over:
            return  # it was given up before
        run.exit = how
        run.out_of_memory = run.exit.looks_killed and tree.ran_out_of_memory()
        run.ended_ms = self._clock.now_ms() - round(how.late_s * 1000)
        run.duration_ms = round((self._clock.monotonic() - how.late_s - run.started_s) * 1000)
        if run.cause is None:
            run.set_timer(None)
        patience_s = leftovers.PATIENCE_S if run.cause is None else self._grace_s
        tree.left_alone = tree.detached and run.cause is None
        self._leftovers.see_off(tree, patience_s=patience_s, gone=partial(self._finish, run, tree, child))

    def _finish(self, run: Run, tree: Tree, child: Child) -> None:
        """Read what is left in the pipe, and have files written and read if there are any."""
        if run.over or run.exit is None:
            return
        run.exit = tree.measured(run.exit)
        run.set_timer(None)
        run.take_rest(child, run.ended_ms)
        self._close_output(child)
        if run.output_bytes or run.may_have_result():
            self.flusher.conclude(run, partial(self._concluded, run))
        else:
            self._concluded(run, NOTHING)

    def _concluded(self, run: Run, found: Found) -> None:
        """Look at what the script should have brought about, if it ended well."""
        tests = expect.to_look_at(run.launch.schedule.expect)
        if not tests or not ended_well(run):
            self._judged(run, found, None)
            return
        self._expectations.ask(
            tests,
            output=run.output.kept(),
            result=found.returned,
            now_ms=run.ended_ms,
            then=partial(self._judged, run, found),
        )

    def _judged(self, run: Run, found: Found, fault: str | None) -> None:
        if not run.over:
            self._report(run, outcome(run, found, fault=fault))

    def _close_output(self, child: Child) -> None:
        if child.output_fd is not None:
            self._loop.remove_reader(child.output_fd)
            child.close_output()

    def _refuse(self, run: Run, error: CannotStartError | UnreadableError | UnmetError) -> None:
        """Report a run that could not be started."""
        reason = REFUSALS.get(type(error), Reason.SPAWN)
        status = Status.ERROR if reason is Reason.SPAWN else Status.LOAD_ERROR
        self._never_ran(run, Cause(status, reason, str(error)))

    def _never_ran(self, run: Run, cause: Cause) -> None:
        self._report(
            run,
            Outcome(
                status=cause.status, reason=cause.reason, error=cause.error, ended_ms=self._clock.now_ms()
            ),
        )

    def _abandon(self, run: Run) -> None:
        """Report a run whose process cannot be ended, and no longer look at it."""
        assert run.cause is not None
        pid = None if run.child is None else run.child.pid
        _log.error("process %s of run %s did not end after SIGKILL; left alone", pid, run.launch.fire.run_id)
        if run.child is not None:
            self._close_output(run.child)
        error = f"{run.cause.error}; process {pid} did not end after SIGKILL"
        self._never_ran(run, Cause(run.cause.status, run.cause.reason, error))

    def _report(self, run: Run, how: Outcome) -> None:
        run.close()
        self.flusher.forget(run)
        del self._runs[run.launch.fire.run_id]
        if not self._runs:
            self._idle.set()
        self._report_to(Ended(run.launch.fire, how))
