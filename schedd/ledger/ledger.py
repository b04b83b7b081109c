"""The durable record: one call to write facts, the state that they add up to, and the history of fires.

Facts go to `ledger.log`; each `ended` among them puts its entry into `fires.log` as soon as it is written
there, so the public file never says what the ledger does not know. What must survive a power loss before the
world may see it (a claim) is written *durable*; the rest is synced within a second.

The entries of one file are in the order of `ts`, since the reader bisects on it. A clock that was stepped
back a little bends the `ts` of a few entries up to that of the one before; one that was stepped back by more
begins a new file.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Self

import msgspec

from schedd.fire import Entry
from schedd.ledger import facts as facts_
from schedd.ledger import history, recovery
from schedd.ledger.backlog import Line
from schedd.ledger.disk import Disk
from schedd.ledger.facts import AnyFact, Ended, Lost
from schedd.ledger.history import Page, Query
from schedd.ledger.ndjson import PATIENCE_S, NdjsonFile
from schedd.ledger.state import State
from schedd.timetable.instant import to_ms

MIB = 1024 * 1024
FIRES_NAME = "fires.log"
LEDGER_NAME = "ledger.log"
MAX_BEND_MS = 60_000
"""A step back by more is a clock that was wrong; up to here, one that was adjusted."""
READERS = 2
"""Readers share the threads with the writers, which must never wait for one."""
MAX_BAD_NAMES = 10_000


class Ledger:
    """Owns both files and the state. Everything but `open` and the readers is called on the event loop."""

    def __init__(
        self, ledger_log: NdjsonFile, fires_log: NdjsonFile, fires_path: str, found: recovery.Recovered
    ) -> None:
        self._ledger_log = ledger_log
        self._fires_log = fires_log
        self._fires_path = fires_path
        self._newest_ts = found.newest_ts
        self._readers = asyncio.Semaphore(READERS)
        self._bad: dict[str, None] = {}
        self._bad_facts = found.bad_lines
        self.state: State = found.state
        """What the facts add up to; read only."""
        self.torn: tuple[str, ...] = tuple(found.torn)
        """Files whose half-written last line was moved to `<file>.torn` when the ledger was opened."""
        self.tasks: tuple[asyncio.Task[None], ...] = ()
        """The two writers; one that ends before `close` is a programmer's error that the daemon must see."""

    @classmethod
    async def open(
        cls,
        directory: str | os.PathLike[str],
        *,
        now_ms: Callable[[], int],
        fires_max_bytes: int = 32 * MIB,
        fires_keep: int = 20,
        ledger_max_bytes: int = 32 * MIB,
        ledger_keep: int = 2,
        patience_s: float = PATIENCE_S,
        disk: Disk | None = None,
    ) -> Self:
        """Repair what a crash left in the directory, which is locked, and take up the record there.

        `now_ms` is the wall clock in milliseconds. `patience_s` bounds how long a durable write is waited
        for. Raises OSError when the files cannot be read.
        """
        disk = disk or Disk()
        ledger_path = os.path.join(directory, LEDGER_NAME)
        fires_path = os.path.join(directory, FIRES_NAME)
        found = await asyncio.to_thread(recovery.recover, ledger_path, fires_path, disk)
        lost_line = partial(_lost_line, now_ms)
        fires_log = NdjsonFile(
            fires_path,
            max_bytes=fires_max_bytes,
            keep=fires_keep,
            lost_line=lost_line,
            disk=disk,
            patience_s=patience_s,
        )
        ledger_log = NdjsonFile(
            ledger_path,
            max_bytes=ledger_max_bytes,
            keep=ledger_keep,
            lost_line=lost_line,
            opening=partial(_opening, found.state, now_ms),
            before_turn=fires_log.sync,
            disk=disk,
            patience_s=patience_s,
        )
        ledger = cls(ledger_log, fires_log, fires_path, found)
        await ledger._take_up(found)
        return ledger

    # Writing.

    def write(self, facts: Sequence[AnyFact], *, durable: bool) -> "asyncio.Future[bool]":
        """Append the facts, in this order, behind all before them, and apply them to the state at once.

        The future gets True when they are written (with `durable`: on the disk), and False when that has not
        happened within the patience; they stay queued all the same. Never raises, never needs to be awaited.
        """
        lines: list[Line] = []
        kept: list[AnyFact] = []
        for fact in facts:
            if isinstance(fact, Ended):
                bent, turn = self._in_order(fact)
                kept.append(bent)
                lines.append(self._publishing(bent, turn=turn))
            else:
                kept.append(fact)
                lines.append(Line(facts_.encode(fact)))
        future = self._ledger_log.append(lines, durable=durable)
        for fact in kept:
            self.state.apply(fact)
        return future

    async def sync(self) -> bool:
        """Wait until all that was written is on the disk, in both files; False when it is not in time."""
        return await self._ledger_log.sync() and await self._fires_log.sync()

    async def close(self) -> None:
        """Write and sync what is queued, within seconds, and end the writers."""
        await self._ledger_log.close()
        await self._fires_log.close()

    # Reading.

    async def history(self, query: Query) -> Page:
        """Answer a query from the fires log, newest first; entries that were written before are in it.

        Raises ValueError when the cursor is malformed or its place is gone, OSError when the disk can't be
        read.
        """
        await self._ledger_log.flush()
        await self._fires_log.flush()
        async with self._readers:
            page = await asyncio.to_thread(history.read, self._fires_path, query)
        if len(self._bad) < MAX_BAD_NAMES:
            self._bad.update(dict.fromkeys(page.bad))
        return page

    # How it is.

    @property
    def failing(self) -> tuple[str, ...]:
        """Why facts are not getting to the disk, one sentence for each file; empty when they are."""
        return tuple(why for why in (self._ledger_log.failing, self._fires_log.failing) if why is not None)

    @property
    def bad_lines(self) -> int:
        """How many lines were passed over because they are no facts or entries."""
        return self._bad_facts + len(self._bad)

    @property
    def bad_names(self) -> tuple[str, ...]:
        """Where the bad lines of the fires log are that readers have met, each once."""
        return tuple(self._bad)

    @property
    def lost_lines(self) -> int:
        """How many lines were given up since the start, of both files."""
        return self._ledger_log.lost_lines + self._fires_log.lost_lines

    @property
    def queued_lines(self) -> int:
        """How many lines wait to be written, to both files."""
        return self._ledger_log.queued_lines + self._fires_log.queued_lines

    @property
    def writes(self) -> int:
        """How many batches were written since the start, to both files."""
        return self._ledger_log.writes + self._fires_log.writes

    @property
    def write_s(self) -> float:
        """How many seconds they took."""
        return self._ledger_log.write_s + self._fires_log.write_s

    # Inside.

    async def _take_up(self, found: recovery.Recovered) -> None:
        """Append what recovery found; the fires log first, for a new ledger segment knows it no more."""
        fires_task = self._fires_log.start()
        self._fires_log.put([Line(facts_.encode(self._bend(e)), _never_ran(e)) for e in found.unpublished])
        await self._fires_log.sync()
        self.tasks = (self._ledger_log.start(), fires_task)
        if found.headless:
            self._ledger_log.turn()
        self._ledger_log.put([Line(facts_.encode(fact)) for fact in found.ended])
        await self._ledger_log.sync()

    def _in_order(self, ended: Ended) -> tuple[Ended, bool]:
        """Return the fact with a `ts` that is not before the last one, and whether it needs a new file."""
        ts, newest_ts = ended.entry.ts, self._newest_ts
        if ts >= newest_ts:
            self._newest_ts = ts
            return ended, False
        if to_ms(newest_ts) - to_ms(ts) > MAX_BEND_MS:
            self._newest_ts = ts
            return ended, True
        return Ended(entry=self._bend(ended.entry)), False

    def _bend(self, entry: Entry) -> Entry:
        self._newest_ts = max(self._newest_ts, entry.ts)
        return msgspec.structs.replace(entry, ts=self._newest_ts)

    def _publishing(self, ended: Ended, *, turn: bool) -> Line:
        """Return the line of an ended fire: once it is written, the entry goes to the fires log."""
        expendable = _never_ran(ended.entry)
        entry = Line(facts_.encode(ended.entry), expendable)
        return Line(
            facts_.encode(ended),
            expendable,
            written=partial(self._publish, entry, turn=turn),
            given_up=partial(self._fires_log.lose, 1),
        )

    def _publish(self, entry: Line, *, turn: bool) -> None:
        if turn:
            self._fires_log.turn()
        self._fires_log.put([entry])


def _never_ran(entry: Entry) -> bool:
    return entry.started_at is None


def _lost_line(now_ms: Callable[[], int], lines: int) -> bytes:
    return facts_.encode(Lost(at=now_ms(), lines=lines))


def _opening(state: State, now_ms: Callable[[], int]) -> Callable[[], Iterable[bytes]]:
    """Take the state as it is now; it is put into bytes later, in a thread."""
    return partial(facts_.encode_in_steps, state.checkpoint(now_ms()))
