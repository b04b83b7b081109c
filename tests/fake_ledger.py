"""A ledger in memory, for tests that are not about files: the same surface, the same answers.

It is never slow and never fails, unless `refuse` says why; then it answers as the real one does with a disk
that is full: nothing is raised, facts are applied, and nothing is durable.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import msgspec

from schedd.fire import Entry, RunId
from schedd.ledger.annals import Annals, Chronicle
from schedd.ledger.facts import AnyFact, Ended
from schedd.ledger.history import MAX_LIMIT, Page, Query
from schedd.ledger.state import State
from schedd.timetable.instant import to_ms

T = TypeVar("T")


class MemoryLedger:
    """Keeps the facts and the entries in lists; pass the `state` of another one to start where it ended."""

    def __init__(self, state: State | None = None, entries: Sequence[Entry] = ()) -> None:
        self.state = state or State()
        self.facts: list[AnyFact] = []
        """All that was written, in order."""
        self.entries: list[Entry] = list(entries)
        """The lines of the fires log, oldest first."""
        self.durable: list[AnyFact] = []
        """The facts that somebody was told are on the disk."""
        self.refuse: str | None = None
        self.closed = False
        self.torn: tuple[str, ...] = ()
        self.tasks: tuple[asyncio.Task[None], ...] = ()
        self.bad_lines = 0
        self.bad_names: tuple[str, ...] = ()
        self.lost_lines = 0
        self.writes = 0
        self.write_s = 0.0

    @property
    def failing(self) -> tuple[str, ...]:
        return () if self.refuse is None else (self.refuse,)

    @property
    def newest_line(self) -> RunId | None:
        return self.entries[-1].run_id if self.entries else None

    @property
    def queued_lines(self) -> int:
        return 0

    def write(self, facts: Sequence[AnyFact], *, durable: bool) -> "asyncio.Future[bool]":
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self.closed:
            self.lost_lines += len(facts)
            future.set_result(False)
            return future
        for fact in facts:
            kept = fact
            if isinstance(fact, Ended):
                kept = msgspec.structs.replace(fact, entry=self._in_order(fact.entry))
            self.facts.append(kept)
            self.state.apply(kept)
            if isinstance(kept, Ended):
                self.entries.append(kept.entry)
        self.writes += 1
        if durable and self.refuse is None:
            self.durable += facts
        asyncio.get_running_loop().call_soon(_settle, future, self.refuse is None)
        return future

    async def sync(self) -> bool:
        return self.refuse is None and not self.closed

    async def reads(self, work: Callable[[], T]) -> T:
        return await asyncio.to_thread(work)

    async def chronicle(self, since_ms: int, until_ms: int, *, script: str | None = None) -> Chronicle:
        told = Annals(since_ms)
        told.begin((), began_ms=None, lived_before=False)
        for fact in self.facts:
            if script in (None, getattr(fact, "path", script)):
                told.take(fact, getattr(fact, "at", None))
        opened = (s for s in self.state.stretches.values() if script in (None, s.path))
        return replace(told.chronicle(until_ms, complete=True), stretches=tuple(opened))

    async def history(self, query: Query) -> Page:
        assert query.limit >= 1
        end = len(self.entries) if query.cursor is None else self._place(query.cursor)
        limit = min(query.limit, MAX_LIMIT)
        chosen: list[Entry] = []
        for index in range(end - 1, -1, -1):
            if not _wanted(self.entries[index], query):
                continue
            if len(chosen) == limit:
                return Page(tuple(chosen), truncated=True, cursor=f"memory-{index + 1}")
            chosen.append(self.entries[index])
        return Page(tuple(chosen))

    async def close(self) -> None:
        self.closed = True

    def _place(self, cursor: str) -> int:
        head, _, number = cursor.partition("-")
        if head != "memory" or not number.isdecimal():
            raise ValueError(
                "cursor is not one that this API gave out; leave it away to start from the newest entry"
            )
        return int(number)

    def _in_order(self, entry: Entry) -> Entry:
        newest = self.entries[-1].ts if self.entries else ""
        if entry.ts >= newest or to_ms(newest) - to_ms(entry.ts) > 60_000:
            return entry
        return msgspec.structs.replace(entry, ts=newest)


def _settle(future: "asyncio.Future[bool]", outcome: bool) -> None:
    if not future.done():
        future.set_result(outcome)


def _wanted(entry: Entry, query: Query) -> bool:
    at_ms = to_ms(entry.ts)
    return (
        query.script in (None, entry.script_path)
        and query.status in (None, entry.status)
        and query.reason in (None, entry.reason)
        and query.kind in (None, entry.kind)
        and query.run_id in (None, entry.run_id)
        and (query.since_ms is None or at_ms >= query.since_ms)
        and (query.until_ms is None or at_ms < query.until_ms)
    )
