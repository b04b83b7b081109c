"""The way of programs that need something done between fork and exec: another user, limits, a cgroup.

vfork(2) has no place for that, and a fork of the daemon costs what its memory costs. So a small process of
the daemon's own interpreter, started on first use, forks and execs for it: a nursery whose forks become
programs. It runs as the daemon does, and gets what the daemon
may (`host.capabilities`), which no program gets from it.
"""

import asyncio
import logging
import sys

from schedd.host import capabilities, journald
from schedd.runner.child import Answer, Way
from schedd.runner.command import CannotStartError
from schedd.runner.deaths import Deaths
from schedd.runner.languages.python import LAUNCHER
from schedd.runner.nursery import Nursery
from schedd.runner.nursery_messages import Why
from schedd.runner.order import Order

PATIENCE_S = 2.0

_log = logging.getLogger(__name__)


class Launcher:
    """Owns the process. Make it on the event loop that it is to use."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, cold: Way) -> None:
        self._loop = loop
        self._cold = cold
        self._nursery: Nursery | None = None
        self._deaths = Deaths()
        self._gone = asyncio.Event()

    def start(self, order: Order, answer: Answer) -> None:
        """Start a program."""
        try:
            nursery = self._nursery or self._open()
        except OSError as error:
            answer.failed(error)
            return
        nursery.fork(order, answer)

    async def close(self) -> None:
        """End it."""
        nursery = self._nursery
        if nursery is None:
            return
        self._gone.clear()
        nursery.close()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._gone.wait()
        except TimeoutError:
            nursery.kill()

    def _open(self) -> Nursery:
        nursery = Nursery(
            self._loop, name="the launcher", programs=True, declined=self._declined, over=self._over
        )
        order = Order(argv=(sys.executable, "-I", "-S", LAUNCHER, "nursery"), cwd="/", environment={})
        with capabilities.lent():
            nursery.begin(self._cold, order)
        self._nursery = nursery
        return nursery

    def _declined(self, nursery: Nursery, order: Order, answer: Answer, why: Why) -> None:
        """Its end was told before."""
        assert why is Why.OVER, why
        if self._deaths.are_many(self._loop.time()) or not nursery.ready:
            answer.failed(CannotStartError(f"cannot start {order.argv[0]}: {nursery.name} {nursery.ended}"))
        else:
            self.start(order, answer)

    def _over(self, nursery: Nursery) -> None:
        if self._nursery is nursery:
            self._nursery = None
        self._gone.set()
        if not nursery.retired:
            self._deaths.note(self._loop.time())
            _log.warning(
                "%s %s; the next script that needs it starts it again",
                nursery.name,
                nursery.ended,
                extra=journald.about(journald.Event.DEGRADED),
            )
