"""What the control group of a run tells of it goes before what else is known."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from schedd.fire import RunId
from schedd.host.cgroup import Group
from schedd.runner.child import Exit
from schedd.runner.limits import Keeping
from schedd.runner.tree import Tree, Trees

RUN_ID = RunId("01a20d78-f7b3-721b-bda1-c54fcb6dea4b")
KILLED = Exit(None, "SIGKILL", 12, 3456)


@pytest_asyncio.fixture
async def trees() -> AsyncIterator[Trees]:
    made = Trees(asyncio.get_running_loop(), ours=(), keeping=Keeping())
    yield made
    made.close()


def tree(trees: Trees, directory: Path, **files: str) -> Tree:
    """A run in a group that consists of these files."""
    for name, text in files.items():
        (directory / name.replace("_", ".", 1)).write_text(text)
    return Tree(trees, RUN_ID, detached=False, group=Group(str(directory), -1))


async def test_what_all_of_it_used_is_told_not_only_what_was_waited_for(trees: Trees, tmp_path: Path) -> None:
    used = tree(trees, tmp_path, cpu_stat="usage_usec 5000000\n", memory_peak="8388608\n")
    assert used.measured(KILLED) == Exit(None, "SIGKILL", 5000, 8192)


async def test_what_the_group_does_not_count_stays_as_it_was(trees: Trees, tmp_path: Path) -> None:
    assert tree(trees, tmp_path, cpu_stat="usage_usec 5000000\n").measured(KILLED) == Exit(
        None, "SIGKILL", 5000, 3456
    )


async def test_a_kill_for_memory_in_the_group_is_known(trees: Trees, tmp_path: Path) -> None:
    assert tree(trees, tmp_path, memory_events="max 9\noom 1\noom_kill 2\n").ran_out_of_memory()


async def test_a_kill_for_memory_elsewhere_is_not_of_this_run(trees: Trees, tmp_path: Path) -> None:
    # Whatever the count of the whole host says.
    assert not tree(trees, tmp_path, memory_events="max 9\noom 0\noom_kill 0\n").ran_out_of_memory()


async def test_at_the_end_the_entrance_is_closed_and_refused_forks_are_logged(
    trees: Trees, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "pids.events").write_text("max 7\n")
    entrance = os.open(os.devnull, os.O_WRONLY)
    Tree(trees, RUN_ID, detached=False, group=Group(str(tmp_path), entrance)).fall()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(entrance)
    assert f"run {RUN_ID}: 7 forks were more than @pids allows" in caplog.text
