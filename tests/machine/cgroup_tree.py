"""A part of the machine's own cgroup v2 tree, and a made-up one where the kernel has no controllers.

Where the controllers of limits are in version 1, as on many build machines, the real tree has groups,
membership, `populated` and `cgroup.kill`, and no limits. So those are tested on it, and the files of limits
on plain directories that look the same.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from schedd.host import cgroup
from schedd.host.cgroup import Group, Groups

DEADLINE_S = 10


@contextlib.contextmanager
def real_groups(name: str) -> Iterator[Groups]:
    """Groups below a new one in the machine's tree, which is removed with all that is in it."""
    assert os.geteuid() == 0, "only root may make cgroups here: run `sudo make test`"
    top = f"{_mount()}/schedd-test-{name}-{os.getpid()}"
    os.mkdir(top)
    os.mkdir(f"{top}/{cgroup.LEAF}")
    try:
        yield Groups(top)
    finally:
        group = Group(top, -1)
        group.signal(signal.SIGKILL)
        deadline = time.monotonic() + DEADLINE_S
        while not group.remove():
            assert time.monotonic() < deadline, f"{top} cannot be removed"
            time.sleep(0.01)


def made_up(
    root: Path, *, own: str = "/system.slice/schedd.service", controllers: str = "cpu memory pids"
) -> Path:
    """A root directory whose /proc and /sys say that this process is in a group of cgroup v2; the group."""
    group = root / "sys/fs/cgroup" / own.lstrip("/")
    (group / cgroup.LEAF).mkdir(parents=True)
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"0::{own}\n")
    (root / "proc/self/mountinfo").write_text(
        "22 1 0:21 / / rw - ext4 /dev/vda rw\n"
        "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    )
    (root / "sys/fs/cgroup/cgroup.controllers").write_text(f"{controllers} io\n")
    for name in ("cgroup.subtree_control", "cgroup.procs"):
        (group / name).touch()
    (group / "cgroup.controllers").write_text(f"{controllers}\n")
    (group / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    (group / cgroup.LEAF / "cgroup.procs").touch()
    for name in controllers.split():
        (group / cgroup.LEAF / f"{name}.max").touch()
    return group


def _mount() -> str:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        about, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            return about.split()[4]
    raise AssertionError("no cgroup v2 tree is mounted here: `mount -t cgroup2 none /sys/fs/cgroup`")
