"""What a script that prints without end costs: memory, the event loop, and the script's own time.

`python -m bench.floods` takes some minutes, and has a section of the results of its own.

The real daemon, one for each case, with a watch on its loop (`bench.watched`). The hold is processor time of
the loop's thread in one turn, so that the flood itself, which wants both processors, does not count.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import results
from bench.row import shown

MB = 1 << 20
SCRIPTS = {
    "1 GiB of lines": "yes '2026-11-24 10:00:00 INFO order 4711 of customer 0815 is on its way' | head -c 1G",
    "a line of 200 MB": "head -c 200M /dev/zero | tr '\\0' x",
    "200 MB of random bytes": "for i in 1 2 3 4 5 6 7 8 9 10; do cat {random}; done",
    "200 MB of Latin-1": "yes 'Gr\\303\\274\\337e aus M\\374nchen' | head -c 200M",
}
SECRETS = {
    "SCHEDD_REDACT": '["hunter2hunter2", "correct horse battery staple"]',
    "SCHEDD_REDACT_PATTERNS": r'["ghp_[A-Za-z0-9]{36}", "password=\\S+", "(?i)bearer [a-z0-9._-]{20,}"]',
}
PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Case:
    """One flood, and who watches it."""

    flood: str
    secrets: bool = False
    listener: str = ""
    """`fast`, `stalled` or none."""
    journal: bool = False

    def __str__(self) -> str:
        about = ["with secrets and patterns"] * self.secrets
        about += [f"a {self.listener} listener"] * bool(self.listener)
        return ", ".join([self.flood, *about, *["the journal"] * self.journal])


CASES = (
    *(Case(flood) for flood in SCRIPTS),
    *(Case(flood, secrets=True) for flood in SCRIPTS),
    *(Case("1 GiB of lines", listener=kind) for kind in ("fast", "stalled")),
    Case("1 GiB of lines", journal=True),
    Case("1 GiB of lines", secrets=True, listener="fast", journal=True),
    Case("a line of 200 MB", secrets=True, listener="fast", journal=True),
)


def main() -> None:
    """Measure all cases, show them as they come, and keep them."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    table = [
        f"Measured by `python -m bench.floods` on {today}: {os.cpu_count()} cores, shared by",
        "the flood, the daemon and whoever listens. Memory is what the daemon's peak grew by. A hold is the",
        "processor time of one turn of its event loop. Then, how long the script took, and how many times as",
        "long as when its output goes to /dev/null.",
        "",
        "| what is printed, and to whom | memory | longest hold | took | times |",
        "|---|---|---|---|---|",
    ]
    for what, *figures in rows():
        print(f"{what:75}", *figures, flush=True)
        table.append(f"| {what} | {' | '.join(figures)} |")
    results.keep("\n".join(table), section="Floods")


def rows() -> Iterator[tuple[str, ...]]:
    """Measure all cases."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "random").write_bytes(os.urandom(20 * MB))
        quiet_kb = measured(root, Case("nothing"))["peak_kb"]
        for case in CASES:
            found = measured(root, case)
            bare_s = timed(source(root, case.flood))
            memory = f"{max(0, found['peak_kb'] - quiet_kb) / 1024:.1f} MB of {quiet_kb / 1024:.0f}"
            times = f"{found['took_s'] / bare_s:.1f}"
            yield str(case), memory, shown(found["hold_cpu_s"]), shown(found["took_s"]), times


def source(root: Path, flood: str) -> str:
    """Return the commands of a flood."""
    return SCRIPTS.get(flood, "true").replace("{random}", str(root / "random"))


def measured(root: Path, case: Case) -> dict[str, float]:
    """Let one daemon run one flood."""
    with tempfile.TemporaryDirectory(dir=root) as directory, ExitStack() as stack:
        place = Path(directory)
        (place / "scripts").mkdir()
        script = place / "scripts" / "floods.sh"
        script.write_text(f"#!/bin/sh\n# @schedule @yearly\nsleep 0.2\n{source(root, case.flood)}\n")
        journal = stack.enter_context(reader(place / "journal")) if case.journal else None
        daemon = serve(place, case, journal)
        stack.callback(daemon.kill)
        ready(place)
        daemon.send_signal(signal.SIGUSR2)
        asked = {"scriptPath": script.name, "wait": False}
        started = ask(place, "POST", "/api/v1/exec/schedules/trigger", asked)
        if case.listener:
            stack.enter_context(listener(place, started["runId"], reads=case.listener == "fast"))
        entry = ended(place, started["runId"])
        daemon.terminate()
        daemon.wait()
        assert entry["status"] == "ok", entry
        figures: dict[str, float] = json.loads((place / "figures").read_text())
        return {**figures, "took_s": entry["durationMs"] / 1000 - 0.2}


def serve(place: Path, case: Case, journal: str | None) -> "subprocess.Popen[bytes]":
    """Start the watched daemon."""
    where = {"scripts_dir": place / "scripts", "state_dir": place / "state", "socket": place / "api.sock"}
    settings = {f"SCHEDD_{name.upper()}": str(path) for name, path in where.items()}
    settings |= {"SCHEDD_LISTEN": "", "SCHEDD_LOG_LEVEL": "warning", **(SECRETS if case.secrets else {})}
    command = [sys.executable, "-m", "bench.watched", str(place / "figures"), *([journal] if journal else [])]
    return subprocess.Popen(command, env={**os.environ, **settings})


def ready(place: Path) -> None:
    """Wait until the daemon is ready."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if ask(place, "GET", "/readyz").get("ready"):
                return
        time.sleep(0.02)
    raise AssertionError("the daemon did not get ready")


def ask(place: Path, method: str, path: str, body: object = None) -> Any:
    """Ask the daemon."""
    connection = connected(place)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def connected(place: Path) -> http.client.HTTPConnection:
    """Return a connection to the daemon's socket."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(str(place / "api.sock"))
    return connection


def ended(place: Path, run_id: str) -> dict[str, Any]:
    """Wait for the line of a run; look seldom, to be no load."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        run = ask(place, "GET", f"/api/v1/exec/runs/{run_id}")
        if run.get("state") == "ended":
            entry: dict[str, Any] = run["entry"]
            return entry
        time.sleep(0.25)
    raise AssertionError("the flood did not end")


@contextmanager
def listener(place: Path, run_id: str, *, reads: bool) -> Iterator[None]:
    """Listen to a run, or only seem to."""
    connection = connected(place)
    connection.request("GET", f"/api/v1/exec/runs/{run_id}/output?follow=true&format=sse")
    if reads:
        threading.Thread(target=lambda: drain(connection.getresponse().read1), daemon=True).start()
    try:
        yield
    finally:
        connection.sock.close()


@contextmanager
def reader(path: Path) -> Iterator[str]:
    """Be a journald that takes what comes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        server.settimeout(60)
        threading.Thread(target=lambda: drain(server.recv), daemon=True).start()
        yield str(path)


def drain(read: Callable[[int], bytes]) -> None:
    """Read to the end."""
    try:
        while read(1 << 18):
            pass
    except (OSError, http.client.HTTPException):
        return


def timed(commands: str) -> float:
    """Return how long they take where nobody reads what they print, in seconds."""
    before = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", commands], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - before


if __name__ == "__main__":
    main()
