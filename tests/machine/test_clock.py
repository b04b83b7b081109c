"""Every clock keeps the same promises: the host's, and the one of the tests."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from schedd.host.clock import TOGETHER_NS, Clock, SystemClock
from schedd.host.timerfd import TimerFd
from tests.fakes import LoopClock
from tests.machine.seccomp import deny

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


async def test_a_reading_is_what_the_clocks_read_one_by_one(clock: Clock) -> None:
    before = clock.now_ms(), clock.monotonic()
    reading = clock.reading()
    after = clock.now_ms(), clock.monotonic()
    assert before[0] <= reading.now_ms <= after[0]
    assert before[1] <= reading.monotonic_s <= after[1]


async def test_the_time_asleep_does_not_grow_while_awake(clock: Clock) -> None:
    first = clock.reading()
    await asyncio.sleep(0.02)
    second = clock.reading()
    assert second.monotonic_s - first.monotonic_s > 0.01
    assert abs(second.suspended_s - first.suspended_s) <= TOGETHER_NS / 1e9


async def test_a_closed_timerfd_gives_its_descriptor_back() -> None:
    before = set(os.listdir("/proc/self/fd"))
    SystemClock().alarm(lambda: None).close()
    assert set(os.listdir("/proc/self/fd")) == before


READS = """
from schedd.host.clock import SystemClock
read = SystemClock().reading
print("reading", flush=True)
distances, until_s = [], read().monotonic_s + 0.25
while (r := read()).monotonic_s < until_s:
    distances.append(r.now_ms / 1000 - r.monotonic_s - r.suspended_s)
print(max(distances) - min(distances))
"""


def test_a_process_that_is_stopped_between_two_clocks_sees_no_step() -> None:
    with subprocess.Popen([sys.executable, "-c", READS], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "reading\n"
        while child.poll() is None:
            child.send_signal(signal.SIGSTOP)
            time.sleep(2 * TOGETHER_NS / 1e9)
            child.send_signal(signal.SIGCONT)
            time.sleep(0.001)
        apart_s = float(child.stdout.read())
    assert apart_s <= TOGETHER_NS / 1e9 + 0.001


# What the kernel says when somebody sets the clock is said here by a filter of system calls, in a thread of
# its own: nobody sets a machine's clock for a test.


def rings_of(tampered: Callable[[TimerFd], None]) -> list[float]:
    """Return after how many seconds an alarm that is set to 10 ms ahead rings, on a kernel tampered with."""
    rings: list[float] = []

    async def wait() -> None:
        event = asyncio.Event()
        clock = SystemClock()
        alarm = clock.alarm(event.set)
        tampered(alarm)
        started_s = clock.monotonic()
        alarm.set(clock.now_ms() + 10)
        await rung(event)
        rings.append(clock.monotonic() - started_s)
        alarm.close()

    thread = threading.Thread(target=lambda: asyncio.run(wait()))
    thread.start()
    thread.join(10)
    return rings


def test_a_clock_that_is_set_while_somebody_waits_rings() -> None:
    (rang_s,) = rings_of(lambda alarm: deny("read", fd=alarm._fd, number=errno.ECANCELED))
    assert rang_s < 5


def test_a_clock_that_is_set_just_before_the_alarm_is_set_rings_at_once() -> None:
    (rang_s,) = rings_of(lambda alarm: deny("timerfd_settime", fd=alarm._fd, number=errno.ECANCELED))
    assert rang_s < 5
