"""Which nursery runs a Python script: one for each interpreter and user, started on first use.

A nursery is an interpreter that was started as any script's would be, as the script's user, with the minimum
of variables. So it stands for a new one wherever those decide nothing else: a script whose `@env` sets what
an interpreter reads at its start is started cold. So is what a nursery itself declines, and everything for
a while after a nursery died three times in a minute, or never came to be.

A nursery that stands on files that have changed is replaced: at once when it is the interpreter, at a
reload for the rest. It serves what it runs to the end. One that nobody used for some minutes goes, too.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from schedd.host import journald
from schedd.runner.child import Answer, Way
from schedd.runner.deaths import Deaths
from schedd.runner.languages.python import LAUNCHER
from schedd.runner.nursery import Nursery
from schedd.runner.nursery_messages import Why
from schedd.runner.order import Identity, Order

IDLE_S = 600.0
"""A nursery takes some 8 MB, and 15 ms to be there again."""

ROOM = ("",) * 128
"""Of the command line: with what is before it, the forks have room for the paths of their scripts."""

MOST = 32
"""So many interpreters, each for each user, are kept; the one that was not used for longest goes first."""

PATIENCE_S = 2.0
"""At a stop: what a nursery without forks has to end by itself."""

MOST_ENVIRONMENT_BYTES = 96 * 1024
"""What fits into one message to a nursery; more is for execve(2), which may refuse it."""

AT_START = frozenset({"HOME", "LANG", "LANGUAGE", "GLIBC_TUNABLES"})
AT_START_PREFIXES = ("PYTHON", "LD_", "LC_", "MALLOC_")

_log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]


@dataclass(slots=True, eq=False)
class _Place:
    """Where the nursery of an interpreter and a user is, or was."""

    interpreter: str
    nursery: Nursery | None = None
    stamp: Stamp | None = None
    """Of the interpreter that the nursery was started from."""
    deaths: Deaths = field(default_factory=Deaths)


class Nurseries:
    """Starts Python scripts by forks of warm interpreters. Owns the nurseries."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        way_as: Callable[[Identity | None], Way],
        otherwise: Callable[[Order, Answer], None],
    ) -> None:
        """`way_as` starts nurseries for a user, `otherwise` the scripts that are not for a nursery."""
        self._loop = loop
        self._way_as = way_as
        self._otherwise = otherwise
        self._places: dict[tuple[str, Identity | None], _Place] = {}
        self._all: dict[Nursery, _Place] = {}
        """Also those that are retired, until they have ended."""
        self._sweeping: asyncio.TimerHandle | None = None
        self._none_left = asyncio.Event()
        self._preload: tuple[str, ...] = ()
        self._environment_of: Callable[[Identity | None], Mapping[str, str]] = lambda _: {}

    def adopt(
        self, *, preload: tuple[str, ...], environment_of: Callable[[Identity | None], Mapping[str, str]]
    ) -> None:
        """Go by these settings from now on: what to import, and what variables a user's nursery gets."""
        anew = preload != self._preload or environment_of(None) != self._environment_of(None)
        self._preload, self._environment_of = preload, environment_of
        for place in self._places.values():
            if place.nursery is not None and anew:
                self._retire(place)
            elif place.nursery is not None:
                place.nursery.look()
        self._places = {key: place for key, place in self._places.items() if place.nursery is not None}
        for place in self._places.values():
            place.deaths.forgive()

    def start(self, order: Order, answer: Answer) -> None:
        """Start a script that can be run warm."""
        nursery = self._nursery_for(order)
        if nursery is None:
            self._otherwise(order, answer)
        else:
            nursery.fork(order, answer)

    async def close(self) -> None:
        """End all nurseries, which run nothing any more."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for nursery in tuple(self._all):
            nursery.close()
        if not await self._all_over():
            for nursery in tuple(self._all):
                nursery.kill()
            await self._all_over()

    async def _all_over(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self._all:
                    self._none_left.clear()
                    await self._none_left.wait()
        except TimeoutError:
            return False
        return True

    def _nursery_for(self, order: Order) -> Nursery | None:
        """Return the nursery for an order, which may have to be started; None when it is to be cold."""
        warm = order.warm
        assert warm is not None
        if not alike(order.environment, self._environment_of(order.identity)):
            return None
        place = self._places.setdefault((warm.interpreter, order.identity), _Place(warm.interpreter))
        if place.deaths.are_too_many(self._loop.time()):
            return None
        stamp = _stamp_of(warm.interpreter)
        if place.nursery is not None and place.stamp != stamp:
            self._retire(place)
        if place.nursery is None and self._has_room():
            self._open(place, stamp, order.identity)
        return place.nursery

    def _has_room(self) -> bool:
        """See to it that one more nursery may be started, by retiring the one that was idle for longest."""
        if len(self._all) < MOST:
            return True
        idle = [place for nursery, place in self._all.items() if nursery.idle and place.nursery is nursery]
        if idle:
            self._retire(min(idle, key=lambda place: 0 if place.nursery is None else place.nursery.used_s))
        return bool(idle)

    def _open(self, place: _Place, stamp: Stamp | None, identity: Identity | None) -> None:
        whose = "" if identity is None else f" as {identity.user}"
        name = f"the Python nursery of {place.interpreter}{whose}"
        nursery = Nursery(self._loop, name=name, declined=self._declined, over=self._over)
        order = Order(
            argv=(place.interpreter, LAUNCHER, "nursery", *self._preload, *ROOM),
            cwd="/",
            environment=self._environment_of(identity),
            identity=identity,
            ends_itself=True,
        )
        try:
            nursery.begin(self._way_as(identity), order)
        except OSError as error:
            _log.warning("%s cannot be started: %s", name, error)
            return
        place.nursery, place.stamp = nursery, stamp
        self._all[nursery] = place
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(IDLE_S, self._sweep)

    def _retire(self, place: _Place) -> None:
        if place.nursery is not None:
            place.nursery.retire()
            place.nursery = None

    def _declined(self, nursery: Nursery, order: Order, answer: Answer, why: Why) -> None:
        if why is Why.COLD:
            self._otherwise(order, answer)
            return
        place = self._all.get(nursery)
        if place is not None and place.nursery is nursery:
            self._retire(place)
        self.start(order, answer)

    def _over(self, nursery: Nursery) -> None:
        place = self._all.pop(nursery)
        if place.nursery is nursery:
            place.nursery = None
        if not self._all:
            self._none_left.set()
        if nursery.retired:
            return
        consequence = place.deaths.note(self._loop.time(), hopeless=not nursery.ready)
        about = journald.about(journald.Event.DEGRADED)
        _log.warning("%s %s; %s", nursery.name, nursery.ended, consequence, extra=about)

    def _sweep(self) -> None:
        """Retire what nobody used for long."""
        since_s = self._loop.time() - IDLE_S
        for nursery, place in self._all.items():
            if nursery.idle and nursery.used_s <= since_s and place.nursery is nursery:
                self._retire(place)
        self._sweeping = self._loop.call_later(IDLE_S / 2, self._sweep) if self._all else None


def alike(environment: Mapping[str, str], of_nursery: Mapping[str, str]) -> bool:
    """Whether an interpreter that was started with the one environment is as good as one with the other."""
    size_bytes = 0
    for name, value in environment.items():
        size_bytes += len(name) + len(value)
        if "\0" in value:
            return False
        if (name in AT_START or name.startswith(AT_START_PREFIXES)) and of_nursery.get(name) != value:
            return False
    return size_bytes <= MOST_ENVIRONMENT_BYTES


def _stamp_of(interpreter: str) -> Stamp | None:
    try:
        status = os.stat(interpreter)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
