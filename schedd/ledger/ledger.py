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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Self, TypeVar

import msgspec

from schedd.fire import Entry, RunId
from schedd.ledger import chronicle, history, newest, recovery
from schedd.ledger import facts as facts_
from schedd.ledger.annals import Chronicle
from schedd.ledger.backlog import Line
from schedd.ledger.disk import Disk
from schedd.ledger.facts import AnyFact, Checkpoint, Ended, Lost
from schedd.ledger.history import Page, Query
from schedd.ledger.ndjson import PATIENCE_S, NdjsonFile
from schedd.ledger.newest import Brief
from schedd.ledger.state import State
from schedd.ledger.tally import Tallies, Tally, Wanted
from schedd.timetable.instant import to_ms

T = TypeVar("T")

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
        self,
        ledger_log: NdjsonFile,
        fires_log: NdjsonFile,
        fires_path: str,
        found: recovery.Recovered,
        openings: "_Openings",
    ) -> None:
        self._ledger_log = ledger_log
        self._fires_log = fires_log
        self._lose_one = partial(fires_log.lose, 1)
        self._fires_path = fires_path
        self._openings = openings
        self._newest_ts = found.newest_ts
        self._readers = asyncio.Semaphore(READERS)
        self._counting = asyncio.Lock()
        self._tallies = Tallies(fires_path)
        self.published: Callable[[Entry], None] = _nobody
        """Called with each line when the ledger has it, and it goes to the fires log."""
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
        ground: Callable[[], None] | None = None,
    ) -> Self:
        """Repair what a crash left in the directory, which is locked, and take up the record there.

        `now_ms` is the wall clock in milliseconds. `patience_s` bounds how long a durable write is waited
        for. `ground` is asked (in a thread) before a file is opened or made, and raises OSError when the
        directory is not ours any more. Raises OSError when the files cannot be read.
        """
        disk = disk or Disk()
        ledger_path = os.path.join(directory, LEDGER_NAME)
        fires_path = os.path.join(directory, FIRES_NAME)
        found = await asyncio.to_thread(recovery.recover, ledger_path, fires_path, disk)
        lost_line = partial(_lost_line, now_ms)
        openings = _Openings(found, now_ms)
        fires_log = NdjsonFile(
            fires_path,
            max_bytes=fires_max_bytes,
            keep=fires_keep,
            lost_line=lost_line,
            disk=disk,
            ground=ground,
            patience_s=patience_s,
        )
        ledger_log = NdjsonFile(
            ledger_path,
            max_bytes=ledger_max_bytes,
            keep=ledger_keep,
            lost_line=lost_line,
            opening=openings,
            before_turn=fires_log.sync,
            disk=disk,
            ground=ground,
            taken_away=fires_log.look,
            patience_s=patience_s,
        )
        ledger = cls(ledger_log, fires_log, fires_path, found, openings)
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
        await self._flush()
        page = await self.reads(lambda: history.read(self._fires_path, query))
        if len(self._bad) < MAX_BAD_NAMES:
            self._bad.update(dict.fromkeys(page.bad))
        return page

    async def tally(self, wanted: Wanted) -> Tally:
        """Count fires of the fires log; those that ended before are in it.

        Raises OSError when the disk can't be read.
        """
        await self._flush()
        async with self._counting:
            return await self.reads(lambda: self._tallies.count(wanted))

    async def newest(self) -> Iterator[Brief]:
        """Return the newest fires, the last one first; those that were written before are among them.

        Walking them blocks, and raises OSError when the disk can't be read: give `reads` a few at a time.
        """
        await self._flush()
        return newest.read(self._fires_path)

    async def reads(self, work: Callable[[], T]) -> T:
        """Do what blocks on the files in a thread, when it is its turn."""
        async with self._readers:
            return await asyncio.to_thread(work)

    async def chronicle(self, since_ms: int, until_ms: int, *, script: str | None = None) -> Chronicle:
        """Return what was in force or happened in [since, until), of one script or of all.

        Raises OSError when the disk can't be read.
        """
        await self._ledger_log.flush()
        path = os.path.join(os.path.dirname(self._fires_path), LEDGER_NAME)
        found = await self.reads(lambda: chronicle.read(path, since_ms, until_ms, script=script))
        opened = self.state.stretches.values()
        return replace(found, stretches=tuple(s for s in opened if script in (None, s.path)))

    # How it is.

    @property
    def newest_line(self) -> RunId | None:
        """The fire whose entry went into the fires log last."""
        return self._openings.published

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

    async def _flush(self) -> None:
        await self._ledger_log.flush()
        await self._fires_log.flush()

    async def _take_up(self, found: recovery.Recovered) -> None:
        """Append what recovery found; the fires log first, for a new ledger segment knows it no more."""
        fires_task = self._fires_log.start()
        owed = [Ended(entry=self._bend(entry)) for entry in found.unpublished]
        self._fires_log.put([self._line_of(ended.entry) for ended in owed])
        await self._fires_log.sync()
        self._openings.owed = owed
        self.tasks = (self._ledger_log.start(), fires_task)
        self._openings.owed = ()
        self._openings.published = found.state.newest
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
        return msgspec.structs.replace(ended, entry=self._bend(ended.entry)), False

    def _bend(self, entry: Entry) -> Entry:
        self._newest_ts = max(self._newest_ts, entry.ts)
        return msgspec.structs.replace(entry, ts=self._newest_ts)

    def _publishing(self, ended: Ended, *, turn: bool) -> Line:
        """Return the line of an ended fire: once it is written, the entry goes to the fires log."""
        line = self._line_of(ended.entry)
        return Line(
            facts_.encode(ended),
            line.expendable,
            written=partial(self._publish, line, ended.entry, turn=turn),
            given_up=self._lose_one,
        )

    def _line_of(self, entry: Entry) -> Line:
        mark = b'"runId":"%s"' % entry.run_id.encode()
        return Line(facts_.encode(entry), _never_ran(entry), mark)

    def _publish(self, line: Line, entry: Entry, *, turn: bool) -> None:
        if turn:
            self._fires_log.turn()
        self._openings.published = entry.run_id
        self._fires_log.put([line])
        self.published(entry)


class _Openings:
    """Gives the first lines of a segment of the ledger: the state as it is now, and what it owes."""

    def __init__(self, found: recovery.Recovered, now_ms: Callable[[], int]) -> None:
        self._state = found.state
        self._now_ms = now_ms
        self.published = found.published
        """The fire whose entry went to the fires log last."""
        self.owed: Sequence[Ended] = ()
        """Fires that have ended and are not in the lines that follow; the fires log may not have them yet."""

    def __call__(self, anew: bool, /) -> Callable[[], Iterable[bytes]]:  # noqa: FBT001
        """Take the state; it is put into bytes later, in a thread.

        A segment follows on the one before when the fires log is synced. One that is made `anew` cannot wait
        for that: it says what was published, not what has ended.
        """
        checkpoint = self._state.checkpoint(self._now_ms())
        if not anew:
            return partial(facts_.encode_in_steps, checkpoint)
        return partial(_indebted, msgspec.structs.replace(checkpoint, newest=self.published), self.owed)


def _nobody(_: Entry) -> None:
    """Hear of a line when nobody listens."""


def _never_ran(entry: Entry) -> bool:
    return entry.started_at is None


def _lost_line(now_ms: Callable[[], int], lines: int) -> bytes:
    return facts_.encode(Lost(at=now_ms(), lines=lines))


def _indebted(checkpoint: Checkpoint, owed: Iterable[Ended]) -> Iterable[bytes]:
    """Yield a checkpoint, and behind it what is owed to the fires log."""
    yield from facts_.encode_in_steps(checkpoint)
    yield from map(facts_.encode, owed)
