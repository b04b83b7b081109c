"""One nursery, seen from the daemon: a process that forks for each order, and what it tells of its forks.

A fork of an interpreter that already runs costs a quarter of the start of a new one, and far less than what
the script imports. It also does between fork and exec what vfork(2) has no place for: other users, limits,
cgroups. So there are two uses of the same program (`languages/python_nursery.py`): with the interpreter of
scripts, which its forks go on to run in, and with the daemon's own, as the launcher of programs.

Each order takes a descriptor to print to; the reading end stays here. A fork tells of its own start, and the
kernel says who it is (SO_PASSCRED), so whoever gets hold of a nursery cannot point the daemon, which may be
root, at somebody else's process. Answers are words, not pickles, for the same reason.

The nursery reaps its forks, so between that and the reading of its answer a pid could, in principle, be given
to another process group, and that be hit by a signal that was meant for the run. It would take all of the
pids of the host within that time; and what a stalled daemon does first when it goes on is to read answers:
asyncio runs the callbacks of descriptors before those of timers. Rejected: to have each reaping acknowledged,
a round trip at the end of each run.

A nursery is over when its socket has ended *and* its process was reaped. Since each fork closes the socket
when it is complete, what was ordered and not answered by then has never begun, and may be started by somebody
else: every order is carried out once.
"""

import array
import asyncio
import errno
import itertools
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from schedd.runner.child import Answer, Child, Exit, Failure, Way
from schedd.runner.command import CannotStartError
from schedd.runner.nursery_messages import (
    ANCILLARY_BYTES,
    Declined,
    Exited,
    Failed,
    Ready,
    Started,
    Why,
    control,
    in_words,
    message,
    sender,
    understood,
)
from schedd.runner.order import Order

ANSWER_BYTES = 8192
ANSWERS_A_TURN = 64
WORDS_BYTES = 2048
"""How much is kept of what a nursery itself says, for the sentence on its end."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Asked:
    """An order that a nursery has in hand."""

    order: Order
    answer: Answer
    output_fd: int
    child: Child | None = None


class Nursery:
    """Owns the process and its socket. `name` is its name in a sentence: `the Python nursery of …`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        name: str,
        programs: bool = False,
        declined: Callable[["Nursery", Order, Answer, Why], None],
        over: Callable[["Nursery"], None],
    ) -> None:
        """`declined` gets each order that was not carried out; `over` is told of the end, once, before those.

        `programs`: its forks become programs, else Python scripts.
        """
        self.name = name
        self._programs = programs
        self.ready = False
        self.retired = False
        self.used_s = loop.time()
        """When it last had something to do, by the loop's time."""
        self._loop = loop
        self._declined, self._over = declined, over
        self._numbers = itertools.count(1)
        self._asked: dict[int, Asked] = {}
        self._queue: deque[tuple[bytes, list[int]]] = deque()
        """What the socket had no room for. The descriptors are ours."""
        self._socket: socket.socket | None = None
        self._child: Child | None = None
        self._ended: str | None = None
        """How its process ended; None = it lives."""
        self._words = b""

    @property
    def idle(self) -> bool:
        """Whether nothing is asked of it, and nothing of it runs."""
        return not self._asked

    @property
    def ended(self) -> str:
        """How its process ended, for a sentence."""
        last = self._words.decode(errors="replace").strip().rpartition("\n")[2]
        return f"{self._ended or 'ended'}{f': {last}' if last else ''}"

    def begin(self, way: Way, order: Order) -> None:
        """Have the process started. Orders may follow at once. Raises OSError when there is no room."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket = ours
        self._loop.add_reader(ours, self._readable, ours)

        def answered(child: Child | None, error: Failure | None) -> None:
            theirs.close()
            self._begun(child, error)

        way.start(
            replace(order, stdin_fd=theirs.fileno()),
            Answer(lambda child: answered(child, None), self._exited, lambda error: answered(None, error)),
        )

    def fork(self, order: Order, answer: Answer) -> None:
        """Ask for a process."""
        self.used_s = self._loop.time()
        number = next(self._numbers)
        try:
            output_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        except OSError as error:
            answer.failed(error)
            return
        os.set_blocking(output_fd, False)
        self._asked[number] = Asked(order, answer, output_fd)
        files = {0: order.stdin_fd, -1: order.cgroup_fd}
        given = {place: fd for place, fd in files.items() if fd is not None}
        try:
            words = message(number, order, tuple(given), program=self._programs)
            self._send(words, [write_fd, *given.values()])
        except OSError as error:
            self._fail(number, error)
        finally:
            os.close(write_fd)

    def retire(self) -> None:
        """Let what runs come to its end, and take no more."""
        if not self.retired:
            self.retired = True
            self._control("retire")

    def look(self) -> None:
        """Have it see whether the files that it stands on have changed; then it declines what comes after."""
        self._control("look")

    def close(self) -> None:
        """End it, and all that it runs."""
        self.retired = True
        self._hang_up()

    def kill(self) -> None:
        """End its process if it does not end by itself."""
        if self._child is not None:
            self._child.signal_group(signal.SIGKILL)

    def _control(self, what: str) -> None:
        if self._socket is not None:
            try:
                self._send(control(what), [])
            except OSError as error:
                _log.debug("%s cannot be told to %s: %s", self.name, what, error)

    def _send(self, message: bytes, files: list[int]) -> None:
        """Send now, or when there is room; raises OSError when it can never be sent."""
        if self._socket is None:
            return
        if not self._queue and self._sent(self._socket, message, files):
            return
        if not self._queue:
            self._loop.add_writer(self._socket, self._writable, self._socket)
        self._queue.append((message, [os.dup(fd) for fd in files]))

    def _sent(self, to: socket.socket, message: bytes, files: list[int]) -> bool:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
        try:
            to.sendmsg([message], rights)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            # Its end is told by the reading side, which knows what it had not begun.
            return True
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise OSError(errno.E2BIG, os.strerror(errno.E2BIG)) from error
            raise
        return True

    def _writable(self, to: socket.socket) -> None:
        while self._queue:
            message, files = self._queue[0]
            if not self._sent(to, message, files):
                return
            self._queue.popleft()
            _close_all(files)
        self._loop.remove_writer(to)

    def _readable(self, source: socket.socket) -> None:
        for _ in range(ANSWERS_A_TURN):
            if self._socket is not source:
                return
            try:
                words, ancillary, _, _ = source.recvmsg(ANSWER_BYTES, ANCILLARY_BYTES)
            except BlockingIOError:
                return
            except OSError:
                words, ancillary = b"", []
            if not words:
                self._hang_up()
                return
            self._heard(words, sender(ancillary))

    def _heard(self, words: bytes, sender: int) -> None:
        """Take one answer in; one that makes no sense is that of a process that is no nursery of ours."""
        answer = understood(words)
        asked = None if answer is None or answer.number is None else self._asked.get(answer.number)
        match answer:
            case Ready():
                self.ready = True
            case None:
                self._end_senseless(words)
            case _ if asked is None:
                return
            case Started(pid=pid):
                self._started(asked, (pid or 0) if self._programs else sender)
            case Exited(number=number, how=how):
                self._fork_exited(number, how)
            case Failed() | Declined() if asked.child is not None:
                self._end_senseless(words)
            case Failed(number=number, error=error):
                self._fail(number, error)
            case Declined(number=number, why=why):
                self._let_go(number)
                self._declined(self, asked.order, asked.answer, why)
            case _:
                assert_never(answer)

    def _end_senseless(self, words: bytes) -> None:
        _log.error("%s says what makes no sense (%.60r); it is ended", self.name, words)
        self.kill()
        self._hang_up()

    def _started(self, asked: Asked, pid: int) -> None:
        if asked.child is None and pid > 1:
            asked.child = Child(pid=pid, output_fd=asked.output_fd)
            asked.answer.started(asked.child)

    def _fork_exited(self, number: int, how: Exit) -> None:
        if self._asked[number].child is None:
            self._fail(number, CannotStartError(f"its process {in_words(how)} before the script began"))
            return
        self.used_s = self._loop.time()
        self._asked.pop(number).answer.exited(how)

    def _fail(self, number: int, error: Failure) -> None:
        self._let_go(number).answer.failed(error)

    def _let_go(self, number: int) -> Asked:
        """Forget an order that has not begun."""
        asked = self._asked.pop(number)
        if asked.child is None:
            os.close(asked.output_fd)
        return asked

    def _begun(self, child: Child | None, error: Failure | None) -> None:
        if child is None:
            self._ended = f"cannot be started: {error}"
            self._hang_up()
            return
        self._child = child
        assert child.output_fd is not None
        self._loop.add_reader(child.output_fd, self._said, child)

    def _said(self, child: Child) -> None:
        """Pass on what it says of itself: which modules it could not import, and its last words."""
        chunk = child.read()
        if chunk is None:
            return
        for line in chunk.decode(errors="replace").splitlines():
            _log.warning("%s: %s", self.name, line)
        self._words = (self._words + chunk)[-WORDS_BYTES:]
        if not chunk:
            self._hush(child)

    def _hush(self, child: Child) -> None:
        if child.output_fd is not None:
            self._loop.remove_reader(child.output_fd)
            child.close_output()

    def _exited(self, how: Exit) -> None:
        """Its process was reaped."""
        child, self._child = self._child, None
        if child is not None:
            if child.output_fd is not None:
                self._said(child)
            self._hush(child)
            child.close()
        self._ended = in_words(how)
        if self._socket is None:
            self._finish()

    def _hang_up(self) -> None:
        """Close the socket, which is the end of the nursery, or was caused by it."""
        if self._socket is None:
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._socket = None
        for _, files in self._queue:
            _close_all(files)
        self._queue.clear()
        if self._ended is not None:
            self._finish()

    def _finish(self) -> None:
        """Nobody will tell any more of what it ran: end that. What it never began is for others."""
        left, self._asked = self._asked, {}
        lost = f"{self.name}, which ran it, {self.ended}; how the script ended is not known"
        self._over(self)
        for asked in left.values():
            if asked.child is not None:
                asked.child.signal_group(signal.SIGKILL)
                asked.answer.exited(Exit(None, None, lost=lost))
            else:
                os.close(asked.output_fd)
                self._declined(self, asked.order, asked.answer, Why.OVER)


def _close_all(files: list[int]) -> None:
    for fd in files:
        os.close(fd)
