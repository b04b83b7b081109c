"""A disk that is slow, stuck or full: starts and ends wait for a moment, outputs for as long as they must."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schedd.fire import Status
from schedd.runner import errands, store
from schedd.runner.errands import Errands
from tests import disks
from tests.machine.running import Workshop, workshop

PATIENCE_S = 0.05


class Stuck:
    """Work that is not done before it is let go."""

    def __init__(self) -> None:
        self._gate = threading.Event()

    def __call__(self) -> str:
        self._gate.wait(20)
        return "done"

    def let_go(self) -> None:
        self._gate.set()


async def well(disk: Errands) -> None:
    """Wait until the disk answers again."""
    for _ in range(5000):
        if await disk.do(lambda: True, otherwise=False):
            return
        await asyncio.sleep(0.001)


@pytest.fixture
async def disk() -> AsyncIterator[Errands]:
    made = Errands(asyncio.get_running_loop(), "disk", patience_s=PATIENCE_S)
    yield made
    made.close()


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path) as made:
        yield made


async def test_an_errand_that_takes_too_long_is_not_waited_for_and_done_all_the_same(disk: Errands) -> None:
    stuck, done = Stuck(), threading.Event()
    assert await disk.do(lambda: "at once", otherwise="late") == "at once"
    assert await disk.do(stuck, otherwise="late") == "late"
    behind = disk.do(done.set, otherwise=None)
    assert behind.done(), "while one is stuck nobody waits at all"
    assert not done.is_set()
    stuck.let_go()
    await well(disk)
    assert done.is_set()


async def test_too_much_that_waits_is_refused(disk: Errands) -> None:
    stuck, refused = Stuck(), threading.Event()
    disk.do(stuck, otherwise="", size_bytes=errands.MAX_BYTES)
    assert disk.full
    await disk.do(refused.set, otherwise=None)
    stuck.let_go()
    await well(disk)
    assert not refused.is_set()


async def test_a_run_ends_though_the_disk_is_stuck_and_its_output_comes_later(shop: Workshop) -> None:
    script = shop.script("prints.sh", "#!/bin/sh\necho printed\n")
    await shop.run(script)
    stuck = Stuck()
    shop.runner.flusher._writing._patience_s = PATIENCE_S
    shop.runner.flusher._writing.do(stuck, otherwise="")
    run_id = shop.start(script)
    outcome = await shop.ended(run_id)
    assert (outcome.status, outcome.output_bytes) == (Status.OK, 8)
    assert store.read_output(str(shop.state), run_id) is None
    stuck.let_go()
    await well(shop.runner.flusher._writing)
    assert store.read_output(str(shop.state), run_id) == b"printed\n"


async def test_a_result_is_read_though_the_disk_does_not_write(shop: Workshop) -> None:
    script = shop.script("returns.py", "def main():\n    print('printed')\n    return {'rows':  3}\n")
    await shop.run(script)
    stuck = Stuck()
    shop.runner.flusher._writing._patience_s = PATIENCE_S
    shop.runner.flusher._writing.do(stuck, otherwise="")
    assert (await shop.run(script)).result == '{"rows":3}'
    stuck.let_go()


async def test_a_run_starts_though_its_directories_cannot_be_made(shop: Workshop) -> None:
    stuck = Stuck()
    shop.runner.flusher._writing._patience_s = PATIENCE_S
    shop.runner.flusher._writing.do(stuck, otherwise="")
    assert (await shop.run(shop.script("quiet.sh", "#!/bin/sh\nexit 0\n"))).status is Status.OK
    stuck.let_go()


async def test_outputs_that_are_lost_are_told_once_with_a_sentence(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.state.mkdir()
    (shop.state / "output").write_text("in the way")
    script = shop.script("prints.sh", "#!/bin/sh\necho printed\n")
    for _ in range(3):
        assert (await shop.run(script)).status is Status.OK
    lost = [record.getMessage() for record in caplog.records if "lost" in record.getMessage()]
    assert len(lost) == 1
    assert str(shop.state / "output") in lost[0]


def test_a_full_disk_leaves_no_empty_output_and_no_zeros(tmp_path: Path) -> None:
    with disks.tmpfs(tmp_path / "disk", size="64k") as place:
        ballast = disks.fill(place)
        path = place / "run.log"
        trouble = store.write_piece(store.Piece(str(path), 0, b"x" * 20_000, b"y" * 20_000))
        assert trouble is not None
        assert "No space left on device" in trouble
        assert not path.exists()
        ballast.unlink()
        ballast = disks.fill(place, leave_bytes=8192)
        assert store.write_piece(store.Piece(str(path), 0, b"x" * 40_000, b"")) is not None
        assert set(path.read_bytes()) <= {ord("x")}
