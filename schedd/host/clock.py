"""The only door to time.

The wall clock decides what is due, the monotonic clock measures how long things take, and an alarm wakes
the daemon when the wall clock reaches an instant. The alarm is one timerfd on CLOCK_REALTIME: unlike
`loop.call_at`, which counts on the monotonic clock, it is right after a suspend, and with
TFD_TIMER_CANCEL_ON_SET it also rings when somebody sets the clock (timerfd_create(2)). A ring is a hint,
never a promise: whoever is woken compares the clock again.

Rejected: `asyncio.sleep` in a loop (a wake-up a second for nothing, and late after a suspend);
os.timerfd_create (Python 3.13 and later only).
"""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from typing import Protocol

TFD_TIMER_ABSTIME = 1
TFD_TIMER_CANCEL_ON_SET = 2


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
        loop.add_reader(self._fd, self._expired)

    def set(self, at_ms: int) -> None:
        """Ring at `at_ms`, at once if that is past, and earlier if the clock is set in between."""
        at_s, millis = divmod(max(at_ms, 1), 1000)
        spec = _ItimerSpec(it_value=_TimeSpec(at_s, millis * 1_000_000))
        flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET
        _checked(self._libc.timerfd_settime(self._fd, flags, ctypes.byref(spec), None))

    def close(self) -> None:
        """Give the descriptor back."""
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
