"""An event loop whose time is counted, not waited for: a day passes in milliseconds, twice the same.

`select` never waits. When nothing is ready it jumps to the next timer; when there is no next timer either,
everybody waits for somebody who will not come, and that is an error which says who waits. Blocking work
(`run_in_executor`, so aiofiles and `asyncio.to_thread`) runs at once in the calling thread, and its result
arrives on the next turn, as a thread's would: other tasks get their turn in between.

Sockets, pipes, processes, signals and other threads belong to the real world, whose time runs on its own;
each is refused with a sentence. Time starts at 0: near the epoch's 1.8e9 a float's step is coarser than
the loop's resolution, and it would spin.

`tests/shell/conftest.py` gives this loop to every async test of that floor; elsewhere there is `run`.
"""

import asyncio
import contextvars
import heapq
import itertools
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")

TURNS_AT_ONE_INSTANT = 100_000
"""So many turns without the time moving are a loop that spins, not work."""

RESOLUTION_S = 1e-9
DAYS_MAX = 90
"""Up to here a float of seconds still resolves `RESOLUTION_S`."""

REFUSED = {
    "a socket": (
        "create_connection create_server create_datagram_endpoint create_unix_connection create_unix_server "
        "connect_accepted_socket start_tls sendfile sock_accept sock_connect sock_recv sock_recv_into "
        "sock_recvfrom sock_recvfrom_into sock_sendall sock_sendto sock_sendfile getaddrinfo getnameinfo"
    ),
    "a file descriptor": (
        "add_reader add_writer remove_reader remove_writer connect_read_pipe connect_write_pipe"
    ),
    "a process": "subprocess_exec subprocess_shell",
    "a signal": "add_signal_handler remove_signal_handler",
}


class RealWorldError(AssertionError):
    """Something that takes real time was asked of the virtual loop."""


class DeadlockError(AssertionError):
    """Nothing is ready and nothing is scheduled: the wait would never end."""


class SpinError(AssertionError):
    """The loop turns and turns and its time does not move."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An asyncio event loop in virtual time; `time()` starts at 0 and moves only when all is quiet."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._turns = 0
        self._order = itertools.count()
        self._clock_resolution = RESOLUTION_S
        self._selector = self  # what BaseEventLoop asks for events: select() below

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now_s

    def select(self, timeout_s: float | None) -> list[Any]:
        """Jump to the next timer if nothing is ready; there are never any events from outside."""
        if timeout_s is None:
            raise DeadlockError(_who_waits(self))
        if timeout_s > 0:
            self._jump(self._scheduled[0]._when)
        self._turns += 1
        if self._turns > TURNS_AT_ONE_INSTANT:
            raise SpinError(f"{self._turns:,} turns at {self._now_s} s and the time does not move")
        return []

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Set a timer; those of one instant fire in the order in which they were set."""
        timer = _Timer(when, callback, args, self, context)
        timer.order = next(self._order)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run `func` now, here; its result or error arrives on the loop's next turn."""
        future = self.create_future()
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to who awaits the future
            self.call_soon(_unless_cancelled, future, future.set_exception, error)
        else:
            self.call_soon(_unless_cancelled, future, future.set_result, result)
        return future

    def _jump(self, when_s: float) -> None:
        if when_s > DAYS_MAX * 86_400:
            raise RealWorldError(f"virtual time ends after {DAYS_MAX} days; {when_s} s were asked for")
        self._now_s = when_s
        self._turns = 0

    def _process_events(self, event_list: list[Any]) -> None:
        assert not event_list

    def _write_to_self(self) -> None:
        if threading.get_ident() != self._thread_id and self.is_running():
            raise RealWorldError("the virtual loop takes no calls from other threads")


class _Timer(asyncio.TimerHandle):
    """A heap keeps no order among equals, and in virtual time equal instants are the rule."""

    order = 0

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Timer):
            return NotImplemented
        return (self._when, self.order) < (other._when, other.order)


def _unless_cancelled(future: asyncio.Future[Any], settle: Callable[[Any], None], value: Any) -> None:
    if not future.cancelled():
        settle(value)


def _who_waits(loop: asyncio.AbstractEventLoop) -> str:
    waiting = sorted(f"{task.get_name()}: {task.get_coro().__qualname__}" for task in asyncio.all_tasks(loop))
    return f"nothing is ready and no timer is set, but these tasks wait: {', '.join(waiting) or 'none'}"


def _refuse(what: str, name: str) -> Callable[..., Any]:
    def refused(self: VirtualLoop, *args: Any, **kwargs: Any) -> Any:
        raise RealWorldError(f"{name}: the virtual loop has no time for {what}; use tests/machine for that")

    return refused


for _what, _names in REFUSED.items():
    for _name in _names.split():
        setattr(VirtualLoop, _name, _refuse(_what, _name))


def run(coroutine: Coroutine[Any, Any, T], *, debug: bool | None = None) -> T:
    """Run a coroutine to its end on a virtual loop of its own, as `asyncio.run` does on a real one."""
    with asyncio.Runner(debug=debug, loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)
