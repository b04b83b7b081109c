"""`schedd output`: which run is meant, its bytes, following it, and how that ends."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schedd.cli import output
from schedd.fire import Outcome, Reason, RunId, Status
from tests.api import serving
from tests.fake_control import NOW_MS, FakeControl, entry
from tests.machine.cli import Shell

RAN = {"started_ms": NOW_MS, "ended_ms": NOW_MS}
OK = Outcome(status=Status.OK, **RAN)
FAILED = Outcome(status=Status.ERROR, reason=Reason.EXIT, error="exit code 7", exit_code=7, **RAN)


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
async def shell(
    control: FakeControl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Shell]:
    async with serving(tmp_path, control, unix=True) as api:
        assert api.bound.socket_path is not None
        yield Shell(capsys, "--socket", api.bound.socket_path)


async def started(control: FakeControl, script: str = "shop/a.sh") -> RunId:
    """Start a run that goes on."""
    control.register(script)
    control.ends_at_once = None
    return (await control.trigger(script, force=False, by="me")).run_id


async def ran(control: FakeControl, text: bytes, outcome: Outcome = OK, script: str = "shop/a.sh") -> RunId:
    """Let a run print this and end."""
    run_id = await started(control, script)
    control.print(run_id, text)
    control.end(run_id, outcome)
    return run_id


async def test_output_of_a_run_by_its_id(control: FakeControl, shell: Shell) -> None:
    run_id = await ran(control, b"caf\xc3\xa9\n", FAILED)
    told = await shell.ask("output", run_id)
    assert (told.code, told.out, told.err) == (0, "café\n", "")


async def test_the_beginning_of_an_id_is_enough_if_only_one_begins_so(
    control: FakeControl, shell: Shell
) -> None:
    run_id, other = await ran(control, b"one\n"), await started(control, "shop/b.sh")
    assert (await shell.ask("output", run_id[:-3].upper())).out == "one\n"
    told = await shell.ask("output", run_id[:10])
    assert told.code == 1
    assert told.err == f"schedd: {run_id[:10]} begins more than one run: {other}, {run_id}\n"


async def test_a_script_means_its_newest_run(control: FakeControl, shell: Shell) -> None:
    await ran(control, b"old\n")
    await ran(control, b"new\n")
    await ran(control, b"another\n", script="shop/b.sh")
    control.entries.insert(0, entry("shop/a.sh", status=Status.DISABLED, reason=Reason.PAUSED))
    assert (await shell.ask("output", "shop/a.sh")).out == "new\n"
    assert (await shell.ask("output", "/srv/scripts/shop/a.sh")).out == "new\n"
    control.print(await started(control), b"live\n")
    assert (await shell.ask("output", "shop/a.sh")).out == "live\n"


@pytest.mark.parametrize("name", ["nothing/like.sh", "a/b", "x?y", "0189abcd"])
async def test_a_run_that_nobody_knows_is_an_error_that_says_what_to_write(shell: Shell, name: str) -> None:
    told = await shell.ask("output", name)
    assert (told.code, told.out) == (1, "")
    assert told.err.startswith(f"schedd: no run of '{name}' is known: RUN is an id")


async def test_a_path_outside_is_refused_and_none_at_all_is_a_usage_error(shell: Shell) -> None:
    assert (await shell.ask("output", "../health")).code == 1
    assert (await shell.ask("output", "")).code == 2


@pytest.mark.parametrize(
    ("outcome", "code", "err"),
    [(OK, 0, ""), (FAILED, 1, "schedd: the run ended with error: exit code 7\n")],
)
async def test_following_a_run_ends_with_how_it_ended(
    control: FakeControl, shell: Shell, outcome: Outcome, code: int, err: str
) -> None:
    run_id = await started(control)
    control.print(run_id, b"one\n")
    following = asyncio.ensure_future(shell.ask("output", "-f", run_id))
    await control.followed.wait()
    control.print(run_id, b"two\n")
    control.end(run_id, outcome)
    told = await following
    assert (told.code, told.out, told.err) == (code, "one\ntwo\n", err)


async def test_following_a_run_that_is_over_shows_it_and_how_it_ended(
    control: FakeControl, shell: Shell
) -> None:
    run_id = await ran(control, b"done\n", FAILED)
    told = await shell.ask("output", "-f", run_id)
    assert (told.code, told.out) == (1, "done\n")


async def test_a_held_run_is_waited_for(
    control: FakeControl, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "LOOK_S", 0.01)
    run_id = await started(control)
    control.hold(run_id)
    following = asyncio.ensure_future(shell.ask("output", "--follow", run_id))
    await control.followed.wait()
    control.followed.clear()
    control.begin(run_id)
    await control.followed.wait()
    control.print(run_id, b"one\n")
    control.end(run_id, OK)
    assert (await following).out == "one\n"
