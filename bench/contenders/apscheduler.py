"""APScheduler: a program of ours around the library, as its guide shows it, that starts the commands.

Jobs are kept in memory. By default whatever is more than a second late is dropped: `misfire_grace_time=None`
keeps it. Its pool of threads has its default of ten.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bench.contenders import packages
from bench.contenders.contender import Contender, Job

PROGRAM = """
import json, subprocess, sys
from apscheduler.schedulers.blocking import BlockingScheduler

def start(argv):
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

wanted = json.load(open(sys.argv[1]))
scheduler = BlockingScheduler(timezone="UTC", job_defaults={"misfire_grace_time": None})
for argv in wanted["jobs"]:
    scheduler.add_job(start, "cron", args=[argv], **wanted["when"])
print("ready", flush=True)
scheduler.start()
"""


class APScheduler(Contender):
    """The scheduler that Python programs have built in most often."""

    name = "APScheduler"

    def install(self) -> str:
        packages.python("apscheduler")
        return packages.python_version("apscheduler")

    def prepare(self, place: Path, jobs: Sequence[Job], due: datetime) -> None:
        self._place = place
        when = {each: getattr(due, each) for each in ("month", "day", "hour", "minute", "second")}
        (place / "jobs.json").write_text(json.dumps({"when": when, "jobs": [job.argv for job in jobs]}))
        (place / "program.py").write_text(PROGRAM)

    def start(self) -> None:
        log = self._place / "log"
        python = packages.python("apscheduler") / "bin" / "python"
        self.spawn(log, python, self._place / "program.py", self._place / "jobs.json")
        self.wait_for_word("ready", log)
