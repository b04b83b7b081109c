"""What ended lately, out of the fires log: for listeners who come back after more than is kept as events.

After a restart all come back at once, and ask for the same: it is read once for all of them.
"""

import asyncio
from dataclasses import dataclass, replace

from schedd.fire import Entry, RunId
from schedd.ledger.history import MAX_LIMIT, Query
from schedd.web.control import Control
from schedd.web.feed import NOTHING, Feed

PAGES = 2
"""So many are read, of 1,000 lines: whoever missed more does better to ask for everything anew."""
KNOWN_FOR_S = 10.0


@dataclass(frozen=True, slots=True)
class _Read:
    at_s: float
    got: int
    """The number of the last event when it was read."""
    entries: tuple[Entry, ...]
    """Newest first."""
    whole: bool
    """There are none before."""


class Past:
    """Owns what was read last."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._last: _Read | None = None
        self._reading = asyncio.Lock()

    async def since(self, control: Control, position: str) -> tuple[list[Entry], int] | None:
        """Return what has ended since this id, oldest first, and the number of the event to go on behind.

        Some of what follows there may be among it. None = the log does not have that line among its last.
        Raises RefusedError when it cannot be read.
        """
        async with self._reading:
            if self._last is None or asyncio.get_running_loop().time() - self._last.at_s > KNOWN_FOR_S:
                self._last = await self._read(control)
            read = self._last
        run_id = RunId(position.rpartition(".")[0])
        place = next((i for i, entry in enumerate(read.entries) if entry.run_id == run_id), None)
        if place is None and read.whole and run_id == NOTHING:
            place = len(read.entries)
        return None if place is None else (list(reversed(read.entries[:place])), read.got)

    async def _read(self, control: Control) -> _Read:
        at_s, got = asyncio.get_running_loop().time(), self._feed.newest
        wanted = Query(limit=MAX_LIMIT, include_rotated=True)
        found: list[Entry] = []
        for _ in range(PAGES):
            page = await control.history(wanted)
            found += page.entries
            if page.cursor is None:
                return _Read(at_s, got, tuple(found), whole=True)
            wanted = replace(wanted, cursor=page.cursor)
        return _Read(at_s, got, tuple(found), whole=False)
