"""systemd timers: a service and a timer for each job, in a systemd of their own (tests/whole/systemd_lab.py).

`AccuracySec=` is 1 µs: by default it is a minute, within which all are late. The journal is in memory.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bench.contenders.contender import AbsentError, Contender, Job
from tests.whole.systemd_lab import Lab, LabError

UNITS = "/etc/systemd/system"
SERVICE = """[Service]
Type=exec
ExecStart={command}
"""
TIMER = """[Timer]
OnCalendar={when}
AccuracySec=1us
"""


class Timers(Contender):
    """PID 1 of a lab."""

    name = "systemd timers"
    lab: Lab | None = None

    def install(self) -> str:
        try:
            with Lab() as lab:
                return lab.output("systemctl", "--version").split()[1]
        except LabError as error:
            raise AbsentError(str(error).splitlines()[0]) from None

    def prepare(self, place: Path, jobs: Sequence[Job], due: datetime) -> None:
        self.lab = Lab().__enter__()
        units = self.lab.path(UNITS)
        (units / "jobs.target.wants").mkdir()
        (units / "jobs.target").write_text("[Unit]\n")
        self.lab.path(str(place)).mkdir(parents=True, exist_ok=True)
        for job in jobs:
            self._write(units, job, f"{due:%Y-%m-%d %H:%M:%S} UTC")

    def _write(self, units: Path, job: Job, when: str) -> None:
        (units / f"job{job.name}.service").write_text(SERVICE.format(command=" ".join(job.argv)))
        (units / f"job{job.name}.timer").write_text(TIMER.format(when=when))
        (units / "jobs.target.wants" / f"job{job.name}.timer").symlink_to(f"../job{job.name}.timer")

    def start(self) -> None:
        assert self.lab is not None
        self.lab.run("systemctl", "daemon-reload")
        self.lab.run("systemctl", "start", "jobs.target", timeout_s=300)

    @property
    def pid(self) -> int:
        assert self.lab is not None
        return self.lab.init

    def stop(self) -> None:
        if self.lab is not None:
            self.lab.close()
            self.lab = None
