"""How a run ends: its exit code, its signal, its deadline, a stop; and that it ends once."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from schedd.fire import Reason, Status
from tests.machine.running import Workshop, alive, gone, workshop

LONG_AGO = 1_700_000_000


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path) as made:
        yield made


async def test_a_script_that_exits_0_is_ok(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("exits_0.sh", "exit 0\n"))
    assert (outcome.status, outcome.reason, outcome.error) == (Status.OK, None, None)
    assert (outcome.exit_code, outcome.signal) == (0, None)
    assert outcome.started_ms is not None
    assert outcome.started_ms <= outcome.ended_ms


async def test_an_exit_code_is_the_error_with_the_last_line_that_was_printed(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("exits_7.sh", "echo 'no such table' >&2\necho\nexit 7\n"))
    assert (outcome.status, outcome.reason, outcome.exit_code) == (Status.ERROR, Reason.EXIT, 7)
    assert outcome.error == "exit code 7: no such table"


async def test_a_signal_is_named(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("dies_by_signal.sh", "kill -SEGV $$\n"))
    assert (outcome.status, outcome.reason, outcome.signal) == (Status.ERROR, Reason.SIGNAL, "SIGSEGV")
    assert outcome.exit_code is None
    assert outcome.error is not None
    assert "SIGSEGV" in outcome.error


async def test_the_deadline_ends_a_run(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("sleeps.sh", "exec sleep 60\n", timeout_ms=50))
    assert (outcome.status, outcome.reason, outcome.signal) == (Status.TIMEOUT, Reason.TIMEOUT, "SIGTERM")
    assert 50 <= outcome.duration_ms < 5000


async def test_the_deadline_of_a_slot_is_not_that_of_a_trigger(shop: Workshop) -> None:
    script = shop.script("sleeps.sh", "exec sleep 60\n", timeout_ms=0, schedule_timeout_ms=50)
    assert (await shop.run(script, slot=LONG_AGO)).status is Status.TIMEOUT


async def test_what_ignores_term_is_killed_after_the_grace(tmp_path: Path) -> None:
    async with workshop(tmp_path, grace_s=0.1) as shop:
        script = shop.script("ignores_term.sh", "trap '' TERM\necho set\nwhile :; do sleep 0.05; done\n")
        run_id = shop.start(script)
        await shop.printed(run_id, b"set")
        assert shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
        outcome = await shop.ended(run_id)
    assert (outcome.status, outcome.reason, outcome.signal) == (Status.ERROR, Reason.STOPPED, "SIGKILL")
    assert outcome.error == "stopped by a test"


async def test_a_stopped_run_may_clean_up_within_the_grace(shop: Workshop) -> None:
    script = shop.script(
        "cleans_up.sh", "trap 'echo cleaned; exit 3' TERM\necho set\nwhile :; do sleep 0.02; done\n"
    )
    run_id = shop.start(script)
    await shop.printed(run_id, b"set")
    shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
    outcome = await shop.ended(run_id)
    assert (outcome.reason, outcome.exit_code) == (Reason.STOPPED, 3)
    printed = await shop.runner.output(run_id)
    assert printed is not None
    assert printed.endswith(b"cleaned\n")


async def test_a_child_of_a_stopped_script_has_the_grace_too(shop: Workshop) -> None:
    worker = (
        "(trap 'sleep 0.2; echo worker saved its work; exit' TERM; echo set; while :; do sleep 0.02; done)"
    )
    run_id = shop.start(shop.script("has_a_worker.sh", f"{worker} &\nwait\nexit 0\n"))
    await shop.printed(run_id, b"set")
    shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
    await shop.ended(run_id)
    # A shell may say "Terminated" of the sleep that it was in.
    printed = await shop.runner.output(run_id)
    assert printed is not None
    assert printed.endswith(b"worker saved its work\n")


async def test_the_first_reason_to_end_counts(shop: Workshop) -> None:
    run_id = shop.start(shop.script("sleeps.sh", "exec sleep 60\n"))
    await shop.pid(run_id)
    assert shop.runner.stop(run_id, Reason.STOPPED, "first")
    assert shop.runner.stop(run_id, Reason.INTERRUPTED, "second")
    outcome = await shop.ended(run_id)
    assert (outcome.reason, outcome.error) == (Reason.STOPPED, "first")


async def test_a_run_that_is_over_cannot_be_stopped(shop: Workshop) -> None:
    run_id = shop.start(shop.script("exits_0.sh", "exit 0\n"))
    await shop.ended(run_id)
    assert not shop.runner.stop(run_id, Reason.STOPPED, "too late")


async def test_a_run_that_still_waits_for_its_start_can_be_stopped(shop: Workshop) -> None:
    run_id = shop.start(shop.script("exits_0.sh", "exit 0\n"))
    assert shop.runner.stop(run_id, Reason.STOPPED, "never mind")
    outcome = await shop.ended(run_id)
    assert (outcome.reason, outcome.error, outcome.started_ms) == (Reason.STOPPED, "never mind", None)
    assert run_id not in shop.begun


async def test_a_run_ends_when_its_process_does_whoever_holds_the_pipe(shop: Workshop) -> None:
    script = shop.script("forks_and_leaves.sh", "sleep 300 &\necho $!\n")
    run_id = shop.start(script)
    outcome = await shop.ended(run_id)
    assert outcome.status is Status.OK
    assert outcome.duration_ms < 5000
    left = await shop.runner.output(run_id)
    assert left is not None
    await gone(int(left))


async def test_a_leftover_that_ignores_term_is_killed(shop: Workshop) -> None:
    script = shop.script(
        "leaves_a_stubborn_one.sh",
        "(trap '' TERM; echo set >&2; while :; do sleep 0.05; done) &\necho $!\nsleep 0.05\n",
    )
    run_id = shop.start(script)
    assert (await shop.ended(run_id)).status is Status.OK
    printed = await shop.runner.output(run_id)
    assert printed is not None
    await gone(int(next(line for line in printed.split() if line.isdigit())))


async def test_a_leftover_is_ended_though_the_daemon_was_frozen_over_it(shop: Workshop) -> None:
    run_id = shop.start(shop.script("forks_and_leaves.sh", "sleep 300 &\necho $!\n"))
    await gone(await shop.pid(run_id))
    time.sleep(0.35)  # noqa: ASYNC251 - the loop is held, as SIGSTOP holds it: longer than all patience
    await shop.ended(run_id)
    left = await shop.runner.output(run_id)
    assert left is not None
    assert not alive(int(left))


async def test_what_writes_the_last_lines_behind_a_script_gets_the_time(shop: Workshop) -> None:
    script = shop.script(
        "tees.bash",
        'exec > >(while read -r line; do sleep 0.02; echo "< $line >"; done) 2>&1\necho one\necho two\n',
    )
    run_id = shop.start(script)
    await shop.ended(run_id)
    assert await shop.runner.output(run_id) == b"< one >\n< two >\n"


async def test_no_process_of_a_stopped_run_is_left(shop: Workshop) -> None:
    run_id = shop.start(shop.script("has_children.sh", "sleep 300 &\nsleep 300 &\necho set\nwait\n"))
    await shop.printed(run_id, b"set")
    group = await shop.pid(run_id)
    members = [int(pid) for pid in os.listdir("/proc") if pid.isdecimal() and _group(pid) == group]
    assert len(members) == 3
    shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
    await shop.ended(run_id)
    assert not [pid for pid in members if alive(pid)]


async def test_close_ends_and_reports_all(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        running = [shop.start(shop.script(f"sleeps_{n}.sh", "exec sleep 60\n")) for n in range(5)]
        for run_id in running:
            await shop.pid(run_id)
        waiting = shop.start(shop.script("waits.sh", "exec sleep 60\n"))
    assert sorted(end.fire.run_id for end in shop.reports) == sorted([*running, waiting])
    assert {end.outcome.reason for end in shop.reports} == {Reason.STOPPED}


async def test_each_launch_is_reported_once_under_random_stops(shop: Workshop) -> None:
    scripts = [
        shop.script("exits_0.sh", "exit 0\n"),
        shop.script("prints.sh", "echo here\nexit 1\n"),
        shop.script("sleeps.sh", "exec sleep 0.02\n"),
        shop.script("is_missing.sh", "exit 0\n", path="/nonexistent/script.sh"),
    ]
    started = []
    for turn in range(80):
        started.append(shop.start(scripts[turn % 4]))
        if turn % 3 == 0:
            shop.runner.stop(started[turn // 2], Reason.STOPPED, "by chance")
        if turn % 7 == 0:
            await asyncio.sleep(0)
    await shop.until(lambda: len(shop.reports) >= len(started))
    assert sorted(end.fire.run_id for end in shop.reports) == sorted(started)
    assert shop.runner.live() == ()


async def test_live_runs_are_shown_with_their_pid(shop: Workshop) -> None:
    run_id = shop.start(shop.script("sleeps.sh", "exec sleep 60\n"))
    pid = await shop.pid(run_id)
    assert shop.runner.live() == ((run_id, pid, shop.begun[run_id][1]),)
    assert alive(pid)


@pytest.mark.parametrize("blocked", [signal.SIGTERM, signal.SIGUSR1])
async def test_signals_that_the_daemon_blocks_reach_its_children(
    shop: Workshop, blocked: signal.Signals
) -> None:
    script = shop.script("signals_itself.sh", f"kill -{blocked.value} $$\nsleep 5\n")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [blocked])
    try:
        outcome = await shop.run(script)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert outcome.signal == blocked.name


@contextlib.contextmanager
def _ignored(number: signal.Signals):  # type: ignore[no-untyped-def]
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


async def test_signals_that_the_daemon_was_started_with_ignored_are_default_in_its_children(
    tmp_path: Path,
) -> None:
    with _ignored(signal.SIGHUP), _ignored(signal.SIGCHLD):
        async with workshop(tmp_path) as shop:
            outcome = await shop.run(shop.script("hangs_up.sh", "kill -HUP $$\nsleep 5\n"))
    assert outcome.signal == "SIGHUP"


async def test_a_broken_pipe_ends_a_writer_without_a_word(shop: Workshop) -> None:
    run_id = shop.start(shop.script("writes_on.sh", "yes | head -1\n"))
    await shop.ended(run_id)
    assert await shop.runner.output(run_id) == b"y\n"


def _group(pid: str) -> int | None:
    try:
        return os.getpgid(int(pid))
    except OSError:
        return None
