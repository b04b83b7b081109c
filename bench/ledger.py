"""What the promise costs on disk: facts that are durable before anything starts, and those that end.

Each figure stands beside a program in C that writes the same bytes to the same file system, in the same
batches, with an fdatasync after each.
"""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from bench import floors
from bench.beside import row_of
from bench.row import REPEATS, Row
from schedd.fire import Fire, Kind, Outcome, RunId, Status, ran
from schedd.ledger.facts import AnyFact, Claimed, Ended
from schedd.ledger.ledger import FIRES_NAME, LEDGER_NAME, Ledger
from schedd.timetable.instant import Slot

FACTS = 20_000
BATCH = 100
SIDES = 10
"""So many write at once; the ends of fires and the claims of a turn come from many sides, too."""
SINGLE = 1_000
SCRIPTS = 500
START_MS = 1_800_000_000_000
MOST = 1 << 30
"""No file is rotated."""


def rows() -> Iterator[Row]:
    """Measure on the file system that holds temporary files."""
    claims = [claim(number) for number in range(FACTS)]
    ends = [ended(number) for number in range(FACTS)]
    yield case("claims, one after the other, each durable", claims[:SINGLE], batch=1, sides=1)
    yield case("claims, a hundred durable at a time", claims, batch=BATCH, sides=1)
    yield case(f"the same, from {SIDES} sides at once", claims, batch=BATCH, sides=SIDES)
    yield case("fires ended, a hundred durable at a time", ends, batch=BATCH, sides=1)
    yield case(f"the same, from {SIDES} sides at once", ends, batch=BATCH, sides=SIDES)


def case(what: str, facts: Sequence[AnyFact], *, batch: int, sides: int) -> Row:
    """Write the facts some times, and the same bytes with the floor each time."""
    taken: list[float] = []
    floor: list[float] = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory(prefix="schedd-ledger-") as base:
            taken.append(asyncio.run(written(facts, Path(base), batch=batch, sides=sides)))
            floor.append(appended(Path(base), batch=batch))
    row = row_of(
        "ledger",
        what,
        taken,
        unit=lambda took_s: f"{len(facts) / took_s:,.0f}/s",
        beside=floor,
        named="write + fdatasync in C",
    )
    return replace(row, least=row.most, most=row.least)


async def written(facts: Sequence[AnyFact], base: Path, *, batch: int, sides: int) -> float:
    """Return how many seconds it takes until all are on the disk; each side waits for its batches."""
    ledger = await Ledger.open(
        base, now_ms=lambda: START_MS, fires_max_bytes=1 << 30, ledger_max_bytes=1 << 30
    )
    batches = iter([facts[first : first + batch] for first in range(0, len(facts), batch)])

    async def side() -> None:
        for some in batches:
            assert await ledger.write(some, durable=True)

    before = time.perf_counter()
    await asyncio.gather(*(side() for _ in range(sides)))
    took_s = time.perf_counter() - before
    await ledger.close()
    return took_s


def appended(base: Path, *, batch: int) -> float:
    """Return how many seconds the floor takes for what is in both files now, a batch of each in turns."""
    both = [(base / name).read_bytes().splitlines(keepends=True) for name in (LEDGER_NAME, FIRES_NAME)]
    both[0] = both[0][1:]  # the checkpoint
    each = batch * sum(map(bool, both))
    with (base / "same").open("wb") as same:
        for first in range(0, len(both[0]), batch):
            same.writelines(line for lines in both for line in lines[first : first + batch])
    program = [str(floors.compiled("append")), str(base / "same"), str(base / "floor"), str(each)]
    return float(subprocess.run(program, check=True, capture_output=True).stdout)


def fire(number: int) -> Fire:
    """Return one of many fires."""
    run_id = RunId(str(UUID(int=number)))
    return Fire(run_id, f"default/{number % SCRIPTS}.sh", "* * * * *", Kind.SCHEDULE, Slot(START_MS // 1000))


def claim(number: int) -> Claimed:
    """Return what is written before it starts."""
    return Claimed.of(fire(number), at=START_MS, key=None)


def ended(number: int) -> Ended:
    """Return what is written when it is over."""
    outcome = Outcome(status=Status.OK, started_ms=START_MS, ended_ms=START_MS + number, exit_code=0)
    return Ended(entry=ran(fire(number), outcome, host="bench"))
