"""How long until a daemon with a past is ready, and until the command line has an answer from it.

10,000 scripts that were registered before, a million lines of history in segments of 32 MiB, and a ledger of
which half a segment was written since it turned over. Ready is when the service manager is told so.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.beside import row_of
from bench.grounds import Serving, serving, timetables, write_scripts
from bench.history import lay
from bench.ledger import ended
from bench.row import REPEATS, Row
from schedd.ledger import facts
from schedd.ledger.ledger import LEDGER_NAME, MIB

SCRIPTS = 10_000
FEW = 100
LINES = 1_000_000
LEDGER_BYTES = 16 * MIB
LISTS = 11


def rows() -> Iterator[Row]:
    """Measure on the file system that holds temporary files."""
    with tempfile.TemporaryDirectory(prefix="schedd-start-") as directory:
        base = Path(directory)
        write_scripts(base / "scripts", SCRIPTS, timetables(500))
        (base / "state").mkdir(mode=0o700)
        lay(base / "state", LINES)
        with serving(base / "scripts", base / "state") as daemon:
            daemon.start()
            daemon.stop()
            grow(base / "state" / LEDGER_NAME)
            ready = [again(daemon) for _ in range(REPEATS)]
            what = f"`schedd serve` is ready: {SCRIPTS:,} schedules, {LINES:,} lines of history"
            yield row_of("start_up", what, ready)
            yield from listed(daemon, SCRIPTS)
        few = base / "few"
        write_scripts(few / "scripts", FEW, timetables(FEW))
        with serving(few / "scripts", few / "state") as daemon:
            daemon.start()
            yield from listed(daemon, FEW)


def grow(ledger: Path) -> None:
    """Write the newest of the history into the ledger, as a daemon would have."""
    numbers, lines, size = range(LINES - 1, 0, -1), [], 0
    for number in numbers:
        lines.append(facts.encode(ended(number)))
        size += len(lines[-1])
        if size >= LEDGER_BYTES:
            break
    with ledger.open("ab") as file:
        file.writelines(reversed(lines))


def again(daemon: Serving) -> float:
    """Start it, as often as it is asked; return how long that took."""
    try:
        return daemon.start()
    finally:
        if daemon.process is not None:
            daemon.stop()


def listed(daemon: Serving, count: int) -> Iterator[Row]:
    """Measure the command line beside an interpreter that does nothing."""
    if daemon.process is None:
        daemon.start()
    command = [sys.executable, "-m", "schedd", "list", "--socket", str(daemon.socket)]
    taken, bare = [], []
    for _ in range(LISTS):
        bare.append(took([sys.executable, "-c", "pass"]))
        taken.append(took(command))
    floor = "the interpreter alone"
    what = f"`schedd list` as a process, {count:,} schedules"
    yield row_of("start_up", what, taken, beside=bare, named=floor)
    if count == FEW:
        yield row_of("start_up", floor, bare)


def took(command: list[str]) -> float:
    """Return how long a process takes, in seconds."""
    before = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=os.environ)
    return time.perf_counter() - before
