"""Fires that nobody is in a hurry for: what is caught up, and what is replayed.

They start a few at a time, one of each script, and only while nothing else of the script runs, so that a host
that comes back after a night is not trampled. The order of the scripts is that of a hash: stable, but not
that of the names, under which all of one team would come first.
"""

import bisect
import hashlib
from collections import deque
from collections.abc import Callable

from schedd.fire import Fire, Kind
from schedd.timetable.instant import Slot

AT_ONCE = 4
"""So many of them run at the same time, at the most."""
PRESSED_PERCENT = 40.0
"""Above this pressure (proc(5), some avg10) they go one by one, above twice this they wait."""
KINDS = (Kind.CATCHUP, Kind.REPLAY)


class Backlog:
    """Owns the fires that wait to be caught up or replayed."""

    def __init__(self) -> None:
        self._fires: dict[str, deque[Fire]] = {}
        self._order: list[tuple[bytes, str]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, fire: Fire) -> None:
        """Let a fire wait; those of one script start in the order in which they came."""
        fires = self._fires.get(fire.script)
        if fires is None:
            fires = self._fires[fire.script] = deque()
            bisect.insort(self._order, (_rank(fire.script), fire.script))
        fires.append(fire)
        self._count += 1

    def next(self, may_start: Callable[[str], bool]) -> Fire | None:
        """Take out the next fire whose script may start one."""
        for _, script in self._order:
            if may_start(script):
                fires = self._fires[script]
                fire = fires.popleft()
                self._count -= 1
                if not fires:
                    self._forget(script)
                return fire
        return None

    def of(self, script: str) -> tuple[Fire, ...]:
        """Return what waits of a script."""
        return tuple(self._fires.get(script, ()))

    def all(self) -> tuple[Fire, ...]:
        """Return all that waits, in the order of the scripts."""
        return tuple(fire for _, script in self._order for fire in self._fires[script])

    def has(self, script: str, slot: Slot) -> bool:
        """Whether a replay of this slot waits."""
        return any(fire.slot == slot and fire.kind is Kind.REPLAY for fire in self._fires.get(script, ()))

    def drop(self, unwanted: Callable[[Fire], bool]) -> list[Fire]:
        """Remove and return the fires that are unwanted."""
        dropped = []
        for _, script in list(self._order):
            if not any(map(unwanted, self._fires[script])):
                continue
            kept = deque(fire for fire in self._fires[script] if not unwanted(fire))
            dropped += [fire for fire in self._fires[script] if unwanted(fire)]
            self._fires[script] = kept
            if not kept:
                self._forget(script)
        self._count -= len(dropped)
        return dropped

    def _forget(self, script: str) -> None:
        del self._fires[script]
        del self._order[bisect.bisect_left(self._order, (_rank(script), script))]


def at_once_under(pressure_percent: float) -> int:
    """Return how many may run at the same time on a host under this pressure."""
    if pressure_percent < PRESSED_PERCENT:
        return AT_ONCE
    return int(pressure_percent < 2 * PRESSED_PERCENT)


def _rank(script: str) -> bytes:
    return hashlib.sha256(script.encode(errors="surrogateescape")).digest()
