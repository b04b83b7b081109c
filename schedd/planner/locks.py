"""Who has which lock, and who stands in line for it (`@lock name:slots`).

A lock is nothing but its name: the scripts that name it share it, and what the most careful of them says
about the slots is law. A fire *has* a lock from the moment that only a free place keeps it from running,
until its run is over. Nobody who has a lock waits for another, and a place comes free whoever has what: so
no two fires can ever wait for each other.

A run whose header names another lock after a reload has both, the one it was started under and the new one:
to the other scripts of either it is in the way.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from schedd.fire import Fire, RunId
from schedd.planner.line import Line, Waiting
from schedd.schedule import Lock, Schedule


@dataclass(frozen=True, slots=True)
class Holder:
    """A fire that has a lock."""

    fire: Fire
    since_ms: int | None
    """When it was started; None while it waits for a free place."""


@dataclass(frozen=True, slots=True)
class Law:
    """How many may have a lock at once, and the script that says so (the first of them, by name)."""

    slots: int
    script: str


class Locks:
    """Owns the locks: what is said about them, who has them, who waits."""

    def __init__(self) -> None:
        self._said: dict[str, Lock] = {}
        self._laws: dict[str, Law] = {}
        self._held: dict[str, dict[RunId, Holder]] = {}
        self._locks_of: dict[RunId, tuple[str, ...]] = {}
        self._lines: dict[str, Line] = {}
        self._awaited: dict[RunId, str] = {}

    def declare(self, schedules: Iterable[Schedule]) -> bool:
        """Go by these headers from now on; False if they say what was said before."""
        schedules = [schedule for schedule in schedules if schedule.lock is not None]
        said = {schedule.script: schedule.lock for schedule in schedules if schedule.lock is not None}
        if said == self._said:
            return False
        self._said, self._laws = said, laws(schedules)
        return True

    def law(self, lock: Lock) -> Law:
        """Return what holds for a lock that a registered script names."""
        return self._laws[lock.name]

    def is_free(self, lock: Lock) -> bool:
        """Whether one more may have the lock."""
        held = self._held.get(lock.name)
        return held is None or len(held) < self._laws[lock.name].slots

    def take(self, name: str, fire: Fire, since_ms: int | None = None) -> None:
        """Let the fire have the lock (or note that it was started, when it had the lock before)."""
        self._held.setdefault(name, {})[fire.run_id] = Holder(fire, since_ms)
        names = self._locks_of.get(fire.run_id, ())
        if name not in names:
            self._locks_of[fire.run_id] = (*names, name)

    def give_up(self, run_id: RunId) -> tuple[str, ...]:
        """Take from a fire what it has; return the names of these locks."""
        names = self._locks_of.pop(run_id, ())
        for name in names:
            held = self._held[name]
            del held[run_id]
            if not held:
                del self._held[name]
        return names

    def has(self, run_id: RunId, name: str) -> bool:
        """Whether the fire has the lock."""
        return name in self._locks_of.get(run_id, ())

    def holders(self, name: str) -> tuple[Holder, ...]:
        """Return those who have the lock, in the order in which they got it."""
        return tuple(self._held.get(name, {}).values())

    # The lines.

    def wait(self, name: str, waiting: Waiting) -> None:
        """Stand in line for a lock."""
        self._lines.setdefault(name, Line()).join(waiting)
        self._awaited[waiting.fire.run_id] = name

    def next(self, lock: str) -> Waiting | None:
        """Take out of the line whose turn it is, if the lock is free."""
        line, law = self._lines.get(lock), self._laws.get(lock)
        if line is None or law is None or len(self._held.get(lock, ())) >= law.slots:
            return None
        waiting = line.next()
        if waiting is not None:
            self._left(lock, waiting)
        return waiting

    def leave(self, run_id: RunId) -> Waiting | None:
        """Leave the line; None if the fire stands in none."""
        name = self._awaited.get(run_id)
        waiting = None if name is None else self._lines[name].leave(run_id)
        if name is not None and waiting is not None:
            self._left(name, waiting)
        return waiting

    def awaited(self, run_id: RunId) -> str | None:
        """Return the lock that a fire stands in line for."""
        return self._awaited.get(run_id)

    def line(self, name: str) -> Line:
        """Return those who stand in line for a lock."""
        return self._lines.get(name, Line())

    def names(self) -> tuple[str, ...]:
        """Return the locks that somebody stands in line for."""
        return tuple(self._lines)

    def _left(self, name: str, waiting: Waiting) -> None:
        del self._awaited[waiting.fire.run_id]
        if not self._lines[name]:
            del self._lines[name]


def laws(schedules: Iterable[Schedule]) -> dict[str, Law]:
    """Return what holds for each lock: the smallest number of slots wins, for safety."""
    found: dict[str, Law] = {}
    for schedule in schedules:
        lock = schedule.lock
        if lock is None:
            continue
        law = found.get(lock.name)
        if law is None or (lock.slots, schedule.script) < (law.slots, law.script):
            found[lock.name] = Law(lock.slots, schedule.script)
    return found


def overruled(schedules: Iterable[Schedule]) -> list[tuple[str, str]]:
    """Return the scripts whose number of slots does not count, each with a sentence about it."""
    with_lock = [schedule for schedule in schedules if schedule.lock is not None]
    found = laws(with_lock)
    return [
        (schedule.script, sentence)
        for schedule in with_lock
        if schedule.lock is not None
        and (sentence := caution(schedule.lock, found[schedule.lock.name])) is not None
    ]


def caution(lock: Lock, law: Law) -> str | None:
    """Say that what a header says about the slots of a lock does not count; None if it does."""
    if lock.slots == law.slots:
        return None
    return f"@lock {lock.name}:{lock.slots} counts as {lock.name}:{law.slots}, as {law.script} has it"
