"""Scripts by the thousand, and a daemon over them, seen from outside."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.soak.subject import Connection

READY_WITHIN_S = 120
STOPPED_WITHIN_S = 60
PER_DIRECTORY = 500
SCRIPT = """\
#!/bin/sh
# @schedule {expression}
# @timezone UTC
# @timeout 10m
# @description Sends what has come in since the last time, and tells who waits for it.
# @tags nightly, orders
set -eu
cd /srv/shop
for file in spool/*.csv; do
    [ -e "$file" ] || exit 0
    ./send --to ledger "$file" && mv "$file" done/
done
"""
"""As people write them: half a kilobyte, with four or five directives."""


def timetables(count: int) -> list[str]:
    """Return so many expressions that are due once a day, at times of their own."""
    return [f"{number % 60} {number // 60} * * *" for number in range(count)]


def write_scripts(root: Path, count: int, expressions: list[str], text: str = SCRIPT) -> None:
    """Write so many scripts, in directories of 500, each with the next of the expressions."""
    for number in range(count):
        directory = root / f"team{number // PER_DIRECTORY:03}"
        if number % PER_DIRECTORY == 0:
            directory.mkdir(parents=True)
        path = directory / f"job-{number:06}.sh"
        path.write_text(text.replace("{expression}", expressions[number % len(expressions)]))
        path.chmod(0o755)


@dataclass(frozen=True, slots=True)
class Use:
    """What a process has used so far."""

    cpu_s: float
    wakeups: int
    """Times that one of its threads had waited for something, and was woken."""


class Serving:
    """A daemon on these scripts and this state."""

    def __init__(self, scripts: Path, state: Path, **settings: str) -> None:
        self.state = state
        self.socket = state.parent / "api.sock"
        self._notices = state.parent / "notices.sock"
        places = {"scripts_dir": str(scripts), "state_dir": str(state), "socket": str(self.socket)}
        quiet = {"listen": "", "log_level": "error"}
        values = {**places, **quiet, **settings}
        self._env = {f"SCHEDD_{name.upper()}": value for name, value in values.items()}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it; return after how many seconds it told its service manager that it is ready."""
        self._notices.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(str(self._notices))
            notices.settimeout(READY_WITHIN_S)
            env = {**os.environ, **self._env, "NOTIFY_SOCKET": str(self._notices)}
            before = time.perf_counter()
            self.process = subprocess.Popen([sys.executable, "-m", "schedd", "serve"], env=env)
            while b"READY=1" not in notices.recv(1 << 16):
                pass
            return time.perf_counter() - before

    def stop(self) -> None:
        """Stop it as systemd does."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(STOPPED_WITHIN_S)
        self.process = None

    def close(self) -> None:
        """End it if it is still there."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def pid(self) -> int:
        """That of the daemon."""
        assert self.process is not None
        return self.process.pid

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send one request; return the JSON of the answer."""
        connection = Connection(str(self.socket))
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def rss_kib(self) -> int:
        """Return the memory that it holds at this moment."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    def use(self) -> Use:
        """Return what all its threads have used so far."""
        cpu_ns, wakeups = 0, 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            cpu_ns += int((task / "schedstat").read_text().split()[0])
            lines = (task / "status").read_text().splitlines()
            wakeups += next(int(line.split()[1]) for line in lines if line.startswith("voluntary"))
        return Use(cpu_ns / 1e9, wakeups)


@contextmanager
def serving(scripts: Path, state: Path, **settings: str) -> Iterator[Serving]:
    """Give a daemon that is not started yet, and end it at last."""
    daemon = Serving(scripts, state, **settings)
    try:
        yield daemon
    finally:
        daemon.close()
