"""One fire in a daemon that has nothing else to do: from the instant to the script's first statement.

A script is due at each even second, and a program in C waits for each odd one (clock_nanosleep, posix_spawn):
both start the same static program, which writes down when it began. schedd has written and synced its claim
before; the least that this can take is measured beside it, as a line of the same length, written and synced.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.beside import row_of
from bench.contenders.contender import Job
from bench.contenders.this import Schedd
from bench.floors import compiled
from bench.rounds import READY_BEFORE_S, stamped
from bench.row import Row, quantile

FIRES = 40
EVERY_S = 2
CLAIM_BYTES = 300
P99 = 0.99
LOOP = "clock_nanosleep + posix_spawn in C"


class Repeated(Schedd):
    """One that is due at each even second."""

    directive = "# @schedule */2 * * * * *"


def rows() -> Iterator[Row]:
    """Look on for a while."""
    stamp = compiled("stamp", static=True)
    with tempfile.TemporaryDirectory(prefix="schedd-one-") as directory:
        place = Path(directory)
        ours, floor, daemon = place / "stamps", place / "floor", Repeated()
        job = Job("one", (str(stamp), str(ours), "one"), ".sh", f"#!{stamp} {ours}", "")
        daemon.prepare(place, [job], datetime.now(UTC))
        daemon.start()
        try:
            time.sleep(EVERY_S)
            claims_s = [beside(stamp, floor, place / "claims") for _ in range(FIRES)]
        finally:
            daemon.stop()
        late_s, floor_s = after_even(ours, 0)[-FIRES:], after_even(floor, 1)
    yield row_of("one fire", LOOP, floor_s)
    yield row_of("one fire", "a claim, written and synced by itself", claims_s)
    yield row_of("one fire", "schedd, quiet", late_s, beside=floor_s[: len(late_s)], named=LOOP)
    yield row_of("one fire", "schedd, quiet, 99 of 100 within", [quantile(late_s, P99)])
    early = sum(each < 0 for each in late_s)
    yield Row("one fire", f"schedd began too early, of {len(late_s)}", str(early))


def beside(stamp: Path, floor: Path, claims: Path) -> float:
    """Wait for the next odd second with the program in C; return how long a synced line takes after it."""
    now = datetime.now(UTC) + timedelta(seconds=READY_BEFORE_S)
    at_s = int(now.timestamp()) + 1
    at_s += 1 - at_s % EVERY_S
    subprocess.run(
        [compiled("spawn_loop"), str(at_s), "1", stamp, floor, "%"], check=True, capture_output=True
    )
    begun = time.perf_counter()
    fd = os.open(claims, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, b"x" * CLAIM_BYTES)
        os.fdatasync(fd)
    finally:
        os.close(fd)
    return time.perf_counter() - begun


def after_even(stamps: Path, odd: int) -> list[float]:
    """Return how long after its even, or odd, second each began; just before it is early, and negative."""
    epoch = datetime.fromtimestamp(odd, UTC)
    all_s = (after_s % EVERY_S for after_s, _ in stamped(stamps.read_text(), epoch))
    return [after_s - EVERY_S if after_s > EVERY_S / 2 else after_s for after_s in all_s]
