"""No descriptor, no process, no memory: starts wait, the daemon lives, and all comes back by itself."""

import os
import resource
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import disks
from tests.whole.child import Child
from tests.whole.witness import Witness, green, reasons, until

NOBODY = 65534
CGROUPS = Path("/sys/fs/cgroup")
LIMIT_BYTES = 32 * 1024 * 1024


def limit(child: Child, which: str, soft: int | None) -> None:
    """Set a soft limit of the living daemon, or take it away; as the user that the daemon is."""
    assert child.process is not None
    value = "unlimited" if soft is None else soft
    disks.run(*child.before, "prlimit", f"--pid={child.process.pid}", f"--{which}={value}:")


def test_without_descriptors_starts_wait_and_the_api_comes_back(child: Child) -> None:
    witness = Witness(child)
    for number in range(3):
        witness.write(f"ticks_{number}.sh")
    child.start()
    witness.more(3)
    assert child.process is not None
    _, hard = resource.prlimit(child.process.pid, resource.RLIMIT_NOFILE)
    limit(child, "nofile", len(os.listdir(f"/proc/{child.process.pid}/fd")))
    until(lambda: "Too many open files" in child.said(), child)
    before = len(witness.ran())
    time.sleep(1.2)  # a slot comes due in this time, and nothing can be awaited that does not happen
    assert len(witness.ran()) == before
    limit(child, "nofile", hard)
    witness.more(6)
    assert "scripts can be started again" in child.said()
    green(child)
    child.stop()
    assert {line["status"] for line in witness.compare()} == {"ok"}
    assert "Traceback" not in child.said()


@pytest.fixture
def of_nobody() -> Iterator[Child]:
    """A daemon that is not root, in directories that others than root can read."""
    base = Path(tempfile.mkdtemp(prefix="schedd-", dir="/tmp"))
    base.chmod(0o755)
    made = Child(base)
    made.state.mkdir()
    for place in (made.state, base):
        os.chown(place, NOBODY, NOBODY)
    made.before = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    made.settings.chmod(0o644)
    yield made
    made.close()
    shutil.rmtree(base)


def test_without_processes_starts_wait_and_the_daemon_lives(of_nobody: Child) -> None:
    witness = Witness(of_nobody)
    for number in range(3):
        witness.write(f"ticks_{number}.sh")
    of_nobody.start()
    witness.more(3)
    hard, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    limit(of_nobody, "nproc", 1)
    until(lambda: "Resource temporarily unavailable" in of_nobody.said(), of_nobody)
    of_nobody.write("new.py", "# @schedule 0 0 1 1 *\n")
    for verb in ("list", "history", "preview?expression=@daily"):
        of_nobody.schedules(verb)
    assert of_nobody.schedules("reload", method="POST", body={})["added"] == ["new.py"]
    assert reasons(of_nobody) == []
    limit(of_nobody, "nproc", hard)
    witness.more(6)
    of_nobody.stop()
    assert {line["status"] for line in witness.compare()} == {"ok"}
    assert "Traceback" not in of_nobody.said()


def test_without_room_for_its_threads_the_daemon_does_not_start_and_says_why(of_nobody: Child) -> None:
    of_nobody.before = ["prlimit", "--nproc=4", *of_nobody.before]
    assert of_nobody.spawn().wait(20) == 1
    assert "no room for another thread" in of_nobody.said()
    assert "Traceback" not in of_nobody.said()


@pytest.fixture
def small_cgroup() -> Iterator[Path]:
    """A memory cgroup with a small limit, of either version."""
    first = CGROUPS / "memory" / f"schedd-test-{uuid.uuid4().hex}"
    second = CGROUPS / first.name
    place, file = (first, "memory.limit_in_bytes") if first.parent.is_dir() else (second, "memory.max")
    place.mkdir()
    try:
        assert (place / file).exists(), (
            "no memory controller: echo +memory > /sys/fs/cgroup/cgroup.subtree_control"
        )
        (place / file).write_text(str(LIMIT_BYTES))
        yield place
    finally:
        disks.run("sh", "-c", f"while read pid; do kill -9 $pid; done < {place}/cgroup.procs")
        until_removed(place)


def until_removed(place: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            place.rmdir()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


EATS = "/usr/bin/python3 -c 'x = bytearray(1 << 28)'"


@pytest.mark.parametrize(
    ("body", "signal", "code"), [(f"exec {EATS}", "SIGKILL", None), (f"{EATS}; exit $?", None, 137)]
)
def test_a_script_that_the_kernel_killed_for_its_memory_is_told_as_that(
    child: Child, small_cgroup: Path, body: str, signal: str | None, code: int | None
) -> None:
    child.write(
        "eats.sh", f"#!/bin/sh\n# @schedule 0 0 1 1 *\necho $$ > {small_cgroup}/cgroup.procs\n{body}\n"
    )
    child.start()
    child.schedules("trigger", method="POST", body={"scriptPath": "eats.sh"})
    (line,) = child.wait_for_lines(1)
    assert (line["status"], line["reason"]) == ("error", "out_of_memory")
    assert (line.get("signal"), line.get("exitCode")) == (signal, code)
    assert "out of memory" in line["error"]


def test_a_script_that_somebody_killed_is_told_by_its_signal(child: Child) -> None:
    child.write("dies.sh", "#!/bin/sh\n# @schedule 0 0 1 1 *\nkill -9 $$\n")
    child.start()
    child.schedules("trigger", method="POST", body={"scriptPath": "dies.sh"})
    (line,) = child.wait_for_lines(1)
    assert (line["reason"], line["signal"], line["error"]) == ("signal", "SIGKILL", "killed by SIGKILL")
