"""How late scripts start when a thousand are due in the same second: the real daemon, real processes."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.row import Row, shown

SCRIPTS = 1_000
AHEAD_S = 6
PATIENCE_S = 60


def rows() -> Iterator[Row]:
    """Measure one burst of no-ops, from the slot to each one's start."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=AHEAD_S)
        lay(root / "scripts", f"{due.second} {due.minute} {due.hour} {due.day} {due.month} *")
        before = time.perf_counter()
        daemon = serve(root)
        try:
            wait_for(root / "api.sock")
            yield Row("daemon", f"ready with {SCRIPTS:,} scripts", shown(time.perf_counter() - before))
            late_s = sorted(entry["latenessMs"] / 1000 for entry in ended(root / "state" / "fires.log"))
        finally:
            daemon.terminate()
            daemon.wait()
    burst = f"{SCRIPTS:,} no-ops due in one second"
    yield Row("daemon", f"{burst}: the median one starts after", shown(statistics.median(late_s)))
    yield Row("daemon", f"{burst}: the last one starts after", shown(late_s[-1]))


def lay(directory: Path, expression: str) -> None:
    """Write the scripts."""
    directory.mkdir()
    for number in range(SCRIPTS):
        (directory / f"{number}.sh").write_text(f"#!/bin/sh\n# @schedule {expression}\n")


def serve(root: Path) -> "subprocess.Popen[bytes]":
    """Start the daemon."""
    where = {"scripts_dir": root / "scripts", "state_dir": root / "state", "socket": root / "api.sock"}
    settings = {f"SCHEDD_{name.upper()}": str(path) for name, path in where.items()}
    settings |= {"SCHEDD_LISTEN": "", "SCHEDD_MAX_RUNNING": str(SCRIPTS), "SCHEDD_LOG_LEVEL": "warning"}
    return subprocess.Popen([sys.executable, "-m", "schedd", "serve"], env={**os.environ, **settings})


def wait_for(path: Path) -> None:
    """Wait until the daemon listens."""
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline, "the daemon did not get ready"
        time.sleep(0.005)


def ended(fires_log: Path) -> list[dict[str, int]]:
    """Wait for the lines of all fires, and return them."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        lines = fires_log.read_text().splitlines() if fires_log.exists() else []
        if len(lines) >= SCRIPTS:
            return [json.loads(line) for line in lines]
        assert time.monotonic() < deadline, f"{len(lines)} of {SCRIPTS} fires ended"
        time.sleep(0.1)
