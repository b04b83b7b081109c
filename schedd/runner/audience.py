"""Those who listen to a run: each at its own pace, none waited for.

A follower gets bytes, as they are; a listener gets lines with their offsets. Both get first what is kept
so far. Who is too slow gets a counted gap in place of what came meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

from schedd.runner.lines import ROOM_BYTES, Backlog, Item
from schedd.runner.output import HeadAndTail, left_out

MOST_ITEMS = 500
"""Lines in one batch: cutting so many takes about a millisecond."""


class Ear(Protocol):
    """What one who listens has not read yet."""

    def feed(self, chunk: bytes, at_ms: int) -> None:
        """Take a chunk, or count it."""


class Follower:
    """What one follower has not read yet: bounded, with a counted gap where the follower was slow."""

    def __init__(self, *, room_bytes: int = ROOM_BYTES) -> None:
        self._room = room_bytes
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._missed_bytes = 0

    def feed(self, chunk: bytes, _at_ms: int) -> None:
        """Keep the chunk for the follower, or count it when the follower lags too far behind."""
        if self._missed_bytes or self._waiting_bytes + len(chunk) > self._room:
            self._missed_bytes += len(chunk)
            return
        self._chunks.append(chunk)
        self._waiting_bytes += len(chunk)

    def take(self) -> bytes:
        """Return all that waits, with the gap named at its end; nothing when nothing waits."""
        parts = [*self._chunks]
        if self._missed_bytes:
            parts.append(left_out(self._missed_bytes))
        self._chunks.clear()
        self._waiting_bytes = self._missed_bytes = 0
        return b"".join(parts)


class Audience:
    """All who listen to one run, whose output this is."""

    def __init__(self, output: HeadAndTail) -> None:
        self._output = output
        self._over = False
        self._ears: dict[Ear, asyncio.Event] = {}

    def feed(self, data: bytes, at_ms: int) -> None:
        """Pass on what was printed."""
        for ear, news in self._ears.items():
            ear.feed(data, at_ms)
            news.set()

    def close(self) -> None:
        """Tell those who listen that no more will come."""
        self._over = True
        for news in self._ears.values():
            news.set()

    async def follow(self) -> AsyncIterator[bytes]:
        """Yield the output: what is kept of it so far, then what comes, until the run is over."""
        so_far = self._output.kept()
        ear, news = Follower(), asyncio.Event()
        self._ears[ear] = news
        try:
            if so_far:
                yield so_far
            while True:
                ending = self._over
                news.clear()
                chunk = ear.take()
                if chunk:
                    yield chunk
                elif ending:
                    return
                else:
                    await news.wait()
        finally:
            del self._ears[ear]

    async def lines(self, after: int) -> AsyncIterator[list[Item]]:
        """Yield lines and gaps behind this offset, until the run is over; first of all an empty batch."""
        ear, news = Backlog(self._output.stretches(), after=after), asyncio.Event()
        self._ears[ear] = news
        try:
            yield []
            while True:
                news.clear()
                if ending := self._over:
                    ear.close()
                if batch := ear.take(MOST_ITEMS):
                    yield batch
                elif ending:
                    return
                else:
                    await news.wait()
        finally:
            del self._ears[ear]
