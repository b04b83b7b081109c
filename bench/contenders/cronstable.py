"""cronstable: jobs in a file of YAML, once as it is by default, once with its durable state."""

import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bench.contenders import packages
from bench.contenders.contender import Contender, Job


class Cronstable(Contender):
    """It logs each start; what it logs goes to a file."""

    def __init__(self, *, durable: bool) -> None:
        self.durable = durable
        self.name = "cronstable, durable state" if durable else "cronstable"

    def install(self) -> str:
        packages.python("cronstable")
        return packages.python_version("cronstable")

    def prepare(self, place: Path, jobs: Sequence[Job], due: datetime) -> None:
        self._place = place
        when = f"{due.second} {due.minute} {due.hour} {due.day} {due.month} * *"
        lines = ["jobs:"]
        for job in jobs:
            lines += [f"  - name: job{job.name}", f'    schedule: "{when}"', "    command:"]
            lines += [f"      - {json.dumps(word)}" for word in job.argv]
        if self.durable:
            lines += ["state:", f"  path: {place}/state"]
        (place / "jobs.yaml").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        log = self._place / "log"
        self.spawn(log, packages.python("cronstable") / "bin" / "cronstable", "-c", self._place / "jobs.yaml")
        time.sleep(1)
