"""Writing facts: order, durability, the state, and the entries that come of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from schedd.fire import Entry, Kind, Status
from schedd.ledger.facts import Checkpoint, Down, Up, Watermark
from schedd.ledger.history import Query
from schedd.ledger.ledger import Ledger
from schedd.timetable.instant import Slot, to_ms
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


def older(directory: Path, name: str) -> list[str]:
    return sorted(path.name for path in directory.glob(f"{name}.*"))


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    yield ledger
    await ledger.close()


async def test_a_durable_fact_is_synced_before_the_future_says_so(tmp_path: Path) -> None:
    disk = FailingDisk()
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, disk=disk)
    disk.calls.clear()
    assert await ledger.write([claimed(fire(1))], durable=True)
    assert disk.calls == ["write", "sync"]
    await ledger.close()


async def test_the_claims_of_a_turn_are_one_write_and_one_sync(tmp_path: Path) -> None:
    disk = FailingDisk()
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, disk=disk)
    disk.calls.clear()
    both = [ledger.write([claimed(fire(n))], durable=True) for n in range(50)]
    assert all(await asyncio.gather(*both))
    assert disk.calls == ["write", "sync"]
    await ledger.close()


async def test_the_state_knows_a_fact_as_soon_as_it_is_written(ledger: Ledger) -> None:
    ledger.write([registered(), claimed(fire(1)), Watermark(slot=Slot(7))], durable=False)
    assert ledger.state.registered.keys() == {"default/a.py"}
    assert ledger.state.claimed.keys() == {run_id(1)}
    assert ledger.state.watermark == 7


async def test_an_ended_fire_gets_its_line_in_the_fires_log(ledger: Ledger, tmp_path: Path) -> None:
    over = ended(fire(1))
    ledger.write([claimed(fire(1)), over], durable=False)
    assert await ledger.sync()
    assert entries_of(tmp_path) == [over.entry]


async def test_a_line_is_told_of_when_the_ledger_has_it_and_not_before(tmp_path: Path) -> None:
    disk = FailingDisk()
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, disk=disk)
    told: list[tuple[str, list[str]]] = []
    ledger.published = lambda entry: told.append((entry.run_id, list(disk.calls)))
    disk.calls.clear()
    written = ledger.write([claimed(fire(1)), ended(fire(1))], durable=True)
    assert told == []
    assert await written
    assert told == [(run_id(1), ["write", "sync"])]
    assert ledger.newest_line == run_id(1)
    await ledger.close()


async def test_a_line_is_told_of_with_the_time_that_it_has_in_the_log(ledger: Ledger, tmp_path: Path) -> None:
    told: list[Entry] = []
    ledger.published = told.append
    ledger.write([ended(fire(1)), ended(fire(2), ended_ms=START_MS + 30_000)], durable=False)
    await ledger.sync()
    assert told == entries_of(tmp_path)
    assert told[0].ts == told[1].ts


async def test_the_line_in_the_fires_log_is_the_entry_itself(ledger: Ledger, tmp_path: Path) -> None:
    over = ended(fire(1), status=Status.ERROR, error="exit code 7: \u2028 \x85 \n ü")
    ledger.write([over], durable=False)
    await ledger.sync()
    text = (tmp_path / "fires.log").read_bytes()
    assert text == msgspec.json.encode(over.entry) + b"\n"
    assert text.count(b"\n") == 1


async def test_many_writers_at_once_keep_the_order_of_their_calls(ledger: Ledger, tmp_path: Path) -> None:
    order = []

    async def write(writer: int) -> None:
        for number in range(20):
            name = fire(writer * 1000 + number, slot=START_MS // 1000)
            order.append(name.run_id)
            await ledger.write([claimed(name), ended(name)], durable=number % 3 == 0)

    await asyncio.gather(*(write(writer) for writer in range(40)))
    await ledger.sync()
    facts = lines_of(tmp_path, "ledger.log")
    assert [f["runId"] for f in facts if f["fact"] == "claimed"] == order
    assert [e.run_id for e in entries_of(tmp_path)] == order


async def test_a_caller_that_is_cancelled_leaves_its_facts_to_the_writer(
    ledger: Ledger, tmp_path: Path
) -> None:
    async def caller() -> None:
        await ledger.write([ended(fire(1))], durable=True)

    task = asyncio.create_task(caller())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert await ledger.write([ended(fire(2))], durable=True)
    await ledger.sync()
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(1), run_id(2)]


async def test_what_is_not_durable_is_synced_soon_by_one_timer(tmp_path: Path) -> None:
    disk = FailingDisk()
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, disk=disk)
    disk.calls.clear()
    await ledger.write([ended(fire(1))], durable=False)
    assert "sync" not in disk.calls
    await ledger.close()
    assert disk.calls.count("sync") == 2


async def test_close_writes_what_is_queued(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    for number in range(1000):
        ledger.write([skipped(fire(number))], durable=False)
    await ledger.close()
    assert len(entries_of(tmp_path)) == 1000


async def test_a_write_after_close_is_refused_quietly_and_counted(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    await ledger.close()
    assert await ledger.write([claimed(fire(1))], durable=True) is False
    assert ledger.lost_lines == 1


async def test_a_reopened_ledger_has_the_same_state(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    ledger.write(
        [
            Up(at=START_MS, boot_id="b1", version="1"),
            registered("default/a.py"),
            registered("default/b.py"),
            claimed(fire(1)),
            ended(fire(1)),
            claimed(fire(2)),
            Watermark(slot=Slot(9)),
            Down(at=START_MS, why="signal"),
        ],
        durable=False,
    )
    before = ledger.state.checkpoint(0)
    await ledger.close()
    again = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    assert again.state.checkpoint(0) == before
    await again.close()


async def test_a_new_segment_begins_with_a_checkpoint_of_all_before_it(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, ledger_max_bytes=2000)
    seen = []
    for number in range(40):
        seen.append(ledger.state.checkpoint(START_MS))
        await ledger.write([claimed(fire(number)), ended(fire(number))], durable=True)
    await ledger.close()
    assert (tmp_path / "ledger.log.1").exists()
    first = msgspec.json.decode((tmp_path / "ledger.log").read_bytes().split(b"\n")[0], type=Checkpoint)
    assert first in seen


async def test_facts_queued_in_one_turn_are_on_one_side_of_the_checkpoint(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, ledger_max_bytes=1500)
    for number in range(60):
        ledger.write(
            [claimed(fire(number)), ended(fire(number)), Watermark(slot=Slot(number))], durable=False
        )
    end = ledger.state.checkpoint(0)
    await ledger.close()
    again = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    assert again.state.checkpoint(0) == end
    await again.close()
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(n) for n in range(60)]


async def test_a_checkpoint_bigger_than_a_segment_does_not_turn_each_write_over(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, ledger_max_bytes=1000, ledger_keep=9)
    await ledger.write([registered(f"default/{n}.py") for n in range(50)], durable=True)
    for number in range(10):
        await ledger.write([claimed(fire(number))], durable=True)
    await ledger.close()
    assert older(tmp_path, "ledger.log") == ["ledger.log.1"]


async def test_a_clock_adjusted_back_bends_the_instants_up(ledger: Ledger, tmp_path: Path) -> None:
    ledger.write([ended(fire(1), ended_ms=START_MS + 30_000)], durable=False)
    ledger.write([ended(fire(2), ended_ms=START_MS)], durable=False)
    await ledger.sync()
    assert [to_ms(e.ts) for e in entries_of(tmp_path)] == [START_MS + 30_000] * 2
    assert not (tmp_path / "fires.log.1").exists()
    assert to_ms(ledger.state.last["default/a.py"].ts) == START_MS + 30_000


async def test_a_clock_stepped_back_begins_a_new_file(ledger: Ledger, tmp_path: Path) -> None:
    ledger.write([ended(fire(1), ended_ms=START_MS + 61_000)], durable=False)
    ledger.write([ended(fire(2), ended_ms=START_MS)], durable=False)
    await ledger.sync()
    assert [to_ms(e.ts) for e in entries_of(tmp_path)] == [START_MS + 61_000, START_MS]
    assert (tmp_path / "fires.log.1").exists()
    page = await ledger.history(Query(since_ms=START_MS + 60_000, include_rotated=True))
    assert [e.run_id for e in page.entries] == [run_id(1)]


async def test_the_order_of_instants_is_kept_across_a_restart(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    ledger.write([ended(fire(1), ended_ms=START_MS + 30_000)], durable=False)
    await ledger.close()
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    ledger.write([ended(fire(2), ended_ms=START_MS)], durable=False)
    await ledger.close()
    assert [to_ms(e.ts) for e in entries_of(tmp_path)] == [START_MS + 30_000] * 2


async def test_names_that_are_not_utf8_are_recorded_all_the_same(ledger: Ledger, tmp_path: Path) -> None:
    name = fire(1, script="default/\udcff.py", kind=Kind.MANUAL)
    assert await ledger.write([claimed(name), ended(name)], durable=True)
    await ledger.sync()
    assert [e.script_path for e in entries_of(tmp_path)] == ["default/?.py"]


async def test_entries_are_in_history_as_soon_as_they_are_written(ledger: Ledger) -> None:
    for number in range(5):
        ledger.write([ended(fire(number))], durable=False)
        page = await ledger.history(Query(limit=1))
        assert page.entries[0].run_id == run_id(number)


async def test_a_hundred_rotations_lose_nothing_for_readers_at_work(tmp_path: Path) -> None:
    ledger = await Ledger.open(
        tmp_path, now_ms=lambda: START_MS, fires_max_bytes=200, fires_keep=1000, ledger_max_bytes=4000
    )
    done = 0

    async def read() -> None:
        while done < 110:
            before = done
            page = await ledger.history(Query(limit=1000, include_rotated=True))
            numbers = [int(e.run_id[-12:], 16) for e in page.entries]
            assert numbers == sorted(numbers, reverse=True)
            assert len(numbers) >= before
            assert len(set(numbers)) == len(numbers)
            assert not page.bad

    reader = asyncio.create_task(read())
    for number in range(110):
        await ledger.write([ended(fire(number))], durable=False)
        await ledger.history(Query(limit=1))
        done = number + 1
    await reader
    await ledger.close()
    assert len(older(tmp_path, "fires.log")) >= 100
    assert not ledger.failing


async def test_only_as_many_old_files_are_kept_as_were_asked_for(tmp_path: Path) -> None:
    for keep in (3, 1, 2):
        ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, fires_max_bytes=300, fires_keep=keep)
        for number in range(12):
            await ledger.write([ended(fire(number))], durable=False)
        await ledger.close()
        assert older(tmp_path, "fires.log") == [f"fires.log.{n}" for n in range(1, keep + 1)]


async def test_a_file_taken_away_is_made_again(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.write([ended(fire(1))], durable=True)
    await ledger.sync()
    (tmp_path / "fires.log").rename(tmp_path / "moved")
    (tmp_path / "ledger.log").unlink()
    await ledger.write([ended(fire(2))], durable=True)
    await ledger.sync()
    await ledger.write([ended(fire(3))], durable=True)
    await ledger.sync()
    assert [e.run_id for e in entries_of(tmp_path)] == [run_id(2), run_id(3)]
    assert [e.run_id for e in entries_of(tmp_path, "moved")] == [run_id(1)]
    assert '"fact":"checkpoint"' in (tmp_path / "ledger.log").read_text()


async def test_both_files_are_lines_of_json(ledger: Ledger, tmp_path: Path) -> None:
    ledger.write([registered(), claimed(fire(1)), ended(fire(1))], durable=False)
    await ledger.sync()
    for name in ("ledger.log", "fires.log"):
        for line in (tmp_path / name).read_text().splitlines():
            assert json.loads(line)
