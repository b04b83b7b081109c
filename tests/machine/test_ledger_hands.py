"""Files of the ledger in other people's hands: cut, edited, moved, removed. No line goes astray."""

import errno
import os
from pathlib import Path

from schedd.ledger.facts import Watermark
from schedd.ledger.history import Query
from schedd.ledger.ledger import Ledger
from schedd.timetable.instant import Slot
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
)


async def test_a_file_that_somebody_emptied_is_not_filled_up_with_zeros(tmp_path: Path) -> None:
    class FullOnce(FailingDisk):
        def write(self, fd: int, data: memoryview) -> int:
            if full and os.readlink(f"/proc/self/fd/{fd}").endswith("fires.log"):
                super().write(fd, data[:10])
                raise OSError(errno.ENOSPC, full.pop())
            return super().write(fd, data)

    full: list[str] = []
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, disk=FullOnce())
    await ledger.write([ended(fire(1)), ended(fire(2))], durable=True)
    await ledger.sync()
    os.truncate(tmp_path / "fires.log", 0)
    full.append("No space left on device")
    await ledger.write([ended(fire(3))], durable=False)
    await ledger.close()
    assert not full
    assert b"\0" not in (tmp_path / "fires.log").read_bytes()
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(3)]


async def test_a_file_that_somebody_cut_in_a_line_goes_on_with_whole_lines(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    await ledger.write([ended(fire(1)), ended(fire(2))], durable=True)
    await ledger.sync()
    path = tmp_path / "fires.log"
    os.truncate(path, path.stat().st_size - 10)
    await ledger.write([ended(fire(3))], durable=False)
    await ledger.close()
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(1), run_id(3)]


async def test_lines_that_were_not_synced_when_their_file_was_removed_are_written_again(
    tmp_path: Path,
) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    await ledger.write([ended(fire(1))], durable=False)
    await ledger.history(Query())
    (tmp_path / "fires.log").unlink()
    await ledger.write([ended(fire(2))], durable=False)
    await ledger.close()
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(1), run_id(2)]


async def test_lines_that_an_editor_has_copied_are_not_written_again(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    await ledger.write([ended(fire(1))], durable=False)
    await ledger.history(Query())
    edited = (tmp_path / "fires.log").read_bytes().replace(b"default/a.py", b"default/A.py")
    (tmp_path / "new").write_bytes(edited)
    (tmp_path / "new").rename(tmp_path / "fires.log")
    await ledger.write([ended(fire(2))], durable=False)
    await ledger.close()
    assert [e.script_path for e in entries_of(tmp_path)] == ["default/A.py", "default/a.py"]


async def test_a_directory_that_is_not_ours_any_more_is_not_written_to(tmp_path: Path) -> None:
    def ground() -> None:
        if taken:
            raise OSError(errno.EBUSY, "another schedd has taken the directory")

    taken: list[bool] = []
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, ground=ground)
    taken.append(True)
    for name in os.listdir(tmp_path):
        os.unlink(tmp_path / name)
    assert await ledger.write([claimed(fire(1))], durable=True) is False
    assert any("another schedd has taken" in why for why in ledger.failing)
    assert os.listdir(tmp_path) == []
    taken.clear()
    await ledger.close()
    again = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    assert list(again.state.claimed) == [run_id(1)]
    await again.close()


async def test_a_ledger_taken_away_in_the_middle_of_everything_knows_all_in_its_new_file(
    tmp_path: Path,
) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    await ledger.write([registered(), claimed(fire(1)), claimed(fire(2)), ended(fire(1))], durable=True)
    os.unlink(tmp_path / "ledger.log")
    await ledger.write(
        [claimed(fire(3)), ended(fire(2)), Watermark(slot=Slot(5)), claimed(fire(4))], durable=True
    )
    await ledger.close()
    facts = [f["fact"] for f in lines_of(tmp_path, "ledger.log")]
    assert facts == ["checkpoint", "ended"]
    for _ in range(2):
        again = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
        assert list(again.state.claimed) == [run_id(3), run_id(4)]
        assert (again.state.watermark, list(again.state.registered)) == (5, ["default/a.py"])
        await again.close()
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(1), run_id(2)]
