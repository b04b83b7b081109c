"""One run, from the moment it is asked for to its outcome: what it is told, what it prints, how it ended.

Plain state; the runner moves it along. What happens first decides: a run whose deadline came is a timeout
even if somebody stops it a moment later, and what a process that was told to end exits with is recorded but
changes nothing.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from schedd.fire import Outcome, Reason, Status
from schedd.runner import expect, result, store
from schedd.runner.audience import Audience
from schedd.runner.child import DRAIN_READS, Child, Exit
from schedd.runner.journaling import Tap
from schedd.runner.launch import Launch
from schedd.runner.output import HeadAndTail, OutputPolicy
from schedd.runner.plan import Plan
from schedd.runner.redaction import Redaction, Redactor
from schedd.runner.tree import Tree

FULL_HEAP = b"JavaScript heap out of memory"
"""Node.js prints this, and aborts."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a run is being ended before its time, in the words of its outcome."""

    status: Status
    reason: Reason
    error: str


class Run:
    """A run in the hands of the runner."""

    def __init__(
        self, launch: Launch, *, policy: OutputPolicy, redaction: Redaction, tap: Tap | None = None
    ) -> None:
        """`tap` is the way of its output to the journal, if there is one."""
        self.launch = launch
        self.plan: Plan | None = None
        self.turn = 0
        """Its place among those that wait for their start."""
        self.provided = False
        """What the script requires is there, or was asked for."""
        self.housed = False
        """Its directories were there, or were asked for."""
        self.place = ""
        """Path of its files, without their ending."""
        self.returns = ""
        """The same of the result that it writes: where the user that it runs as may write."""
        self.returns_uid: int | None = None
        """That user, when it is not the daemon's."""
        self.ordered = False
        """Somebody was asked to start it, and has not answered yet."""
        self.child: Child | None = None
        self.tree: Tree | None = None
        """The child, and all that comes of it; planted before there is one."""
        self.started_ms: int | None = None
        self.started_s = 0.0
        self.cause: Cause | None = None
        self.exit: Exit | None = None
        self.out_of_memory = False
        self.ended_ms = 0
        self.duration_ms = 0
        self.over = False
        self.timer: asyncio.TimerHandle | None = None
        self.output_bytes = 0
        self.output = HeadAndTail(head_bytes=policy.head_bytes, tail_bytes=policy.tail_bytes)
        self.audience = Audience(self.output)
        self.redactor = Redactor(redaction.also(launch.schedule.secrets))
        self._tap = tap
        self._written_head_bytes = 0

    def take(self, chunk: bytes, at_ms: int) -> None:
        """Keep a chunk of output that was read at this instant, and pass it on to who listens."""
        self.output_bytes += len(chunk)
        self._keep(self.redactor.feed(chunk), at_ms)

    def take_rest(self, child: Child, at_ms: int) -> None:
        """Take what is in the pipe at the end, and keep what waited for more."""
        for _ in range(DRAIN_READS):
            chunk = child.read()
            if not chunk:
                break
            self.take(chunk, at_ms)
        self._keep(self.redactor.finish(), at_ms)

    def piece(self, *, whole: bool = False) -> store.Piece:
        """Return what of the output is not yet in its file (or all of it), and where it belongs."""
        at = 0 if whole else self._written_head_bytes
        self._written_head_bytes = len(self.output.head)
        return store.Piece(f"{self.place}.log", at, bytes(self.output.head[at:]), self.output.after_head())

    def may_have_result(self) -> bool:
        """Whether the script or its launcher has written a file that is to be read."""
        returned = f"{self.returns}.result"
        return os.path.lexists(returned) or os.path.lexists(f"{returned}.error")

    def set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        """Have one timer at most."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = timer

    def uproot(self) -> None:
        """Look no longer after what was started."""
        if self.tree is not None:
            self.tree.fall()
            self.tree = None

    def close(self) -> None:
        """Let go of everything, and tell those who listen that no more will come."""
        self.over = True
        self.set_timer(None)
        self.uproot()
        if self.child is not None:
            self.child.close()
            self.child = None
        self.audience.close()
        if self._tap is not None:
            self._tap.close()

    def _keep(self, data: bytes, at_ms: int) -> None:
        if not data:
            return
        self.output.feed(data)
        self.audience.feed(data, at_ms)
        if self._tap is not None:
            self._tap.feed(data, at_ms)


async def silence() -> AsyncIterator[Any]:
    """Yield what there is of a run that there is not."""
    for nothing in tuple[Any, ...]():
        yield nothing


def ended_well(run: Run) -> bool:
    """Whether the process ended by itself, with an exit code that is as good as 0."""
    exited = run.exit
    assert exited is not None
    untroubled = run.cause is None and exited.lost is None and not run.out_of_memory
    return untroubled and exited.code in expect.fine_codes(run.launch.schedule.expect)


def outcome(run: Run, found: result.Found, *, fault: str | None = None) -> Outcome:
    """Return how a run whose process has ended ended; `fault` is what it did not bring about."""
    exited = run.exit
    assert exited is not None
    status, reason, error = _verdict(run, exited, found.exception)
    if status is Status.OK and fault is not None:
        status, reason, error = Status.ERROR, Reason.UNEXPECTED, fault
    return Outcome(
        status=status,
        reason=reason,
        error=error,
        started_ms=run.started_ms,
        ended_ms=run.ended_ms,
        duration_ms=run.duration_ms,
        exit_code=exited.code,
        signal=exited.signal,
        result=found.returned,
        cpu_ms=exited.cpu_ms,
        max_rss_kb=exited.max_rss_kb,
        output_bytes=run.output_bytes,
        output_truncated=run.output.left_out_bytes > 0,
        sha256=run.plan.sha256 if run.plan is not None else None,
    )


def _verdict(run: Run, exited: Exit, exception: str | None) -> tuple[Status, Reason | None, str | None]:
    if run.cause is not None:
        return run.cause.status, run.cause.reason, run.cause.error
    if exited.lost is not None:
        return Status.ERROR, Reason.INTERRUPTED, exited.lost
    if run.out_of_memory:
        error = "killed by the kernel, which was out of memory: on the host, or in the cgroup of the script"
        return Status.ERROR, Reason.OUT_OF_MEMORY, error
    if exited.signal == "SIGABRT" and FULL_HEAP in run.output.kept():
        error = (
            "its JavaScript heap was full; "
            "#!/usr/bin/env -S node --max-old-space-size=4096 lets it have 4096 MB"
        )
        return Status.ERROR, Reason.OUT_OF_MEMORY, error
    if exited.signal is not None:
        return Status.ERROR, Reason.SIGNAL, f"killed by {exited.signal}"
    if ended_well(run):
        return Status.OK, None, None
    if exception is not None:
        return Status.ERROR, Reason.EXCEPTION, exception
    last = run.output.last_line()
    return Status.ERROR, Reason.EXIT, f"exit code {exited.code}" + (f": {last}" if last else "")
