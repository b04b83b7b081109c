"""What a process and all that it has started have cost, from /proc, in hundredths of a second."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
LOOK_S = 0.2
STILL_S = 0.01
"""Who uses less of LOOK_S than this does nothing but wait."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time so far, in seconds."""

    own_s: float
    """Of the process and those below it that are alive: a scheduler and its servants, when no job runs."""

    all_s: float
    """And of all that they have waited for: the jobs."""

    def __sub__(self, earlier: "Usage") -> "Usage":
        return Usage(self.own_s - earlier.own_s, self.all_s - earlier.all_s)


def usage(pid: int) -> Usage:
    """Look at a process and those below it."""
    parents: dict[int, tuple[int, float, float]] = {}
    for each in os.listdir("/proc"):
        if each.isdecimal():
            try:
                fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            own, waited_for = (sum(map(int, fields[first : first + 2])) / TICKS for first in (11, 13))
            parents[int(each)] = int(fields[1]), own, waited_for
    family = {pid}
    while more := {each for each, (parent, *_) in parents.items() if parent in family} - family:
        family |= more
    mine = [parents[each] for each in family if each in parents]
    own_s = sum(own for _, own, _ in mine)
    return Usage(own_s, own_s + sum(waited_for for *_, waited_for in mine))


def settle(pid: int, *, limit_s: float) -> Usage:
    """Wait until it does nothing any more, but not for longer than that; return what it has cost."""
    deadline = time.monotonic() + limit_s
    seen = usage(pid)
    while time.monotonic() < deadline:
        time.sleep(LOOK_S)
        before, seen = seen, usage(pid)
        if (seen - before).all_s <= STILL_S:
            break
    return seen
