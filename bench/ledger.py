"""What the promise costs on disk: claims that are durable before anything starts, and reading them back."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from uuid import UUID

from bench.row import Row, shown
from schedd.fire import Fire, Kind, Outcome, RunId, Status, ran
from schedd.ledger.facts import Claimed, Ended
from schedd.ledger.history import Query
from schedd.ledger.ledger import Ledger
from schedd.timetable.instant import Slot

ONE_CALLER = 2_000
CALLERS = 100
EACH_CALLER = 200
ENTRIES = 200_000
BATCH = 1_000
SCRIPTS = 500
START_MS = 1_800_000_000_000


def rows() -> Iterator[Row]:
    """Measure on the file system that holds temporary files."""
    return iter(asyncio.run(_rows()))


async def _rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as directory:
        ledger = await Ledger.open(directory, now_ms=lambda: START_MS, fires_max_bytes=1 << 30)
        found = [await one_caller(ledger), await many_callers(ledger), await fires(ledger)]
        found += [await newest(ledger), await rare(ledger)]
        await ledger.close()
        return found


async def one_caller(ledger: Ledger) -> Row:
    """Claim after claim, each waited for."""
    before = time.perf_counter()
    for number in range(ONE_CALLER):
        await ledger.write([claim(number)], durable=True)
    each_s = (time.perf_counter() - before) / ONE_CALLER
    return Row("ledger", "a durable claim, one after the other", f"{shown(each_s)} ({1 / each_s:,.0f}/s)")


async def many_callers(ledger: Ledger) -> Row:
    """Claims from many sides, which share their fdatasync."""

    async def caller(first: int) -> None:
        for number in range(first, first + EACH_CALLER):
            await ledger.write([claim(number)], durable=True)

    before = time.perf_counter()
    await asyncio.gather(*(caller(ONE_CALLER + EACH_CALLER * number) for number in range(CALLERS)))
    rate = CALLERS * EACH_CALLER / (time.perf_counter() - before)
    return Row("ledger", f"durable claims from {CALLERS} sides at once", f"{rate:,.0f}/s")


async def fires(ledger: Ledger) -> Row:
    """The ends of fires, a thousand at a time, until they can be read in the fires log."""
    before = time.perf_counter()
    for first in range(0, ENTRIES, BATCH):
        await ledger.write([ended(number) for number in range(first, first + BATCH)], durable=False)
    await ledger.sync()
    rate = ENTRIES / (time.perf_counter() - before)
    return Row("ledger", "fires ended, in both files and synced", f"{rate:,.0f}/s")


async def newest(ledger: Ledger) -> Row:
    """What a dashboard asks again and again."""
    took_s = await _asked(ledger, Query(limit=100))
    return Row("history", f"the newest 100 of {ENTRIES:,} entries", shown(took_s))


async def rare(ledger: Ledger) -> Row:
    """The last failure of one script: 32 MiB are read, and then a cursor is given."""
    took_s = await _asked(ledger, Query(script="default/0.sh", status=Status.TIMEOUT))
    return Row("history", "a status that one script never had: 32 MiB looked through", shown(took_s))


async def _asked(ledger: Ledger, query: Query) -> float:
    await ledger.history(query)
    before = time.perf_counter()
    for _ in range(10):
        await ledger.history(query)
    return (time.perf_counter() - before) / 10


def fire(number: int) -> Fire:
    """Return one of many fires."""
    run_id = RunId(str(UUID(int=number)))
    return Fire(run_id, f"default/{number % SCRIPTS}.sh", "* * * * *", Kind.SCHEDULE, Slot(START_MS // 1000))


def claim(number: int) -> Claimed:
    """Return what is written before it starts."""
    made = fire(number)
    return Claimed(
        at=START_MS,
        run_id=made.run_id,
        path=made.script,
        expression=made.expression,
        kind=made.kind,
        slot=made.slot,
    )


def ended(number: int) -> Ended:
    """Return what is written when it is over."""
    outcome = Outcome(status=Status.OK, started_ms=START_MS, ended_ms=START_MS + number, exit_code=0)
    return Ended(entry=ran(fire(number), outcome, host="bench"))
