"""A crash of the daemon leaves nothing of its nurseries behind, whoever else was killed with it."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine.running import alive
from tests.whole.child import Child

WITHIN_S = 10

SLEEPS = """# @schedule 0 0 1 1 *
# @description Tells who it is, and that of a child that left its session and started no program
import os, time
pid = os.fork()
if pid == 0:
    os.setsid()
    time.sleep(600)
with open("pids.new", "w") as file:
    file.write(f"{os.getpid()} {os.getppid()} {pid}")
os.rename("pids.new", "pids")
time.sleep(600)
"""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child(tmp_path, settings='python = "/usr/bin/python3"\ndrain = "0s"\n')
    made.write("sleeps.py", SLEEPS)
    made.start()
    yield made
    made.close()


def running(child: Child) -> tuple[int, int, int]:
    """Start the script; return its pid, the nursery's and its child's."""
    status, _ = child.ask(
        "POST", "/api/v1/exec/schedules/trigger", {"scriptPath": "sleeps.py", "wait": False}
    )
    assert status in {200, 202}
    told = child.scripts / "pids"
    deadline = time.monotonic() + WITHIN_S
    while not told.exists():
        assert time.monotonic() < deadline, child.said()
        time.sleep(0.01)
    script, nursery, left = map(int, told.read_text().split())
    assert child.process is not None
    assert nursery != child.process.pid, "it was started cold"
    return script, nursery, left


def all_gone(*pids: int) -> bool:
    """Wait until they have ended; False when they do not."""
    deadline = time.monotonic() + WITHIN_S
    while any(map(alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_nursery_ends_with_its_daemon_and_takes_its_runs_along(child: Child) -> None:
    script, nursery, left = running(child)
    child.kill()
    assert all_gone(script, nursery)
    child.start()
    assert all_gone(left), "what left its group is found by the next start"
    assert child.wait_for_lines(1, reason="interrupted")


def test_runs_that_outlived_daemon_and_nursery_are_ended_by_the_next_start(child: Child) -> None:
    script, nursery, left = running(child)
    assert child.process is not None
    # Stopped, it cannot do anything about the end of its daemon.
    os.kill(nursery, signal.SIGSTOP)
    child.kill()
    os.kill(nursery, signal.SIGKILL)
    assert all_gone(nursery)
    assert alive(script), "nothing was left to be found"
    child.start()
    assert all_gone(script, left)
    assert child.wait_for_lines(1, reason="interrupted")


def test_a_stopped_daemon_leaves_no_nursery(child: Child) -> None:
    _, nursery, _ = running(child)
    child.stop()
    assert all_gone(nursery)
