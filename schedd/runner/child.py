"""A process of a run, whoever started it, and what the runner is told of its life.

There is more than one *way* to start a script (a new process, a fork of a warm interpreter, a host that
waited for it), and the runner knows none of them: it gives an `Order` and an `Answer`, and whatever the way,
the answer is used in the same order: `failed`, or `started` and then, once, `exited`.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from schedd.runner.command import CannotStartError
from schedd.runner.order import Order

CHUNK_BYTES = 64 * 1024
"""What a pipe holds; one read for each turn of the loop, so that a flood cannot keep others waiting."""

DRAIN_READS = 17
"""At the end, what is in the pipe is read at once: at most 1 MiB, which is the most a pipe can hold."""

KILLED_CODE = 128 + signal.SIGKILL
"""What a shell exits with when SIGKILL has ended its last command."""

Failure = OSError | ValueError | CannotStartError


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: an exit code or the name of a signal; what it used."""

    code: int | None
    signal: str | None
    cpu_ms: int | None = None
    max_rss_kb: int | None = None
    """Peak memory; None when it is not known."""
    lost: str | None = None
    """Nobody can say how it ended, and this is why: a sentence."""
    late_s: float = 0.0
    """So long ago it was noticed."""

    @property
    def looks_killed(self) -> bool:
        """Whether SIGKILL ended it, or a child of it and the shell passes that on."""
        return self.signal == "SIGKILL" or self.code == KILLED_CODE


class Child:
    """A process that leads a session and a group of its own. Owns the reading end of its output."""

    def __init__(self, *, pid: int, output_fd: int) -> None:
        self.pid = pid
        self.output_fd: int | None = output_fd
        self.given_back = False
        """It is no longer the run's, but goes on for others."""

    def signal_group(self, number: int) -> None:
        """Signal the process and all that stayed in its group; nothing happens when all are gone."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            # PermissionError: what is left runs as somebody else, who is beyond our reach.
            return

    def group_is_gone(self) -> bool:
        """Whether nothing is left of the group. The process itself counts until it is reaped."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def read(self, most_bytes: int | None = None) -> bytes | None:
        """Read one chunk of output: empty at its end, None when there is nothing now."""
        if self.output_fd is None:
            return b""
        try:
            return os.read(self.output_fd, most_bytes or CHUNK_BYTES)
        except BlockingIOError:
            return None

    def close_output(self) -> None:
        """Give the pipe back."""
        if self.output_fd is not None:
            os.close(self.output_fd)
            self.output_fd = None

    def close(self) -> None:
        """Give everything back."""
        self.close_output()


@dataclass(frozen=True, slots=True)
class Answer:
    """Whom to tell: `failed` alone, at once or later, or `started` and after it, once, `exited`."""

    started: Callable[[Child], None]
    exited: Callable[[Exit], None]
    failed: Callable[[Failure], None]


class Way(Protocol):
    """One way to start processes."""

    def start(self, order: Order, answer: Answer) -> None:
        """Start a process; the answer may be used before this returns."""


def signal_name(number: int) -> str:
    """Return the name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
