"""What a script left behind when its process ended: given a moment, then ended.

`tee` and `logger` behind a script still have its last lines to write, and end by themselves within
milliseconds: they get the time. A forgotten `sleep 300 &` gets TERM after that, and KILL a moment later.
Only then is the run over, so that the next one never meets the leftovers of the last. A run that was told to
end got its TERM before, and has the grace for what is left of it, too. With `@detach`, what is left of a run
that ended by itself stays.

Rejected: KILL at once (it cuts off the last lines of every `exec > >(tee log)`), and telling of a run's end
while something of it is alive.
"""

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass

from schedd.host.clock import Clock
from schedd.runner.tree import Tree

PATIENCE_S = 0.1
"""What a leftover has to end by itself, and again after TERM."""

INSIST_S = 1.0
"""For so long it is killed again and again: what forks all the time is hard to hit."""

POLL_S = 0.01

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Farewell:
    """What is left of a run, and how far its end has come."""

    tree: Tree
    gone: Callable[[], None]
    until_s: float
    told: int | None = None
    """The signal that it was sent last."""


class Leftovers:
    """Sees off the trees of runs whose processes have ended and were reaped."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock

    def see_off(self, tree: Tree, *, patience_s: float, gone: Callable[[], None]) -> None:
        """Call `gone`, perhaps at once, when nothing of the tree is left; end what does not end.

        `patience_s` is for ending by itself.
        """
        self._look(_Farewell(tree=tree, gone=gone, until_s=self._clock.monotonic() + patience_s))

    def _look(self, farewell: _Farewell) -> None:
        if farewell.tree.left_alone or farewell.tree.is_gone():
            farewell.gone()
            return
        now_s = self._clock.monotonic()
        if now_s > farewell.until_s and not self._go_on(farewell, now_s):
            farewell.gone()
            return
        if farewell.told == signal.SIGKILL:
            farewell.tree.signal(signal.SIGKILL)
        self._loop.call_later(POLL_S, self._look, farewell)

    def _go_on(self, farewell: _Farewell, now_s: float) -> bool:
        """Go on to the next signal when the last one had its time; False when there is none.

        Counted from when it was sent, not from when the process ended: if the daemon itself was stopped
        meanwhile, or starved, no time has passed for the leftovers that they knew of.
        """
        if farewell.told is None:
            farewell.told, farewell.until_s = signal.SIGTERM, now_s + PATIENCE_S
            farewell.tree.signal(signal.SIGTERM)
            return True
        if farewell.told == signal.SIGTERM:
            farewell.told, farewell.until_s = signal.SIGKILL, now_s + INSIST_S
            return True
        # Somebody else's processes, whom no signal of ours ends, or such as wait for a dead disk.
        run_id = farewell.tree.run_id
        _log.warning("something of run %s is still there after SIGKILL; it is left alone", run_id)
        return False
