"""A disk that says no: nothing is raised, nothing is lost that can be kept, and the files stay whole."""

import asyncio
import errno
import os
import resource
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from schedd.fire import Status
from schedd.ledger.backlog import Line
from schedd.ledger.history import Query
from schedd.ledger.ledger import Ledger
from schedd.ledger.ndjson import NdjsonFile
from tests import virtual_loop
from tests.ledger_kit import (
    START_MS,
    FailingDisk,
    claimed,
    ended,
    entries_of,
    fire,
    lines_of,
    registered,
    run_id,
    skipped,
)

SMALL = 700
FIRES = 8
PARTS = 12


async def some_fires(directory: Path, disk: FailingDisk) -> list[bool]:
    """Run a few fires through a ledger whose files turn over all the time."""
    ledger = await Ledger.open(
        directory,
        now_ms=lambda: START_MS,
        disk=disk,
        patience_s=0.01,
        fires_max_bytes=SMALL,
        fires_keep=50,
        ledger_max_bytes=SMALL,
    )
    answers = [await ledger.write([registered()], durable=True)]
    for number in range(FIRES):
        answers.append(await ledger.write([claimed(fire(number))], durable=True))
        await ledger.write([ended(fire(number))], durable=False)
    await ledger.close()
    return answers


@pytest.mark.parametrize("part", range(PARTS))
def test_whichever_call_fails_once_nothing_is_lost_and_nothing_doubled(tmp_path: Path, part: int) -> None:
    counting = FailingDisk()
    (tmp_path / "0").mkdir()
    virtual_loop.run(some_fires(tmp_path / "0", counting))
    for nth in range(1 + part, len(counting.calls) + 1, PARTS):
        directory = tmp_path / str(nth)
        directory.mkdir()
        disk = FailingDisk(fail=nth, error=errno.EIO if nth % 2 else errno.ENOSPC)
        virtual_loop.run(some_fires(directory, disk))
        assert [e.run_id for e in entries_of(directory)] == [run_id(n) for n in range(FIRES)], nth
        virtual_loop.run(find_all_in_order(directory))
        assert len(entries_of(directory)) == FIRES
        assert not list(directory.glob("*.new"))


async def find_all_in_order(directory: Path) -> None:
    ledger = await Ledger.open(directory, now_ms=lambda: START_MS)
    assert not ledger.state.claimed
    assert ledger.state.registered.keys() == {"default/a.py"}
    assert ledger.state.newest == run_id(FIRES - 1)
    assert (ledger.bad_lines, ledger.torn, ledger.failing) == (0, (), ())
    await ledger.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_whichever_call_is_the_last_before_a_crash_recovery_makes_it_good(tmp_path: Path, part: int) -> None:
    counting = FailingDisk()
    (tmp_path / "0").mkdir()
    virtual_loop.run(some_fires(tmp_path / "0", counting))
    for nth in range(1 + part, len(counting.calls) + 1, PARTS):
        directory = tmp_path / str(nth)
        directory.mkdir()
        answers = virtual_loop.run(crashing(directory, FailingDisk(fail=nth, for_ever=True)))
        known = {f["runId"] for f in lines_of(directory, "ledger.log") if f["fact"] == "claimed"}
        assert {run_id(n) for n, durable in enumerate(answers[1:]) if durable} <= known | published(directory)
        open_claims = virtual_loop.run(close_as_interrupted(directory))
        lines = Counter(e.run_id for e in entries_of(directory))
        assert set(lines.values()) <= {1}, nth
        assert known | open_claims <= set(lines), nth


async def close_as_interrupted(directory: Path) -> set[str]:
    ledger = await Ledger.open(directory, now_ms=lambda: START_MS)
    claims = dict(ledger.state.claimed)
    ledger.write([ended(claim.fire(), status=Status.ERROR) for claim in claims.values()], durable=False)
    await ledger.close()
    return set(claims)


async def crashing(directory: Path, disk: FailingDisk) -> list[bool]:
    """Run the fires on a disk that is gone from some call on, and let go of everything in the middle."""
    ledger = await Ledger.open(
        directory,
        now_ms=lambda: START_MS,
        disk=disk,
        patience_s=0.002,
        fires_max_bytes=SMALL,
        fires_keep=50,
        ledger_max_bytes=SMALL,
    )
    answers = [await ledger.write([registered()], durable=True)]
    for number in range(FIRES):
        answers.append(await ledger.write([claimed(fire(number))], durable=True))
        await ledger.write([ended(fire(number))], durable=False)
    for task in ledger.tasks:
        task.cancel()
    await asyncio.wait(ledger.tasks)
    for file in (ledger._ledger_log, ledger._fires_log):
        await file._release()
    return answers


def published(directory: Path) -> set[str]:
    return {e.run_id for e in entries_of(directory)}


async def test_a_disk_that_is_full_from_the_start_does_not_stop_the_daemon(tmp_path: Path) -> None:
    disk = FailingDisk(fail=1, for_ever=True)
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, disk=disk, patience_s=0.01)
    assert await ledger.write([claimed(fire(1))], durable=True) is False
    assert any("No space left on device" in why and "ledger.log" in why for why in ledger.failing)
    assert ledger.state.claimed.keys() == {run_id(1)}
    assert (await ledger.history(Query())).entries == ()
    disk.fail = 0
    await ledger.close()
    assert ledger.failing == ()
    assert [f["fact"] for f in lines_of(tmp_path, "ledger.log")] == ["checkpoint", "claimed"]


async def test_while_the_disk_fails_nobody_waits_for_it(tmp_path: Path) -> None:
    disk = FailingDisk()
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, disk=disk, patience_s=30)
    disk.fail, disk.for_ever = len(disk.calls) + 1, True
    async with asyncio.timeout(5):
        for number in range(100):
            assert await ledger.write([claimed(fire(number))], durable=True) is False
    assert ledger.queued_lines == 100
    disk.fail = 0
    await ledger.close()


async def test_a_disk_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    class StuckDisk(FailingDisk):
        def sync(self, fd: int) -> None:
            os.read(reading, 1)

    reading, writing = os.pipe()
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    ledger._ledger_log._patience_s = 0.02
    ledger._ledger_log._disk = stuck = StuckDisk()
    assert ledger._ledger_log._tail is not None
    ledger._ledger_log._tail._disk = stuck
    assert await ledger.write([claimed(fire(1))], durable=True) is False
    assert ledger.failing
    os.write(writing, b"x" * 9)
    os.close(writing)
    await ledger.close()
    os.close(reading)
    assert not ledger.failing
    assert [f["fact"] for f in lines_of(tmp_path, "ledger.log")] == ["checkpoint", "claimed"]


async def test_a_sync_that_fails_makes_all_since_the_last_one_be_written_again(tmp_path: Path) -> None:
    disk = FailingDisk()
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, disk=disk)
    await ledger.write([ended(fire(1))], durable=False)
    await ledger.history(Query())
    disk.fail = len(disk.calls) + 2
    disk.error = errno.EIO
    answer = ledger.write([claimed(fire(2))], durable=True)
    assert await answer is False
    assert [f["fact"] for f in lines_of(tmp_path, "ledger.log")] == ["checkpoint", "ended", "claimed"]
    await ledger.close()
    assert "write" in disk.calls[disk.fail :]
    facts = lines_of(tmp_path, "ledger.log")
    assert [f["fact"] for f in facts] == ["checkpoint", "ended", "claimed"]
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(1)]


async def test_a_full_backlog_gives_up_the_oldest_skips_first_and_says_how_many(tmp_path: Path) -> None:
    disk = FailingDisk()
    file = NdjsonFile(
        str(tmp_path / "f"),
        max_bytes=10**6,
        keep=1,
        lost_line=lambda lines: b"lost %d\n" % lines,
        disk=disk,
        max_lines=10,
    )
    file.start()
    assert await file.sync()
    disk.fail, disk.for_ever = len(disk.calls) + 1, True
    assert await file.append([Line(b"first\n")], durable=True) is False
    for number in range(6):
        file.append([Line(b"skip %d\n" % number, expendable=True), Line(b"run %d\n" % number)])
    assert file.failing
    assert file.lost_lines == 3
    for number in range(6, 12):
        file.append([Line(b"run %d\n" % number)])
    assert file.queued_lines == 10
    disk.fail = 0
    await file.close()
    runs = [f"run {n}" for n in range(2, 12)]
    assert (tmp_path / "f").read_text().split("\n") == [*runs, "lost 9", ""]


async def test_facts_that_were_given_up_are_in_the_next_checkpoint(tmp_path: Path) -> None:
    disk = FailingDisk()
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, disk=disk)
    ledger._ledger_log._backlog._max_lines = 5
    disk.fail, disk.for_ever = len(disk.calls) + 1, True
    await ledger.write([registered("default/0.py")], durable=True)
    for number in range(20):
        ledger.write([registered(f"default/{number}.py"), skipped(fire(number))], durable=False)
    assert ledger.lost_lines > 20
    disk.fail = 0
    await ledger.close()
    again = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    assert again.state.registered.keys() == {f"default/{n}.py" for n in range(20)}
    await again.close()
    lost = [line for line in lines_of(tmp_path, "fires.log") if line.get("fact") == "lost"]
    assert [line["lines"] for line in lost] == [20 - len(entries_of(tmp_path))]


async def test_a_rotation_that_is_impossible_does_not_stop_the_writing(tmp_path: Path) -> None:
    class NoLinks(FailingDisk):
        def link(self, path: str, name: str) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, disk=NoLinks(), fires_max_bytes=300)
    for number in range(10):
        await ledger.write([ended(fire(number))], durable=True)
    assert await ledger.sync()
    assert any("cannot rotate" in why for why in ledger.failing)
    await ledger.close()
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(n) for n in range(10)]


async def test_a_disk_that_is_stuck_while_a_segment_is_made_is_told_and_not_waited_for(
    tmp_path: Path,
) -> None:
    class StuckLink(FailingDisk):
        def link(self, path: str, name: str) -> None:
            gate.wait(20)
            super().link(path, name)

    gate = threading.Event()
    ledger = await Ledger.open(
        tmp_path, now_ms=lambda: START_MS, disk=StuckLink(), patience_s=0.1, ledger_max_bytes=300
    )
    for number in range(4):
        ledger.write([claimed(fire(number))], durable=False)
    assert await ledger.write([claimed(fire(4))], durable=True) is False
    assert any("does not answer" in why for why in ledger.failing)
    assert ledger.write([claimed(fire(5))], durable=True).result() is False
    gate.set()
    await ledger.close()
    assert ledger.failing == ()


WRITER = """
import asyncio, sys
from schedd.ledger.ledger import Ledger
from tests.ledger_kit import *

async def main():
    ledger = await Ledger.open(sys.argv[1], now_ms=lambda: START_MS)
    for number in range(200):
        durable = await ledger.write([claimed(fire(number))], durable=True)
        ledger.write([ended(fire(number))], durable=False)
        if not durable:
            print(*ledger.failing)
            break
    for task in ledger.tasks:
        task.cancel()

asyncio.run(main())
"""


def test_a_file_size_limit_of_the_kernel_cuts_no_line_in_two(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000)),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "File too large" in done.stdout
    text = (tmp_path / "ledger.log").read_bytes()
    assert text.endswith(b"}\n")
    assert 7500 < len(text) <= 8000


@pytest.fixture
def tiny_disk(tmp_path: Path) -> object:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_disk_that_was_full_gets_everything_when_there_is_room_again(tiny_disk: Path) -> None:
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(b"x" * 40_000)
    ledger = await Ledger.open(tiny_disk, now_ms=lambda: START_MS, patience_s=0.05)
    for number in range(60):
        await ledger.write([claimed(fire(number)), ended(fire(number), error="x" * 300)], durable=True)
    assert any("No space left on device" in why for why in ledger.failing)
    ballast.unlink()
    await ledger.close()
    assert ledger.failing == ()
    assert [e.run_id for e in entries_of(tiny_disk)] == [run_id(n) for n in range(60)]
