"""What really ran, told by the scripts themselves, in a file that no fault of a test touches."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tests.whole.child import Child

Ran = tuple[str, int]
"""A script and the slot that it ran for, in seconds since the epoch."""

WITHIN_S = 15.0


class Witness:
    """Scripts of one daemon that fire each second, and their own record of it."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.record = child.scripts.parent / "ran"
        self.record.touch(mode=0o666)
        self.record.chmod(0o666)

    def write(self, name: str, *, header: str = "", body: str = "echo tick") -> None:
        """Register a script for every second."""
        told = f'echo "$SCHEDD_SCRIPT $SCHEDD_SLOT_EPOCH" >> {self.record}'
        self.child.write(name, f"#!/bin/sh\n# @schedule @every 1s\n{header}{told}\n{body}\n")

    def ran(self) -> list[Ran]:
        """What ran so far, in the order of the starts."""
        return [(script, int(slot)) for script, slot in map(str.split, self.record.read_text().splitlines())]

    def more(self, count: int) -> None:
        """Wait until so many more runs have begun."""
        enough = len(self.ran()) + count
        until(lambda: len(self.ran()) >= enough, self.child)

    def compare(self) -> list[dict[str, object]]:
        """Hold the fires log against what ran: each run has its one line, in order; return these lines."""
        lines = self.child.lines()
        assert [line["ts"] for line in lines] == sorted(line["ts"] for line in lines)
        told = [line for line in lines if "startedAt" in line]
        assert sorted((line["scriptPath"], slot_of(line)) for line in told) == sorted(self.ran())
        assert len({line["runId"] for line in lines}) == len(lines)
        return told


def slot_of(line: dict[str, object]) -> int:
    return int(datetime.fromisoformat(str(line["slot"])).timestamp())


def until(holds: Callable[[], object], child: Child) -> None:
    """Wait until it holds; fail with what the daemon said."""
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, child.said()[-3000:]
        time.sleep(0.02)


def reasons(child: Child) -> list[str]:
    """Why the daemon is not ready; empty when it is."""
    try:
        status, answer = child.ask("GET", "/readyz")
    except (FileNotFoundError, ConnectionRefusedError):
        return ["it does not listen yet"]
    assert status in (200, 503), answer
    return [] if status == 200 else list(answer["details"]["reasons"])


def red(child: Child, *words: str) -> None:
    """Wait until the daemon is not ready for a reason with these words."""
    until(lambda: any(all(word in reason for word in words) for reason in reasons(child)), child)


def green(child: Child) -> None:
    """Wait until the daemon is ready."""
    until(lambda: not reasons(child), child)


def criticals(child: Child) -> list[str]:
    """The lines of the journal with priority crit."""
    return [line for line in child.said().splitlines() if line.startswith("<2>")]


def size(path: Path) -> int:
    return path.stat().st_size
