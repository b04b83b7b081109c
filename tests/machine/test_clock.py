"""Every clock keeps the same promises: the host's, and the one of the tests."""

import asyncio
import os
from collections.abc import Callable

import pytest

from schedd.host.clock import Clock, SystemClock
from tests.fakes import LoopClock

CLOCKS: dict[str, Callable[[], Clock]] = {
    "system": SystemClock,
    "loop": lambda: LoopClock(1_700_000_000_000),
}


@pytest.fixture(params=sorted(CLOCKS))
async def clock(request: pytest.FixtureRequest) -> Clock:
    return CLOCKS[request.param]()


async def rung(event: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await event.wait()


async def test_an_alarm_never_rings_before_its_time(clock: Clock) -> None:
    event = asyncio.Event()
    alarm = clock.alarm(event.set)
    due_ms = clock.now_ms() + 30
    alarm.set(due_ms)
    await rung(event)
    assert clock.now_ms() >= due_ms
    alarm.close()


async def test_an_alarm_that_is_set_to_the_past_rings_at_once(clock: Clock) -> None:
    event = asyncio.Event()
    alarm = clock.alarm(event.set)
    alarm.set(clock.now_ms() - 86_400_000)
    await rung(event)
    alarm.close()


async def test_setting_it_again_replaces_the_setting(clock: Clock) -> None:
    rings: list[int] = []
    event = asyncio.Event()
    alarm = clock.alarm(lambda: (rings.append(clock.now_ms()), event.set()))
    alarm.set(clock.now_ms() + 5)
    alarm.set(clock.now_ms() + 40)
    await rung(event)
    await asyncio.sleep(0)
    assert len(rings) == 1
    alarm.close()


async def test_a_closed_alarm_is_silent(clock: Clock) -> None:
    rings: list[None] = []
    alarm = clock.alarm(lambda: rings.append(None))
    alarm.set(clock.now_ms() + 5)
    alarm.close()
    await asyncio.sleep(0.03)
    assert rings == []


async def test_a_closed_timerfd_gives_its_descriptor_back() -> None:
    before = set(os.listdir("/proc/self/fd"))
    SystemClock().alarm(lambda: None).close()
    assert set(os.listdir("/proc/self/fd")) == before
