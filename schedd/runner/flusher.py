"""What runs leave on the disk: output while they are still on, directories before, results behind.

A run that prints has its output in its file within about a second, so that a crash of the daemon leaves
evidence and not a hole. One timer and one thread for all runs: while the disk is slow nothing piles up but
the kept output itself, and neither the event loop nor a run's end waits for it for long. What the disk does
not take is lost, which is said once a minute, not once for each run.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from schedd.runner import result, store
from schedd.runner.errands import Errands
from schedd.runner.run import Run

FLUSH_S = 1.0
"""How long output may be in memory only: what a crash of the daemon can cost."""
COMPLAIN_EVERY_S = 60.0
FULL = "the disk does not answer, and too much waits for it already"

_log = logging.getLogger(__name__)


class Flusher:
    """Owns the threads that write and read files of runs, and knows which runs have something new."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._writing = Errands(loop, "runner-disk")
        self._reading = Errands(loop, "runner-result")
        self._to_make: list[store.Directory] = []
        self._asked: asyncio.Future[None] | None = None
        """Done when these are made; those that are being made now have another."""
        self._making = False
        self._dirty: dict[Run, None] = {}
        self.kept_bytes = 0
        """What has been kept of all runs that are over: outputs and results."""
        self._waiting: asyncio.TimerHandle | None = None
        self._flushing = False
        self._complained_s = loop.time() - COMPLAIN_EVERY_S
        self._complaints = 0

    def make(self, directories: Iterable[store.Directory]) -> "asyncio.Future[None]":
        """Have directories made, or wait for as long as one should for that.

        Those asked for while others are being made are one errand: a thousand new scripts may be due.
        """
        self._to_make.extend(directories)
        self._asked = asked = self._asked or self._loop.create_future()
        if not self._making:
            self._make()
        return asked

    def touch(self, run: Run) -> None:
        """Have what the run printed written soon."""
        self._dirty[run] = None
        self._wait()

    def conclude(self, run: Run, then: Callable[[result.Found], None]) -> None:
        """Have the output of an ended run written, its result read and tidied; then say what was found.

        A disk that does not answer is not waited for; then the result may not be found.
        """
        self._dirty.pop(run, None)
        if not run.may_have_result():
            self._keep(run, then, result.NOTHING)
            return
        found = self._reading.do(_finding(run), otherwise=None)
        found.add_done_callback(lambda found: self._keep(run, then, found.result()))

    def forget(self, run: Run) -> None:
        """Write no more for this run."""
        self._dirty.pop(run, None)

    def close(self) -> None:
        """Stop; what is being written will be."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._writing.close()
        self._reading.close()

    def _make(self) -> None:
        directories, asked = self._to_make, self._asked
        if asked is None:
            return
        self._to_make, self._asked, self._making = [], None, True
        self._send(partial(store.make, directories), 0).add_done_callback(partial(self._made, asked))

    def _made(self, asked: "asyncio.Future[None]", _: object) -> None:
        self._making = False
        asked.set_result(None)
        self._make()

    def _keep(self, run: Run, then: Callable[[result.Found], None], found: result.Found | None) -> None:
        """Write all that stays of a run; what could not be read in time is read again, to be tidied."""
        pieces = [run.piece(whole=True)] if run.output_bytes else []
        self.kept_bytes += sum(piece.size_bytes for piece in pieces) + _size_bytes(found)
        find = _finding(run) if found is None else lambda: found
        kept = self._send(partial(_keep, pieces, find), sum(piece.size_bytes for piece in pieces))
        kept.add_done_callback(lambda _: then(found or result.NOTHING))

    def _wait(self) -> None:
        if self._waiting is None and not self._flushing:
            self._waiting = self._loop.call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        """Write what is new, unless the last time is not over yet."""
        self._waiting = None
        if self._writing.full:
            self._wait()
            return
        self._flushing = True
        pieces = [run.piece() for run in self._dirty]
        self._dirty.clear()
        size_bytes = sum(piece.size_bytes for piece in pieces)
        self._send(partial(_write, pieces), size_bytes, then=self._flushed)

    def _flushed(self) -> None:
        self._flushing = False
        if self._dirty:
            self._wait()

    def _send(
        self, work: Callable[[], Iterable[str]], size_bytes: int, then: Callable[[], None] | None = None
    ) -> "asyncio.Future[None]":
        """Have something written; say what goes wrong, and call `then`, whenever that may be."""
        if self._writing.full:
            self._complain([FULL])
        return self._writing.do(partial(self._do, work, then), otherwise=None, size_bytes=size_bytes)

    def _do(self, work: Callable[[], Iterable[str]], then: Callable[[], None] | None) -> None:
        troubles = list(work())
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            if troubles:
                self._loop.call_soon_threadsafe(self._complain, troubles)
            if then is not None:
                self._loop.call_soon_threadsafe(then)

    def _complain(self, troubles: Sequence[str]) -> None:
        self._complaints += len(troubles)
        now_s = self._loop.time()
        if now_s - self._complained_s < COMPLAIN_EVERY_S:
            return
        more = f" (and {self._complaints - 1:,} more like this)" if self._complaints > 1 else ""
        _log.warning("what runs print or return is lost: %s%s", troubles[-1], more)
        self._complained_s, self._complaints = now_s, 0


def _finding(run: Run) -> Callable[[], result.Found]:
    return partial(result.find, run.place, run.redactor, returns=run.returns, uid=run.returns_uid)


def _size_bytes(found: result.Found | None) -> int:
    return 0 if found is None or found.returned is None else len(found.returned.encode())


def _write(pieces: Iterable[store.Piece]) -> Iterator[str]:
    """Write the pieces; yield what goes wrong."""
    for piece in pieces:
        trouble = store.write_piece(piece)
        if trouble is not None:
            yield trouble


def _keep(pieces: Iterable[store.Piece], find: Callable[[], result.Found]) -> Iterator[str]:
    """Write an output; put what is kept of a result in its place, and remove what is of no use."""
    yield from _write(pieces)
    found = find()
    yield from _write(found.pieces)
    for path in found.useless:
        with suppress(OSError):
            os.unlink(path)
