"""As process 1 of a container, without an init: what nobody waits for comes to the daemon."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schedd.host import processes
from tests.whole.child import Child


@pytest.fixture
def container(child: Child) -> Iterator[Child]:
    """A daemon that is process 1 of a namespace of its own."""
    child.before = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    yield child.start()
    child.close()


def inside(container: Child) -> list[processes.Facts]:
    """Everything in the namespace, without the daemon."""
    everybody = list(processes.everybody())
    (daemon,) = (facts.pid for facts in everybody if facts.parent == unshare(container))
    found = [daemon]
    for pid in found:  # which grows meanwhile
        found += [facts.pid for facts in everybody if facts.parent == pid]
    return [facts for facts in everybody if facts.pid in found[1:]]


def unshare(container: Child) -> int:
    assert container.process is not None
    return container.process.pid


def sleeping(container: Child, seconds: str) -> list[int]:
    lines = {facts.pid: Path(f"/proc/{facts.pid}/cmdline").read_bytes() for facts in inside(container)}
    return [pid for pid, line in lines.items() if seconds.encode() in line.split(b"\0")]


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_a_run_leaves_nothing_not_even_zombies(container: Child) -> None:
    text = "(setsid sleep 500.1 &)\nfor i in 1 2 3 4 5; do (setsid true &); done\nsleep 0.05\n"
    container.write("leaves.sh", f"# @schedule @yearly\n{text}")
    container.schedules("reload", method="POST", body={})
    answer = container.schedules("trigger", method="POST", body={"scriptPath": "leaves.sh"})
    assert answer["status"] == "ok"
    assert sleeping(container, "500.1") == []
    until(lambda: not any(facts.is_over for facts in inside(container)), "all are waited for")


def test_what_somebody_else_started_in_the_container_is_left_alone_and_waited_for(container: Child) -> None:
    daemon = next(facts.pid for facts in processes.everybody() if facts.parent == unshare(container))
    enter = ["nsenter", f"--target={daemon}", "--pid", "--mount", "--", "/bin/sh", "-c"]
    subprocess.run([*enter, "(setsid sleep 500.2 &)"], check=True)
    until(lambda: sleeping(container, "500.2"), "it is the daemon's child now")
    for number in range(2):
        container.write(f"passes_{number}.sh", "# @schedule @yearly\n(setsid true &)\n")
    container.schedules("reload", method="POST", body={})
    for number in range(2):
        container.schedules("trigger", method="POST", body={"scriptPath": f"passes_{number}.sh"})
    (pid,) = sleeping(container, "500.2")
    os.kill(pid, 15)
    until(lambda: pid not in {facts.pid for facts in processes.everybody()}, "it is waited for")
