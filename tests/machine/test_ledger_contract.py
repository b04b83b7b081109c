"""What everybody may rely on, held against the real ledger and against the one in memory."""

import inspect
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schedd.fire import Status
from schedd.ledger.facts import Watermark
from schedd.ledger.history import Page, Query
from schedd.ledger.ledger import Ledger
from schedd.timetable.instant import Slot, to_ms
from tests.fake_ledger import MemoryLedger
from tests.ledger_kit import START_MS, claimed, ended, fire, held, registered, run_id, skipped

READ_FROM_FILES = {"tally", "newest"}
"""What only pages ask for; their tests have files."""


@pytest.fixture(params=["files", "memory"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger | MemoryLedger]:
    real = request.param == "files"
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS) if real else MemoryLedger()
    yield ledger
    await ledger.close()


def test_the_two_have_the_same_surface() -> None:
    public = {name for name in dir(Ledger) if not name.startswith("_")} - {"open", *READ_FROM_FILES}
    assert public <= set(dir(MemoryLedger()))
    for name in ("write", "sync", "history", "close"):
        real, fake = (inspect.signature(getattr(kind, name)) for kind in (Ledger, MemoryLedger))
        assert real == fake


@pytest.mark.parametrize("durable", [True, False])
async def test_a_write_is_confirmed(ledger: Ledger, durable: bool) -> None:
    assert await ledger.write([claimed(fire(1))], durable=durable) is True


async def test_a_write_may_go_unawaited_and_is_applied_at_once(ledger: Ledger) -> None:
    ledger.write([registered(), held(fire(1)), Watermark(slot=Slot(5))], durable=False)
    assert list(ledger.state.registered) == ["default/a.py"]
    assert list(ledger.state.held) == [run_id(1)]
    assert ledger.state.watermark == 5


async def test_nothing_at_all_may_be_written(ledger: Ledger) -> None:
    assert await ledger.write([], durable=True) is True


async def test_an_ended_fire_is_in_history_newest_first(ledger: Ledger) -> None:
    ledger.write([claimed(fire(1)), ended(fire(1)), skipped(fire(2))], durable=False)
    page = await ledger.history(Query())
    assert [e.run_id for e in page.entries] == [run_id(2), run_id(1)]
    assert page == Page(page.entries)


async def test_history_is_filtered(ledger: Ledger) -> None:
    for number in range(6):
        over = ended(
            fire(number, script=f"default/{number % 2}.py"), status=Status.OK if number < 3 else Status.ERROR
        )
        ledger.write([over], durable=False)
    query = Query(script="default/1.py", status=Status.ERROR)
    assert [e.run_id for e in (await ledger.history(query)).entries] == [run_id(5), run_id(3)]
    query = Query(since_ms=START_MS + 60_000, until_ms=START_MS + 180_000)
    assert [e.run_id for e in (await ledger.history(query)).entries] == [run_id(2), run_id(1)]


async def test_a_page_that_is_full_has_a_cursor_only_when_there_is_more(ledger: Ledger) -> None:
    ledger.write([ended(fire(n)) for n in range(5)], durable=False)
    first = await ledger.history(Query(limit=3))
    assert first.truncated
    assert first.cursor is not None
    ledger.write([ended(fire(9))], durable=False)
    rest = await ledger.history(Query(limit=2, cursor=first.cursor))
    assert [e.run_id for e in rest.entries] == [run_id(1), run_id(0)]
    assert (rest.truncated, rest.cursor) == (False, None)


async def test_a_foreign_cursor_is_a_value_error(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="leave it away"):
        await ledger.history(Query(cursor="nonsense"))


async def test_instants_never_go_back_by_a_little(ledger: Ledger) -> None:
    ledger.write([ended(fire(1), ended_ms=START_MS + 5000), ended(fire(2), ended_ms=START_MS)], durable=False)
    entries = (await ledger.history(Query())).entries
    assert [to_ms(e.ts) for e in entries] == [START_MS + 5000] * 2
    assert ledger.state.last["default/a.py"].ts == entries[0].ts


async def test_after_close_nothing_is_accepted_and_nothing_raised(ledger: Ledger) -> None:
    await ledger.close()
    await ledger.close()
    assert await ledger.write([ended(fire(1))], durable=True) is False
    assert ledger.lost_lines == 1
    assert await ledger.sync() is False


async def test_a_healthy_ledger_says_so(ledger: Ledger) -> None:
    await ledger.write([ended(fire(1))], durable=True)
    assert await ledger.sync() is True
    assert (ledger.failing, ledger.queued_lines, ledger.lost_lines, ledger.bad_lines) == ((), 0, 0, 0)
    assert ledger.writes > 0
