"""The lines that wait for the disk: in order, bounded, and what is given up when there are too many.

Between the lines stand marks (somebody waits for all before this place) and turns (a new segment begins
here), so what they mean stays exact, however the lines are batched. When there are too many, lines of fires
that never ran go before others, oldest first; a whole percent at a time, to make the search worth its while.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

BATCH_BYTES = 4 * 1024 * 1024
"""One write should not keep those who wait behind it for longer than a disk needs for so much."""


@dataclass(slots=True, eq=False)
class Line:
    """One line to append, with its newline; one of the two is called, once, with what became of it."""

    data: bytes
    expendable: bool = False
    """It tells of a fire that never ran."""
    mark: bytes = b""
    """By which it is known again in a file that somebody has edited; empty for the whole line."""
    written: Callable[[], None] | None = None
    given_up: Callable[[], None] | None = None


@dataclass(slots=True, eq=False)
class Mark:
    """The end of one append: who waits for the lines before it, and whether for the disk too."""

    waiter: "asyncio.Future[bool]"
    durable: bool


@dataclass(slots=True, eq=False)
class Turn:
    """Between two lines: a new segment begins here, with this opening."""

    opening: Callable[[], Iterable[bytes]]
    anew: bool = False
    """The file is gone, and the opening stands for all that was in it."""


class Backlog:
    """What is to be written, oldest first."""

    def __init__(self, max_lines: int) -> None:
        self._max_lines = max_lines
        self._items: deque[Line | Mark | Turn] = deque()

    def __len__(self) -> int:
        """Return how many lines, marks and turns wait."""
        return len(self._items)

    @property
    def lines(self) -> int:
        """How many lines wait."""
        return sum(isinstance(item, Line) for item in self._items)

    @property
    def size_bytes(self) -> int:
        """How many bytes the lines that wait have."""
        return sum(len(item.data) for item in self._items if isinstance(item, Line))

    def add(self, items: Iterable[Line | Mark | Turn]) -> None:
        """Put them behind all that wait."""
        self._items.extend(items)

    @property
    def ends_with_turn(self) -> bool:
        """Nothing came after the newest turn."""
        return bool(self._items) and isinstance(self._items[-1], Turn)

    def next_turn(self) -> Turn | None:
        """Return the turn that comes before any line, if one does."""
        return head if self._items and isinstance(head := self._items[0], Turn) else None

    def restart(self, turn: Turn) -> None:
        """Begin with a turn whose opening knows what the lines say; keep those that somebody waits for."""
        kept = [item for item in self._items if isinstance(item, Mark) or getattr(item, "written", None)]
        self._items = deque([turn, *kept])

    def drop_turn(self, turn: Turn) -> None:
        """Take away a turn that was made, or is put off."""
        self._items.remove(turn)

    def take(self) -> list[Line | Mark]:
        """Take out what goes into the next write: up to the next turn, and not too much."""
        batch: list[Line | Mark] = []
        size = 0
        while self._items and size < BATCH_BYTES and not isinstance(item := self._items[0], Turn):
            batch.append(item)
            size += len(item.data) if isinstance(item, Line) else 0
            self._items.popleft()
        return batch

    def put_back(self, batch: Sequence[Line | Mark]) -> None:
        """Put what could not be written before all that waits."""
        self._items.extendleft(reversed(batch))

    def answer(self, *, outcome: bool) -> None:
        """Tell all who wait."""
        for item in self._items:
            if isinstance(item, Mark):
                settle(item.waiter, outcome=outcome)

    def shed(self) -> list[Line]:
        """Take out and return what is given up; nothing as long as there is room."""
        if len(self._items) <= self._max_lines:
            return []
        waits = [i for i in self._items if not (isinstance(i, Mark) and i.waiter.done())]
        surplus = max(len(waits) - self._max_lines, 0)
        if surplus:
            surplus += self._max_lines // 100
        lines = [item for item in waits if isinstance(item, Line)]
        gone = [line for line in lines if line.expendable][:surplus]
        gone += [line for line in lines if not line.expendable][: surplus - len(gone)]
        given_up = set(gone)
        self._items = deque(item for item in waits if item not in given_up)
        return gone


def settle(waiter: "asyncio.Future[bool]", *, outcome: bool) -> None:
    """Tell one who waits, unless that was done before, or nobody waits any more."""
    if not waiter.done():
        waiter.set_result(outcome)
