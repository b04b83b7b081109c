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
from dataclasses import dataclass, field
from functools import partial

from schedd.host.clock import Clock
from schedd.runner import process
from schedd.runner.child import Child

PATIENCE_S = 0.1
"""What a leftover has to end by itself, and again after TERM, and again after KILL."""

POLL_S = 0.01

QUICK_S = 0.05
"""So long the cheap question is asked; after it, the one that looks at all processes, in a thread."""


@dataclass(slots=True, kw_only=True)
class _Group:
    """What is left of a child, and how far its end has come."""

    child: Child
    gone: Callable[[], None]
    quick_until_s: float
    patient_until_s: float
    told: int | None = None
    """The signal that it was sent last."""
    to_tell: list[int] = field(default_factory=lambda: [signal.SIGTERM, signal.SIGKILL])


class Leftovers:
    """Sees off the groups of processes that have ended and were reaped."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock

    def see_off(self, child: Child, *, patience_s: float, gone: Callable[[], None]) -> None:
        """Call `gone`, perhaps at once, when nothing of the group is left; end what does not end.

        `patience_s` is for ending by itself.
        """
        now_s = self._clock.monotonic()
        self._look(
            _Group(child=child, gone=gone, quick_until_s=now_s + QUICK_S, patient_until_s=now_s + patience_s)
        )

    def _look(self, group: _Group) -> None:
        if group.child.group_is_gone():
            group.gone()
        elif self._clock.monotonic() < group.quick_until_s:
            self._loop.call_later(POLL_S, self._look, group)
        else:
            looked = self._loop.run_in_executor(None, process.alive_in_group, group.child.pid)
            looked.add_done_callback(partial(self._looked, group))

    def _looked(self, group: _Group, alive: "asyncio.Future[bool]") -> None:
        """Go on to the next signal when the last one had its time, as seen from when it was sent.

        Not from when the process ended: if the daemon itself was stopped meanwhile, or starved, no time has
        passed for the leftovers that they knew of.
        """
        now_s = self._clock.monotonic()
        if not alive.result():
            group.gone()
            return
        if now_s > group.patient_until_s:
            if not group.to_tell:
                # After KILL only somebody else's processes can be left, and no signal of ours ends those.
                group.gone()
                return
            group.told, group.patient_until_s = group.to_tell.pop(0), now_s + PATIENCE_S
        if group.told is not None:
            group.child.signal_group(group.told)
        self._loop.call_later(POLL_S, self._look, group)
