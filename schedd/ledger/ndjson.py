"""One append-only file of lines with one writer: the only door to aiofiles.

Whoever appends does not wait and cannot fail: the lines enter a queue in the order of the calls, and a future
tells when they are written. One task takes whatever is queued, in one write and (if anybody asked to be told
when it is on the disk) one fdatasync, both in a single hop to a thread. Concurrent writes on one aiofiles
handle are reordered, and a hop costs fifty microseconds, so one writer that joins what is pending is both the
only right way and the fastest.

When to begin a new segment is decided as lines enter the queue, not as they leave it: so the opening of a
segment (the ledger's checkpoint) is taken at an exact place between two lines.

A disk that cannot be written is waited for. The queue is bounded: when it is full, lines of fires that never
ran are given up before others, oldest first, and a counted line says so once writing works again. Lines that
were written but not yet synced are kept until they are, since a failed fdatasync may have lost any of them:
all of them are written again.

A writer that is cancelled leaves the file as a crash would, and recovery repairs it; `close` is the way to
end it.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from aiofiles.threadpool import wrap

from schedd.ledger import segment
from schedd.ledger.backlog import Backlog, Line, Mark, Turn, settle
from schedd.ledger.disk import Disk

T = TypeVar("T")
_log = logging.getLogger(__name__)

MAX_LINES = 100_000
"""A day of a busy host: some 60 MB of memory."""
MAX_UNSYNCED = 10_000
"""So many lines are synced before their second is over."""
PATIENCE_S = 1.0
RETRY_S = 1.0
SYNC_AFTER_S = 1.0
CLOSE_S = 5.0


class NdjsonFile:
    """One append-only file with one writer, size-based rotation and a bounded patience with the disk.

    `opening` is called between two lines and returns what gives the first bytes of a new segment, in pieces
    (called in a thread); with True when the segments before are gone, and it has to stand for them.
    `lost_line` gives the line that tells of lines given up. `before_turn` is awaited before a new segment
    begins, and False puts the turn off. `ground` is called (in a thread) before a file is opened or made, and
    raises OSError when that must not be. `taken_away` is called when the file was.
    """

    def __init__(
        self,
        path: str,
        *,
        max_bytes: int,
        keep: int,
        lost_line: Callable[[int], bytes],
        opening: Callable[[bool], Callable[[], Iterable[bytes]]] | None = None,
        before_turn: Callable[[], Awaitable[bool]] | None = None,
        ground: Callable[[], None] | None = None,
        taken_away: Callable[[], None] | None = None,
        disk: Disk | None = None,
        max_lines: int = MAX_LINES,
        patience_s: float = PATIENCE_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._lost_line = lost_line
        self._opening = opening
        self._before_turn = before_turn
        self._ground = ground or (lambda: None)
        self._taken_away = taken_away or (lambda: None)
        self._disk = disk or Disk()
        self._patience_s = patience_s
        self._retry_s = retry_s
        self._backlog = Backlog(max_lines)
        self._unsynced: list[Line] = []
        self._tail: segment.Tail | None = None
        self._handle: segment.Handle | None = None
        self._bytes = 0  # of the current segment when all that is queued is written
        self._opening_bytes = 0
        self._turn_not_before_s = 0.0
        self._sync_wanted = False
        self._sync_timer: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._closing = False
        self._busy_since_s: float | None = None
        self._write_trouble: str | None = None
        self._turn_trouble: str | None = None
        self._pending_lost = 0
        self.lost_lines = 0
        """Lines given up since the start."""
        self.writes = 0
        """Batches written since the start."""
        self.write_s = 0.0
        """Seconds spent in writing them."""
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    # What others ask.

    @property
    def failing(self) -> str | None:
        """Why lines are not getting to the disk, in one sentence; None when they are."""
        return self._write_trouble or self._turn_trouble

    @property
    def queued_lines(self) -> int:
        """How many lines wait to be written."""
        return self._backlog.lines

    def start(self) -> asyncio.Task[None]:
        """Start the writer and return its task; a file that is missing gets its opening first."""
        try:
            self._bytes = os.stat(self._path).st_size
        except OSError:
            self.turn(anew=True)
        self._task = self._loop.create_task(self._run(), name=f"writer of {os.path.basename(self._path)}")
        self._task.add_done_callback(self._ended)
        return self._task

    def append(self, lines: Sequence[Line], *, durable: bool = False) -> "asyncio.Future[bool]":
        """Put the lines, in this order, behind all that were appended before; never waits, never raises.

        The future gets True when they are written (with `durable`: when they are on the disk too), and False
        when that has not happened in time; the lines stay queued all the same.
        """
        self.put(lines)
        waiter: asyncio.Future[bool] = self._loop.create_future()
        if self._closing or self._write_trouble is not None:
            waiter.set_result(False)
            return waiter
        self._backlog.add([Mark(waiter, durable)])
        timer = self._loop.call_later(self._patience_s, self._give_up, waiter)
        waiter.add_done_callback(lambda _: timer.cancel())
        self._wake.set()
        return waiter

    def put(self, lines: Sequence[Line]) -> None:
        """Append when nobody wants to know when it is done."""
        if self._closing:
            self.lose(len(lines))
            return
        if self._bytes >= self._limit() and self._loop.time() >= self._turn_not_before_s:
            self.turn()
        self._backlog.add(lines)
        self._bytes += sum([len(line.data) for line in lines])
        self._shed()
        self._wake.set()

    def turn(self, *, anew: bool = False) -> None:
        """Begin a new segment with the next line; `anew` when there is none before it."""
        if not self._backlog.ends_with_turn:
            self._backlog.add([Turn(self._opening(anew) if self._opening is not None else tuple)])
        self._bytes = 0
        self._wake.set()

    def lose(self, lines: int) -> None:
        """Count lines that should have come here and will not."""
        self._pending_lost += lines
        self.lost_lines += lines

    async def flush(self) -> bool:
        """Wait until all that was appended is written; False when it is not in time."""
        idle = not (self._backlog or self._busy_since_s is not None or self.failing or self._closing)
        return idle or await self.append(())

    async def sync(self) -> bool:
        """Wait until all that was appended is on the disk; False when it is not in time."""
        return await self.append((), durable=True)

    def look(self) -> None:
        """See soon whether the file is still in its place."""
        self._sync_wanted = True
        self._wake.set()

    async def close(self) -> None:
        """Write and sync what is queued, within five seconds, and end the writer."""
        self._closing = True
        self._wake.set()
        self._hurry.set()
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=CLOSE_S)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=PATIENCE_S)

    # The writer.

    async def _run(self) -> None:
        while self._has_work() or not self._closing:
            if not self._has_work():
                self._wake.clear()
                await self._wake.wait()
                continue
            try:
                await self._step()
            except OSError as error:
                self._fail(error)
                await self._pause()
        if self._sync_timer is not None:
            self._sync_timer.cancel()
        await self._release()

    def _has_work(self) -> bool:
        return bool(self._backlog or self._sync_wanted or (self._closing and self._unsynced))

    async def _step(self) -> None:
        if (turn := self._backlog.next_turn()) is not None:
            await self._turn_over(turn)
            return
        if self._tail is not None and self._tail.displaced:
            await self._start_again(self._tail)
        if self._handle is None:
            self._tail = await self._hop(self._opened)
            self._handle = wrap(self._tail)
        batch = self._backlog.take()
        durable = self._sync_wanted or self._closing or any(isinstance(i, Mark) and i.durable for i in batch)
        await self._write(batch, durable=durable)

    async def _write(self, batch: list[Line | Mark], *, durable: bool) -> None:
        assert self._handle is not None
        assert self._tail is not None
        before, begun_s = self._tail.size, self._loop.time()
        self._busy_since_s = begun_s
        try:
            await self._handle.write(
                b"".join([item.data for item in batch if isinstance(item, Line)]), durable=durable
            )
        except segment.DisplacedError:
            self._backlog.put_back(batch)
            return
        except OSError:
            if self._tail.size < before:
                batch[:0], self._unsynced = self._unsynced, []
            self._backlog.put_back(batch)
            raise
        finally:
            self._busy_since_s = None
        self.writes += 1
        self.write_s += self._loop.time() - begun_s
        self._written(batch, durable=durable)

    def _written(self, batch: list[Line | Mark], *, durable: bool) -> None:
        assert self._tail is not None
        self._write_trouble = None
        if durable and not self._tail.displaced:
            self._unsynced.clear()
            self._sync_wanted = False
        else:
            self._unsynced += [item for item in batch if isinstance(item, Line)]
            self._sync_soon()
        for item in batch:
            if isinstance(item, Mark):
                settle(item.waiter, outcome=True)
            elif item.written is not None:
                written, item.written = item.written, None
                written()
        if self._pending_lost:
            self._own_up()

    def _sync_soon(self) -> None:
        if len(self._unsynced) > MAX_UNSYNCED:
            self._sync_wanted = True
        elif self._unsynced and self._sync_timer is None:
            self._sync_timer = self._loop.call_later(SYNC_AFTER_S, self._want_sync)

    def _want_sync(self) -> None:
        self._sync_timer = None
        self._sync_wanted = bool(self._unsynced)
        self._wake.set()

    # Turning over.

    def _limit(self) -> int:
        """An opening that fills a segment must not make each line turn it over."""
        return max(self._max_bytes, 2 * self._opening_bytes)

    async def _turn_over(self, turn: Turn) -> None:
        """Begin the next segment. When that fails the current one goes on, longer than it should be."""
        if self._tail is not None and (self._unsynced or self._tail.displaced):
            await self._write([], durable=True)
            if self._tail.displaced:
                await self._start_again(self._tail)
        fresh = not await self._hop(partial(os.path.exists, self._path))
        must = fresh or turn.anew
        if self._before_turn is not None and not await self._before_turn() and not must:
            self._put_off(turn)
            return
        try:
            size = await self._hop(partial(self._make_segment, turn, fresh=fresh))
        except OSError as error:
            if must:
                raise
            self._turn_trouble = f"cannot rotate {self._path}: {error.strerror}; it grows beyond its size"
            self._put_off(turn)
            return
        self._write_trouble = self._turn_trouble = None
        self._backlog.drop_turn(turn)
        self._opening_bytes = size
        self._bytes += size
        await self._release()

    def _opened(self) -> segment.Tail:
        self._ground()
        return segment.Tail(self._path, self._disk)

    def _make_segment(self, turn: Turn, *, fresh: bool) -> int:
        self._ground()
        if fresh:
            return segment.begin(self._path, turn.opening(), self._disk)
        return segment.turn_over(self._path, turn.opening(), self._keep, self._disk)

    def _put_off(self, turn: Turn) -> None:
        self._backlog.drop_turn(turn)
        self._bytes += self._limit()
        self._turn_not_before_s = self._loop.time() + self._retry_s

    async def _start_again(self, tail: segment.Tail) -> None:
        """Somebody took the file away: go on in another, with what may have gone with it."""
        _log.warning("%s was taken away or replaced; what comes next is written where it was", self._path)
        self._taken_away()
        lines, self._unsynced = self._unsynced, []
        if self._opening is not None:
            self._backlog.restart(Turn(self._opening(True), anew=True))  # noqa: FBT003
        else:
            lost = await self._hop(partial(tail.lost, [line.mark or line.data for line in lines]))
            self._backlog.put_back([lines[place] for place in lost])
        await self._release()
        self._bytes = self._backlog.size_bytes

    async def _hop(self, work: Callable[[], T]) -> T:
        """Have it done in a thread; who waits learns of it when the disk takes too long for it."""
        self._busy_since_s = self._loop.time()
        try:
            return await asyncio.to_thread(work)
        finally:
            self._busy_since_s = None

    async def _release(self) -> None:
        """Close the handle of a segment whose bytes are all synced."""
        handle, self._handle, self._tail = self._handle, None, None
        if handle is not None:
            with suppress(OSError):
                await handle.close()

    # When the disk says no.

    def _fail(self, error: OSError) -> None:
        if self._write_trouble is None:
            self._backlog.answer(outcome=False)
        self._write_trouble = f"cannot write {self._path}: {error.strerror or error}"

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._retry_s):
                await self._hurry.wait()
        self._hurry.clear()

    def _give_up(self, waiter: "asyncio.Future[bool]") -> None:
        """Let nobody wait for longer; but it may be the loop that was slow, and not the disk."""
        since_s = self._busy_since_s
        if since_s is not None and self._loop.time() - since_s >= self._patience_s / 2:
            self._write_trouble = f"cannot write {self._path}: the disk does not answer"
        settle(waiter, outcome=False)

    def _shed(self) -> None:
        """Give up what is too much; but not while the disk is well, and merely has a lot to take at once."""
        if self._write_trouble is None:
            return
        gone = self._backlog.shed()
        self.lose(len(gone))
        for line in gone:
            if line.given_up is not None:
                line.given_up()

    def _own_up(self) -> None:
        """Say how many lines were given up; what follows is understood from the next opening."""
        self._backlog.add([Line(self._lost_line(self._pending_lost))])
        self._pending_lost = 0
        if self._opening is not None:
            self.turn()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            self._write_trouble = f"the writer of {self._path} was cancelled"
        elif (error := task.exception()) is not None:
            self._write_trouble = f"the writer of {self._path} died: {error!r}"
        self._backlog.answer(outcome=False)
