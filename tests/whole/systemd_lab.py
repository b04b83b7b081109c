"""A real systemd with a real journald, booted for the tests and thrown away, in half a second.

Most machines that build and test have no systemd as PID 1, and where they have one, tests have no business
with it. The lab is the machine's own systemd as PID 1 of new PID, mount, network, IPC, UTS and cgroup
namespaces, on an overlay of the machine's root whose upper layer is in memory: the same files, and whatever
is written is gone afterwards. It is no security boundary.

The checkout and the virtual environment are there too, for reading. Resource limits are not enforced where
the machine keeps its controllers in cgroup v1: the lab has a v2 tree, there without controllers.

Rejected: a container (no engine on a build machine), systemd-nspawn (wants the machine's own systemd).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
NEEDED = ("systemctl", "journalctl", "unshare", "nsenter", "setpriv", "pivot_root")
BOOT_SCRIPT = Path(__file__).with_name("boot_systemd.sh")
BOOT_TIMEOUT_S = 30
# Whoever kills the tests kills the lab too: each link of this chain dies with the one before.
BOOT = "setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL --uts --ipc --net -- /bin/sh"
ENTER = "nsenter --mount --uts --ipc --net --pid --cgroup --wd=/ --target"
NAME = "schedd-lab-"


class LabError(AssertionError):
    """The lab itself does not work."""


class Lab:
    """One booted systemd; a context manager."""

    def __init__(self) -> None:
        _check_machine()
        tree = _cgroup2()
        _sweep(tree)
        self._directory = Path(tempfile.mkdtemp(prefix=NAME))
        self._work = self._directory / "fs"
        self._work.mkdir()
        self._cgroup = tree / f"{NAME}{os.getpid()}-{self._directory.name[len(NAME) :]}"
        self._cgroup.mkdir()
        with open(self._directory / "console", "wb") as console:
            self._outer = subprocess.Popen(
                [*BOOT.split(), BOOT_SCRIPT, self._cgroup, self._work, ROOT, sys.prefix],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._init = 0

    def __enter__(self) -> Self:
        try:
            self._wait_for_boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(
        self, *command: str | Path, check: bool = True, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the lab, as root; LabError with what it and the journal say if it fails."""
        done = subprocess.run(
            [*ENTER.split(), str(self._init), "--", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode:
            tail = self.run("journalctl", "--no-pager", "--lines=20", check=False).stdout
            raise LabError(f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}\n{tail}")
        return done

    def output(self, *command: str | Path) -> str:
        """Return what a command prints in the lab."""
        return self.run(*command).stdout

    def path(self, inside: str) -> Path:
        """Return where a path of the lab is from outside, to read and write its files directly."""
        return Path(f"/proc/{self._init}/root{inside}")

    @property
    def init(self) -> int:
        """PID 1 of the lab, as the machine sees it."""
        return self._init

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.output("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def journal(self, *matches: str) -> str:
        """Return the lab's journal, or what of it matches, as JSON lines."""
        self.run("journalctl", "--sync")
        return self.output("journalctl", "--output=json", "--all", "--no-pager", "--quiet", *matches)

    def close(self) -> None:
        """Kill it all: PID 1 takes its namespace with it, and the namespace its mounts."""
        self._outer.kill()
        self._outer.wait()
        _until(lambda: _removed(self._cgroup), "the lab's processes end")
        shutil.rmtree(self._directory)

    def _wait_for_boot(self) -> None:
        pid_file = self._directory / "fs.pid"
        _until(lambda: pid_file.exists() or self._died(), "the namespaces are made")
        self._init = int(pid_file.read_text()) if pid_file.exists() else 0
        _until(lambda: self.path("/run/systemd/private").exists() or self._died(), "systemd listens")
        state = self.run("systemctl", "is-system-running", "--wait", check=False)
        if state.stdout.strip() != "running":
            failed = self.run("systemctl", "--failed", "--no-legend", "--plain", check=False).stdout
            raise LabError(f"the lab is {state.stdout.strip()}{state.stderr}\n{failed}{self._console()}")

    def _died(self) -> bool:
        if self._outer.poll() is not None:
            raise LabError(f"the lab's systemd died while it booted:\n{self._console()}")
        return False

    def _console(self) -> str:
        return (self._directory / "console").read_text(errors="replace")


def _check_machine() -> None:
    if os.geteuid() != 0:
        raise LabError("these tests boot a systemd of their own, which only root may: run `sudo make test`")
    missing = [
        name for name in NEEDED if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None
    ]
    if missing:
        raise LabError(f"not found: {', '.join(missing)}; run `apt-get install systemd util-linux`")


def _cgroup2() -> Path:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            return Path(place.split()[4])
    raise LabError(
        "no cgroup v2 tree is mounted on this machine; mount one: `mount -t cgroup2 none /sys/fs/cgroup`"
    )


def _sweep(tree: Path) -> None:
    """Remove the empty cgroups of tests that were killed."""
    for left in tree.glob(f"{NAME}*"):
        if not Path(f"/proc/{left.name[len(NAME) :].partition('-')[0]}").exists():
            _removed(left)


def _removed(cgroup: Path) -> bool:
    for directory, _, _ in os.walk(cgroup, topdown=False):
        with suppress(OSError):
            os.rmdir(directory)
    return not cgroup.exists()


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while not holds():
        if time.monotonic() > deadline:
            raise LabError(f"waited {BOOT_TIMEOUT_S} s until {what}")
        time.sleep(0.01)
