"""What a script left behind when its process ended: given a moment, then ended.

`tee` and `logger` behind a script still have its last lines to write, and end by themselves within
milliseconds: they get the time. A forgotten `sleep 300 &` gets TERM after that, and KILL a moment later.
Only then is the run over, so that the next one never meets the leftovers of the last. A run that was told to
end got its TERM before, and has the grace for what is left of it, too.

Rejected: KILL at once (it cuts off the last lines of every `exec > >(tee log)`), and telling of a run's end
while something of it is alive.
"""

import asyncio
import signal
from collections.abc import Callable
from functools import partial

from schedd.host.clock import Clock
from schedd.runner import process

PATIENCE_S = 0.1
"""What a leftover has to end by itself, and again after TERM, and again after KILL."""

POLL_S = 0.01

QUICK_S = 0.05
"""So long the cheap question is asked; after it, the one that looks at all processes, in a thread."""


class Leftovers:
    """Sees off the groups of processes that have ended and were reaped."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock

    def see_off(self, child: process.Process, *, patience_s: float, gone: Callable[[], None]) -> None:
        """Call `gone`, perhaps at once, when nothing of the group is left; end what does not end.

        `patience_s` is for ending by itself.
        """
        self._look(child, gone, self._clock.monotonic(), patience_s)

    def _look(
        self, child: process.Process, gone: Callable[[], None], since_s: float, patience_s: float
    ) -> None:
        again = partial(self._look, child, gone, since_s, patience_s)
        if child.group_is_gone():
            gone()
        elif self._clock.monotonic() - since_s < QUICK_S:
            self._loop.call_later(POLL_S, again)
        else:
            looked = self._loop.run_in_executor(None, process.alive_in_group, child.pid)
            looked.add_done_callback(partial(self._looked, child, gone, again, since_s + patience_s))

    def _looked(
        self,
        child: process.Process,
        gone: Callable[[], None],
        again: Callable[[], None],
        limit_s: float,
        alive: "asyncio.Future[bool]",
    ) -> None:
        over_s = self._clock.monotonic() - limit_s
        if not alive.result() or over_s > 2 * PATIENCE_S:
            # After KILL only somebody else's processes can be left, and no signal of ours ends those.
            gone()
            return
        if over_s > 0:
            child.signal_group(signal.SIGKILL if over_s > PATIENCE_S else signal.SIGTERM)
        self._loop.call_later(POLL_S, again)
