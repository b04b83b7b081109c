"""What it costs to wait: a daemon with 10,000 schedules and a watch on their directory, and nothing due.

A minute is watched for each figure: voluntary context switches of all its threads are its wake-ups, and the
scheduler of the kernel tells its processor time in nanoseconds.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.grounds import Serving, serving, write_scripts
from bench.row import Row

SCRIPTS = 10_000
MINUTES = 3
SETTLED_S = 5.0
"""After the start: what was made is given back, and threads that are not needed go."""


def rows() -> Iterator[Row]:
    """Watch a daemon that has nothing to do."""
    with tempfile.TemporaryDirectory(prefix="schedd-idle-") as directory:
        base = Path(directory)
        write_scripts(base / "scripts", SCRIPTS, ["@yearly"])
        with serving(base / "scripts", base / "state", watch="true") as daemon:
            daemon.start()
            time.sleep(SETTLED_S)
            minutes = [minute(daemon) for _ in range(MINUTES)]
    wakeups = sorted(minute[0] for minute in minutes)
    percent = sorted(minute[1] for minute in minutes)
    about = f"{SCRIPTS:,} schedules, watched, nothing due"
    middle = len(minutes) // 2
    yield Row("idle", f"{about}: wake-ups a minute (3 runs)", *(str(wakeups[at]) for at in (middle, 0, -1)))
    figures = (f"{percent[at]:.3f} %" for at in (middle, 0, -1))
    yield Row("idle", f"{about}: of a processor (3 runs)", *figures)


def minute(daemon: Serving) -> tuple[int, float]:
    """Watch for a minute; return the wake-ups, and the processor time in percent."""
    before = daemon.use()
    time.sleep(60)
    after = daemon.use()
    return after.wakeups - before.wakeups, (after.cpu_s - before.cpu_s) / 60 * 100
