"""Output on its way to disk while runs are still on.

A run that prints has its output in its file within about a second, so that a crash of the daemon leaves
evidence and not a hole. One timer and one thread for all runs: while the disk is slow nothing piles up but
the kept output itself, and the event loop never waits for it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from schedd.runner import store
from schedd.runner.run import Run

FLUSH_S = 1.0
"""How long output may be in memory only: what a crash of the daemon can cost."""


class Flusher:
    """Owns the thread that writes, and knows which runs have something new."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="runner-disk")
        self._dirty: dict[Run, None] = {}
        self._waiting: asyncio.TimerHandle | None = None
        self._writing = False

    def touch(self, run: Run) -> None:
        """Have what the run printed written soon."""
        self._dirty[run] = None
        self._wait()

    def last(
        self, run: Run, work: Callable[[], tuple[str | None, str | None]]
    ) -> "asyncio.Future[tuple[str | None, str | None]]":
        """Do the last work for a run, behind all that is still being written for it."""
        self._dirty.pop(run, None)
        return self._loop.run_in_executor(self._disk, work)

    def forget(self, run: Run) -> None:
        """Write no more for this run."""
        self._dirty.pop(run, None)

    def close(self) -> None:
        """Stop; what is being written will be."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._disk.shutdown(wait=False)

    def _wait(self) -> None:
        if self._waiting is None and not self._writing:
            self._waiting = self._loop.call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._waiting = None
        self._writing = True
        pieces = [run.piece() for run in self._dirty]
        self._dirty.clear()
        self._loop.run_in_executor(self._disk, _write_all, pieces).add_done_callback(self._flushed)

    def _flushed(self, written: "asyncio.Future[None]") -> None:
        written.result()
        self._writing = False
        if self._dirty:
            self._wait()


def _write_all(pieces: list[store.Piece]) -> None:
    for piece in pieces:
        store.write_piece(piece)
