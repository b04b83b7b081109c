"""What a fire costs a daemon of 100,000 schedules, beside one of a hundred.

In both the same hundred scripts are due each second for a while, and do nothing; the others are due in a
year. Measured is the processor time of the daemon without its children, divided by the fires that ended.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.beside import row_of
from bench.grounds import Serving, serving, write_scripts
from bench.row import Row
from schedd.ledger.ledger import FIRES_NAME

SCRIPTS = 100_000
DUE = 100
WATCHED_S = 10
RUNS = 5
SETTLED_S = 3
QUICK = "#!/bin/true\n# @schedule {expression}\n"


def rows() -> Iterator[Row]:
    """Measure both daemons by turns, so that whatever else the machine does hits each alike."""
    with tempfile.TemporaryDirectory(prefix="schedd-growth-") as directory:
        base = Path(directory)
        for name, others in (("few", 0), ("many", SCRIPTS - DUE)):
            write_scripts(base / name / "scripts" / "due", DUE, ["@every 1s"], QUICK)
            write_scripts(base / name / "scripts" / "others", others, ["@yearly"], QUICK)
        with (
            serving(base / "few" / "scripts", base / "few" / "state") as few,
            serving(base / "many" / "scripts", base / "many" / "state") as many,
        ):
            costs: dict[Serving, list[float]] = {few: [], many: []}
            for daemon in costs:
                daemon.start()
                time.sleep(SETTLED_S)
            for _ in range(RUNS):
                for daemon, each_s in costs.items():
                    each_s.append(cost(daemon))
    about = "processor time for each fire, of a daemon with"
    yield row_of("growth", f"{about} {DUE} schedules", costs[few])
    named = f"that with {DUE}"
    yield row_of("growth", f"{about} {SCRIPTS:,} schedules", costs[many], beside=costs[few], named=named)


def cost(daemon: Serving) -> float:
    """Return what a fire costs at this moment, in seconds of processor time."""
    before, fired = daemon.use(), fires(daemon.state)
    time.sleep(WATCHED_S)
    after, more = daemon.use(), fires(daemon.state)
    return (after.cpu_s - before.cpu_s) / (more - fired)


def fires(state: Path) -> int:
    """Return how many have ended so far."""
    return (state / FIRES_NAME).read_bytes().count(b"\n")
