"""The last outcomes of scripts are read ahead, little by little; who asks early waits for what is left."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from schedd.daemon.lately import REST_S, STEP_LINES, Lately
from schedd.insight.recent import RecentOutcomes
from schedd.ledger.ledger import Ledger
from schedd.timetable import instant
from tests.ledger_kit import START_MS, ended, fire

LINES = 5 * STEP_LINES


def line(number: int) -> str:
    return (
        f'{{"ts":"{instant.from_ms(START_MS - LINES + number)}","scriptPath":"{number % 500}.sh",'
        f'"expression":"* * * * *","runId":"{UUID(int=number)}","status":"ok","durationMs":{number},'
        '"kind":"schedule"}\n'
    )


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A log of so many lines that reading it takes a few steps."""
    (tmp_path / "fires.log").write_text("".join(map(line, range(LINES))))
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    yield ledger
    await ledger.close()


def listening(ledger: Ledger) -> tuple[Lately, RecentOutcomes]:
    kept = RecentOutcomes()
    ledger.published = kept.note
    return Lately(ledger, kept), kept


async def took(lately: Lately, script: str) -> list[int]:
    return [outcome.duration_ms for outcome in (await lately.of([script]))[script].outcomes]


async def test_nobody_waits_for_what_was_read_ahead(ledger: Ledger) -> None:
    lately, kept = listening(ledger)
    await lately.read_ahead()
    assert kept.filled
    assert await took(lately, "7.sh") == list(range(7, LINES, 500))


async def test_who_asks_early_cuts_the_rests_short(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedd.daemon.lately.REST_S", 3_600)
    lately, _ = listening(ledger)
    ahead = asyncio.create_task(lately.read_ahead())
    await asyncio.sleep(REST_S)
    async with asyncio.timeout(10):
        assert await took(lately, "7.sh") == list(range(7, LINES, 500))
        await ahead


async def test_what_ends_while_the_log_is_read_is_not_lost(ledger: Ledger) -> None:
    lately, _ = listening(ledger)
    ahead = asyncio.create_task(lately.read_ahead())
    facts = [ended(fire(number, script="new.sh")) for number in range(1, 6)]
    for fact in facts:
        await ledger.write([fact], durable=False)
    await ahead
    outcomes = (await lately.of(["new.sh"]))["new.sh"].outcomes
    assert [outcome.run_id for outcome in outcomes] == [fact.entry.run_id for fact in facts]


async def test_a_log_that_cannot_be_read_is_told_to_who_asks(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "fires.log"
    log.rename(tmp_path / "elsewhere")
    log.symlink_to("fires.log")
    lately, kept = listening(ledger)
    await lately.read_ahead()
    assert "could not be read ahead" in caplog.text
    assert not kept.filled
    with pytest.raises(OSError, match="symbolic links"):
        await lately.of(["7.sh"])
    log.unlink()
    (tmp_path / "elsewhere").rename(log)
    assert await took(lately, "7.sh") == list(range(7, LINES, 500))
