"""A hundred thousand scripts on five hundred timetables: read, registered, read again, edited, remembered.

The floors are plain walks over the same directory, in the same run: one that opens each file and reads 4 KiB,
one that only asks the kernel for each file's state. What is measured is what the daemon does in one thread.
The checks of what a script needs to run (its interpreter, its syntax) are no part of the first scan here, but
in the row of the first start.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.beside import row_of
from bench.grounds import PER_DIRECTORY, Serving, serving, timetables, write_scripts
from bench.row import REPEATS, Row, shown
from schedd.daemon import vitals
from schedd.host.identity import run_ids
from schedd.ledger.ledger import LEDGER_NAME
from schedd.planner.planner import Planner
from schedd.scripts.registration import Defaults
from schedd.scripts.scan import Scanner
from schedd.timetable import timetable
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

SCRIPTS = 100_000
TIMETABLES = 500
NOON = Slot(1_800_014_400)
NOON_MS = NOON * 1000
EDITS = 10
EDIT_EVERY_S = 1.0
FOUND_WITHIN_S = 30
READS = "a walk that opens each and reads 4 KiB"
STATS = "a walk that stats each"


def rows() -> Iterator[Row]:
    """Measure on the file system that holds temporary files."""
    yield from stepped()
    with tempfile.TemporaryDirectory(prefix="schedd-scale-") as directory:
        scripts = Path(directory) / "scripts"
        write_scripts(scripts, SCRIPTS, timetables(TIMETABLES))
        yield from scanned(scripts)
        yield from held(Path(directory), scripts)


def stepped() -> Iterator[Row]:
    """Measure all that croniter does when a daemon starts: each timetable is read, and stepped once."""
    expressions = timetables(TIMETABLES)
    taken = [timed(partial(next_slots, expressions)) for _ in range(REPEATS)]
    yield row_of("scale", f"{TIMETABLES} timetables: read, and their next slots", taken)


def next_slots(expressions: list[str]) -> list[Slot | None]:
    """Return the next slot of each, which its scripts share; nothing is remembered of the time before."""
    timetable._read.cache_clear()  # noqa: SLF001 - as in a process that has just been started
    return [Timetable.parse(expression, "UTC").next_after(NOON) for expression in expressions]


def scanned(scripts: Path) -> Iterator[Row]:
    """Measure the scans, each beside its floor."""
    first, again, reading, stating = [], [], [], []
    for _ in range(REPEATS):
        timetable._read.cache_clear()  # noqa: SLF001
        reading.append(timed(lambda: walk(scripts, read)))
        scanner = Scanner(str(scripts), defaults=Defaults(), trusted_uids=[os.geteuid()])
        first.append(timed(partial(scan_and_register, scanner)))
        vitals.settle_memory()  # as the daemon does
        stating.append(timed(lambda: walk(scripts, os.lstat)))
        again.append(timed(scanner.scan))
    yield row_of("scale", READS, reading)
    yield row_of("scale", "first scan and registration", first, beside=reading, named=READS)
    yield row_of("scale", STATS, stating)
    yield row_of("scale", "another scan, without a change", again, beside=stating, named=STATS)


def scan_and_register(scanner: Scanner) -> Planner:
    """Scan, and register what was found, as the daemon does when it starts for the first time."""
    vitals.put_off_collecting()  # as it does, too
    scan = scanner.scan()
    planner = Planner(new_run_id=run_ids(), max_running=256, max_held=10_000)
    planner.reconcile({schedule.script: schedule for schedule in scan.schedules}, NOON_MS)
    assert len(planner) == SCRIPTS, scan.problems[:3]
    return planner


def walk(root: Path, look: Callable[[str], object]) -> int:
    """Come to each file below a directory; return how many there are."""
    stack, files = [str(root)], 0
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                else:
                    look(entry.path)
                    files += 1
    assert files == SCRIPTS
    return files


def read(path: str) -> bytes:
    """Open a file and read its beginning."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def timed(work: Callable[[], object]) -> float:
    """Return the processor time that something takes, in seconds: the machine may be busy otherwise.

    All files are in the page cache; what the kernel does for a walk is counted in.
    """
    before = time.process_time()
    kept = work()  # to throw it away is no part of it
    took_s = time.process_time() - before
    del kept
    return took_s


def held(base: Path, scripts: Path) -> Iterator[Row]:
    """Measure a daemon over them: its memory, and how long it takes to find one edit."""
    nothing = base / "nothing"
    nothing.mkdir()
    with serving(nothing, base / "state-of-nothing") as daemon:
        daemon.start()
        empty_kib = daemon.rss_kib()
    with serving(scripts, base / "state") as daemon:
        ready_s = daemon.start()
        yield Row("scale", "the first start of `schedd serve`, with all checks (1 run)", shown(ready_s))
        daemon.stop()
        yield Row("scale", "the second start (1 run)", shown(daemon.start()))
        each_kib = (daemon.rss_kib() - empty_kib) / SCRIPTS
        yield Row("scale", "memory of a daemon without scripts", f"{empty_kib / 1024:.1f} MiB")
        yield Row("scale", "memory for each schedule", f"{each_kib:.2f} KiB")
        edits = [edited(scripts, base / "state", daemon, number) for number in range(EDITS)]
        found, cpu = zip(*edits, strict=True)
        yield row_of("scale", "one edit of a header, until it is registered", found)
        yield row_of("scale", "the same, processor time of the daemon", cpu)


def edited(scripts: Path, state: Path, daemon: Serving, number: int) -> tuple[float, float]:
    """Edit one script; return how long it took until the ledger had it, and the daemon's processor time."""
    time.sleep(EDIT_EVERY_S)
    path = scripts / f"team{number:03}" / f"job-{number * PER_DIRECTORY:06}.sh"
    label, log = f"edit {number}", state / LEDGER_NAME
    at, before, text = log.stat().st_size, daemon.use(), path.read_text()
    path.write_text(text.replace("# @timeout", f"# @label {label}\n# @timeout"))
    began = time.perf_counter()
    with log.open("rb") as file:
        file.seek(at)
        while label.encode() not in file.read():
            assert time.perf_counter() - began < FOUND_WITHIN_S
            file.seek(at)
            time.sleep(0.002)
    took_s = time.perf_counter() - began
    return took_s, daemon.use().cpu_s - before.cpu_s
