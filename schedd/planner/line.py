"""A line of fires that wait for the same: whose turn it is, and leaving the line from anywhere in it.

The order is that of the slots, over all scripts; a fire without a slot of its own (triggered, tried again,
caught up, replayed) has its turn by when it came. A replay of a hundred old slots would else stand before
everybody else, one after the other, until it is done.
"""

import heapq
from collections.abc import Iterator

import msgspec

from schedd.fire import Fire, RunId

Turn = tuple[int, int]
"""The second in which the fire was due, or came; then the order of arrival."""
SWEEP_ABOVE = 64
"""So many entries of those who left are not worth a sweep."""


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A fire that waits, and its turn, which it keeps from one line to the next."""

    fire: Fire
    turn: Turn


class Line:
    """Fires in the order of their turns. An entry of the heap is dead when its fire has left."""

    def __init__(self) -> None:
        self._heap: list[tuple[Turn, RunId]] = []
        self._waiting: dict[RunId, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        """Give all that wait, the next first."""
        return iter(sorted(self._waiting.values(), key=lambda waiting: waiting.turn))

    def __contains__(self, run_id: RunId) -> bool:
        return run_id in self._waiting

    def fires(self) -> Iterator[Fire]:
        """Give all that wait, in no order."""
        return (waiting.fire for waiting in self._waiting.values())

    def ahead(self, count: int) -> list[Waiting]:
        """Return the next `count` of them."""
        return heapq.nsmallest(count, self._waiting.values(), key=lambda waiting: waiting.turn)

    def join(self, waiting: Waiting) -> None:
        """Stand in line."""
        self._waiting[waiting.fire.run_id] = waiting
        heapq.heappush(self._heap, (waiting.turn, waiting.fire.run_id))

    def leave(self, run_id: RunId) -> Waiting | None:
        """Leave the line; None if the fire does not stand in it."""
        waiting = self._waiting.pop(run_id, None)
        if len(self._heap) > 2 * len(self._waiting) + SWEEP_ABOVE:
            self._heap = [(each.turn, each.fire.run_id) for each in self._waiting.values()]
            heapq.heapify(self._heap)
        return waiting

    def next(self) -> Waiting | None:
        """Take out the one whose turn it is; None if nobody waits."""
        while self._heap:
            turn, run_id = heapq.heappop(self._heap)
            waiting = self._waiting.get(run_id)
            if waiting is not None and waiting.turn == turn:
                return self.leave(run_id)
        return None
