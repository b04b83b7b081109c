"""Signs of life: to the service manager, to the journal, and to whoever asks whether the daemon is well."""

import asyncio
import gc
import logging
from collections.abc import Callable, Collection, Coroutine

from schedd.daemon.parts import Ledger
from schedd.fire import RunId
from schedd.host.clock import Clock
from schedd.host.journald import Event, about
from schedd.host.systemd import Notifier
from schedd.planner.planner import Planner
from schedd.timetable.instant import from_slot

log = logging.getLogger("schedd")

OVERDUE_S = 10
"""A slot undecided for longer means that the loop is stuck: the watchdog is no longer told otherwise."""
COMPLAIN_EVERY_S = 60.0

Work = Coroutine[object, object, None]


class Vitals:
    """Beats with the daemon's heart. `prune` says what is to be given up, and spares these runs."""

    def __init__(
        self,
        *,
        clock: Clock,
        planner: Planner,
        ledger: Ledger,
        notifier: Notifier,
        prune: Callable[[Collection[RunId]], Work | None],
    ) -> None:
        self._clock = clock
        self._planner = planner
        self._ledger = ledger
        self.notifier = notifier
        self._prune = prune
        self._complained_at = -COMPLAIN_EVERY_S

    @property
    def overdue_s(self) -> float:
        """For how long a slot has been due that is not decided yet, in seconds; 0 when there is none."""
        slot = self._planner.next_slot()
        return 0 if slot is None else max(0, self._clock.now_ms() / 1000 - slot)

    def beat(self, *, draining: bool) -> None:
        """The loop is alive: say so, and how things are."""
        if self.overdue_s < OVERDUE_S:
            self.notifier.alive()
        self._complain()
        self.notifier.status(self.status(draining=draining))

    def status(self, *, draining: bool = False) -> str:
        """Say in one line how things are."""
        text = f"{len(self._planner)} schedules, {self._planner.running_count} running"
        if draining:
            return f"draining, {text}"
        if any(pause.script is None for pause in self._planner.pauses()):
            return f"{text}, maintenance"
        slot = self._planner.next_slot()
        return text if slot is None else f"{text}, next at {from_slot(slot)}"

    def housekeeping(self, alive: Collection[RunId]) -> Work | None:
        """Return what is to be done now and then, if it is time."""
        return self._prune(alive)

    def _complain(self) -> None:
        """Say loudly, but once a minute, that what happens is not on the disk."""
        now_s = self._clock.monotonic()
        if self._ledger.failing and now_s - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = now_s
            log.critical("%s", "; ".join(self._ledger.failing), extra=about(Event.DEGRADED))


async def outlive(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Die as soon as one of these ends: nothing would be recorded any more."""
    if tasks:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        raise RuntimeError(f"{', '.join(task.get_name() for task in ended)} ended")


def put_off_collecting() -> None:
    """Collect nothing until memory is settled: what a start makes lives long, nearly all of it."""
    gc.disable()


def settle_memory() -> None:
    """Let the collector pass over what was made so far: it lives long. What does not, goes first."""
    gc.collect()
    gc.freeze()
    gc.enable()
