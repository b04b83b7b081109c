"""The only door to time.

The wall clock decides what is due, the monotonic clock measures how long things take, and an alarm wakes
the daemon when the wall clock reaches an instant. The alarm is one timerfd on CLOCK_REALTIME: unlike
`loop.call_at`, which counts on the monotonic clock, it is right after a suspend, and with
TFD_TIMER_CANCEL_ON_SET it also rings when somebody sets the clock or the host resumes (timerfd_create(2)). A
ring is a hint, never a promise: whoever is woken compares the clock again.

That the clock was set, or the host suspended, shows in a reading of all clocks at once, compared with the
reading before (`schedd.daemon.clockwatch`): CLOCK_BOOTTIME goes on through a suspend, CLOCK_MONOTONIC does
not, and nobody can set either.

Rejected: `asyncio.sleep` in a loop (a wake-up a second for nothing, and late after a suspend);
os.timerfd_create (Python 3.13 and later only); the clocks read one by one where they are needed (a process
that is stopped between two reads would see a step that never was).
"""

import asyncio
import ctypes
import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

TFD_TIMER_ABSTIME = 1
TFD_TIMER_CANCEL_ON_SET = 2

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

    def alarm(self, ring: Callable[[], None]) -> "TimerFd":
        """Return a timerfd-backed alarm on the running event loop."""
        return TimerFd(ring, asyncio.get_running_loop())


class TimerFd:
    """One timerfd on CLOCK_REALTIME, read by the event loop."""

    def __init__(self, ring: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        self._ring = ring
        self._loop = loop
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = _checked(self._libc.timerfd_create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC))
        self._early: asyncio.Handle | None = None
        loop.add_reader(self._fd, self._expired)

    def set(self, at_ms: int) -> None:
        """Ring at `at_ms`, at once if that is past, and earlier if the clock is set in between."""
        at_s, millis = divmod(max(at_ms, 1), 1000)
        spec = _ItimerSpec(it_value=_TimeSpec(at_s, millis * 1_000_000))
        flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET
        try:
            _checked(self._libc.timerfd_settime(self._fd, flags, ctypes.byref(spec), None))
        except OSError as error:
            if error.errno != errno.ECANCELED:
                raise
            # The clock was set since the last setting, and nobody had heard the ring yet. The timer is armed
            # nevertheless (timerfd_create(2), NOTES), but for an instant that was chosen by the old time.
            self._early = self._loop.call_soon(self._ring)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._early is not None:
            self._early.cancel()
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _expired(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        except OSError:
            # ECANCELED: the clock was set. Ring all the same: the reader of the clock will see by how much.
            pass
        self._ring()


class _TimeSpec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _ItimerSpec(ctypes.Structure):
    _fields_ = (("it_interval", _TimeSpec), ("it_value", _TimeSpec))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
