"""Schedd's Debian package in the lab, and questions to its socket; for tests that need an installed one."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.whole.systemd_lab import ROOT, Lab

DEADLINE_S = 20
SOCKET = "/run/schedd/api.sock"
SCRIPTS = "/etc/schedd/scripts/default"


def build(directory: Path) -> Path:
    """Build the package of this checkout."""
    environ = {**os.environ, "DEBFULLNAME": "The Tests", "DEBEMAIL": "tests@example.org"}
    done = subprocess.run(
        [".ci/deb.sh", directory], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (package,) = directory.glob("*.deb")
    return package


def newer(package: Path, directory: Path) -> Path:
    """Return the same package, as the revision after it."""
    unpacked = directory / "unpacked"
    subprocess.run(["dpkg-deb", "--raw-extract", package, unpacked], check=True)
    control = unpacked / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("-1\n", "-2\n", 1))
    later = directory / "schedd-2.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", unpacked, later],
        capture_output=True,
        check=True,
    )
    return later


def dpkg(lab: Lab, *arguments: str | Path) -> str:
    """Run dpkg in the lab, and return all that it and the maintainer scripts said."""
    done = lab.run("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", *arguments, check=False, timeout_s=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def prepare(lab: Lab) -> None:
    """Have packages installed as where services start and man pages are kept: not in a container."""
    lab.path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)
    for each in lab.path("/etc/dpkg/dpkg.cfg.d").iterdir():
        each.unlink()


def install(lab: Lab, package: Path) -> str:
    """Install a package in the lab."""
    prepare(lab)
    shutil.copy(package, lab.path("/root/schedd.deb"))
    return dpkg(lab, "--install", "/root/schedd.deb")


def lay(lab: Lab, name: str, text: str) -> None:
    """Put a script into the lab."""
    lab.path(SCRIPTS).mkdir(exist_ok=True)
    lab.path(f"{SCRIPTS}/{name}").write_text(text)


def soon(holds: Callable[[], Any], what: str) -> Any:
    """Wait until a fact holds, and return it."""
    deadline = time.monotonic() + DEADLINE_S
    while not (fact := holds()):
        assert time.monotonic() < deadline, f"waited {DEADLINE_S} s until {what}"
        time.sleep(0.05)
    return fact


class _OverSocket(HTTPConnection):
    """HTTP over the lab's Unix socket, from outside: paths lead into a namespace, networks do not."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(str(self._path))


def asked(lab: Lab) -> dict[str, Any]:
    """Ask the API for the list, on a connection of its own."""
    connection = _OverSocket(lab.path(SOCKET))
    try:
        connection.request("GET", "/api/v1/exec/schedules/list")
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    assert answer.status == 200, body
    told: dict[str, Any] = body
    return told
