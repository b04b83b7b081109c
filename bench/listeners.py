"""What it costs to tell many listeners of `GET /events` what happens, and how soon they hear of it.

`python -m bench.listeners` takes half a minute, and has a section of the results of its own. Those who listen
are in a process of their own, so that the processor time is that of the daemon's side alone. Nothing is run:
each fire is claimed, started and ended as the daemon tells of it, and its script has become another.
"""

import asyncio
import json
import os
import re
import resource
import select
import socket
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import results
from schedd.fire import Outcome, Status
from schedd.ledger import facts
from schedd.timetable import instant
from schedd.web import state
from tests.api import Api, serving

CASES = ((1, 50), (200, 50), (1_000, 50), (1_000, 100))
"""How many listen, and how many fires start and end in a second."""
SECONDS = 6
SCRIPTS = 500
TIMED_EVERY = 20
"""Of so many listeners one looks at the clock."""
LISTEN = "--listen"

_TOLD = re.compile(rb'event: ended\nid: [^\n]*\ndata: \{"ts":"([^"]+)"')


@dataclass
class Cost:
    """Of one case, on the daemon's side."""

    cpu_s: float
    took_s: float
    lags_s: list[float] = field(default_factory=list)


def main() -> None:
    """Measure all cases, show them as they come, and keep them."""
    table = [
        f"Measured by `python -m bench.listeners` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores,",
        "over the Unix socket. Each fire is three events: it starts, it ends, its script has become another.",
        "",
        "| listeners | fires/s | of a core | heard after p50 | p99 | loop late p99 | most | MB/s sent |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for listeners, rate in CASES:
        row = asyncio.run(case(listeners, rate))
        print(row, flush=True)
        table.append(row)
    results.keep("\n".join(table), section="Listeners")


async def case(listeners: int, rate: int) -> str:
    """Measure one case; return its row."""
    with tempfile.TemporaryDirectory(prefix="schedd-listeners-") as base:
        async with serving(Path(base), unix=True) as api:
            for number in range(SCRIPTS):
                api.control.register(f"shop/area{number % 20}/script-{number}.sh")
            api.control.ends_at_once = None
            heard = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "bench.listeners", LISTEN, str(api.bound.socket_path), str(listeners)),
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
    lags = sorted(cost.lags_s)
    return (
        f"| {listeners:,} | {rate} | {cost.cpu_s / cost.took_s:.0%} "
        f"| {told['p50']:.0f} ms | {told['p99']:.0f} ms "
        f"| {lags[int(len(lags) * 0.99)] * 1000:.1f} ms | {lags[-1] * 1000:.1f} ms "
        f"| {told['bytes'] / cost.took_s / 1e6:.1f} |"
    )


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
        told = heard.rest + data
        found = list(_TOLD.finditer(told))
        heard.ended += len(found)
        heard.rest = told[max(found[-1].end() if found else 0, len(told) - 200) :]
        if heard.timed:
            late_ms += [now_ms - instant.to_ms(each[1].decode()) for each in found]
        return bool(data) and not told.endswith(b"0\r\n\r\n")
    return True


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if LISTEN in sys.argv:
        print(json.dumps(listen(sys.argv[-2], int(sys.argv[-1]))), flush=True)
    else:
        main()
