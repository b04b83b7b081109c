"""An alarm on the wall clock: one timerfd on CLOCK_REALTIME, read by the event loop.

Unlike `loop.call_at`, which counts on the monotonic clock, it is right after a suspend, and with
TFD_TIMER_CANCEL_ON_SET it also rings when somebody sets the clock or the host resumes (timerfd_create(2)).

Rejected: `asyncio.sleep` in a loop (a wake-up a second for nothing, and late after a suspend);
os.timerfd_create (Python 3.13 and later only).
"""

import asyncio
import ctypes
import errno
import os
from collections.abc import Callable

CLOCK_REALTIME = 0
"""Its number in clock_gettime(2), which the kernel never changes."""
TFD_TIMER_ABSTIME = 1
TFD_TIMER_CANCEL_ON_SET = 2


def alarm(ring: Callable[[], None]) -> "TimerFd":
    """Return an alarm on the running event loop that calls `ring`."""
    return TimerFd(ring, asyncio.get_running_loop())


class TimerFd:
    """One timerfd on CLOCK_REALTIME, read by the event loop."""

    def __init__(self, ring: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        self._ring = ring
        self._loop = loop
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = _checked(self._libc.timerfd_create(CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC))
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
