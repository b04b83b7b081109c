"""When to give up on processes that wait for scripts, and die of it.

One that dies is started again. After three in a minute, or one that never came to be, something is wrong with
all of them: their scripts are started cold for a while.
"""

from collections import deque

MOST, WITHIN_S = 3, 60.0
COLD_S = 600.0
"""How long none is tried; a reload tries it at once."""


class Deaths:
    """Those of one kind of process; times are the event loop's."""

    def __init__(self) -> None:
        self._lately: deque[float] = deque(maxlen=MOST)
        self._cold_until_s = 0.0

    def are_many(self, now_s: float) -> bool:
        """Whether as many died lately as is too much."""
        return len(self._lately) == MOST and self._lately[0] > now_s - WITHIN_S

    def are_too_many(self, now_s: float) -> bool:
        """Whether none is to be tried now."""
        return now_s < self._cold_until_s

    def note(self, now_s: float, *, hopeless: bool = False) -> str:
        """Count one; return what follows, in words. `hopeless`: the next one would die of the same."""
        self._lately.append(now_s)
        if not hopeless and not self.are_many(now_s):
            return "it is started again"
        self._cold_until_s = now_s + COLD_S
        return f"its scripts are started cold for {COLD_S / 60:g} minutes, or until a reload"

    def forgive(self) -> None:
        """Try again, from now on."""
        self._lately.clear()
        self._cold_until_s = 0.0
