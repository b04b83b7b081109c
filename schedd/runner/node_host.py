"""One Node.js that waits for a script, seen from the daemon: a process, one pipe for orders, one for answers.

It is started as any process of a run is, so it already has its session and its output when a script comes
(`languages/node_host.cjs` is its inside). What the script is to be limited by is set from here, by pid, and
before the host is asked; everything else is in the order.

A host carries out one order and is then that run's process: whoever asked gets it as his child. One of
`@mode warm` lends itself instead, run after run, and each run reads its output from the same pipe. Until a
host has said `started` nothing of the script has happened, so an order that it did not come to is given back
and may be carried out by somebody else: every order is carried out once.
"""

import asyncio
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from schedd.runner.child import Answer, Child, Exit, Failure, Way
from schedd.runner.environment import RUN_ID_PLACE
from schedd.runner.languages import node
from schedd.runner.order import Order

ANSWER_TIMEOUT_S = 10.0
"""A host answers within a millisecond; on a machine that swaps, within seconds."""

MOST_ORDER_BYTES = 60 * 1024
"""What an empty pipe takes at once. An environment of more is for execve(2), which may refuse it."""

ANSWER_BYTES = 4096


@dataclass(slots=True)
class _Asked:
    """What a host was asked for, and has not answered or not finished."""

    order: Order
    answer: Answer
    timer: asyncio.TimerHandle
    child: Child | None = None
    """Of the run; None = it has not said that it has started."""


class Lent(Child):
    """A host that runs a script and will run another one: its output while it does, and its group."""

    def __init__(self, host: Child) -> None:
        assert host.output_fd is not None
        super().__init__(pid=host.pid, output_fd=os.dup(host.output_fd))
        self.given_back = False

    def signal_group(self, number: int) -> None:
        """Signal the host, as long as it is this run's."""
        if not self.given_back:
            super().signal_group(number)

    def group_is_gone(self) -> bool:
        """Whether nothing is left of the run. A host that was given back has seen to that."""
        return self.given_back or super().group_is_gone()


class NodeHost:
    """Owns the process as long as it waits, and both pipes."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        cold: Way,
        interpreter: str,
        cache: str,
        environment: dict[str, str],
        reused: bool,
        idle: Callable[["NodeHost"], None],
        over: Callable[["NodeHost"], None],
        given_back: Callable[["NodeHost", Order, Answer], None],
    ) -> None:
        """Start the process.

        `idle` is called whenever it waits for an order, `over` when it is no longer ours; after that
        `given_back` gets what it was asked for and did not begin. Raises what a way fails with.
        """
        self.interpreter = interpreter
        self.reused = reused
        self.ready = False
        """It was told to be able to take orders, at least once."""
        self.dismissed = False
        self.ended = ""
        """How its process ended, for a sentence, when it did while it waited."""
        self.used_s = loop.time()
        self._loop = loop
        self._idle, self._over, self._given_back = idle, over, given_back
        self._child: Child | None = None
        self._asked: _Asked | None = None
        self._heard = b""
        self._used_us = 0
        """Of the processor, before there was a script."""
        self._closed = False
        self._runs = 0
        self._open(cold, cache, environment)

    @property
    def waits(self) -> bool:
        """Whether it can be asked."""
        return self.ready and self._asked is None and not self._closed and not self.dismissed

    def ask(self, order: Order, answer: Answer) -> bool:
        """Have it run a script; False when it cannot, and somebody else has to."""
        assert self.waits, self.interpreter
        assert order.warm is not None
        message = _message(order, reused=self.reused)
        if message is None or self._child is None or not _limit(self._child.pid, order, anew=self._runs > 0):
            return False
        try:
            written = os.write(self._orders_fd, message)
        except (BrokenPipeError, BlockingIOError):
            written = 0
        if written < len(message):
            self.dismiss()
            return False
        self.used_s = self._loop.time()
        self._runs += 1
        self._asked = _Asked(order, answer, self._loop.call_later(ANSWER_TIMEOUT_S, self._kill))
        return True

    def dismiss(self) -> None:
        """Let it go: it has nothing to lose."""
        self.dismissed = True
        self._kill()

    def _open(self, cold: Way, cache: str, environment: dict[str, str]) -> None:
        orders_fd, self._orders_fd = os.pipe2(os.O_CLOEXEC)
        try:
            self._answers_fd, answers_fd = os.pipe2(os.O_CLOEXEC)
        except OSError:
            os.close(orders_fd)
            os.close(self._orders_fd)
            raise
        os.set_blocking(self._orders_fd, False)
        os.set_blocking(self._answers_fd, False)
        order = Order(
            argv=node.host_command(self.interpreter, cache=cache, reused=self.reused),
            cwd="/",
            environment={**environment, "SCHEDD_RUN_ID": RUN_ID_PLACE},
            stdin_fd=orders_fd,
            stderr_fd=answers_fd,
        )
        refused: list[Failure] = []
        try:
            cold.start(order, Answer(self._begun, self._exited, refused.append))
        finally:
            os.close(orders_fd)
            os.close(answers_fd)
        if refused:
            os.close(self._orders_fd)
            os.close(self._answers_fd)
            raise refused[0]

    def _begun(self, child: Child) -> None:
        self._child = child
        self._loop.add_reader(self._answers_fd, self._readable)

    def _readable(self) -> bool:
        """Take in what there is of answers; False when there is nothing."""
        try:
            chunk = os.read(self._answers_fd, ANSWER_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._hang_up()
            return False
        *lines, self._heard = (self._heard + chunk).split(b"\n")
        self._heard = self._heard[-ANSWER_BYTES:]
        for line in lines:
            self._hear(line.decode(errors="replace"))
        return not self._closed

    def _hear(self, line: str) -> None:
        """Take in one answer; what is none is what Node says when it cannot even start."""
        verb, _, rest = line.partition(" ")
        if verb == "ready" and rest.isdecimal():
            self.ready, self._used_us = True, int(rest)
            self._idle(self)
        elif verb == "started" and self._asked is not None:
            self._started(self._asked)
        elif verb == "over" and rest.isdecimal() and self._asked is not None:
            self._run_over(self._asked, int(rest))
        elif verb == "declined":
            self.dismissed = True
        elif "Error" in line:
            self.ended = f"ended with {line}"

    def _started(self, asked: _Asked) -> None:
        asked.timer.cancel()
        assert self._child is not None
        if self.reused:
            try:
                asked.child = Lent(self._child)
            except OSError as error:
                # There is no descriptor for its output: what has begun is ended, and told as not begun.
                self._asked = None
                self.dismiss()
                asked.answer.failed(error)
                return
        else:
            asked.child = self._child
            self._hang_up()
        asked.answer.started(asked.child)

    def _run_over(self, asked: _Asked, used_us: int) -> None:
        """The run is over, and the host is not. What the run printed is in the pipe."""
        assert isinstance(asked.child, Lent)
        self._asked = None
        self.used_s = self._loop.time()
        asked.child.given_back = True
        asked.answer.exited(Exit(0, None, round(used_us / 1000)))
        self._idle(self)

    def _exited(self, how: Exit) -> None:
        """Its process has ended, which is the end of the run, if there is one."""
        while not self._closed and self._readable():
            pass
        self._hang_up()
        asked, self._asked = self._asked, None
        child, self._child = self._child, None
        runs = asked is not None and asked.child is not None
        if child is not None and (self.reused or not runs):
            self.ended = self.ended or _in_words(how, child.read() or b"")
            child.close()
        self._over(self)
        if asked is None:
            return
        if runs:
            used_ms = None if how.cpu_ms is None else max(0, how.cpu_ms - self._used_us // 1000)
            asked.answer.exited(replace(how, cpu_ms=used_ms))
        else:
            asked.timer.cancel()
            self._given_back(self, asked.order, asked.answer)

    def _kill(self) -> None:
        if self._child is not None:
            self._child.signal_group(signal.SIGKILL)

    def _hang_up(self) -> None:
        """Close the pipes."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._answers_fd)
            os.close(self._answers_fd)
            os.close(self._orders_fd)


def _message(order: Order, *, reused: bool) -> bytes | None:
    """Return the order as one line of JSON; None when it is too long, or cannot be said so."""
    assert order.warm is not None
    try:
        message = msgspec.json.encode(
            {
                "path": order.warm.path,
                "cwd": order.cwd,
                "env": dict(order.environment),
                "umask": order.umask,
                "reused": reused,
            }
        )
    except UnicodeEncodeError:
        return None
    return message + b"\n" if len(message) < MOST_ORDER_BYTES else None


def _limit(pid: int, order: Order, *, anew: bool) -> bool:
    """Put a process that waits under the limits of an order; False when that is not allowed.

    `anew`: it has had an order with the same limits before. What is set by each run is set again, and what
    adds up is not.
    """
    try:
        for number, soft, hard in order.rlimits:
            most = _lesser(hard, resource.prlimit(pid, number)[1])
            resource.prlimit(pid, number, (_lesser(soft, most), most))
        if order.nice is not None and not anew:
            for thread in map(int, os.listdir(f"/proc/{pid}/task")):
                os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + order.nice)
        if order.cgroup_fd is not None:
            os.write(order.cgroup_fd, str(pid).encode())
    except (OSError, ValueError):
        return False
    return True


def _lesser(one: int, other: int) -> int:
    if resource.RLIM_INFINITY in {one, other}:
        return other if one == resource.RLIM_INFINITY else one
    return min(one, other)


def _in_words(how: Exit, printed: bytes) -> str:
    end = f"was killed by {how.signal}" if how.signal is not None else f"ended with exit code {how.code}"
    error = next((line for line in printed.decode(errors="replace").splitlines() if "Error" in line), None)
    return end if error is None else f"{end}: {error.strip()}"
