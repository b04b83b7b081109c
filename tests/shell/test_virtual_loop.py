"""The virtual loop keeps its promises: time that is counted, one order, and no real world."""

import asyncio
import signal
import socket
import threading
import time
from pathlib import Path

import aiofiles
import pytest

from tests import virtual_loop
from tests.virtual_loop import DeadlockError, RealWorldError, SpinError, VirtualLoop, run

DAY_S = 86_400


async def test_async_tests_of_this_floor_run_on_a_virtual_loop() -> None:
    assert isinstance(asyncio.get_running_loop(), VirtualLoop)


async def test_time_starts_at_zero_and_stands_still_while_there_is_work() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(100):
        await asyncio.sleep(0)
    assert loop.time() == 0


def test_a_day_of_minutes_passes_in_less_than_a_second() -> None:
    instants = []

    async def tick() -> None:
        for _ in range(24 * 60):
            await asyncio.sleep(60)
            instants.append(asyncio.get_running_loop().time())

    before = time.monotonic()
    run(tick())
    assert time.monotonic() - before < 1
    assert instants == [60.0 * n for n in range(1, 24 * 60 + 1)]


def test_a_timer_fires_at_its_very_instant_even_after_weeks() -> None:
    async def late() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(80 * DAY_S)
        when = loop.time() + 0.001
        fired: asyncio.Future[float] = loop.create_future()
        loop.call_at(when, lambda: fired.set_result(loop.time() - when))
        return await fired

    assert run(late()) == 0


def test_two_runs_give_the_same_order() -> None:
    def once() -> list[tuple[float, str]]:
        seen = []

        async def walker(name: str, step_s: float) -> None:
            for _ in range(20):
                await asyncio.sleep(step_s)
                await asyncio.to_thread(lambda: None)
                seen.append((asyncio.get_running_loop().time(), name))

        async def crowd() -> None:
            async with asyncio.TaskGroup() as tasks:
                for number in range(30):
                    tasks.create_task(walker(f"walker {number}", 1 + number % 7))

        run(crowd())
        return seen

    first, second = once(), once()
    assert first == second
    assert len(first) == 600


async def test_timers_of_one_instant_fire_in_the_order_of_their_setting() -> None:
    loop = asyncio.get_running_loop()
    seen: list[int] = []
    for number in range(5):
        loop.call_later(10, seen.append, number)
    await asyncio.sleep(10)
    assert seen == [0, 1, 2, 3, 4]


async def test_a_timeout_expires_without_waiting() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(DAY_S):
            await asyncio.Event().wait()
    assert asyncio.get_running_loop().time() == DAY_S


async def test_files_are_written_in_order_and_take_no_time(tmp_path: Path) -> None:
    async with aiofiles.open(tmp_path / "lines", "a") as file:
        for number in range(3):
            await file.write(f"{number}\n")
    assert (tmp_path / "lines").read_text() == "0\n1\n2\n"
    assert asyncio.get_running_loop().time() == 0


async def test_others_get_their_turn_while_blocking_work_is_on_its_way() -> None:
    seen: list[str] = []
    asyncio.get_running_loop().call_soon(seen.append, "another")
    await asyncio.to_thread(seen.append, "the work")
    seen.append("its result")
    assert seen == ["the work", "another", "its result"]


async def test_an_error_of_blocking_work_reaches_who_waits_for_it() -> None:
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(lambda: 1 / 0)


async def test_blocking_work_whose_waiter_is_cancelled_was_done_all_the_same() -> None:
    done: list[str] = []
    task = asyncio.create_task(asyncio.to_thread(done.append, "written"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["written"]


def test_a_wait_that_cannot_end_is_an_error_that_names_the_task() -> None:
    async def wait_for_nobody() -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError, match=r"wait_for_nobody"):
        run(wait_for_nobody())


def test_a_loop_that_spins_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_loop, "TURNS_AT_ONE_INSTANT", 1000)

    async def spin() -> None:
        while True:  # noqa: ASYNC110 - spinning is what this is about
            await asyncio.sleep(0)

    with pytest.raises(SpinError):
        run(spin())


async def test_a_socket_is_refused() -> None:
    with pytest.raises(RealWorldError, match="a socket"):
        await asyncio.open_connection("127.0.0.1", 9)
    with pytest.raises(RealWorldError, match="a socket"):
        await asyncio.start_unix_server(lambda *_: None, "/tmp/none")
    with socket.socket() as ours, pytest.raises(RealWorldError):
        await asyncio.get_running_loop().sock_recv(ours, 1)


async def test_a_process_is_refused() -> None:
    with pytest.raises(RealWorldError, match="a process"):
        await asyncio.create_subprocess_exec("true")


async def test_a_signal_handler_and_a_file_descriptor_are_refused() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(RealWorldError, match="a signal"):
        loop.add_signal_handler(signal.SIGTERM, lambda: None)
    with pytest.raises(RealWorldError, match="a file descriptor"):
        loop.add_reader(0, lambda: None)


async def test_a_call_from_another_thread_is_refused() -> None:
    loop = asyncio.get_running_loop()
    refused: list[bool] = []

    def call() -> None:
        try:
            loop.call_soon_threadsafe(lambda: None)
        except RealWorldError:
            refused.append(True)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert refused == [True]


def test_time_beyond_what_a_float_resolves_is_refused() -> None:
    with pytest.raises(RealWorldError, match="90 days"):
        run(asyncio.sleep(100 * DAY_S))
