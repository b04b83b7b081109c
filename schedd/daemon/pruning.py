"""When old outputs are given up: at the start, each hour for their age, and before they outgrow their limit.

What is kept is counted as it is written, so that nothing has to be looked at to know that there is nothing
to do. Between two prunings outputs exceed `output_keep_bytes` by an eighth of it at most, or by what is
written in ten seconds: a pruning looks at every file, and may take a second of the interpreter where there
are many.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine

from schedd.fire import RunId
from schedd.host.clock import Clock

EVERY_S = 3600.0
AT_MOST_EVERY_S = 10.0
SHARE = 8
"""Of the limit, the part that may be written until what is kept is looked at again."""


class Pruning:
    """Knows when it is time. `prune` does it, but for these runs; it blocks.

    `written` counts the bytes of all outputs that this daemon has kept so far; `limit` is what they may be
    together, as it is set now.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        prune: Callable[[Collection[RunId]], None],
        written: Callable[[], int],
        limit: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._prune = prune
        self._written = written
        self._limit = limit
        self._pruned_s: float | None = None
        self._pruned_bytes = 0

    def due(self, alive: Collection[RunId]) -> Coroutine[object, object, None] | None:
        """Return what is to be done, if it is time."""
        now_s, written_bytes = self._clock.monotonic(), self._written()
        if self._pruned_s is not None and not self._is_time(now_s - self._pruned_s, written_bytes):
            return None
        self._pruned_s, self._pruned_bytes = now_s, written_bytes
        return asyncio.to_thread(self._prune, alive)

    def _is_time(self, since_s: float, written_bytes: int) -> bool:
        if since_s < AT_MOST_EVERY_S:
            return False
        return since_s >= EVERY_S or (written_bytes - self._pruned_bytes) * SHARE > self._limit()
