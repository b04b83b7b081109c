"""What it costs to tell many listeners of `GET /events` what happens, and how soon they hear of it.

Those who listen are in a process of their own, so that the processor time is that of the daemon's side alone.
Nothing is run: each fire is claimed, started and ended as the daemon tells of it, and its script has become
another; so each fire is three events. A listener hears of the end of a fire so long after its moment.
"""

import asyncio
import json
import re
import resource
import select
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.beside import row_of
from bench.row import REPEATS, Row
from schedd.fire import Outcome, Status
from schedd.ledger import facts
from schedd.timetable import instant
from schedd.web import state
from tests.api import Api, serving

CASES = ((1, 100), (1_000, 100))
"""How many listen, and how many fires start and end in a second."""
SECONDS = 5
SCRIPTS = 500
TIMED_EVERY = 20
"""Of so many listeners one looks at the clock."""
LISTEN = "--listen"
ENDED = b"event: ended\n"

_TOLD = re.compile(rb'event: ended\nid: [^\n]*\ndata: \{"ts":"([^"]+)"')


@dataclass
class Cost:
    """Of one case: on the daemon's side, and what those who listened found."""

    cpu_s: float
    took_s: float
    lags_s: list[float] = field(default_factory=list)
    p50_s: float = 0.0
    p99_s: float = 0.0
    sent_bytes: int = 0

    @property
    def share(self) -> float:
        """How much of a core it took."""
        return self.cpu_s / self.took_s


def rows() -> Iterator[Row]:
    """Measure all cases."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for listeners, rate in CASES:
        found = [asyncio.run(case(listeners, rate)) for _ in range(REPEATS)]
        who = f"{listeners:,} listeners, {rate} fires/s" if listeners > 1 else f"one listener, {rate} fires/s"
        yield row_of("events", f"{who}: heard after, median", [each.p50_s for each in found])
        yield row_of("events", f"{who}: heard after, p99", [each.p99_s for each in found])
        yield row_of("events", f"{who}: the loop is late, p99", [late(each.lags_s) for each in found])
        yield row_of("events", f"{who}: of a core", [each.share for each in found], unit="{:.0%}".format)


def late(lags_s: Sequence[float]) -> float:
    """Return what 99 of 100 do not exceed."""
    return sorted(lags_s)[int(len(lags_s) * 0.99)]


async def case(listeners: int, rate: int) -> Cost:
    """Measure one case once."""
    with tempfile.TemporaryDirectory(prefix="schedd-events-") as base:
        async with serving(Path(base), unix=True) as api:
            for number in range(SCRIPTS):
                api.control.register(f"shop/area{number % 20}/script-{number}.sh")
            api.control.ends_at_once = None
            heard = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "bench.events", LISTEN, str(api.bound.socket_path), str(listeners)),
                stdout=asyncio.subprocess.PIPE,
            )
            assert heard.stdout is not None
            await heard.stdout.readline()
            cost = await happen(api, rate)
            await asyncio.sleep(1)
            api.app[state.STATE].closing.set()
            told = json.loads(await heard.stdout.readline())
            await heard.wait()
    assert told["fewest"] == told["most"] == rate * SECONDS, told
    cost.p50_s, cost.p99_s = told["p50"] / 1000, told["p99"] / 1000
    cost.sent_bytes = told["bytes"]
    return cost


async def happen(api: Api, rate: int) -> Cost:
    """Let so many fires in a second start and end, and watch how late the loop is for them."""
    begun_s, cpu_s, lags = time.monotonic(), time.process_time(), []
    for number in range(rate * SECONDS):
        due_s = begun_s + number / rate
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        lags.append(max(0.0, time.monotonic() - due_s))
        await fire(api, f"shop/area{number % SCRIPTS % 20}/script-{number % SCRIPTS}.sh")
    return Cost(time.process_time() - cpu_s, time.monotonic() - begun_s, lags)


async def fire(api: Api, script: str) -> None:
    """Let one script run."""
    feed, control = api.app[state.STATE].events.feed, api.control
    run_id = (await control.trigger(script, force=False, by="bench")).run_id
    view = control.run(run_id)
    assert view is not None
    feed.heard(facts.Claimed.of(view.fire, at=0, key=None))
    feed.started(run_id)
    now_ms = time.time_ns() // 1_000_000
    entry = control.end(run_id, Outcome(status=Status.OK, started_ms=now_ms, ended_ms=now_ms))
    feed.heard(facts.Ended(entry=entry))
    feed.published(entry)


@dataclass
class Heard:
    """What one listener was told."""

    sock: socket.socket
    timed: bool
    rest: bytes = b""
    ended: int = 0
    size: int = 0


def listen(path: str, count: int) -> dict[str, Any]:
    """Listen with so many connections until all are ended; return what was heard, and after how long."""
    poll, all_ = select.epoll(), {}
    for number in range(count):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        sock.sendall(b"GET /api/v1/exec/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        first = b""
        while b'"resumed"' not in first:
            first += sock.recv(65_536)
        sock.settimeout(0)
        poll.register(sock, select.EPOLLIN)
        all_[sock.fileno()] = Heard(sock, number % TIMED_EVERY == 0)
    print("ready", flush=True)
    late_ms: list[float] = []
    open_ = count
    while open_:
        for fd, _ in poll.poll():
            if not take(all_[fd], late_ms):
                poll.unregister(fd)
                open_ -= 1
    found = [each.ended for each in all_.values()]
    return {
        "fewest": min(found),
        "most": max(found),
        "bytes": sum(each.size for each in all_.values()),
        "p50": statistics.median(late_ms),
        "p99": sorted(late_ms)[int(len(late_ms) * 0.99)],
    }


def take(heard: Heard, late_ms: list[float]) -> bool:
    """Read what there is; return False at the end."""
    with suppress(BlockingIOError):
        data = heard.sock.recv(1024 * 1024)
        now_ms = time.time() * 1000
        heard.size += len(data)
        if heard.timed:
            told = heard.rest + data
            found = list(_TOLD.finditer(told))
            heard.ended += len(found)
            late_ms += [now_ms - instant.to_ms(each[1].decode()) for each in found]
            heard.rest = told[max(found[-1].end() if found else 0, len(told) - 200) :]
        else:
            # Of the others only how many they hear of: who listens must not be what is measured.
            edge = heard.rest[-len(ENDED) + 1 :]
            heard.ended += data.count(ENDED) + (edge + data[: len(ENDED) - 1]).count(ENDED)
            heard.rest = (edge + data)[-len(ENDED) :]
        return bool(data) and not data.endswith(b"0\r\n\r\n")
    return True


if __name__ == "__main__":
    print(json.dumps(listen(sys.argv[-2], int(sys.argv[-1]))), flush=True)
