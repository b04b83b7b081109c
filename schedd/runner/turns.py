"""Starts, a few for each turn of the event loop, in the order in which they were asked for.

They go on for some milliseconds of a turn, which is more than ends of runs get (`process`): of a thousand
that are due in one second the last one is to start soon, and the first one that is over can wait for that.
So a thousand hold nobody up for longer than those milliseconds. When the host has no descriptor or no
process to spare, all that wait go on waiting, in their order, and are tried again soon.
"""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable

from schedd.host.clock import Clock
from schedd.runner.run import Run

SPAN_S = 0.006
"""No start begins later in a turn of the loop."""

RETRY_S = 0.05
PATIENCE_S = 10.0
"""How long to wait for descriptors or processes to become free before a start is given up."""

_log = logging.getLogger(__name__)


class Turns:
    """Holds what waits for its start; calls `begin` with some of them a turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, begin: Callable[[Run], None]) -> None:
        self._loop = loop
        self._clock = clock
        self._begin = begin
        self._numbers = itertools.count()
        self._queue: list[tuple[int, Run]] = []
        """A heap: what had to wait for something comes back to its place."""
        self._turning: asyncio.Handle | None = None
        self._refused_since: float | None = None

    def add(self, run: Run) -> None:
        """Let it start after all others."""
        run.turn = next(self._numbers)
        self._put(run)

    def go_on(self, run: Run) -> None:
        """Let a run that had to wait for something start before all that were asked for later."""
        if not run.over:
            self._put(run)

    def hold(self, run: Run, error: OSError) -> bool:
        """Try it again soon, in the same order; False when nothing could be started for long."""
        now_s = self._clock.monotonic()
        if self._refused_since is None:
            self._refused_since = now_s
            _log.warning("no script can be started: %s; trying for %g s", error.strerror, PATIENCE_S)
        if now_s - self._refused_since > PATIENCE_S:
            return False
        self._put(run, RETRY_S)
        return True

    def went_well(self) -> None:
        """Something could be started: there is room again."""
        if self._refused_since is not None:
            _log.warning("scripts can be started again")
        self._refused_since = None

    def close(self) -> None:
        """Start no more."""
        if self._turning is not None:
            self._turning.cancel()

    def _put(self, run: Run, delay_s: float = 0) -> None:
        heapq.heappush(self._queue, (run.turn, run))
        self._next(delay_s)

    def _next(self, delay_s: float = 0) -> None:
        if self._turning is None:
            self._turning = (
                self._loop.call_later(delay_s, self._turn) if delay_s else self._loop.call_soon(self._turn)
            )

    def _turn(self) -> None:
        self._turning = None
        until_s = self._clock.monotonic() + SPAN_S
        while self._goes_on(until_s):
            _, run = heapq.heappop(self._queue)
            if not run.over:
                self._begin(run)
        if self._queue:
            self._next()

    def _goes_on(self, until_s: float) -> bool:
        """Whether one more begins in this turn; what cannot be started has set another turn, for all."""
        return bool(self._queue) and self._turning is None and self._clock.monotonic() < until_s
