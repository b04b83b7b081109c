"""What the measurements know of a contender, and of the jobs that it is given."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

PATIENCE_S = 120
STOPS_WITHIN_S = 60
PYTHON = "/usr/bin/python3"
PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class AbsentError(Exception):
    """It cannot be had on this machine: why, in a few words."""


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to start: as a command line, and as a script that has the header's line to be put in."""

    name: str
    argv: tuple[str, ...]
    suffix: str
    shebang: str
    body: str

    def script(self, directive: str) -> str:
        """Return it as a file that schedules itself."""
        return f"{self.shebang}\n{directive}\n{self.body}"


class Contender:
    """Prepared for one instant at which all its jobs are due, started, looked at, stopped; and that again."""

    name = ""
    each_minute_only = False
    """It knows no seconds: what is due is due when a minute begins."""

    process: "subprocess.Popen[bytes] | None" = None

    def install(self) -> str:
        """Get it, unless it is there; return its version. Raises AbsentError."""
        return ""

    def prepare(self, place: Path, jobs: Sequence[Job], due: datetime) -> None:
        """Write its configuration into an empty directory. `due` is in UTC."""

    def start(self) -> None:
        """Start it, and wait until it has all jobs."""

    @property
    def pid(self) -> int:
        """Its main process, as this one sees it."""
        assert self.process is not None
        return self.process.pid

    def stop(self) -> None:
        """End it; its jobs have ended."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def spawn(self, log: Path, *command: str | Path, env: Mapping[str, str] | None = None) -> None:
        """Start its process, with what it says in a file."""
        with log.open("wb") as said:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                cwd=log.parent,
                env={"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root", **(env or {})},
            )

    def wait_for(self, holds: Callable[[], object], log: Path) -> None:
        """Wait until something holds, as long as the process lives."""
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            alive = self.process.poll() is None and time.monotonic() < deadline
            assert alive, f"{self.name}: {log.read_text()[-2000:]}"
            time.sleep(0.01)

    def wait_for_word(self, word: str, log: Path) -> None:
        """Wait until it has said something."""
        self.wait_for(lambda: word in log.read_text(errors="replace"), log)
