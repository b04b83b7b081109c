"""schedd as `make install` and docs/operations.md leave it on a machine, for tests with a real systemd."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schedd.timetable.instant import to_ms
from tests.whole.systemd_lab import ROOT, Lab

PREFIX = "/usr/local"
SCRIPTS = "/etc/schedd/scripts/default"
UNIT_FILE = f"{PREFIX}/lib/systemd/system/schedd.service"
DROP_INS = "/etc/systemd/system/schedd.service.d"
DEADLINE_S = 20


def make(target: str, stage: Path) -> None:
    """Run make as a packager would."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", ROOT, target, f"DESTDIR={stage}", f"PREFIX={PREFIX}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def install(lab: Lab, stage: Path) -> None:
    """Do what docs/operations.md says, up to the start."""
    subprocess.run(["cp", "-a", *stage.iterdir(), lab.path("/")], check=True)
    lab.path(SCRIPTS).mkdir(parents=True)
    lab.run("systemd-sysusers")
    lab.run("systemd-tmpfiles", "--create", "schedd.conf")
    lab.run("journalctl", "--update-catalog")
    lab.run("systemctl", "daemon-reload")


def drop_in(lab: Lab, name: str, text: str) -> None:
    """Lay a fragment beside the unit, in force from the next start."""
    directory = lab.path(DROP_INS)
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(text)
    lab.run("systemctl", "daemon-reload")


def schedd(lab: Lab, *words: str) -> str:
    """Return what the command line says, to root on that machine."""
    return lab.output(f"{PREFIX}/bin/schedd", *words)


def lay(lab: Lab, name: str, text: str) -> None:
    """Put a script into the lab, whole at once: its directory is watched."""
    place = lab.path(f"{SCRIPTS}/{name}")
    new = place.with_name(f".{name}.new")
    new.write_text(text)
    new.rename(place)


def soon(holds: Callable[[], Any], what: str) -> Any:
    """Wait until a fact holds, and return it."""
    deadline = time.monotonic() + DEADLINE_S
    while not (fact := holds()):
        assert time.monotonic() < deadline, f"waited {DEADLINE_S} s until {what}"
        time.sleep(0.05)
    return fact


def entries(lab: Lab, *matches: str) -> list[dict[str, Any]]:
    """Return journal entries."""
    return [json.loads(line) for line in lab.journal(*matches).splitlines()]


def all_fires(lab: Lab) -> list[dict[str, Any]]:
    """Return the whole lines of the fires log."""
    log = lab.path("/var/lib/schedd/fires.log")
    lines = log.read_text().split("\n")[:-1] if log.exists() else []
    return [json.loads(line) for line in lines]


def fires(lab: Lab, script: str) -> list[dict[str, Any]]:
    """Return the lines of the fires log about a script."""
    return [line for line in all_fires(lab) if line["scriptPath"] == f"default/{script}"]


def slots(line: dict[str, Any]) -> range:
    """Return the slots that a line of the fires log accounts for, of a script that is due each second."""
    first = to_ms(line["slot"]) // 1000
    return range(first, first + line.get("count", 1))


def listed(lab: Lab) -> set[str]:
    """Return the scripts that the daemon has registered, as the command line on that machine shows them."""
    return {schedule["scriptRel"] for schedule in json.loads(schedd(lab, "list", "--json"))["schedules"]}
