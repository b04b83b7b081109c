"""What a start costs a daemon of a gigabyte, beside one as small as it is: nothing may copy its page tables.

`python -m bench.spawn_size MIB` is such a process: the real runner with so much memory in use, which starts
scripts one after the other and prints what each took, in seconds, a way a line.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.beside import row_of
from bench.row import REPEATS, Row
from bench.starts import PYTHON, Bench, Way
from schedd.runner.starts import Means

SMALL_MIB, LARGE_MIB = 0, 1024
FIRST, ROUNDS = 5, 60
PAUSE_S = 0.01
MIB = 1 << 20
PAGE = 4096


def rows() -> Iterator[Row]:
    """Measure the small and the large one in turns."""
    small, large = [], []
    for _ in range(REPEATS):
        small.append(asked(SMALL_MIB))
        large.append(asked(LARGE_MIB))
    named = f"the same of {statistics.median(each['rss'] for each in small):.0f} MiB"
    for way in large[0]:
        if way != "rss":
            beside, taken = [each[way] for each in small], [each[way] for each in large]
            about = f"{way}, from order to end, a daemon of {large[0]['rss']:.0f} MiB"
            yield row_of("spawn size", about, taken, beside=beside, named=named)


def asked(mib: int) -> dict[str, float]:
    """Let a process of such a size measure."""
    command = [sys.executable, "-m", "bench.spawn_size", str(mib)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(mib: int) -> None:
    """Be such a process."""
    ballast = bytearray(mib * MIB)
    for page in range(0, len(ballast), PAGE):
        ballast[page] = 1
    with tempfile.TemporaryDirectory(prefix="schedd-size-") as directory:
        found = asyncio.run(measured(Path(directory) / "bench"))
    print(json.dumps(found | {"rss": rss_mib()}))
    assert len(ballast) == mib * MIB


async def measured(root: Path) -> dict[str, float]:
    """Return the median of each way."""
    bench = Bench(root, Means(python=PYTHON))
    ways: dict[str, Way] = {
        "a program": bench.script("true.sh", "#!/bin/true\n"),
        "warm Python": bench.script("warm.py", "x = 1\n"),
    }
    took_s: dict[str, list[float]] = {way: [] for way in ways}
    try:
        for number in range(FIRST + ROUNDS):
            for way, run in ways.items():
                await asyncio.sleep(PAUSE_S)
                before = time.perf_counter()
                await run()
                if number >= FIRST:
                    took_s[way].append(time.perf_counter() - before)
    finally:
        await bench.runner.close()
    return {way: statistics.median(each) for way, each in took_s.items()}


def rss_mib() -> float:
    """Return how much memory this process has in use."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]))
