"""Debian's `cron` and `bcron`, as they are packaged, on a throw-away copy of this machine's files.

Their jobs are lines of root's crontab; they know no seconds. No mail is sent: nothing is printed.
"""

import os
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bench.contenders import packages
from bench.contenders.contender import AbsentError, Contender, Job

BOOTH = Path(__file__).with_name("booth.sh")
CRONTAB = "var/spool/cron/crontabs/root"
SETTLES_S = 1.0
"""They do not tell when they have read their crontab. It takes some hundredths of a second."""


class _Cron(Contender):
    """What the two have in common: a crontab, and a tree that is laid over the machine's."""

    each_minute_only = True
    packages: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def install(self) -> str:
        if os.geteuid() != 0:
            raise AbsentError("only root may start it")
        packages.debian(self.name, self.packages)
        return packages.debian_version(self.name, self.packages[0])

    def prepare(self, place: Path, jobs: Sequence[Job], due: datetime) -> None:
        self._place = place
        local = due.astimezone()
        when = f"{local.minute} {local.hour} {local.day} {local.month} *"
        crontab = place / "crontab"
        crontab.write_text("".join(f"{when} {' '.join(job.argv)}\n" for job in jobs))
        crontab.chmod(0o600)

    def start(self) -> None:
        tree = packages.debian(self.name, self.packages)
        log, work = self._place / "log", self._place / "booth"
        work.mkdir()
        lay = f'mkdir -p "${{0%/*}}" && cp -p {self._place}/crontab "$0" && exec "$@"'
        private = ("unshare", "--mount", "--propagation", "private", "sh")
        command = ("/bin/sh", "-ec", lay, f"/{CRONTAB}", *self.command)
        self.spawn(log, *private, BOOTH, work, tree, self._place, *command)
        self.wait_for(self._is_it, log)
        time.sleep(SETTLES_S)

    def _is_it(self) -> bool:
        return Path(f"/proc/{self.pid}/comm").read_text().strip() in ("cron", "bcron-sched")


class Cron(_Cron):
    """The one that is on every Debian."""

    name = "cron"
    packages = ("cron",)
    command = ("/usr/sbin/cron", "-f")


class Bcron(_Cron):
    """The one for whom security matters most: its scheduler and its starter are two processes."""

    name = "bcron"
    packages = ("bcron", "libbg2")
    command = ("/usr/bin/env", "BCRON_USER=root", "/usr/sbin/bcron-start")
