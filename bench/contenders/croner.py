"""croner: a program of ours around the library, for Node.js, that starts the commands."""

import json
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bench.contenders import packages
from bench.contenders.contender import AbsentError, Contender, Job

PROGRAM = """
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Cron } from "croner";

const { when, jobs } = JSON.parse(readFileSync(process.argv[2], "utf8"));
for (const [program, ...rest] of jobs) {
    new Cron(when, { timezone: "UTC" }, () => {
        spawn(program, rest, { stdio: "ignore" });
    });
}
console.log("ready");
"""


class Croner(Contender):
    """One timer of Node.js for each job."""

    name = "croner"

    def install(self) -> str:
        if shutil.which("node") is None:
            raise AbsentError("there is no node")
        found = packages.node("croner") / "node_modules" / "croner" / "package.json"
        return str(json.loads(found.read_text())["version"])

    def prepare(self, place: Path, jobs: Sequence[Job], due: datetime) -> None:
        self._place = place
        when = f"{due.second} {due.minute} {due.hour} {due.day} {due.month} *"
        (place / "jobs.json").write_text(json.dumps({"when": when, "jobs": [job.argv for job in jobs]}))
        (place / "program.mjs").write_text(PROGRAM)
        (place / "node_modules").symlink_to(packages.node("croner") / "node_modules")

    def start(self) -> None:
        log = self._place / "log"
        node = shutil.which("node")
        assert node is not None
        self.spawn(log, node, self._place / "program.mjs", self._place / "jobs.json")
        self.wait_for_word("ready", log)
