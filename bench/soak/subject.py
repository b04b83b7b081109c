"""The daemon under test: started, asked, seen from outside by /proc, and stopped."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedd.host import processes

STARTS_WITHIN_S = 60
STOPS_WITHIN_S = 60
ANSWERS_WITHIN_S = 60
NURSERY = b"/python_launcher.py\0nursery\0"
MIB = 1 << 20
TICKS = os.sysconf("SC_CLK_TCK")

# Small, so that a quarter of an hour has rotations and deletions by the dozen.
SETTINGS = """\
listen = ""
log_level = "error"
fires_max_bytes = "256K"
fires_keep = 10
ledger_max_bytes = "1M"
ledger_keep = 2
output_keep_bytes = "1M"
"""


@dataclass(frozen=True, slots=True)
class Sight:
    """What /proc shows of the daemon and of all that is below it."""

    rss_mib: float
    nurseries_mib: float
    """The proportional share of the Python nurseries, without their forks."""
    descriptors: int
    threads: int
    processes: int
    """All below the daemon, zombies included."""
    zombies: int
    cpu_s: float
    """That the daemon itself has used so far."""


class Subject:
    """A daemon on scripts and state of its own."""

    def __init__(self, root: Path) -> None:
        self.scripts = root / "scripts"
        self.state = root / "state"
        self.socket = root / "api.sock"
        self._log = root / "stderr.log"
        self._settings = root / "schedd.toml"
        self._settings.write_text(SETTINGS)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        places = {"scripts-dir": self.scripts, "state-dir": self.state, "socket": self.socket}
        command = [sys.executable, "-m", "schedd", "serve", "--config", str(self._settings)]
        command += [f"--{name}={place}" for name, place in places.items()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._ready():
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < deadline, "the daemon did not get ready"
            time.sleep(0.02)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send one request on a connection of its own; return the JSON of the answer."""
        connection = self.connection()
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, raw
        return json.loads(raw)

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection to its Unix socket."""
        return Connection(str(self.socket))

    def seen(self) -> Sight:
        """Look at it and at what is below it."""
        assert self._process is not None
        pid = self._process.pid
        assert self._process.poll() is None, f"the daemon died: {self.said()}"
        family = _family(pid)
        status = _fields(f"/proc/{pid}/status")
        return Sight(
            rss_mib=status["VmRSS"] / 1024,
            nurseries_mib=sum(_pss_kib(facts.pid) for facts in family if facts.parent == pid) / 1024,
            descriptors=len(os.listdir(f"/proc/{pid}/fd")),
            threads=status["Threads"],
            processes=len(family),
            zombies=sum(facts.is_over for facts in family),
            cpu_s=_cpu_s(pid),
        )

    def stop(self) -> int:
        """Stop it as systemd does; return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(STOPS_WITHIN_S)

    def close(self) -> None:
        """End it if it is still there."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def said(self) -> str:
        """What it logged: errors only."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _ready(self) -> bool:
        try:
            return bool(self.ask("GET", "/readyz")["ready"])
        except (OSError, http.client.HTTPException, AssertionError):
            return False


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWERS_WITHIN_S)
        self._path = path

    def connect(self) -> None:
        """Connect, as the base class does over TCP."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _family(pid: int) -> list[processes.Facts]:
    """Return all that is below a process, zombies included."""
    children: defaultdict[int, list[processes.Facts]] = defaultdict(list)
    for facts in processes.everybody():
        children[facts.parent].append(facts)
    found = list(children[pid])
    for facts in found:  # which grows meanwhile
        found += children[facts.pid]
    return found


def _pss_kib(pid: int) -> int:
    """Return the share of a nursery; 0 for any other process, or one that has just ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if NURSERY not in file.read():
                return 0
        return _fields(f"/proc/{pid}/smaps_rollup")["Pss"]
    except (OSError, KeyError):
        return 0


def _fields(path: str) -> dict[str, int]:
    """Return the lines `Name: NUMBER …` of a file."""
    with open(path, encoding="utf-8", errors="replace") as file:
        split = [line.split() for line in file]
    return {words[0][:-1]: int(words[1]) for words in split if len(words) > 1 and words[1].isdecimal()}


def _cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
