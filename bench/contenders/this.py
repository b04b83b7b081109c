"""schedd itself: each job is a script with a header."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bench.contenders.contender import PYTHON, Contender, Job
from schedd import __version__

ROOT = Path(__file__).parents[2]


class Schedd(Contender):
    """The daemon as it is, from this checkout, but for what may run at once; its claims are durable."""

    name = "schedd"
    directive = ""
    """Instead of the one that names the instant."""

    def __init__(self, *, watched: bool = False, preload: Sequence[str] = ()) -> None:
        self.watched = watched
        self.preload = preload

    def install(self) -> str:
        return __version__

    def prepare(self, place: Path, jobs: Sequence[Job], due: datetime) -> None:
        self._place = place
        self._count = len(jobs)
        (place / "scripts").mkdir()
        directive = (
            self.directive or f"# @schedule {due.second} {due.minute} {due.hour} {due.day} {due.month} *"
        )
        for job in jobs:
            path = place / "scripts" / f"{job.name}{job.suffix}"
            path.write_text(job.script(directive))
            path.chmod(0o755)

    def start(self) -> None:
        place = self._place
        where = {"scripts_dir": "scripts", "state_dir": "state", "socket": "api.sock"}
        settings = {f"SCHEDD_{name.upper()}": str(place / path) for name, path in where.items()}
        settings |= {"SCHEDD_LISTEN": "", "SCHEDD_LOG_LEVEL": "warning", "SCHEDD_PYTHON": PYTHON}
        settings |= {
            "SCHEDD_MAX_RUNNING": str(self._count),
            "SCHEDD_PYTHON_PRELOAD": json.dumps(self.preload),
        }
        settings |= {"PYTHONPATH": str(ROOT)}
        serve = ["-m", "bench.watched", str(place / "figures")] if self.watched else ["-m", "schedd", "serve"]
        log = place / "log"
        self.spawn(log, sys.executable, *serve, env=settings)
        self.wait_for((place / "api.sock").exists, log)

    def watch(self) -> None:
        """Forget the longest hold of the loop so far."""
        os.kill(self.pid, signal.SIGUSR2)


def figures(place: Path) -> dict[str, float]:
    """Return what the watch has seen."""
    found: dict[str, float] = json.loads((place / "figures").read_text())
    return found
