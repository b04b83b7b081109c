"""The only door to time.

The wall clock decides what is due, the monotonic clock measures how long things take, and an alarm (see
`timerfd`) wakes the daemon when the wall clock reaches an instant. A ring is a hint, never a promise: whoever
is woken compares the clock again.

That the clock was set, or the host suspended, shows in a reading of all clocks at once, compared with the
reading before (`schedd.daemon.clockwatch`): CLOCK_BOOTTIME goes on through a suspend, CLOCK_MONOTONIC does
not, and nobody can set either.

Rejected: the clocks read one by one where they are needed (a process that is stopped between two reads would
see a step that never was).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

TOGETHER_NS = 10_000_000
"""Clocks read within this are one reading; it is the error of what is computed from them."""
TRIES = 100
"""A host that interrupts every one of so many readings, of a microsecond each, has other troubles."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What all clocks read at one instant."""

    now_ms: int
    """The wall clock, since the epoch."""
    monotonic_s: float
    """The time that the host was awake."""
    suspended_s: float
    """The time since the boot that it was not."""


class Alarm(Protocol):
    """Rings once each time that it was set."""

    def set(self, at_ms: int) -> None:
        """Ring when the wall clock reads `at_ms`, in ms since the epoch; replaces the last setting."""

    def close(self) -> None:
        """Never ring again."""


class Clock(Protocol):
    """What time it is, for everybody."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since the epoch."""

    def monotonic(self) -> float:
        """Return seconds on a clock that nobody can set; only differences mean something."""

    def reading(self) -> Reading:
        """Return what all clocks read at one instant."""

    def alarm(self, ring: Callable[[], None]) -> Alarm:
        """Return an alarm that calls `ring` on the running event loop."""


def sleep(seconds: float) -> None:
    """Do nothing for so long: for the command line, which has no event loop."""
    time.sleep(seconds)


class SystemClock:
    """The host's clocks."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return CLOCK_MONOTONIC in seconds."""
        return time.monotonic()

    def reading(self) -> Reading:
        """Read all clocks between two looks at CLOCK_BOOTTIME, and again if those lie apart.

        They do if the process was stopped, or the host suspended, in between.
        """
        tries = 0
        while True:
            before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            wall_ns, awake_ns = time.time_ns(), time.monotonic_ns()
            boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            tries += 1
            if boot_ns - before_ns < TOGETHER_NS or tries == TRIES:
                return Reading(wall_ns // 1_000_000, awake_ns / 1e9, (boot_ns - awake_ns) / 1e9)

    def alarm(self, ring: Callable[[], None]) -> Alarm:
        """Return a timerfd-backed alarm on the running event loop."""
        # The command line reads clocks too, and has no use for an event loop, which takes 20 ms to import.
        from schedd.host import timerfd  # noqa: PLC0415

        return timerfd.alarm(ring)
