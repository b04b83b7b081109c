"""Node.js scripts without the start of Node.js: hosts that wait, one run each, then gone.

There is a small stock of hosts for each Node.js that scripts use. It is filled up after use and off the
critical path: a moment after a start, one host at a time. What finds no host is started cold, as is what only
a new process can be: a script whose `@env` sets what Node.js reads at its start, one that runs as somebody
else, and everything for a while after hosts died three times in a minute.

A script of `@mode warm` has a host that serves it run after run, started when it first runs. There is one for
each version of the file, and one more for each run beside another.

Hosts of a Node.js that was replaced on the disk go at once, and what nobody used for some minutes goes, too.
Rejected: to start hosts before anything ran (most daemons run no JavaScript), and a stock that follows the
load (two hosts serve what comes one at a time; a thousand at once are bound by the processors, hosts or not).
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from schedd.host import journald
from schedd.runner.child import Answer, Way
from schedd.runner.command import CannotStartError
from schedd.runner.deaths import Deaths
from schedd.runner.environment import RUN_ID_PLACE
from schedd.runner.node_host import NodeHost
from schedd.runner.order import Order, Warm

SPARES = 2
MOST_REUSED = 16
"""Hosts of `@mode warm` that wait, each with what its script has loaded."""

REFILL_AFTER_S = 0.05
"""A host takes as long to be ready; what is started meanwhile has the processors for itself."""

IDLE_S = 900.0
"""A host that waits takes some 10 MB of its own, and 50 ms to be there again."""

READY_WITHIN_S = 10.0
"""A host that a script waits for, and that is not ready by then, is given up."""

PATIENCE_S = 2.0
"""At a stop: what killed hosts have to be gone."""

_AT_START = frozenset({"LANG", "LANGUAGE", "TZDIR", "GLIBC_TUNABLES", "ICU_DATA"})
_AT_START_PREFIXES = ("NODE_", "LD_", "LC_", "UV_", "MALLOC_", "OPENSSL_", "SSL_CERT_")
_READ_LATER = frozenset({"NODE_ENV"})

_log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]


@dataclass(slots=True, eq=False)
class _Stock:
    """The hosts of one Node.js that wait for any script."""

    stamp: Stamp
    used_s: float = 0.0
    """When a script last had use for one of them, by the loop's time."""
    hosts: list[NodeHost] = field(default_factory=list)
    """Also those that are not ready yet."""
    deaths: Deaths = field(default_factory=Deaths)


class NodeHosts:
    """Owns the hosts that wait. Make it on the event loop that it is to use."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        cold: Way,
        otherwise: Callable[[Order, Answer], None],
    ) -> None:
        """`cold` starts hosts, `otherwise` the scripts that are not for a host."""
        self._loop = loop
        self._cold = cold
        self._otherwise = otherwise
        self._stocks: dict[str, _Stock] = {}
        self._reused: dict[NodeHost, tuple[Warm, Stamp]] = {}
        """Hosts of one script each, the least recently used first."""
        self._waiting: dict[NodeHost, tuple[Order, Answer, asyncio.TimerHandle]] = {}
        """Orders for hosts that are about to be ready."""
        self._all: set[NodeHost] = set()
        """Also those that were dismissed, until they have ended."""
        self._none_left = asyncio.Event()
        self._refilling: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False
        self._spares = SPARES
        self._cache = ""
        self._environment: dict[str, str] = {}

    def adopt(self, *, spares: int, cache: str, environment: Mapping[str, str]) -> None:
        """Go by these settings from now on: how many hosts wait (0 = all starts are cold), and with what."""
        anew = (cache, environment) != (self._cache, self._environment)
        self._spares, self._cache, self._environment = spares, cache, dict(environment)
        for stock in self._stocks.values():
            stock.deaths.forgive()
            for host in stock.hosts[0 if anew else spares :]:
                host.dismiss()
        if anew or not spares:
            for host in self._reused:
                if host.waits:
                    host.dismiss()

    def start(self, order: Order, answer: Answer) -> None:
        """Start a script that a host can take in."""
        warm = order.warm
        assert warm is not None
        stamp = _stamp_of(warm.interpreter)
        if not self._spares or stamp is None or self._asks_for_a_new_process(order):
            self._otherwise(order, answer)
            return
        stock = self._stock_of(warm.interpreter, stamp)
        if stock.deaths.are_too_many(self._loop.time()):
            self._otherwise(order, answer)
        # A cgroup belongs to one run, and ends with all that is in it.
        elif warm.reused and order.cgroup_fd is None:
            self._start_again(warm, stamp, order, answer)
        else:
            self._start_once(stock, order, answer)

    def waiting(self) -> int:
        """Return how many hosts are ready for an order."""
        return sum(host.waits for host in self._all)

    async def close(self) -> None:
        """End all hosts, which run nothing any more."""
        self._closed = True
        for timer in (self._refilling, self._sweeping):
            if timer is not None:
                timer.cancel()
        for host in tuple(self._all):
            host.dismiss()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self._all:
                    self._none_left.clear()
                    await self._none_left.wait()
        except TimeoutError:
            _log.error("%d Node.js hosts did not end after SIGKILL; left alone", len(self._all))

    def _asks_for_a_new_process(self, order: Order) -> bool:
        if order.identity is not None or order.stdin_fd is not None:
            return True
        for name, value in order.environment.items():
            if "\0" in value:
                return True
            at_start = name in _AT_START or name.startswith(_AT_START_PREFIXES)
            if at_start and name not in _READ_LATER and self._environment.get(name) != value:
                return True
        return len(order.environment["SCHEDD_RUN_ID"]) != len(RUN_ID_PLACE)

    def _stock_of(self, interpreter: str, stamp: Stamp) -> _Stock:
        """Return the stock of a Node.js, without the hosts of the one that it replaced."""
        stock = self._stocks.get(interpreter)
        if stock is None or stock.stamp != stamp:
            for host in () if stock is None else stock.hosts:
                host.dismiss()
            stock = self._stocks[interpreter] = _Stock(stamp)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(IDLE_S, self._sweep)
        return stock

    def _start_once(self, stock: _Stock, order: Order, answer: Answer) -> None:
        stock.used_s = self._loop.time()
        self._refill_soon()
        while host := next((host for host in stock.hosts if host.waits), None):
            stock.hosts.remove(host)
            if host.ask(order, answer):
                return
            host.dismiss()
        self._otherwise(order, answer)

    def _start_again(self, warm: Warm, stamp: Stamp, order: Order, answer: Answer) -> None:
        """Start a script in the host that it had before, or in one that is started for it."""
        for host, (served, started_from) in tuple(self._reused.items()):
            if served.path != warm.path or not host.waits:
                continue
            if (served, started_from) == (warm, stamp) and host.ask(order, answer):
                return
            host.dismiss()
        try:
            host = self._open(warm.interpreter, reused=True)
        except (OSError, ValueError, CannotStartError) as error:
            _log.debug("no host for %s: %s", warm.path, error)
            self._otherwise(order, answer)
            return
        self._reused[host] = warm, stamp
        self._waiting[host] = order, answer, self._loop.call_later(READY_WITHIN_S, host.dismiss)

    def _open(self, interpreter: str, *, reused: bool) -> NodeHost:
        host = NodeHost(
            self._loop,
            cold=self._cold,
            interpreter=interpreter,
            cache=self._cache,
            environment=self._environment,
            reused=reused,
            idle=self._idle,
            over=self._over,
            given_back=self._given_back,
        )
        self._all.add(host)
        return host

    def _idle(self, host: NodeHost) -> None:
        """A host has become ready, or its run is over."""
        waiting = self._waiting.pop(host, None)
        if waiting is not None:
            order, answer, timer = waiting
            timer.cancel()
            if not host.ask(order, answer):
                host.dismiss()
                self._otherwise(order, answer)
        elif host in self._reused:
            self._reused[host] = self._reused.pop(host)
            idle = [each for each in self._reused if each.waits]
            if len(idle) > MOST_REUSED:
                idle[0].dismiss()

    def _over(self, host: NodeHost) -> None:
        self._all.discard(host)
        if not self._all:
            self._none_left.set()
        self._reused.pop(host, None)
        stock = self._stocks.get(host.interpreter)
        if stock is not None and host in stock.hosts:
            stock.hosts.remove(host)
        if stock is not None and host.ended and not host.dismissed and not (host.ready and host.reused):
            self._mourn(host, stock)
        waiting = self._waiting.pop(host, None)
        if waiting is not None:
            order, answer, timer = waiting
            timer.cancel()
            self._otherwise(order, answer)

    def _mourn(self, host: NodeHost, stock: _Stock) -> None:
        """A host has died while it waited."""
        now_s = self._loop.time()
        consequence = stock.deaths.note(now_s)
        if not stock.deaths.are_too_many(now_s):
            self._refill_soon()
        _log.warning(
            "a host of %s, waiting for a script, %s; %s",
            host.interpreter,
            host.ended,
            consequence,
            extra=journald.about(journald.Event.DEGRADED),
        )

    def _given_back(self, _host: NodeHost, order: Order, answer: Answer) -> None:
        self._otherwise(order, answer)

    def _refill_soon(self) -> None:
        if self._refilling is None and not self._closed:
            self._refilling = self._loop.call_later(REFILL_AFTER_S, self._refill)

    def _refill(self) -> None:
        """Start one host where one is missing, and see later whether that was all."""
        self._refilling = None
        now_s = self._loop.time()
        for interpreter, stock in self._stocks.items():
            in_use = stock.used_s > now_s - IDLE_S and not stock.deaths.are_too_many(now_s)
            if not in_use or len(stock.hosts) >= self._spares:
                continue
            try:
                stock.hosts.append(self._open(interpreter, reused=False))
            except (OSError, ValueError, CannotStartError) as error:
                _log.warning("a host of %s cannot be started: %s", interpreter, error)
                return
            self._refill_soon()
            return

    def _sweep(self) -> None:
        """Dismiss what nobody used for long."""
        self._sweeping = None
        since_s = self._loop.time() - IDLE_S
        for stock in self._stocks.values():
            for host in stock.hosts if stock.used_s <= since_s else ():
                host.dismiss()
        for host in self._reused:
            if host.waits and host.used_s <= since_s:
                host.dismiss()
        if self._all:
            self._sweeping = self._loop.call_later(IDLE_S / 2, self._sweep)


def _stamp_of(interpreter: str) -> Stamp | None:
    try:
        status = os.stat(interpreter)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
