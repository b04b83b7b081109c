"""Runs that outlived their daemon are found by what they were started with, and ended."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from schedd.fire import RunId
from schedd.runner.orphans import end_orphans
from schedd.schedule import Limits
from tests.machine.cgroup_tree import real_groups
from tests.machine.running import alive

MINE = RunId("01a20d78-f7b3-721b-bda1-c54fcb6dea4b")
OTHER = RunId("01a20d78-f7b3-721b-bda1-c54fcb6dea4c")

LEAVES_ITS_SESSION = (
    "import os, time\nif os.fork() == 0:\n    os.setsid()\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n"
)


class Orphans:
    """Processes that look as if a daemon had left them."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []

    def leave(self, *argv: str, run_id: str | None = None, lines: int = 1) -> list[int]:
        """Start one; return the pids that it prints once it is ready."""
        environment = {"PATH": "/usr/bin:/bin"} | ({} if run_id is None else {"SCHEDD_RUN_ID": run_id})
        process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, start_new_session=True)
        self.processes.append(process)
        assert process.stdout is not None
        return [int(process.stdout.readline()) for _ in range(lines)]


@pytest.fixture
def orphans() -> Iterator[Orphans]:
    made = Orphans()
    yield made
    for process in made.processes:
        process.kill()
        process.communicate()


def test_a_run_that_is_still_there_is_ended(orphans: Orphans) -> None:
    (pid,) = orphans.leave("sh", "-c", "echo $$; exec sleep 60", run_id=MINE)
    assert end_orphans({MINE}) == {MINE}
    assert not alive(pid)


def test_it_is_found_in_another_session_too(orphans: Orphans) -> None:
    pids = orphans.leave(sys.executable, "-c", LEAVES_ITS_SESSION, run_id=MINE, lines=2)
    assert len(set(pids)) == 2
    assert end_orphans({MINE}) == {MINE}
    assert not any(map(alive, pids))


def test_one_that_ignores_term_is_killed_after_the_wait(orphans: Orphans) -> None:
    (pid,) = orphans.leave("sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.02; done", run_id=MINE)
    assert end_orphans({MINE}, term_wait_s=0.1) == {MINE}
    assert not alive(pid)


def test_other_runs_and_other_processes_are_left_alone(orphans: Orphans) -> None:
    (other,) = orphans.leave("sh", "-c", "echo $$; exec sleep 60", run_id=OTHER)
    (prefixed,) = orphans.leave("sh", "-c", "echo $$; exec sleep 60", run_id=MINE + "0")
    (foreign,) = orphans.leave("sh", "-c", f"echo $$; exec sleep 60 # SCHEDD_RUN_ID={MINE}")
    assert end_orphans({MINE}) == frozenset()
    assert all(map(alive, (other, prefixed, foreign)))


def test_without_runs_nobody_is_looked_at(orphans: Orphans) -> None:
    (pid,) = orphans.leave("sh", "-c", "echo $$; exec sleep 60", run_id="")
    assert end_orphans(()) == frozenset()
    assert alive(pid)


def test_no_descriptor_is_left(orphans: Orphans) -> None:
    before = len(os.listdir("/proc/self/fd"))
    orphans.leave("sh", "-c", "echo $$; exec sleep 60", run_id=MINE)
    end_orphans({MINE})
    # One more: the pipe from the process.
    assert len(os.listdir("/proc/self/fd")) == before + 1


def test_what_is_in_the_group_of_a_run_needs_no_name(orphans: Orphans) -> None:
    with real_groups("orphans") as groups:
        group = groups.make(f"run-{MINE}", Limits())
        enter = f"echo 0 >{group.path}/cgroup.procs; echo $$; exec sleep 60"
        (pid,) = orphans.leave("sh", "-c", enter)
        assert end_orphans({MINE}, groups=groups) == {MINE}
        assert not alive(pid)
        assert group.remove()


def test_the_group_of_a_run_that_nobody_asks_for_is_ended_unless_it_was_to_stay(orphans: Orphans) -> None:
    with real_groups("orphans") as groups:
        enter = "echo 0 >{}/cgroup.procs; echo $$; exec sleep 60"
        made = [groups.make(name, Limits()) for name in (f"run-{OTHER}", f"detached-{OTHER}")]
        (ended,), (stays,) = (orphans.leave("sh", "-c", enter.format(group.path)) for group in made)
        assert end_orphans({MINE}, groups=groups) == frozenset()
        assert (alive(ended), alive(stays)) == (False, True)


def test_what_a_run_that_detaches_had_when_the_daemon_died_is_ended(orphans: Orphans) -> None:
    with real_groups("orphans") as groups:
        group = groups.make(f"detached-{MINE}", Limits())
        (pid,) = orphans.leave("sh", "-c", f"echo 0 >{group.path}/cgroup.procs; echo $$; exec sleep 60")
        assert end_orphans({MINE}, groups=groups) == {MINE}
        assert not alive(pid)
