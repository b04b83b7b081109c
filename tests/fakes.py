"""The clocks of the tests. The runner's and the ledger's doubles stand beside it, in modules of their own."""

import asyncio
from collections.abc import Callable

from schedd.host.clock import Reading


class LoopClock:
    """A wall clock that goes with the event loop's time, from a given instant on; it can be set.

    On a virtual loop it is as fast as the loop.
    """

    def __init__(self, start_ms: int, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._start_ms = start_ms - round(self._loop.time() * 1000)
        self._suspended_ms = 0
        self._alarms: list[LoopAlarm] = []

    def now_ms(self) -> int:
        return self._start_ms + round(self._loop.time() * 1000)

    def monotonic(self) -> float:
        return self._loop.time()

    def reading(self) -> Reading:
        return Reading(self.now_ms(), self.monotonic(), self._suspended_ms / 1000)

    def alarm(self, ring: Callable[[], None]) -> "LoopAlarm":
        made = LoopAlarm(self, self._loop, ring)
        self._alarms.append(made)
        return made

    def step(self, milliseconds: int) -> None:
        """Set the clock; as with a timerfd that cancels on set, whoever waits is woken."""
        self._start_ms += milliseconds
        for alarm in self._alarms:
            alarm.wake()

    def suspend(self, milliseconds: int) -> None:
        """Let the host sleep for so long: the loop does not notice, and whoever waits is woken on resume."""
        self._suspended_ms += milliseconds
        self.step(milliseconds)


class LoopAlarm:
    def __init__(self, clock: LoopClock, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._loop = loop
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at_ms: int) -> None:
        self.close()
        wait_s = max(0.0, (at_ms - self._clock.now_ms()) / 1000)
        self._timer = self._loop.call_later(wait_s, self._rang)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def wake(self) -> None:
        if self._timer is not None:
            self.close()
            self._rang()

    def _rang(self) -> None:
        self._timer = None
        self._ring()
