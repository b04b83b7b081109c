"""Idempotency keys: the same question asked twice starts one fire.

A client that lost its connection cannot know whether its trigger arrived. With an `Idempotency-Key` it asks
again and gets the fire that there is. Keys belong to a caller, so that two clients that both count from 1
do not meet. The table lives in memory: it is bounded, and a restart forgets it (the docs say so).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from schedd.web import answers
from schedd.web.answers import AnswerError
from schedd.web.control import Ticket

KEEP_S = 24 * 3600.0
MAX_KEYS = 10_000
MAX_KEY_CHARS = 255

Start = Callable[[], Coroutine[Any, Any, Ticket]]


@dataclass(frozen=True, slots=True)
class _Taken:
    script: str
    ticket: asyncio.Task[Ticket]
    expires_s: float


class Repeats:
    """The tickets that were given out under a key in the last 24 hours, oldest first."""

    def __init__(self) -> None:
        self._taken: OrderedDict[tuple[str, str], _Taken] = OrderedDict()
        self._starting: set[asyncio.Task[Ticket]] = set()

    async def ticket(
        self, key: str | None, start: Start, *, caller: str, script: str, now_s: float
    ) -> Ticket:
        """Return the ticket of this key, or start a fire and keep its ticket.

        `start` runs to its end even when who asked has gone. Raises AnswerError (409) when the key belongs
        to another script, and what `start` raises; a refused start leaves the key free.
        """
        if key is None:
            return await asyncio.shield(self._begin(start))
        self._forget(now_s)
        taken = self._taken.get((caller, key))
        if taken is None:
            taken = self._take((caller, key), _Taken(script, self._begin(start), now_s + KEEP_S))
        elif taken.script != script:
            raise AnswerError(
                409, "this Idempotency-Key was used for another script", details={"scriptPath": taken.script}
            )
        return await asyncio.shield(taken.ticket)

    def _begin(self, start: Start) -> asyncio.Task[Ticket]:
        """Start a task that nobody's leaving cancels; the loop alone would not keep it alive."""
        task = asyncio.ensure_future(start())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return task

    def _take(self, name: tuple[str, str], taken: _Taken) -> _Taken:
        self._taken[name] = taken
        if len(self._taken) > MAX_KEYS:
            self._taken.popitem(last=False)
        taken.ticket.add_done_callback(lambda ticket: self._release(name, ticket))
        return taken

    def _release(self, name: tuple[str, str], ticket: asyncio.Task[Ticket]) -> None:
        """Nothing was fired: the key may be used again."""
        taken = self._taken.get(name)
        refused = ticket.cancelled() or ticket.exception() is not None
        if refused and taken is not None and taken.ticket is ticket:
            del self._taken[name]

    def _forget(self, now_s: float) -> None:
        while self._taken:
            name, oldest = next(iter(self._taken.items()))
            if oldest.expires_s > now_s:
                return
            del self._taken[name]


def checked(key: str | None) -> str | None:
    """Return a usable key. Raises AnswerError (400) unless it is 1 to 255 printable ASCII characters."""
    if key is None:
        return None
    if not (0 < len(key) <= MAX_KEY_CHARS and key.isascii() and key.isprintable()):
        raise answers.invalid(f"Idempotency-Key must be 1 to {MAX_KEY_CHARS} printable ASCII characters")
    return key
