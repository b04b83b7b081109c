"""Child processes that read scripts and say what is wrong with them, many at a time and within limits.

A compiler is no safe thing to have in the daemon: hostile source holds the interpreter's lock for seconds,
and has brought down whole processes. So there is one short-lived child for each interpreter, given a list of
files; when it dies or hangs, the file that it was at is told, and another child goes on behind it. Nothing
that is in a file is ever run.

Rejected: a child for each file (`node --check` takes 50 ms, Python 12), and children that are kept for the
next reload (a Node.js that waits for months costs 40 MiB; one that is started costs 40 ms, once).
"""

import contextlib
import json
import os
import select
import selectors
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

FILE_TIMEOUT_S = 10.0
"""For one file; a compiler takes 10 s for some megabytes."""
BUDGET_S = 60.0
"""For all files of one look at a directory; a daemon that starts is waited for that long by systemd."""
ENDS_WITHIN_S = 1.0
"""After its last answer."""
ANSWER_BYTES = 16 * 1024
"""A longer line is no answer."""
MOST_SILENT = 3
"""So many children in a row that died at their first file: then it is not the file."""
READ_BYTES = 64 * 1024


class Word(StrEnum):
    """What a checker says of a file."""

    FINE = "fine"
    ODD = "odd"
    """It can be read, but there is something to be said."""
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """The checker could not cope with this file."""
    UNASKED = "unasked"
    """It was not come to, or not because of the file."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one file."""

    word: Word
    text: str = ""
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One file to look at."""

    path: str
    note: str = ""
    """What the checker has to know beside; see the checkers."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Files for one child."""

    argv: tuple[str, ...]
    jobs: tuple[Job, ...]
    silent: int = 0
    """How many children before this one died at their first file."""


def check(
    batches: Sequence[Batch], *, at_once: int, path_env: str, monotonic: Callable[[], float]
) -> Iterator[tuple[Job, Answer]]:
    """Yield an answer for each job, with at most so many children at once. Blocks."""
    waiting = deque(batches)
    children: set[_Child] = set()
    over_s = monotonic() + BUDGET_S
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or children:
                now_s = monotonic()
                if now_s >= over_s:
                    break
                while waiting and len(children) < at_once:
                    child = _Child(waiting.popleft(), path_env, now_s)
                    children.add(child)
                    selector.register(child.answers, selectors.EVENT_READ, child)
                first_s = min(over_s, *(child.deadline_s for child in children))
                ready = {key.data for key, _ in selector.select(max(0.0, first_s - now_s))}
                now_s = monotonic()
                for child in [*children]:
                    yield from child.hear(now_s) if child in ready else child.hurry(now_s)
                    if child.over:
                        selector.unregister(child.answers)
                        children.remove(child)
                        yield from child.close()
                        if child.rest is not None:
                            waiting.appendleft(child.rest)
        finally:
            for child in children:
                child.kill()
    left = [job for child in children for job in child.jobs]
    left += [job for batch in waiting for job in batch.jobs]
    for job in left:
        yield job, Answer(Word.UNASKED, f"there was no time for it within {BUDGET_S:.0f} s")


class _Child:
    """One checker at work."""

    def __init__(self, batch: Batch, path_env: str, now_s: float) -> None:
        self.jobs = deque(batch.jobs)
        self.over = False
        self.rest: Batch | None = None
        self.deadline_s = now_s + FILE_TIMEOUT_S
        self._batch = batch
        self._heard = b""
        self._why = ""
        self.answers, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._process: subprocess.Popen[bytes] | None = None
        listed = os.memfd_create("scripts")
        try:
            os.set_blocking(theirs, True)
            _write(listed, "".join(f"{job.note}{job.path}\n" for job in batch.jobs))
            self._process = subprocess.Popen(
                batch.argv,
                stdin=listed,
                stdout=theirs,
                stderr=subprocess.DEVNULL,
                env={"PATH": path_env, "LC_ALL": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            self._why = f"{batch.argv[0]}: {error.strerror}"
        finally:
            os.close(listed)
            os.close(theirs)

    def hear(self, now_s: float) -> Iterator[tuple[Job, Answer]]:
        """Read answers."""
        try:
            chunk = os.read(self.answers, READ_BYTES)
        except BlockingIOError:
            return
        *lines, self._heard = (self._heard + chunk).split(b"\n")
        for line in lines:
            answer = _answer(line)
            if answer is None or not self.jobs:
                self._give_up("the checker said something else than an answer")
                return
            self.deadline_s = now_s + FILE_TIMEOUT_S
            yield self.jobs.popleft(), answer
        if len(self._heard) > ANSWER_BYTES:
            self._give_up("the checker said something else than an answer")
        elif not chunk:
            self.over = True

    def hurry(self, now_s: float) -> Iterator[tuple[Job, Answer]]:
        """Give up on a file that takes too long."""
        if now_s >= self.deadline_s:
            self._give_up(f"it took more than {FILE_TIMEOUT_S:.0f} s")
        yield from ()

    def close(self) -> Iterator[tuple[Job, Answer]]:
        """End the process; answer for the file that was too much for it, and leave the rest to another."""
        code = self.kill()
        if not self.jobs:
            return
        why = self._why or _ended(self._batch.argv[0], code)
        is_silent = len(self.jobs) == len(self._batch.jobs)
        silent = self._batch.silent + 1 if is_silent else 0
        if self._process is None or silent == MOST_SILENT:
            for job in self.jobs:
                yield job, Answer(Word.UNASKED, why)
            return
        if code != 0:
            yield self.jobs.popleft(), Answer(Word.UNKNOWN, why)
        if self.jobs:
            self.rest = Batch(self._batch.argv, tuple(self.jobs), silent)

    def kill(self) -> int:
        """End the process, and what it may have started; return its exit code."""
        os.close(self.answers)
        if self._process is None:
            return 0
        if self.over and not self._why and _ends_soon(self._process.pid):
            return self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def _give_up(self, why: str) -> None:
        self._why = why
        self.over = True


def _write(fd: int, text: str) -> None:
    left = memoryview(text.encode(errors="surrogateescape"))
    while left:
        left = left[os.write(fd, left) :]
    os.lseek(fd, 0, os.SEEK_SET)


def _answer(line: bytes) -> Answer | None:
    try:
        word, at_line, column, text = json.loads(line)
        place = [at if isinstance(at, int) and at > 0 else None for at in (at_line, column)]
        return Answer(Word(word), str(text), *place)
    except (ValueError, TypeError):
        return None


def _ends_soon(pid: int) -> bool:
    """Wait for a child's end, within limits. Not by `Popen.wait`, which counts on clocks that nobody sets."""
    pidfd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(ENDS_WITHIN_S * 1000))
    finally:
        os.close(pidfd)


def _ended(program: str, code: int) -> str:
    if code < 0:
        return f"{program} was ended by signal {-code} while it read it"
    return f"{program} ended with {code} while it read it"
