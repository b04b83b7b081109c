"""What a nursery says is not simply believed, and what it does not say is not waited for for ever."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from schedd.runner.child import Answer, Child, Exit, Failure
from schedd.runner.nurseries import IDLE_S, Nurseries
from schedd.runner.nursery import Nursery
from schedd.runner.nursery_messages import Why
from schedd.runner.order import Family, Order, Warm
from schedd.schedule import FileStamp
from tests.machine.running import DEADLINE_S, alive

WARM = Warm(
    family=Family.PYTHON,
    interpreter="/usr/bin/python3",
    path="/x.py",
    how="leave",
    key="default:x.py",
    sha256="0",
    stamp=FileStamp(1, 2, 3),
)
ORDER = Order(argv=("/usr/bin/python3", "/x.py"), warm=WARM, cwd="/", environment={})


class Pretender:
    """A way that starts a sleeping process for a nursery, whose words are the test's."""

    def __init__(self) -> None:
        self.socket: socket.socket
        self.answer: Answer
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, order: Order, answer: Answer) -> None:
        assert order.stdin_fd is not None
        self.socket = socket.socket(fileno=os.dup(order.stdin_fd))
        self.answer = answer
        self.processes.append(subprocess.Popen(["/bin/sleep", "60"], start_new_session=True))
        read_fd, write_fd = os.pipe()
        os.close(write_fd)
        answer.started(Child(pid=self.processes[-1].pid, output_fd=read_fd))

    def end(self) -> None:
        """The process has ended, and so has its socket."""
        self.socket.close()
        self.processes[-1].kill()
        self.processes[-1].wait()
        self.answer.exited(Exit(None, "SIGKILL"))


@pytest.fixture
def pretender() -> Iterator[Pretender]:
    made = Pretender()
    yield made
    made.socket.close()
    for process in made.processes:
        process.kill()
        process.wait()


class Ears:
    """Hears what becomes of orders."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.news = asyncio.Event()

    def answer(self) -> Answer:
        return Answer(self.hear, self.hear, self.hear)

    def hear(self, what: Child | Exit | Failure | Why) -> None:
        self.heard.append(what)
        self.news.set()

    async def next(self) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            while not self.heard:
                self.news.clear()
                await self.news.wait()
        return self.heard.pop(0)


def begin(pretender: Pretender, ears: Ears) -> Nursery:
    nursery = Nursery(
        asyncio.get_running_loop(),
        name="the nursery",
        declined=lambda _nursery, _order, _answer, why: ears.hear(why),
        over=lambda _: None,
    )
    nursery.begin(pretender, ORDER)
    nursery.fork(ORDER, ears.answer())
    return nursery


async def test_a_run_is_whoever_says_so_and_nobody_else(pretender: Pretender) -> None:
    ears = Ears()
    nursery = begin(pretender, ears)
    pretender.socket.send(b"started 1 1")
    child = await ears.next()
    assert child.pid == os.getpid(), "the kernel's word, not that of the message"
    pretender.socket.send(b"exited 1 256 5 1000")
    assert await ears.next() == Exit(1, None, 5, 1000)
    child.close()
    nursery.close()
    pretender.end()


@pytest.mark.parametrize(
    "words",
    [
        b"exited 1 x",
        b"exited 1",
        b"started",
        b"failed 1",
        b"declined 1 soon",
        b"exited 1 99999999999999 0 0",
        b"\xff",
    ],
)
async def test_who_makes_no_sense_is_ended(pretender: Pretender, words: bytes) -> None:
    ears = Ears()
    begin(pretender, ears)
    pretender.socket.send(words)
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.get_running_loop().run_in_executor(None, pretender.processes[0].wait)
    pretender.end()
    assert await ears.next() is Why.OVER


async def test_answers_about_nothing_are_passed_over(pretender: Pretender) -> None:
    ears = Ears()
    nursery = begin(pretender, ears)
    for words in (b"ready", b"started 7", b"exited 7 0 0 0", b"failed 7 2 x", b"started 1", b"started 1"):
        pretender.socket.send(words)
    child = await ears.next()
    pretender.socket.send(b"exited 1 15 0 0")
    assert await ears.next() == Exit(None, "SIGTERM", 0, None)
    assert ears.heard == []
    child.close()
    nursery.close()
    pretender.end()


async def test_a_fork_that_failed_is_told_with_its_error(pretender: Pretender) -> None:
    ears = Ears()
    nursery = begin(pretender, ears)
    pretender.socket.send(b"failed 1 2 /no where")
    error = await ears.next()
    assert (error.errno, error.filename) == (2, "/no where")
    nursery.close()
    pretender.end()


async def test_what_was_not_begun_at_its_end_is_for_others(pretender: Pretender) -> None:
    ears = Ears()
    begin(pretender, ears)
    pretender.end()
    assert await ears.next() is Why.OVER


async def test_a_fork_that_ended_before_the_script_is_no_run(pretender: Pretender) -> None:
    ears = Ears()
    nursery = begin(pretender, ears)
    pretender.socket.send(b"exited 1 9 0 0")
    assert str(await ears.next()) == "its process was killed by SIGKILL before the script began"
    nursery.close()
    pretender.end()


class Clockwork:
    """An event loop whose clock is wound by hand; the rest is the real one's."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.timers: list[Any] = []

    def time(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, call: Any, *arguments: Any) -> asyncio.TimerHandle:
        self.timers.append((self.now_s + delay_s, call, arguments))
        return asyncio.get_running_loop().call_later(3600, lambda: None)

    def wind(self, to_s: float) -> None:
        self.now_s = to_s
        due, self.timers = self.timers, []
        for _, call, arguments in due:
            call(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio.get_running_loop(), name)


async def test_a_nursery_that_nobody_uses_is_retired(pretender: Pretender) -> None:
    ears, clockwork = Ears(), Clockwork()
    nurseries = Nurseries(clockwork, way_as=lambda _: pretender, otherwise=lambda *_: None)  # type: ignore[arg-type]
    nurseries.start(ORDER, ears.answer())
    pretender.socket.send(b"started 1")
    child = await ears.next()
    clockwork.wind(IDLE_S * 3)
    pretender.socket.recv(65536)
    pretender.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        pretender.socket.recv(65536)
    pretender.socket.send(b"exited 1 0 0 0")
    await ears.next()
    clockwork.wind(IDLE_S * 4 + 1)
    assert b"retire" in pretender.socket.recv(65536)
    child.close()
    closing = asyncio.ensure_future(nurseries.close())
    await asyncio.sleep(0)
    pretender.end()
    await closing
    assert not alive(pretender.processes[0].pid)
