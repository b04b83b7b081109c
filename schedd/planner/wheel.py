"""The timer wheel: which scripts are due, second by second.

Scripts with the same timetable share one *spoke*, so 100,000 scripts on 500 timetables cost 500 steps of
croniter a turn at most. The heap holds the distinct due seconds, a dict says which spokes are due in each:
cron's ties are massive (everything is due at :00), and this measured better than a heap of all entries and
than a hierarchical wheel. An entry is dead when its spoke is no longer due in that second; the dead are
dropped when they come up, and swept out when they outnumber the living.

Within a second the order is that of registration, so a turn is deterministic.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

LOOK_AHEAD = 16
"""Slots computed at a time: one croniter object then serves many steps (its making costs as much as ten).

The first one is computed alone: of the hundreds of timetables that a daemon starts with, most can wait.
"""
KNOWN_FOR_S = 86_400
"""So long it is believed that a calendar lets no slot run."""
SWEEP_ABOVE = 64
"""Dead entries below this number are not worth a sweep."""


@dataclass(slots=True)
class _Member:
    order: int
    after: Slot


@dataclass(slots=True, eq=False)
class _Spoke:
    timetable: Timetable
    since: Slot
    members: dict[str, _Member] = field(default_factory=dict)
    ahead: deque[Slot] = field(default_factory=deque)
    newest: Slot = Slot(0)
    """No member has its first slot only after a later one than this."""
    open_ahead: tuple[Slot, int, tuple[Slot, ...]] = (Slot(0), 0, ())
    """After which slot, how many at most, and which slots its calendar lets run; worked out once for all."""

    @property
    def due(self) -> Slot | None:
        """The next slot of this timetable that was not given out."""
        return self.ahead[0] if self.ahead else None

    def rewind(self, since: Slot) -> None:
        """Start again from the first slot after `since`."""
        self.since = since
        self.ahead = deque(self.timetable.upcoming(since, 1))

    def advance(self) -> None:
        """Give out the due slot."""
        self.since = self.ahead.popleft()
        if not self.ahead:
            self.ahead.extend(self.timetable.upcoming(self.since, LOOK_AHEAD))

    def peek(self, after: Slot, count: int) -> tuple[Slot, ...]:
        """Return the next `count` slots after `after`, without giving any out."""
        if self.ahead and len(self.ahead) < min(count, LOOK_AHEAD):
            # Asked for each of a thousand scripts of this timetable, they are worked out once.
            self.ahead.extend(self.timetable.upcoming(self.ahead[-1], LOOK_AHEAD))
        found = [slot for slot in self.ahead if slot > after][:count]
        if len(found) < count and self.ahead:
            found += self.timetable.upcoming(max(after, self.ahead[-1]), count - len(found))
        return tuple(found)

    def to_run(self, after: Slot, count: int) -> tuple[Slot, ...]:
        """Return the next `count` slots after `after` that will run."""
        if self.timetable.closures is None:
            return self.peek(after, count)
        after = max(after, self.since)
        begun, most, slots = self.open_ahead
        if count > most or not begun <= after < (slots[0] if slots else begun + KNOWN_FOR_S):
            slots = tuple(self.timetable.to_run(after, count))
            self.open_ahead = after, count, slots
        return slots[:count]


class Wheel:
    """The due seconds of all registered scripts."""

    def __init__(self) -> None:
        self._spokes: dict[Timetable, _Spoke] = {}
        self._spoke_of: dict[str, _Spoke] = {}
        self._seconds: list[Slot] = []
        self._due: dict[Slot, list[_Spoke]] = {}
        self._dead = 0
        self._turned: Slot | None = None

    def __len__(self) -> int:
        return len(self._spoke_of)

    def add(self, script: str, timetable: Timetable, *, order: int, after: Slot) -> None:
        """Put a script on the wheel: its slots are those of the timetable strictly after `after`.

        `after` is not before the last turn: what was given out is not given out again.
        """
        assert script not in self._spoke_of, script
        assert self._turned is None or after >= self._turned, (after, self._turned)
        spoke = self._spokes.get(timetable)
        if spoke is None:
            spoke = self._spokes[timetable] = _Spoke(timetable, after)
            spoke.rewind(after)
            self._push(spoke)
        elif after < spoke.since:
            self._retire(spoke)
            spoke.rewind(after)
            self._push(spoke)
        spoke.members[script] = _Member(order, after)
        spoke.newest = max(spoke.newest, after)
        self._spoke_of[script] = spoke

    def remove(self, script: str) -> None:
        """Take a script off the wheel."""
        spoke = self._spoke_of.pop(script)
        del spoke.members[script]
        if not spoke.members:
            del self._spokes[spoke.timetable]
            self._retire(spoke)
            spoke.ahead.clear()
            self._sweep()

    def turn(self, now: Slot) -> Iterator[tuple[Slot, list[str]]]:
        """Give out every slot up to `now`, oldest first, each with its scripts in registration order."""
        self._turned = now
        while self._seconds and self._seconds[0] <= now:
            slot = heapq.heappop(self._seconds)
            spokes: list[_Spoke] = []
            for spoke in self._due.pop(slot):
                if spoke.due != slot:
                    self._dead -= 1
                    continue
                spokes.append(spoke)
                spoke.advance()
                self._push(spoke)
            scripts = _in_order(spokes, slot)
            if scripts:
                yield slot, scripts

    def next_slot(self) -> Slot | None:
        """Return the next second in which something may be due."""
        return self._seconds[0] if self._seconds else None

    def upcoming(self, script: str, count: int) -> tuple[Slot, ...]:
        """Return the next slots of a script, at most `count`."""
        spoke = self._spoke_of[script]
        return spoke.peek(spoke.members[script].after, count)

    def to_run(self, script: str, count: int) -> tuple[Slot, ...]:
        """Return the next slots of a script that its calendar lets run, at most `count`."""
        spoke = self._spoke_of[script]
        return spoke.to_run(spoke.members[script].after, count)

    def _push(self, spoke: _Spoke) -> None:
        due = spoke.due
        if due is None:
            return
        if due in self._due:
            self._due[due].append(spoke)
        else:
            self._due[due] = [spoke]
            heapq.heappush(self._seconds, due)

    def _retire(self, spoke: _Spoke) -> None:
        """Count the entry that the spoke leaves behind."""
        if spoke.due is not None:
            self._dead += 1

    def _sweep(self) -> None:
        if self._dead <= max(SWEEP_ABOVE, len(self._spokes)):
            return
        self._seconds, self._due, self._dead = [], {}, 0
        for spoke in self._spokes.values():
            self._push(spoke)


def _in_order(spokes: list[_Spoke], slot: Slot) -> list[str]:
    """Return the scripts that are due, in the order of registration; those of one spoke are in it already."""
    if len(spokes) == 1 and slot > spokes[0].newest:
        return list(spokes[0].members)
    if len(spokes) == 1:
        return [script for script, member in spokes[0].members.items() if slot > member.after]
    members = [
        (member.order, script)
        for spoke in spokes
        for script, member in spoke.members.items()
        if slot > member.after
    ]
    members.sort()
    return [script for _, script in members]
