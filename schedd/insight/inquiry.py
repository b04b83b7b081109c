"""Gathering what an answer is made of: as little of the ledger and of the fires log as will do.

Everything is bounded: so many pages of the log, so many bytes of the ledger. What could not be read is said
in the answer. The thinking is done in a thread, since stepping timetables takes milliseconds.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Protocol

from schedd.fire import Entry, Kind, RunId, Status
from schedd.insight import account, case, gaps, why
from schedd.insight.case import Asked, Case, Records
from schedd.insight.gaps import Gaps
from schedd.insight.telling import Teller
from schedd.insight.verdict import Verdict
from schedd.ledger.annals import Chronicle
from schedd.ledger.history import Page, Query
from schedd.planner.view import ScheduleView
from schedd.timetable.instant import Slot, to_ms

DAY_MS = 86_400_000
LOOK_AROUND_MS = 32 * DAY_MS
"""How far around the question the ledger is read: a script that was removed last month is told of."""
WINDOWS_MS = (600_000, 3_600_000, DAY_MS, LOOK_AROUND_MS)
"""How long after a slot its line is looked for: soon after, in most cases; then longer, then until now."""
PAGE = 1_000
MAX_WHY_PAGES = 24
MAX_GAP_PAGES = 60


class Sources(Protocol):
    """Where the records are."""

    def now_ms(self) -> int:
        """Return the wall clock, in ms since the epoch."""

    def schedule(self, script: str) -> ScheduleView | None:
        """Return one registered schedule as it stands now."""

    async def history(self, query: Query) -> Page:
        """Read the fires log, newest first."""

    async def chronicle(self, since_ms: int, until_ms: int, *, script: str | None) -> Chronicle:
        """Read the ledger for what was in force or happened in a range of time."""


async def ask_why(sources: Sources, script: str, asked: Asked, *, problem: str | None) -> Verdict:
    """Answer why a script did or did not run; `problem`: why it is not registered."""
    now_ms, view = sources.now_ms(), sources.schedule(script)
    at_ms = asked.at_ms if asked.at_ms is not None else now_ms
    if asked.wall_s is not None:
        at_ms = asked.wall_s * 1000
    chronicle = await sources.chronicle(at_ms - LOOK_AROUND_MS, at_ms + LOOK_AROUND_MS, script=script)
    place = await asyncio.to_thread(case.locate, script, asked, now_ms=now_ms, view=view, chronicle=chronicle)
    if place.slot is not None and place.slot * 1000 < chronicle.since_ms:
        # A rare timetable: its newest slot is further back than was looked.
        since_ms = place.slot * 1000 - DAY_MS
        chronicle = await sources.chronicle(since_ms, place.slot * 1000 + LOOK_AROUND_MS, script=script)
    reader = _Reader(sources, MAX_WHY_PAGES)
    entries = await _lines(reader, place)
    records = Records(place, view, chronicle, entries, Teller(place.zone, place.at_ms))
    return await asyncio.to_thread(why.explain, records, problem=problem, complete=reader.complete)


async def find_gaps(
    sources: Sources,
    *,
    since_ms: int,
    until_ms: int,
    script: str | None,
    only: gaps.Only,
    sees: Callable[[str], bool] = lambda _: True,
    pending: frozenset[tuple[str, Slot]],
) -> Gaps:
    """Return the slots in [since, until) without an `ok`; those of `pending` fires are not over yet."""
    chronicle = await sources.chronicle(since_ms, until_ms, script=script)
    reader = _Reader(sources, MAX_GAP_PAGES)
    query = Query(script=script, since_ms=since_ms, include_rotated=True)
    lines = [
        entry async for entry in reader.read(query) if entry.slot is not None and sees(entry.script_path)
    ]
    since_ms = max(since_ms, reader.read_from_ms)
    return await asyncio.to_thread(
        gaps.find,
        chronicle,
        lines,
        since_ms=since_ms,
        until_ms=min(until_ms, sources.now_ms()),
        only=only,
        script=script,
        sees=sees,
        pending=pending,
        now_ms=sources.now_ms(),
        complete=reader.complete,
    )


class _Reader:
    """Reads the fires log, page by page, as long as its pages last."""

    def __init__(self, sources: Sources, pages: int) -> None:
        self._sources = sources
        self._left = pages
        self.complete = True
        """Everything that was asked for was read."""
        self.read_from_ms = 0
        """When it was not: nothing before this was read."""

    async def read(self, query: Query) -> AsyncIterator[Entry]:
        """Yield the entries of a query, newest first."""
        wanted: Query | None = replace(query, limit=PAGE)
        while wanted is not None:
            if self._left == 0:
                self.complete = False
                return
            self._left -= 1
            page = await self._sources.history(wanted)
            for entry in page.entries:
                yield entry
            if page.entries:
                self.read_from_ms = to_ms(page.entries[-1].ts)
            wanted = None if page.cursor is None else replace(wanted, cursor=page.cursor)
        self.read_from_ms = 0


async def _lines(reader: _Reader, place: Case) -> tuple[Entry, ...]:
    """Return the lines that may bear on a question."""
    if place.slot is None:
        return await _lines_around(reader, place)
    found = await _lines_of(reader, place, place.slot)
    decided = [entry for entry in found if entry.kind in account.DECIDING]
    since_ms = place.slot * 1000
    if not any(entry.status is Status.OK for entry in found):
        for kind in (Kind.RETRY, Kind.REPLAY):
            later = Query(script=place.script, since_ms=since_ms, kind=kind, include_rotated=True)
            found += [e async for e in reader.read(later) if account.covers(e, place.slot)]
    for run_id in [account.named_run(entry.error) for entry in decided]:
        found += await _run(reader, run_id, since_ms)
    return _each_once(found)


async def _lines_around(reader: _Reader, place: Case) -> tuple[Entry, ...]:
    """Return what was in flight at an instant that is no slot, and how the slots next to it ended."""
    if place.timetable is None:
        return ()
    if place.timetable.reboot:
        startups = Query(script=place.script, kind=Kind.STARTUP, include_rotated=True)
        return tuple([entry async for entry in reader.read(startups)][:1])
    at_ms = place.at_ms
    by_hand = Query(
        script=place.script,
        kind=Kind.MANUAL,
        since_ms=at_ms,
        until_ms=at_ms + DAY_MS,
        include_rotated=True,
    )
    found = [entry async for entry in reader.read(by_hand)]
    for slot in (place.before, place.after):
        if slot is not None and slot * 1000 <= place.now_ms:
            found += await _lines_of(reader, place, slot)
    return _each_once(found)


async def _lines_of(reader: _Reader, place: Case, slot: Slot) -> list[Entry]:
    """Return the lines of a slot up to the one that decided it."""
    begin_ms = slot * 1000
    for width_ms in (*WINDOWS_MS, max(1, place.now_ms - begin_ms + DAY_MS)):
        end_ms = slot * 1000 + width_ms
        query = Query(script=place.script, since_ms=begin_ms, until_ms=end_ms, include_rotated=True)
        found = [entry async for entry in reader.read(query) if account.covers(entry, slot)]
        if any(entry.kind in account.DECIDING for entry in found) or end_ms > place.now_ms:
            return found
        begin_ms = end_ms
    return []


async def _run(reader: _Reader, run_id: RunId | None, since_ms: int) -> list[Entry]:
    if run_id is None:
        return []
    query = Query(run_id=run_id, since_ms=since_ms, include_rotated=True)
    return [entry async for entry in reader.read(query)]


def _each_once(entries: list[Entry]) -> tuple[Entry, ...]:
    return tuple({entry.run_id: entry for entry in entries}.values())
