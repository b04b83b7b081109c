"""The daemon's part of the cgroup tree: whether there is one, what it is given, and groups of runs in it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schedd.host import cgroup, processes
from schedd.host.cgroup import Group, Groups, UnavailableError
from schedd.schedule import Limits
from tests.machine.cgroup_tree import made_up, real_groups
from tests.machine.running import alive

SLEEPS = ("/bin/sleep", "60")
DOUBLE_FORKS = """import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
time.sleep(60)
"""

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def groups() -> Iterator[Groups]:
    with real_groups("groups") as made:
        yield made


def soon(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


def is_a_daemon(pid: int, process: subprocess.Popen[bytes]) -> bool:
    """Whether it left the session that it was started in, and leads none."""
    facts = processes.facts_of(pid)
    return facts is not None and facts.session not in {pid, process.pid}


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a program that is in a group before it begins."""
    started: list[subprocess.Popen[bytes]] = []

    def start(group: Group, *argv: str) -> subprocess.Popen[bytes]:
        enter = f'echo 0 >{group.path}/cgroup.procs && exec "$@"'
        process = subprocess.Popen(("/bin/sh", "-c", enter, "sh", *argv), start_new_session=True)
        started.append(process)
        soon(group.pids, "it is in the group")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_delegated_group_is_taken_and_the_daemon_leaves_it_for_a_leaf(tmp_path: Path) -> None:
    group = made_up(tmp_path)
    found = cgroup.settle_in(str(tmp_path))
    assert (found.path, found.controllers) == (str(group), {"cpu", "memory", "pids"})
    assert (group / cgroup.LEAF / "cgroup.procs").read_text() == str(os.getpid())


def test_in_a_leaf_already_the_group_above_it_is_ours(tmp_path: Path) -> None:
    group = made_up(tmp_path)
    (tmp_path / "proc/self/cgroup").write_text(f"0::/system.slice/schedd.service/{cgroup.LEAF}\n")
    assert cgroup.settle_in(str(tmp_path)).path == str(group)


def test_in_a_cgroup_namespace_the_mount_is_seen_from_inside(tmp_path: Path) -> None:
    group = made_up(tmp_path, own="/")
    assert cgroup.settle_in(str(tmp_path)).path == str(group)


def test_where_only_a_part_of_the_tree_is_mounted_the_path_is_within_it(tmp_path: Path) -> None:
    group = made_up(tmp_path, own="/app")
    mounts = tmp_path / "proc/self/mountinfo"
    mounts.write_text(mounts.read_text().replace("0:26 / /sys", "0:26 /kubepods/pod7 /sys"))
    (tmp_path / "proc/self/cgroup").write_text("0::/kubepods/pod7/app\n")
    assert cgroup.settle_in(str(tmp_path)).path == str(group)


def test_only_the_controllers_that_there_are_are_counted_on(tmp_path: Path) -> None:
    made_up(tmp_path, controllers="pids")
    assert cgroup.settle_in(str(tmp_path)).controllers == {"pids"}


def test_a_group_that_systemd_keeps_is_left_alone_though_it_could_be_written(tmp_path: Path) -> None:
    group = made_up(tmp_path)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    with pytest.raises(UnavailableError, match="Delegate=yes"):
        cgroup.settle_in(str(tmp_path))
    assert (group / cgroup.LEAF / "cgroup.procs").read_text() == ""


def test_a_group_that_systemd_has_given_away_is_ours(tmp_path: Path) -> None:
    group = made_up(tmp_path)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    os.setxattr(group, "trusted.delegate", b"1")
    assert cgroup.settle_in(str(tmp_path)).path == str(group)


def test_the_root_of_all_groups_is_never_ours(tmp_path: Path) -> None:
    group = made_up(tmp_path)
    (group / "cgroup.events").unlink()
    with pytest.raises(UnavailableError, match="root of all cgroups"):
        cgroup.settle_in(str(tmp_path))


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("mountinfo", "22 1 0:21 / / rw - ext4 /dev/vda rw\n", "not mounted"),
        ("cgroup", "4:memory:/x\n", "not visible"),
        ("cgroup", "0::/../../other\n", "not visible"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, file: str, text: str, why: str) -> None:
    made_up(tmp_path)
    (tmp_path / "proc/self" / file).write_text(text)
    with pytest.raises(UnavailableError, match=why):
        cgroup.settle_in(str(tmp_path))


def test_the_controllers_of_the_host_can_be_asked_for(tmp_path: Path) -> None:
    assert cgroup.available(str(tmp_path)) == frozenset()
    made_up(tmp_path, controllers="memory cpuset")
    assert cgroup.available(str(tmp_path)) == {"memory"}


def test_limits_are_written_as_the_kernel_reads_them() -> None:
    limits = Limits(memory_bytes=512 << 20, cpu_percent=150, pids=64, files=99)
    assert dict(cgroup.settings(limits, cgroup.WANTED, counts_swap=True)) == {
        "memory.oom.group": "1",
        "memory.max": "536870912",
        "memory.swap.max": "0",
        "cpu.max": "150000 100000",
        "pids.max": "64",
    }
    without_swap = dict(cgroup.settings(limits, ["memory"], counts_swap=False))
    assert without_swap == {"memory.oom.group": "1", "memory.max": "536870912"}
    assert dict(cgroup.settings(Limits(cpu_percent=1), ["cpu"], counts_swap=False)) == {
        "cpu.max": "1000 100000"
    }
    assert not list(cgroup.settings(limits, (), counts_swap=True))


def test_what_a_run_has_used_is_read_from_its_group(tmp_path: Path) -> None:
    files = {
        "cpu.stat": "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n",
        "memory.peak": "104857600\n",
        "memory.events": "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n",
        "pids.events": "max 7\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    group = Group(str(tmp_path), -1)
    assert (group.cpu_ms(), group.peak_kb(), group.oom_kills(), group.forks_refused()) == (1235, 102400, 3, 7)


def test_what_nobody_counts_is_not_known(tmp_path: Path) -> None:
    group = Group(str(tmp_path), -1)
    assert (group.cpu_ms(), group.peak_kb(), group.oom_kills(), group.forks_refused()) == (
        None,
        None,
        None,
        0,
    )


def test_a_limit_that_cannot_be_written_leaves_no_group_behind(groups: Groups) -> None:
    # The machine may have no memory controller in version 2: then the file is not there.
    limited = Groups(groups.path, frozenset({"memory"}))
    with pytest.raises(OSError, match="memory"):
        limited.make("run-1", Limits(memory_bytes=1 << 20))
    assert groups.found() == {}


def test_a_kill_reaches_what_left_its_session(groups: Groups, start: Start) -> None:
    group = groups.make("run-1", Limits())
    process = start(group, sys.executable, "-c", DOUBLE_FORKS)
    soon(lambda: any(is_a_daemon(pid, process) for pid in group.pids()), "it has left its session")
    pids = group.pids()
    group.signal(signal.SIGKILL)
    process.wait()
    soon(lambda: not group.is_populated(), "all have ended")
    assert not any(map(alive, pids))


def test_a_signal_reaches_groups_within_the_group(groups: Groups, start: Start) -> None:
    group = groups.make("run-1", Limits())
    os.mkdir(f"{group.path}/inner")
    process = start(Group(f"{group.path}/inner", -1), *SLEEPS)
    assert group.pids() == [process.pid]
    group.signal(signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM


def test_a_zombie_does_not_populate_a_group(groups: Groups, start: Start) -> None:
    group = groups.make("run-1", Limits())
    process = start(group, *SLEEPS)
    assert group.is_populated()
    process.kill()
    soon(lambda: not group.is_populated(), "it is a zombie")
    assert process.wait() == -signal.SIGKILL


def test_a_group_is_removed_when_it_is_empty_with_those_in_it(groups: Groups, start: Start) -> None:
    group = groups.make("run-1", Limits())
    os.mkdir(f"{group.path}/inner")
    process = start(group, *SLEEPS)
    assert not group.remove()
    process.kill()
    process.wait()
    assert group.remove()
    assert group.remove(), "twice does no harm"
    assert not os.path.exists(group.path)


def test_the_groups_of_runs_are_found_again(groups: Groups) -> None:
    for name in ("run-1", "detached-2"):
        groups.make(name, Limits()).settle()
    assert set(groups.found()) == {"run-1", "detached-2"}


def test_a_process_of_the_group_counts_as_used_processor_time(groups: Groups, start: Start) -> None:
    group = groups.make("run-1", Limits())
    process = start(group, sys.executable, "-c", "x = 0\nfor i in range(500_000): x += i")
    process.wait()
    used_ms = group.cpu_ms()
    assert used_ms is not None
    assert used_ms > 10


def test_a_group_that_is_gone_is_empty() -> None:
    group = Group("/sys/fs/cgroup/there/is/none", -1)
    assert not group.is_populated()
    assert group.pids() == []
    group.signal(signal.SIGKILL)
    assert group.remove()
