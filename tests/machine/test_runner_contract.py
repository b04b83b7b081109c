"""The runner that runs and the one that plays keep the same promises."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schedd.fire import Reason, Status
from schedd.host.clock import SystemClock
from schedd.runner.launch import Launch
from tests.fake_runner import Play, ScriptedRunner
from tests.machine.running import Workshop, workshop

PLAYS = {
    "prints_and_returns.sh": Play(10, {"result": '{"rows":3}'}, b"hello\n"),
    "exits_7.sh": Play(
        0, {"status": Status.ERROR, "reason": Reason.EXIT, "error": "exit code 7", "exit_code": 7}
    ),
    "sleeps.sh": Play(60_000),
    "is_gone.sh": Play(
        0, {"status": Status.LOAD_ERROR, "reason": Reason.UNREADABLE, "error": "is gone"}, starts=False
    ),
}
TEXTS = {
    "prints_and_returns.sh": "echo hello\necho '{\"rows\":3}' > $SCHEDD_RESULT\n",
    "exits_7.sh": "exit 7\n",
    "sleeps.sh": "exec sleep 60\n",
}


@contextlib.asynccontextmanager
async def played(root: Path) -> AsyncIterator[Workshop]:
    made = Workshop(root)
    made.runner = ScriptedRunner(  # type: ignore[assignment]
        clock=SystemClock(),
        report=made.note_end,
        started=made.note_start,
        play=lambda launch: PLAYS[launch.schedule.script],
    )
    yield made
    await made.runner.close()


@pytest_asyncio.fixture(params=[workshop, played], ids=["real", "played"])
async def shop(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Workshop]:
    make: Callable[[Path], Any] = request.param
    async with make(tmp_path) as made:
        yield made


def launch(shop: Workshop, name: str, **fields: Any) -> Launch:
    if name in TEXTS:
        return shop.launch(shop.script(name, TEXTS[name], **fields))
    return shop.launch(
        shop.script("other.sh", "", **{**fields, "script": name, "path": "/nonexistent/gone.sh"})
    )


async def test_a_start_is_told_before_its_end(shop: Workshop) -> None:
    wanted = launch(shop, "prints_and_returns.sh")
    shop.runner.start(wanted)
    assert not shop.begun
    assert not shop.reports
    outcome = await shop.ended(wanted.fire.run_id)
    pid, started_ms = shop.begun[wanted.fire.run_id]
    assert pid > 0
    assert outcome.started_ms == started_ms <= outcome.ended_ms


async def test_the_report_carries_the_fire_and_its_outcome(shop: Workshop) -> None:
    wanted = launch(shop, "prints_and_returns.sh")
    shop.runner.start(wanted)
    outcome = await shop.ended(wanted.fire.run_id)
    assert shop.reports[0].fire == wanted.fire
    assert (outcome.status, outcome.reason, outcome.exit_code) == (Status.OK, None, 0)
    assert (outcome.result, outcome.output_bytes) == ('{"rows":3}', 6)


async def test_output_and_result_can_be_read_when_the_report_comes(shop: Workshop) -> None:
    wanted = launch(shop, "prints_and_returns.sh")
    shop.runner.start(wanted)
    await shop.ended(wanted.fire.run_id)
    assert await shop.runner.output(wanted.fire.run_id) == b"hello\n"
    assert await shop.runner.result(wanted.fire.run_id) == '{"rows":3}'


async def test_an_error_has_a_reason(shop: Workshop) -> None:
    wanted = launch(shop, "exits_7.sh")
    shop.runner.start(wanted)
    outcome = await shop.ended(wanted.fire.run_id)
    assert (outcome.status, outcome.reason, outcome.exit_code) == (Status.ERROR, Reason.EXIT, 7)
    assert outcome.error == "exit code 7"


async def test_what_cannot_start_is_reported_without_a_start(shop: Workshop) -> None:
    wanted = launch(shop, "is_gone.sh")
    shop.runner.start(wanted)
    outcome = await shop.ended(wanted.fire.run_id)
    assert (outcome.status, outcome.reason, outcome.started_ms) == (
        Status.LOAD_ERROR,
        Reason.UNREADABLE,
        None,
    )
    assert not shop.begun


async def test_a_deadline_is_a_timeout(shop: Workshop) -> None:
    wanted = launch(shop, "sleeps.sh", timeout_ms=50)
    shop.runner.start(wanted)
    outcome = await shop.ended(wanted.fire.run_id)
    assert (outcome.status, outcome.reason) == (Status.TIMEOUT, Reason.TIMEOUT)
    assert 50 <= outcome.duration_ms < 5000


@pytest.mark.parametrize("already_started", [False, True])
async def test_a_stop_is_an_error_with_its_text(shop: Workshop, *, already_started: bool) -> None:
    wanted = launch(shop, "sleeps.sh")
    shop.runner.start(wanted)
    if already_started:
        await shop.pid(wanted.fire.run_id)
    assert shop.runner.stop(wanted.fire.run_id, Reason.STOPPED, "stopped by a test")
    assert shop.runner.stop(wanted.fire.run_id, Reason.INTERRUPTED, "again")
    assert not shop.reports
    outcome = await shop.ended(wanted.fire.run_id)
    assert (outcome.status, outcome.reason, outcome.error) == (
        Status.ERROR,
        Reason.STOPPED,
        "stopped by a test",
    )
    assert not shop.runner.stop(wanted.fire.run_id, Reason.STOPPED, "too late")


async def test_live_runs_are_those_that_started_and_did_not_end(shop: Workshop) -> None:
    wanted = launch(shop, "sleeps.sh")
    shop.runner.start(wanted)
    assert shop.runner.live() == ()
    pid = await shop.pid(wanted.fire.run_id)
    assert shop.runner.live() == ((wanted.fire.run_id, pid, shop.begun[wanted.fire.run_id][1]),)
    shop.runner.stop(wanted.fire.run_id, Reason.STOPPED, "seen")
    await shop.ended(wanted.fire.run_id)
    assert shop.runner.live() == ()


async def test_following_ends_with_the_run(shop: Workshop) -> None:
    wanted = launch(shop, "prints_and_returns.sh")
    shop.runner.start(wanted)
    await shop.pid(wanted.fire.run_id)
    heard = [chunk async for chunk in shop.runner.follow(wanted.fire.run_id)]
    assert b"".join(heard) == b"hello\n"
    assert [chunk async for chunk in shop.runner.follow(wanted.fire.run_id)] == []


async def test_close_reports_everything(shop: Workshop) -> None:
    wanted = [launch(shop, name) for name in ("sleeps.sh", "sleeps.sh", "exits_7.sh")]
    for each in wanted:
        shop.runner.start(each)
    await asyncio.sleep(0)
    await shop.runner.close()
    assert sorted(end.fire.run_id for end in shop.reports) == sorted(each.fire.run_id for each in wanted)
