"""One run, from the moment it is asked for to its outcome: what it is told, what it prints, how it ended.

Plain state; the runner moves it along. What happens first decides: a run whose deadline came is a timeout
even if somebody stops it a moment later, and what a process that was told to end exits with is recorded but
changes nothing.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from schedd.fire import Outcome, Reason, Status
from schedd.runner import expect, result, store
from schedd.runner.child import Child, Exit
from schedd.runner.launch import Launch
from schedd.runner.output import Follower, HeadAndTail, Redactor
from schedd.runner.plan import Plan

FOLLOWER_BYTES = 256 * 1024
"""How far a listener may lag behind a run before it gets a gap."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a run is being ended before its time, in the words of its outcome."""

    status: Status
    reason: Reason
    error: str


class Run:
    """A run in the hands of the runner."""

    def __init__(self, launch: Launch, *, head_bytes: int, tail_bytes: int, redact: Collection[str]) -> None:
        self.launch = launch
        self.plan: Plan | None = None
        self.turn = 0
        """Its place among those that wait for their start."""
        self.housed = False
        """Its directories were there, or were asked for."""
        self.place = ""
        """Path of its files, without their ending."""
        self.ordered = False
        """Somebody was asked to start it, and has not answered yet."""
        self.child: Child | None = None
        self.started_ms: int | None = None
        self.started_s = 0.0
        self.cause: Cause | None = None
        self.exit: Exit | None = None
        self.oom_kills = 0
        """How often the kernel had killed for want of memory when the run began."""
        self.out_of_memory = False
        self.ended_ms = 0
        self.duration_ms = 0
        self.over = False
        self.timer: asyncio.TimerHandle | None = None
        self.output_bytes = 0
        self.output = HeadAndTail(head_bytes=head_bytes, tail_bytes=tail_bytes)
        self.redactor = Redactor(_spellings({*redact, *launch.schedule.secrets}))
        self._listeners: dict[Follower, asyncio.Event] = {}
        self._written_head_bytes = 0

    def take(self, chunk: bytes) -> None:
        """Keep a chunk of output, and pass it on to who listens."""
        self.output_bytes += len(chunk)
        self._keep(self.redactor.feed(chunk))

    def finish_output(self) -> None:
        """Keep what waited for more."""
        self._keep(self.redactor.finish())

    def piece(self, *, whole: bool = False) -> store.Piece:
        """Return what of the output is not yet in its file (or all of it), and where it belongs."""
        at = 0 if whole else self._written_head_bytes
        self._written_head_bytes = len(self.output.head)
        return store.Piece(f"{self.place}.log", at, bytes(self.output.head[at:]), self.output.after_head())

    def may_have_result(self) -> bool:
        """Whether the script or its launcher has written a file that is to be read."""
        returned = f"{self.place}.result"
        return os.path.lexists(returned) or os.path.lexists(f"{returned}.error")

    def set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        """Have one timer at most."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = timer

    def close(self) -> None:
        """Let go of everything, and tell those who listen that no more will come."""
        self.over = True
        self.set_timer(None)
        if self.child is not None:
            self.child.close()
            self.child = None
        for news in self._listeners.values():
            news.set()

    async def follow(self) -> AsyncIterator[bytes]:
        """Yield the output: what is kept of it so far, then what comes, until the run is over."""
        so_far = self.output.kept()
        follower, news = Follower(room_bytes=FOLLOWER_BYTES), asyncio.Event()
        self._listeners[follower] = news
        try:
            if so_far:
                yield so_far
            while True:
                ending = self.over
                news.clear()
                chunk = follower.take()
                if chunk:
                    yield chunk
                elif ending:
                    return
                else:
                    await news.wait()
        finally:
            del self._listeners[follower]

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self.output.feed(data)
        for follower, news in self._listeners.items():
            follower.feed(data)
            news.set()


async def silence() -> AsyncIterator[bytes]:
    """Yield the output of a run that there is not."""
    for chunk in tuple[bytes, ...]():
        yield chunk


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
    if exited.signal is not None:
        return Status.ERROR, Reason.SIGNAL, f"killed by {exited.signal}"
    if ended_well(run):
        return Status.OK, None, None
    if exception is not None:
        return Status.ERROR, Reason.EXCEPTION, exception
    last = run.output.last_line()
    return Status.ERROR, Reason.EXIT, f"exit code {exited.code}" + (f": {last}" if last else "")


def _spellings(secrets: Collection[str]) -> set[bytes]:
    """Return each secret as it is printed, and as the two spellings of JSON have it."""
    plain = {secret.encode(errors="surrogateescape") for secret in secrets}
    strings = {
        json.dumps(secret, ensure_ascii=ascii_only) for secret in secrets for ascii_only in (True, False)
    }
    return plain | {string[1:-1].encode(errors="surrogateescape") for string in strings}
