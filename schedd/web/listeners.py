"""Who listens to what happens: all are sent the same bytes, and nobody is waited for.

One task sends, for all: what comes in some hundredths of a second is joined once for each set of scripts
that may be seen, and given to the transports as it is. What a listener has not read is bounded, by itself and
for all together; who is slower than that is cut, and comes back to where it was.

Rejected: aiohttp's own way, a task for each listener that writes and waits (each piece would wake a thousand
of them), and leaving out what somebody is too slow for (a page that believes it knows everything shows what
is not so).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from schedd.web.auth import Caller
from schedd.web.feed import Feed

MAX_LISTENERS = 1_000
GATHER_S = 0.03
"""How long what comes is gathered before it is sent."""
PIECE_BYTES = 256 * 1024
MAX_LEFT_BYTES = 1024 * 1024
"""What one listener may leave unread, besides the buffers of the kernel."""
MAX_ALL_LEFT_BYTES = 64 * 1024 * 1024
PING_S = 15.0
"""Proxies cut what is silent; and by then it is looked whether a token is still good."""
AT_ONCE = 200
"""Listeners between two breaths of the loop: some milliseconds, and not so many turns of a busy loop."""


@dataclass(slots=True, eq=False)
class Listener:
    """A connection that gets what happens."""

    caller: Caller
    transport: asyncio.Transport
    chunked: bool
    """It speaks HTTP/1.1."""
    welcome: Callable[[], bool]
    """Whether its token is still good."""
    got: int = 0
    """The number of the last frame that it was sent."""
    left_bytes: int = 0
    """What it had not read at the last ping."""
    over: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def audience(self) -> str | None:
        """The glob of the scripts that it may see."""
        return self.caller.audience

    def end(self) -> None:
        """Let it go."""
        if not self.over.done():
            self.over.set_result(None)

    def cut(self) -> None:
        """Let it go without another byte."""
        self.transport.abort()
        self.end()


class Listeners:
    """Owns those who listen, and the task that sends."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._present: set[Listener] = set()
        self._live: dict[Listener, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._pinged_s = 0.0
        self._farewell: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        """Return how many listen, or are about to."""
        return len(self._present)

    def arrive(self, listener: Listener) -> None:
        """Note that somebody will listen: from now on nothing is missed."""
        if not self._present:
            self._feed.begin_to_watch()
        self._present.add(listener)

    def join(self, listener: Listener) -> None:
        """Send to this one whatever follows on the number that it has got to."""
        self._live[listener] = None
        if self._task is None:
            self._pinged_s = asyncio.get_running_loop().time()
            self._task = asyncio.create_task(self._send_on(), name="send events")
            self._task.add_done_callback(self._stopped)
        self._feed.news.set()

    def leave(self, listener: Listener) -> None:
        """Forget one."""
        self._live.pop(listener, None)
        self._present.discard(listener)
        self._feed.watched = bool(self._present)
        if not self._live and self._task is not None:
            self._task.cancel()
            self._task = None

    async def say_farewell(self) -> None:
        """Send what there is still to say, once for all."""
        if self._farewell is None:
            self._feed.look_at_health()
            self._farewell = asyncio.ensure_future(self._send())
        await asyncio.shield(self._farewell)

    async def _send_on(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._feed.looks_in_s()):
                    await self._feed.news.wait()
            await asyncio.sleep(GATHER_S)
            self._feed.news.clear()
            await self._feed.look(listeners=len(self._live))
            now_s = asyncio.get_running_loop().time()
            if now_s - self._pinged_s >= PING_S:
                self._pinged_s = now_s
                self._feed.ping()
                self._look_after()
            await self._send()

    async def _send(self) -> None:
        pieces: dict[tuple[str | None, int], _Piece] = {}
        sizes: list[tuple[int, Listener]] = []
        for count, listener in enumerate(list(self._live), start=1):
            if listener.transport.is_closing():
                listener.end()
            elif not listener.over.done():
                self._send_to(listener, pieces)
                sizes.append((listener.transport.get_write_buffer_size(), listener))
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
        _keep_within_bounds(sizes)

    def _send_to(self, listener: Listener, pieces: "dict[tuple[str | None, int], _Piece]") -> None:
        key = (listener.audience, listener.got)
        if key not in pieces:
            found = self._feed.piece(listener.caller.sees, listener.got, PIECE_BYTES)
            if found is None:
                listener.cut()
                return
            pieces[key] = _Piece.of(*found)
        piece = pieces[key]
        listener.got = piece.to
        if piece.plain:
            listener.transport.write(piece.chunk if listener.chunked else piece.plain)
        if piece.to < self._feed.newest:
            self._feed.news.set()

    def _look_after(self) -> None:
        """Cut who has read nothing since the last ping, and end those whose token is not good any more."""
        welcome: dict[Caller, bool] = {}
        for listener in list(self._live):
            if listener.over.done() or listener.transport.is_closing():
                continue
            left_bytes = listener.transport.get_write_buffer_size()
            if left_bytes and left_bytes >= listener.left_bytes > 0:
                listener.cut()
                continue
            listener.left_bytes = left_bytes
            if listener.caller not in welcome:
                welcome[listener.caller] = listener.welcome()
            if not welcome[listener.caller]:
                listener.end()

    def _stopped(self, task: "asyncio.Task[None]") -> None:
        """Whoever listened to a task that died is told by its own: the server logs it and cuts them."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._task = None
        for listener in self._live:
            if not listener.over.done():
                listener.over.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Piece:
    plain: bytes
    chunk: bytes
    """The same as HTTP/1.1 wants it (RFC 9112, 7.1)."""
    to: int

    @classmethod
    def of(cls, plain: bytes, to: int) -> "_Piece":
        return cls(plain, b"%x\r\n%s\r\n" % (len(plain), plain), to)


def _keep_within_bounds(sizes: list[tuple[int, Listener]]) -> None:
    """Cut who has left too much unread; and when all together have, those who have left the most."""
    total = sum(size for size, _ in sizes)
    for size, listener in sorted(sizes, key=lambda pair: pair[0], reverse=True):
        if size <= MAX_LEFT_BYTES and total <= MAX_ALL_LEFT_BYTES:
            return
        listener.cut()
        total -= size
