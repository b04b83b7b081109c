"""Who runs, and who waits for what.

A fire passes through at most four stations: *behind* the runs of its own script, *in line* for a lock, *at
the door* for one of the places that all scripts share, *running*. At the door it has its lock already. This
module moves fires between the stations and keeps the counts right; it decides nothing.
"""

from collections import deque
from collections.abc import Callable

from schedd.fire import Fire, Kind, RunId
from schedd.planner.line import Line, Waiting
from schedd.planner.locks import Locks
from schedd.schedule import Lock


class Places:
    """The stations of all fires that are decided but not over."""

    def __init__(self, max_running: int) -> None:
        self.max_running = max_running
        self.locks = Locks()
        self._running: dict[RunId, Fire] = {}
        self._runs_of: dict[str, dict[RunId, Fire]] = {}
        self._door = Line()
        self._waits_of: dict[str, dict[RunId, Waiting]] = {}
        """Those in line and at the door, by script."""
        self._behind: dict[str, deque[Waiting]] = {}
        self._held_count = 0
        self._arrivals = 0

    # What others see.

    @property
    def running_count(self) -> int:
        """How many runs are in flight."""
        return len(self._running)

    @property
    def held_count(self) -> int:
        """How many fires wait, at any station."""
        return self._held_count

    @property
    def at_door(self) -> tuple[Fire, ...]:
        """The fires that wait for a place, in no order."""
        return tuple(self._door.fires())

    def is_at_door(self, fire: Fire) -> bool:
        """Whether the fire waits for a place."""
        return fire.run_id in self._door

    def occupied(self, script: str) -> int:
        """How many fires of the script run, are in line or at the door."""
        runs, waits = self._runs_of.get(script), self._waits_of.get(script)
        return (len(runs) if runs else 0) + (len(waits) if waits else 0)

    def behind(self, script: str) -> int:
        """How many fires wait behind those of the script."""
        return len(self._behind.get(script, ()))

    def in_line(self, script: str) -> int:
        """How many fires of the script are in line or at the door."""
        return len(self._waits_of.get(script, ()))

    def runs_of(self, script: str) -> tuple[Fire, ...]:
        """Return the runs of the script in flight, oldest first."""
        return tuple(self._runs_of.get(script, {}).values())

    def held_of(self, script: str) -> tuple[Fire, ...]:
        """Return the fires of the script that wait, the next first."""
        waiting = sorted(self._waits_of.get(script, {}).values(), key=lambda w: w.turn)
        return tuple(w.fire for w in (*waiting, *self._behind.get(script, ())))

    def all_running(self) -> tuple[Fire, ...]:
        """Return every run in flight, oldest first."""
        return tuple(self._running.values())

    def run(self, run_id: RunId) -> Fire | None:
        """Return a run in flight."""
        return self._running.get(run_id)

    def all_held(self) -> tuple[Fire, ...]:
        """Return every fire that waits: at the door, in line, behind; each in the order of turns."""
        found = [waiting.fire for waiting in self._door]
        for name in self.locks.names():
            found += [waiting.fire for waiting in self.locks.line(name)]
        return (*found, *(waiting.fire for queue in self._behind.values() for waiting in queue))

    def ahead_of_others(self, script: str) -> Fire | None:
        """Return what others of the script wait behind: a run, else what waits for a lock or a place."""
        ahead = self.runs_of(script) or tuple(w.fire for w in self._waits_of.get(script, {}).values())
        return ahead[0] if ahead else None

    def newest_in_line(self, script: str, kinds: tuple[Kind, ...]) -> Waiting | None:
        """Return the fire of these kinds that came last, of those in line or at the door."""
        waiting = [w for w in self._waits_of.get(script, {}).values() if w.fire.kind in kinds]
        return max(waiting, key=lambda w: w.turn, default=None)

    # Coming and going.

    def arrive(self, fire: Fire, now_ms: int) -> Waiting:
        """Give a fire its turn."""
        self._arrivals += 1
        own = fire.slot if fire.kind is Kind.SCHEDULE else None
        return Waiting(fire, (now_ms // 1000 if own is None else own, self._arrivals))

    def has_free(self) -> bool:
        """Whether a place is free, and nobody waits for it."""
        return not self._door and len(self._running) < self.max_running

    def join(self, waiting: Waiting, lock: Lock | None) -> None:
        """Let a fire wait for its lock, then for a place."""
        self._waits_of.setdefault(waiting.fire.script, {})[waiting.fire.run_id] = waiting
        self._held_count += 1
        self._line_up(waiting, lock)

    def hold(self, waiting: Waiting) -> None:
        """Let a fire wait behind those of its own script."""
        self._behind.setdefault(waiting.fire.script, deque()).append(waiting)
        self._held_count += 1

    def release(self, script: str) -> Waiting:
        """Take out the first fire that waits behind those of the script."""
        queue = self._behind[script]
        waiting = queue.popleft()
        self._held_count -= 1
        if not queue:
            del self._behind[script]
        return waiting

    def substitute(self, old: Waiting, fire: Fire) -> None:
        """Let a fire take the turn of another one of its script, that is in line or at the door."""
        new = Waiting(fire, old.turn)
        name = self.locks.awaited(old.fire.run_id)
        if name is not None:
            self.locks.leave(old.fire.run_id)
            self.locks.wait(name, new)
        else:
            self._door.leave(old.fire.run_id)
            for had in self.locks.give_up(old.fire.run_id):
                self.locks.take(had, fire)
            self._door.join(new)
        waits = self._waits_of[fire.script]
        del waits[old.fire.run_id]
        waits[fire.run_id] = new

    def next_at_door(self) -> Fire | None:
        """Take out the fire whose turn it is, if a place is free; it keeps its lock."""
        if len(self._running) >= self.max_running:
            return None
        waiting = self._door.next()
        if waiting is None:
            return None
        self._left(waiting)
        return waiting.fire

    def seat(self, fire: Fire, lock: Lock | None, now_ms: int) -> None:
        """Give the fire a place, and its lock if it has not got it yet: it runs."""
        self._running[fire.run_id] = fire
        self._runs_of.setdefault(fire.script, {})[fire.run_id] = fire
        if lock is not None:
            self.locks.take(lock.name, fire, now_ms)

    def end(self, run_id: RunId) -> Fire | None:
        """Free the place of a run, and its lock; None if no such run is in flight."""
        fire = self._running.pop(run_id, None)
        if fire is not None:
            runs = self._runs_of[fire.script]
            del runs[run_id]
            if not runs:
                del self._runs_of[fire.script]
            self.give_up_locks(fire)
        return fire

    def give_up_locks(self, fire: Fire) -> None:
        """Take from a fire its lock: whose turn it is in the line goes to the door."""
        for name in self.locks.give_up(fire.run_id):
            while (waiting := self.locks.next(name)) is not None:
                self.locks.take(name, waiting.fire)
                self._door.join(waiting)

    def drop(self, unwanted: Callable[[Fire], bool]) -> list[Fire]:
        """Remove and return the waiting fires that are unwanted, in the order of their turns."""
        waits = self._waits_of.values()
        dropped = [waiting for of in waits for waiting in of.values() if unwanted(waiting.fire)]
        for waiting in dropped:
            if self._door.leave(waiting.fire.run_id) is None:
                self.locks.leave(waiting.fire.run_id)
            self._left(waiting)
            self.give_up_locks(waiting.fire)
        for script in list(self._behind):
            dropped += self._drop_behind(script, unwanted)
        return [waiting.fire for waiting in sorted(dropped, key=lambda w: w.turn)]

    def drop_behind(self, script: str) -> list[Fire]:
        """Remove and return what waits behind the fires of the script."""
        return [waiting.fire for waiting in self._drop_behind(script, lambda _: True)]

    def scripts_behind(self) -> tuple[str, ...]:
        """Return the scripts behind whose fires something waits."""
        return tuple(self._behind)

    def relock(self, lock_of: Callable[[str], Lock | None], now_ms: int) -> None:
        """Go by what the headers say now about locks: everybody lines up again, in their turn."""
        waits = [waiting for of in self._waits_of.values() for waiting in of.values()]
        for waiting in waits:
            self._door.leave(waiting.fire.run_id)
            self.locks.leave(waiting.fire.run_id)
            self.locks.give_up(waiting.fire.run_id)
        for fire in self._running.values():
            lock = lock_of(fire.script)
            if lock is not None and not self.locks.has(fire.run_id, lock.name):
                self.locks.take(lock.name, fire, now_ms)
        for waiting in sorted(waits, key=lambda w: w.turn):
            self._line_up(waiting, lock_of(waiting.fire.script))

    def _line_up(self, waiting: Waiting, lock: Lock | None) -> None:
        # Whenever a lock is free its line is empty: it is emptied as far as it goes at each change.
        if lock is not None and not self.locks.is_free(lock):
            self.locks.wait(lock.name, waiting)
            return
        if lock is not None:
            self.locks.take(lock.name, waiting.fire)
        self._door.join(waiting)

    def _left(self, waiting: Waiting) -> None:
        """Note that a fire is neither in line nor at the door any more."""
        waits = self._waits_of[waiting.fire.script]
        del waits[waiting.fire.run_id]
        if not waits:
            del self._waits_of[waiting.fire.script]
        self._held_count -= 1

    def _drop_behind(self, script: str, unwanted: Callable[[Fire], bool]) -> list[Waiting]:
        queue = self._behind.get(script, deque())
        dropped = [waiting for waiting in queue if unwanted(waiting.fire)]
        if dropped:
            self._behind[script] = deque(waiting for waiting in queue if not unwanted(waiting.fire))
            self._held_count -= len(dropped)
            if not self._behind[script]:
                del self._behind[script]
        return dropped
