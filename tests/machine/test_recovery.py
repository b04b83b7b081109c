"""What a crash leaves, at every byte, and what becomes of it."""

import asyncio
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from schedd.fire import Kind, Status
from schedd.ledger import facts
from schedd.ledger.disk import Disk
from schedd.ledger.facts import AnyFact, Checkpoint, Watermark
from schedd.ledger.ledger import Ledger
from schedd.ledger.recovery import recover
from schedd.ledger.state import State
from schedd.timetable.instant import Slot
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

PARTS = 40


def facts_of_three_turns() -> list[AnyFact]:
    """A fire that ended, one that was skipped, and one that is running, each with its watermark."""
    return [
        registered(),
        claimed(fire(1)),
        Watermark(slot=Slot(START_MS // 1000 + 60)),
        ended(fire(1), ended_ms=START_MS + 61_000),
        skipped(fire(2)),
        Watermark(slot=Slot(START_MS // 1000 + 120)),
        claimed(fire(3)),
        Watermark(slot=Slot(START_MS // 1000 + 180)),
    ]


def write_files(directory: Path, written: Iterable[AnyFact], *, checkpoint: bool = True) -> None:
    """Write both files as they are when nothing has gone wrong."""
    written = list(written)
    opening = [State().checkpoint(START_MS)] if checkpoint else []
    lines = [facts.encode(fact) for fact in [*opening, *written]]
    (directory / "ledger.log").write_bytes(b"".join(lines))
    entries = [facts.encode(fact.entry) for fact in written if isinstance(fact, facts.Ended)]
    (directory / "fires.log").write_bytes(b"".join(entries))


async def restart(directory: Path, *, fires_keep: int = 20) -> State:
    """Open, close what is still claimed as the daemon does, and close."""
    ledger = await Ledger.open(directory, now_ms=lambda: START_MS, disk=FailingDisk(), fires_keep=fires_keep)
    for claim in list(ledger.state.claimed.values()):
        ledger.write([ended(claim.fire(), status=Status.ERROR, ended_ms=START_MS + 240_000)], durable=False)
    await ledger.close()
    assert ledger.failing == ()
    return ledger.state


def whole_lines(text: bytes) -> bytes:
    return text[: text.rfind(b"\n") + 1]


def promised(directory: Path) -> set[str]:
    """Return the fires of which a whole line is left in either file."""
    ledger = [f for f in lines_of(directory, "ledger.log") if f["fact"] in ("claimed", "ended")]
    ids = {str(f.get("runId") or f["entry"]["runId"]) for f in ledger}  # type: ignore[index]
    return ids | {e.run_id for e in entries_of(directory)}


async def check(directory: Path, before: tuple[bytes, bytes]) -> None:
    """Restart twice, and hold the files against the promise."""
    for name, text in zip(("ledger.log", "fires.log"), before, strict=True):
        (directory / name).write_bytes(text)
    wanted = promised(directory)
    state = await restart(directory)
    entries = entries_of(directory)
    assert Counter(e.run_id for e in entries) == Counter(wanted)
    assert len({(e.script_path, e.slot) for e in entries}) == len(entries)
    assert [e.ts for e in entries] == sorted(e.ts for e in entries)
    for entry in entries:
        slot = START_MS // 1000 + 60 * int(entry.run_id[-1])
        assert slot <= state.beyond.get("default/a.py", state.watermark or 0)
    for name, text in zip(("ledger.log", "fires.log"), before, strict=True):
        torn = directory / f"{name}.torn"
        tail = text[len(whole_lines(text)) :]
        assert (torn.read_bytes() if torn.exists() else b"") == (tail + b"\n" if tail else b"")
        torn.unlink(missing_ok=True)
    after = [(directory / name).read_bytes() for name in ("ledger.log", "fires.log")]
    await restart(directory)
    assert [(directory / name).read_bytes() for name in ("ledger.log", "fires.log")] == after
    assert not torn_of(directory)
    empty(directory)


def torn_of(directory: Path) -> list[Path]:
    return list(directory.glob("*.torn"))


def empty(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


@pytest.fixture
def whole(tmp_path: Path) -> tuple[bytes, bytes]:
    write_files(tmp_path, facts_of_three_turns())
    texts = ((tmp_path / "ledger.log").read_bytes(), (tmp_path / "fires.log").read_bytes())
    empty(tmp_path)
    return texts


@pytest.mark.parametrize("part", range(PARTS))
def test_the_ledger_may_be_cut_at_every_byte(tmp_path: Path, whole: tuple[bytes, bytes], part: int) -> None:
    ledger, fires = whole
    opening = ledger.index(b"\n") + 1
    for cut in range(opening + part, len(ledger) + 1, PARTS):
        kept = fires if cut >= ledger.index(b'"skipped_overload"') else fires[: fires.index(b"\n") + 1]
        if cut < ledger.index(b'"fact":"ended"'):
            kept = b""
        virtual_loop.run(check(tmp_path, (ledger[:cut], kept)))


@pytest.mark.parametrize("part", range(PARTS))
def test_the_fires_log_may_be_cut_at_every_byte(
    tmp_path: Path, whole: tuple[bytes, bytes], part: int
) -> None:
    ledger, fires = whole
    for cut in range(part, len(fires) + 1, PARTS):
        virtual_loop.run(check(tmp_path, (ledger, fires[:cut])))


@pytest.mark.parametrize("part", range(PARTS))
def test_the_fires_log_may_be_ahead_of_a_ledger_cut_anywhere(
    tmp_path: Path, whole: tuple[bytes, bytes], part: int
) -> None:
    ledger, fires = whole
    durable = ledger.index(b"\n", ledger.index(b'"fact":"claimed"')) + 1
    for cut in range(durable + part, len(ledger) + 1, PARTS):
        virtual_loop.run(check(tmp_path, (ledger[:cut], fires)))


async def test_a_claim_without_an_end_stays_open_for_the_daemon(tmp_path: Path) -> None:
    write_files(tmp_path, facts_of_three_turns())
    found = recover(str(tmp_path / "ledger.log"), str(tmp_path / "fires.log"), Disk())
    assert list(found.state.claimed) == [run_id(3)]
    assert not found.unpublished


async def test_a_claim_whose_line_is_in_the_fires_log_has_ended(tmp_path: Path) -> None:
    write_files(tmp_path, facts_of_three_turns())
    with (tmp_path / "fires.log").open("ab") as file:
        file.write(facts.encode(ended(fire(3)).entry))
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    assert not ledger.state.claimed
    await ledger.close()
    assert lines_of(tmp_path, "ledger.log")[-1]["fact"] == "ended"
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(1), run_id(2), run_id(3)]


async def test_the_line_of_an_ended_fire_is_looked_for_across_a_rotation(tmp_path: Path) -> None:
    write_files(tmp_path, facts_of_three_turns())
    (tmp_path / "fires.log").rename(tmp_path / "fires.log.1")
    await restart(tmp_path)
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(1), run_id(2), run_id(3)]


async def test_lines_that_rotation_has_dropped_do_not_come_back(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, fires_max_bytes=400, fires_keep=1)
    for number in range(40):
        await ledger.write([claimed(fire(number)), ended(fire(number))], durable=True)
    await ledger.close()
    left = entries_of(tmp_path)
    assert len(left) < 10
    await restart(tmp_path)
    assert entries_of(tmp_path) == left


async def test_recovery_reads_the_fires_log_no_further_than_it_must(tmp_path: Path) -> None:
    old = [facts.encode(ended(fire(number)).entry) for number in range(2000)]
    (tmp_path / "fires.log").write_bytes(b"garbage " * 1000 + b"\n" + b"".join(old))
    state = State()
    state.apply(ended(fire(1999)))
    new = ended(fire(2000))
    lines = [state.checkpoint(START_MS), claimed(fire(2000)), new]
    (tmp_path / "ledger.log").write_bytes(b"".join(facts.encode(fact) for fact in lines))
    found = recover(str(tmp_path / "ledger.log"), str(tmp_path / "fires.log"), Disk())
    assert found.unpublished == [new.entry]
    assert found.ended == []


async def test_an_older_fires_log_is_no_news_to_a_new_ledger(tmp_path: Path) -> None:
    write_files(tmp_path, facts_of_three_turns())
    (tmp_path / "ledger.log").unlink()
    await restart(tmp_path)
    assert [f["fact"] for f in lines_of(tmp_path, "ledger.log")] == ["checkpoint"]
    assert len(entries_of(tmp_path)) == 2


async def test_garbage_in_the_middle_is_passed_over_and_counted(tmp_path: Path) -> None:
    write_files(tmp_path, facts_of_three_turns())
    lines = (tmp_path / "ledger.log").read_bytes().split(b"\n")
    garbage = [b"\x00" * 100, b'{"fact":"from the future","at":1}', b"\xff", b"[" * 10_000, b"null"]
    (tmp_path / "ledger.log").write_bytes(b"\n".join([*lines[:3], *garbage, *lines[3:]]))
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    assert ledger.bad_lines == len(garbage)
    assert list(ledger.state.claimed) == [run_id(3)]
    await ledger.close()


async def test_without_a_current_segment_the_one_before_it_speaks(tmp_path: Path) -> None:
    write_files(tmp_path, facts_of_three_turns())
    (tmp_path / "ledger.log").rename(tmp_path / "ledger.log.1")
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    assert list(ledger.state.claimed) == [run_id(3)]
    await ledger.close()
    opening = facts.decode((tmp_path / "ledger.log").read_bytes().split(b"\n")[0])
    assert isinstance(opening, Checkpoint)
    assert [c.run_id for c in opening.claimed] == [run_id(3)]


def test_a_second_crash_while_a_headless_ledger_is_made_good_loses_no_line(tmp_path: Path) -> None:
    for nth in range(1, 30):
        empty(tmp_path)
        write_files(tmp_path, facts_of_three_turns())
        (tmp_path / "ledger.log").rename(tmp_path / "ledger.log.1")
        (tmp_path / "fires.log").write_bytes(b"")
        virtual_loop.run(crash(tmp_path, FailingDisk(fail=nth, for_ever=True)))
        virtual_loop.run(restart(tmp_path))
        assert [e.run_id for e in entries_of(tmp_path)] == [run_id(1), run_id(2), run_id(3)], nth


class FullFires(FailingDisk):
    """No room in the fires log, and in no other file."""

    def write(self, fd: int, data: memoryview) -> int:
        if os.readlink(f"/proc/self/fd/{fd}").endswith("fires.log"):
            self._raise()
        return super().write(fd, data)


async def test_lines_that_a_new_ledger_owes_survive_a_crash_before_the_fires_log_has_them(
    tmp_path: Path,
) -> None:
    write_files(tmp_path, facts_of_three_turns())
    (tmp_path / "ledger.log").rename(tmp_path / "ledger.log.1")
    (tmp_path / "fires.log").write_bytes(b"")
    for _ in range(2):
        await crash(tmp_path, FullFires())
        assert (tmp_path / "ledger.log").exists()
    await restart(tmp_path)
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(1), run_id(2), run_id(3)]
    await restart(tmp_path)
    assert len(entries_of(tmp_path)) == 3


async def test_a_line_found_and_a_line_owed_are_both_told_once_for_all_time(tmp_path: Path) -> None:
    """The fires log knows of fire 1 only, the ledger of fire 2 only; then the ledger turns over."""
    write_files(tmp_path, [registered(), claimed(fire(1)), claimed(fire(2)), ended(fire(2))])
    (tmp_path / "fires.log").write_bytes(facts.encode(ended(fire(1)).entry))
    for turns in (False, True, True):
        ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, ledger_keep=9)
        if turns:
            ledger._ledger_log.turn()
        await ledger.write([registered()], durable=True)
        await ledger.close()
    told = [f["entry"]["runId"] for f in lines_of(tmp_path, "ledger.log") if f["fact"] == "ended"]  # type: ignore[index]
    assert Counter(told) == {run_id(1): 1, run_id(2): 1}
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(1), run_id(2)]


async def crash(directory: Path, disk: Disk) -> None:
    ledger = await Ledger.open(directory, now_ms=lambda: START_MS, disk=disk, patience_s=0.01)
    for task in ledger.tasks:
        task.cancel()
    await asyncio.wait(ledger.tasks)
    for file in (ledger._ledger_log, ledger._fires_log):
        await file._release()


async def test_a_segment_without_a_checkpoint_continues_the_one_before_it(tmp_path: Path) -> None:
    write_files(tmp_path, facts_of_three_turns())
    (tmp_path / "ledger.log").rename(tmp_path / "ledger.log.1")
    (tmp_path / "ledger.log").write_bytes(facts.encode(ended(fire(3))))
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    assert not ledger.state.claimed
    assert ledger.state.registered
    await ledger.close()
    assert (tmp_path / "ledger.log").read_bytes().startswith(b'{"fact":"checkpoint"')


@pytest.mark.parametrize("name", ["ledger.log", "fires.log"])
async def test_a_half_done_rotation_is_undone(tmp_path: Path, name: str) -> None:
    write_files(tmp_path, facts_of_three_turns())
    before = (tmp_path / name).read_bytes()
    (tmp_path / f"{name}.new").write_bytes(b'{"fact":"check')
    os.link(tmp_path / name, tmp_path / f"{name}.1")
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    await ledger.close()
    assert (tmp_path / name).read_bytes() == before
    assert not (tmp_path / f"{name}.new").exists()
    assert not (tmp_path / f"{name}.1").exists()


async def test_a_torn_tail_that_cannot_be_kept_is_not_joined_to_the_next_line(tmp_path: Path) -> None:
    write_files(tmp_path, facts_of_three_turns())
    for name in ("ledger.log", "fires.log"):
        with (tmp_path / name).open("ab") as file:
            file.write(b'{"half')
    disk = FailingDisk(fail=1, for_ever=True)
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, disk=disk, patience_s=0.01)
    ledger.write([ended(fire(3))], durable=False)
    disk.fail = 0
    await ledger.close()
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(1), run_id(2), run_id(3)]
    assert (tmp_path / "fires.log").read_bytes().count(b'\n{"half\n') == 1


async def test_a_directory_copied_elsewhere_opens_as_it_was(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    write_files(one, facts_of_three_turns())
    shutil.copytree(one, other)
    state = await restart(other)
    assert state.last["default/a.py"].run_id == run_id(3)


async def test_manual_fires_and_ends_without_claims_survive(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    manual = fire(5, kind=Kind.MANUAL)
    ledger.write([claimed(manual)], durable=True)
    ledger.write([ended(manual), skipped(fire(6))], durable=False)
    await ledger.close()
    again = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    assert again.state.beyond == {"default/a.py": Slot(START_MS // 1000 + 360)}
    await again.close()


KILLED = """
import asyncio, os, sys
from schedd.ledger.ledger import Ledger
from tests.ledger_kit import *

async def main():
    ledger = await Ledger.open(sys.argv[1], now_ms=lambda: START_MS, fires_max_bytes=3000, fires_keep=999,
                               ledger_max_bytes=5000)
    number = 0
    while True:
        fires = [fire(number + n) for n in range(7)]
        number += 7
        await ledger.write([claimed(f) for f in fires], durable=True)
        os.write(1, b"".join(f"{f.run_id}\\n".encode() for f in fires))
        for f in fires:
            ledger.write([ended(f)], durable=False)

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [40, 333])
async def test_a_daemon_killed_at_work_has_a_line_for_each_claim(tmp_path: Path, lines: int) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    told = [(await child.stdout.readline()).decode().strip() for _ in range(lines)]
    child.kill()
    rest = (await child.stdout.read()).decode().split()
    await child.wait()
    await restart(tmp_path, fires_keep=999)
    counts = Counter(e.run_id for e in entries_of(tmp_path))
    assert set(counts.values()) == {1}
    assert set(told + rest) <= set(counts)
