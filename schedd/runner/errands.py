"""Errands to a disk that may be slow, or dead: done one after the other by one thread.

Whoever sends one waits for a second at most, and not at all while an older one has been under way for that
long: so no start and no end of a run ever hangs on a disk. What was not waited for is done all the same, when
the disk answers. What waits is bounded; beyond that an errand is refused.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from schedd.host.threads import Threads

PATIENCE_S = 1.0
MAX_ERRANDS = 10_000
MAX_BYTES = 64 * 1024 * 1024
"""Five hundred outputs of full size."""

T = TypeVar("T")


class Errands:
    """Owns the thread. Make it on the event loop that it is to use."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str, *, patience_s: float = PATIENCE_S) -> None:
        self._loop = loop
        self._thread = Threads(1, name)
        self._patience_s = patience_s
        self._under_way: dict[asyncio.Future[Any], float] = {}
        """Oldest first, with the time of the loop at which they were sent."""
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether the next errand would be refused."""
        return len(self._under_way) >= MAX_ERRANDS or self._bytes >= MAX_BYTES

    def do(self, work: Callable[[], T], *, otherwise: T, size_bytes: int = 0) -> "asyncio.Future[T]":
        """Have this done; the future gets what it returns, or `otherwise` when that takes too long.

        `size_bytes` is what it keeps in memory meanwhile. A refused errand is not done at all.
        """
        answer: asyncio.Future[T] = self._loop.create_future()
        left_s = self._patience_s - self._stuck_s()
        if self.full:
            answer.set_result(otherwise)
            return answer
        sent = self._loop.run_in_executor(self._thread, work)
        self._under_way[sent] = self._loop.time()
        self._bytes += size_bytes
        sent.add_done_callback(partial(self._done, answer, size_bytes))
        if left_s <= 0:
            answer.set_result(otherwise)
        else:
            timer = self._loop.call_later(left_s, _answer, answer, otherwise)
            answer.add_done_callback(lambda _: timer.cancel())
        return answer

    def close(self) -> None:
        """Take no more; what is under way will be done."""
        self._thread.shutdown()

    def _stuck_s(self) -> float:
        oldest = next(iter(self._under_way.values()), None)
        return 0 if oldest is None else self._loop.time() - oldest

    def _done(self, answer: "asyncio.Future[T]", size_bytes: int, sent: "asyncio.Future[T]") -> None:
        del self._under_way[sent]
        self._bytes -= size_bytes
        if not self._loop.is_closed():
            _answer(answer, sent.result())


def _answer(answer: "asyncio.Future[T]", value: T) -> None:
    if not answer.done():
        answer.set_result(value)
