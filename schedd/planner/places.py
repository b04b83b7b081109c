"""Who runs, who waits for a place, and who waits behind a run of the same script.

A fire passes through at most three stations: *held* behind a run of its own script, *waiting* for one of
the places that all scripts share, *running*. This module moves fires between them and keeps the counts
right; it decides nothing.
"""

import heapq
from collections import deque
from collections.abc import Callable

from schedd.fire import Fire, RunId


class Places:
    """The stations of all fires that are decided but not over."""

    def __init__(self, max_running: int) -> None:
        self.max_running = max_running
        self._running: dict[RunId, Fire] = {}
        self._runs_of: dict[str, dict[RunId, Fire]] = {}
        self._waiting: list[tuple[int, int, Fire]] = []
        self._waits_of: dict[str, int] = {}
        self._held_of: dict[str, deque[Fire]] = {}
        self._held_count = 0
        self._arrivals = 0

    @property
    def running_count(self) -> int:
        """How many runs are in flight."""
        return len(self._running)

    @property
    def held_count(self) -> int:
        """How many fires wait, at either station."""
        return self._held_count + len(self._waiting)

    def occupied(self, script: str) -> int:
        """How many fires of the script run or wait for a place."""
        return len(self._runs_of.get(script, ())) + self._waits_of.get(script, 0)

    def held(self, script: str) -> int:
        """How many fires are held behind runs of the script."""
        return len(self._held_of.get(script, ()))

    def runs_of(self, script: str) -> tuple[Fire, ...]:
        """The runs of the script in flight, oldest first."""
        return tuple(self._runs_of.get(script, {}).values())

    def held_of(self, script: str) -> tuple[Fire, ...]:
        """The fires of the script that wait, at either station."""
        waiting = [f for _, _, f in sorted(self._waiting, key=_turn) if f.script == script]
        return (*waiting, *self._held_of.get(script, ()))

    def all_running(self) -> tuple[Fire, ...]:
        """Every run in flight, oldest first."""
        return tuple(self._running.values())

    def all_held(self) -> tuple[Fire, ...]:
        """Every fire that waits: those for a place first, in the order in which they will get one."""
        waiting = [fire for _, _, fire in sorted(self._waiting, key=_turn)]
        return (*waiting, *(fire for fires in self._held_of.values() for fire in fires))

    def run(self, fire: Fire) -> bool:
        """Give the fire a place if one is free and nobody waits for it."""
        if self._waiting or len(self._running) >= self.max_running:
            return False
        self.seat(fire)
        return True

    def wait(self, fire: Fire, now_ms: int) -> None:
        """Let the fire wait for a place, in due order."""
        self._arrivals += 1
        due = now_ms // 1000 if fire.slot is None else fire.slot
        heapq.heappush(self._waiting, (due, self._arrivals, fire))
        self._waits_of[fire.script] = self._waits_of.get(fire.script, 0) + 1

    def hold(self, fire: Fire) -> None:
        """Let the fire wait behind a run of its own script."""
        self._held_of.setdefault(fire.script, deque()).append(fire)
        self._held_count += 1

    def release(self, script: str) -> Fire:
        """Return the oldest fire that is held behind a run of the script; it is at no station now."""
        fires = self._held_of[script]
        fire = fires.popleft()
        self._held_count -= 1
        if not fires:
            del self._held_of[script]
        return fire

    def next_waiting(self) -> Fire | None:
        """Take out the fire that has waited for a place the longest, if there is one and a place is free."""
        if not self._waiting or len(self._running) >= self.max_running:
            return None
        _, _, fire = heapq.heappop(self._waiting)
        self._left_waiting(fire)
        return fire

    def seat(self, fire: Fire) -> None:
        """Give the fire a place: it runs."""
        self._running[fire.run_id] = fire
        self._runs_of.setdefault(fire.script, {})[fire.run_id] = fire

    def end(self, run_id: RunId) -> Fire | None:
        """Free the place of a run; None if no such run is in flight."""
        fire = self._running.pop(run_id, None)
        if fire is not None:
            runs = self._runs_of[fire.script]
            del runs[run_id]
            if not runs:
                del self._runs_of[fire.script]
        return fire

    def drop(self, unwanted: Callable[[Fire], bool]) -> list[Fire]:
        """Remove and return the waiting fires that are unwanted, in the order of `all_held`."""
        dropped = [fire for fire in self.all_held() if unwanted(fire)]
        gone = {fire.run_id for fire in dropped}
        for _, _, fire in self._waiting:
            if fire.run_id in gone:
                self._left_waiting(fire)
        self._waiting = [item for item in self._waiting if item[2].run_id not in gone]
        heapq.heapify(self._waiting)
        self._drop_held(gone)
        return dropped

    def drop_held(self, script: str) -> list[Fire]:
        """Remove and return what is held behind runs of the script."""
        fires = list(self._held_of.pop(script, ()))
        self._held_count -= len(fires)
        return fires

    def _drop_held(self, gone: set[RunId]) -> None:
        for script, fires in list(self._held_of.items()):
            kept = deque(fire for fire in fires if fire.run_id not in gone)
            self._held_count -= len(fires) - len(kept)
            if kept:
                self._held_of[script] = kept
            else:
                del self._held_of[script]

    def _left_waiting(self, fire: Fire) -> None:
        left = self._waits_of[fire.script] - 1
        if left:
            self._waits_of[fire.script] = left
        else:
            del self._waits_of[fire.script]


def _turn(item: tuple[int, int, Fire]) -> tuple[int, int]:
    return item[:2]
