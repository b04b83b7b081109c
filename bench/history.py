"""How long reading a fires log of a million lines takes, in segments of 32 MiB.

The scan stands beside one in C, pread and memmem, of the same bytes. While the log is read the event loop
goes on, and it is measured by how much it was kept from that: a timer of a millisecond fires late.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench import floors
from bench.beside import row_of
from bench.ledger import START_MS, ended
from bench.row import REPEATS, Row
from schedd.daemon.compose import SWITCH_S
from schedd.fire import Status
from schedd.ledger import facts
from schedd.ledger.history import SCAN_BYTES, Query
from schedd.ledger.ledger import FIRES_NAME, MIB, Ledger

LINES = 1_000_000
SEGMENT_BYTES = 32 * MIB
RARE = "default/rare.sh"
FREQUENT = "default/77.sh"
ASKED = 20
"""One figure is the mean of so many."""
GROWTH_ASKED = 500
TICK_S = 0.001
MIDDLE_MS = START_MS + LINES // 2


def rows() -> Iterator[Row]:
    """Measure on the file system of temporary files, with threads that take turns as the daemon's do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    yield from asyncio.run(_rows())
    sys.setswitchinterval(before)


async def _rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="schedd-history-") as directory:
        base = Path(directory)
        lay(base, 100_000)
        small = await measured(base, {"the newest 100 of 100,000 lines": Query(limit=100)})
        lay(base, LINES)
        return [*small, *await measured(base, QUESTIONS), *await _scanned(base), await _grown(base)]


def lay(base: Path, lines: int) -> None:
    """Write the log as the ledger would, the newest segment last; near its old end a script ran once."""
    for old in base.glob(f"{FIRES_NAME}*"):
        old.unlink()
    segments: list[bytearray] = [bytearray()]
    for number in range(lines):
        entry = ended(number).entry
        if number == lines - 100_000:
            entry = msgspec.structs.replace(entry, script_path=RARE)
        segments[-1] += facts.encode(entry)
        if len(segments[-1]) >= SEGMENT_BYTES:
            segments.append(bytearray())
    for number, segment in enumerate(reversed(segments)):
        (base / (f"{FIRES_NAME}.{number}" if number else FIRES_NAME)).write_bytes(segment)


QUESTIONS = {
    f"the newest 100 of {LINES:,} lines": Query(limit=100),
    "the same, of all segments": Query(limit=100, include_rotated=True),
    "100 since the middle": Query(since_ms=MIDDLE_MS, limit=100, include_rotated=True),
    "100 up to the middle": Query(until_ms=MIDDLE_MS, limit=100, include_rotated=True),
    "100 of a minute in the middle": Query(
        since_ms=MIDDLE_MS, until_ms=MIDDLE_MS + 60_000, limit=100, include_rotated=True
    ),
    "the newest 100 of one of 500 scripts": Query(script=FREQUENT, limit=100, include_rotated=True),
}


async def measured(base: Path, questions: dict[str, Query]) -> list[Row]:
    """Ask each some times."""
    ledger = await Ledger.open(base, now_ms=lambda: START_MS)
    found = []
    for what, query in questions.items():
        assert len((await ledger.history(query)).entries) == query.limit, what
        taken = []
        for _ in range(REPEATS):
            before = time.perf_counter()
            for _ in range(ASKED):
                await ledger.history(query)
            taken.append((time.perf_counter() - before) / ASKED)
        found.append(row_of("history", what, taken))
    await ledger.close()
    return found


async def _scanned(base: Path) -> list[Row]:
    """Look for what is rare, and how much the event loop is kept from its work by it."""
    ledger = await Ledger.open(base, now_ms=lambda: START_MS)
    rare = Query(script=RARE, include_rotated=True)
    page = await ledger.history(rare)
    assert len(page.entries) == 1
    assert page.truncated, "32 MiB are looked through, and there is more"
    taken, floor = [], []
    for _ in range(REPEATS):
        floor.append(looked_through(base, f'"scriptPath":"{RARE}"'))
        before = time.perf_counter()
        await ledger.history(rare)
        taken.append(time.perf_counter() - before)
    what = f"a script that ran once, {SCAN_BYTES // MIB} MiB looked through"
    found = [row_of("history", what, taken, beside=floor, named="pread + memmem in C")]
    for name, query in (
        ("meanwhile the event loop is late by at most", rare),
        ("the same, for a status that there is not", Query(status=Status.TIMEOUT, include_rotated=True)),
        ("the same, for the newest 1,000", Query(limit=1_000)),
        ("the same, for a script and a time", Query(script=FREQUENT, since_ms=MIDDLE_MS, limit=1_000)),
    ):
        late = [await _held(ledger, query) for _ in range(REPEATS)]
        found.append(row_of("history", name, late))
    await ledger.close()
    return found


def looked_through(base: Path, needle: str) -> float:
    """Return how many seconds the floor takes."""
    files = sorted(base.glob(f"{FIRES_NAME}*"), key=lambda path: int(path.suffix.lstrip(".log") or 0))
    program = [str(floors.compiled("scan")), str(SCAN_BYTES), needle, *map(str, files)]
    return float(subprocess.run(program, check=True, capture_output=True).stdout.split()[0])


async def _held(ledger: Ledger, query: Query) -> float:
    """Return by how much a timer is late at most while the history is read, in seconds."""
    late_s = 0.0
    reading = asyncio.ensure_future(ledger.history(query))
    while not reading.done():
        before = time.perf_counter()
        await asyncio.sleep(TICK_S)
        late_s = max(late_s, time.perf_counter() - before - TICK_S)
    await reading
    return late_s


async def _grown(base: Path) -> Row:
    """Ask hundreds of times, all that there is to ask."""
    ledger = await Ledger.open(base, now_ms=lambda: START_MS)
    every = [*QUESTIONS.values(), Query(script=RARE, include_rotated=True)]
    for query in every * 5:
        await ledger.history(query)
    before = _rss_bytes()
    for number in range(GROWTH_ASKED):
        await ledger.history(every[number % len(every)])
    grown = _rss_bytes() - before
    await ledger.close()
    return Row("history", f"memory (RSS) after {GROWTH_ASKED} more of all these", f"{grown / MIB:+.1f} MiB")


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
