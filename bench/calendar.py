"""What the timeline and the heat map cost: 10,000 schedules, and a million fires in the log.

`python -m bench.calendar` takes a minute, and has a section of the results of its own. The answers come over
a socket from the program's own parts in this process, so that it is seen for how long each of them holds the
loop: a task that wants to run every millisecond writes down how late it was at most. The same without any
request is measured first, for the machine may be busy.
"""

import asyncio
import contextlib
import os
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import results
from bench.row import shown
from schedd.daemon import vitals
from schedd.daemon.compose import SWITCH_S
from schedd.daemon.lately import Lately
from schedd.insight.recent import Recent, RecentOutcomes
from schedd.ledger.ledger import Ledger
from schedd.ledger.tally import Tally, Wanted
from schedd.timetable import instant
from tests.api import SCHEDULES, Api, serving
from tests.fake_control import NOW_MS, FakeControl

SCRIPTS = 10_000
FIRES = 1_000_000
DAYS = 30
DAY_MS = 86_400_000
SEGMENT_BYTES = 32 * 1024 * 1024
REST_S = 2.0
NAMES = [f"group-{number // 100:03}/job-{number:05}.sh" for number in range(SCRIPTS)]
STRETCHES = (("24 h", 1, 1, "5m"), ("7 d", 7, 0, "1h"), ("14 d", 7, 7, "15m"), ("30 d", 30, 0, "1h"))
"""A name, days before and after now, and the step."""


class WithLog(FakeControl):
    """The tests' daemon, with the record of a real one."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger
        self._lately = Lately(ledger, RecentOutcomes())

    async def tally(self, wanted: Wanted) -> Tally:
        """Count in the log."""
        return await self._ledger.tally(wanted)

    async def recent(self, scripts: Sequence[str]) -> Mapping[str, Recent]:
        """Read the log once."""
        return await self._lately.of(scripts)


@dataclass(slots=True)
class Held:
    """For how long the loop did not come back to a task that wants to run every millisecond, in seconds."""

    busy_s: float = 0.0
    """Computing."""
    late_s: float = 0.0
    """Whatever the reason: the interpreter's lock, another process, a stretch of work."""

    def shown(self) -> tuple[str, str]:
        """Write both."""
        return shown(self.busy_s), shown(self.late_s)


def main() -> None:
    """Measure, show and keep."""
    sys.setswitchinterval(SWITCH_S)
    with tempfile.TemporaryDirectory(prefix="schedd-calendar-") as base:
        size = write_log(Path(base))
        table = asyncio.run(measured(Path(base)))
    head = [
        f"Measured by `python -m bench.calendar` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores.",
        f"{SCRIPTS:,} schedules, {FIRES:,} fires of {DAYS} days in {size / 1e6:.0f} MB of log. `busy` is for",
        "how long the loop computed in one piece at most, `late` how late a task was that wants to run each",
        "millisecond.",
        "",
        "| what | time | busy | late |",
        "|---|---|---|---|",
    ]
    text = "\n".join([*head, *(f"| {' | '.join(row)} |" for row in table)])
    print(text)
    results.keep(text, section="Calendar")


def write_log(directory: Path) -> int:
    """Write a log as the daemon would have, oldest file first; return its size in bytes."""
    chance, size = random.Random(7), 0
    segments: list[list[str]] = [[]]
    for number in range(FIRES):
        line = line_of(number, chance)
        size += len(line)
        if size > len(segments) * SEGMENT_BYTES:
            segments.append([])
        segments[-1].append(line)
    for number, lines in enumerate(reversed(segments)):
        (directory / f"fires.log{f'.{number}' if number else ''}").write_text("".join(lines))
    return size


def line_of(number: int, chance: random.Random) -> str:
    """Return the line of one fire; a hundredth of them failed."""
    ended_ms = NOW_MS - DAYS * DAY_MS + number * DAYS * DAY_MS // FIRES
    ts, slot = instant.from_ms(ended_ms), instant.from_ms(ended_ms // 60_000 * 60_000)
    ok = chance.random() >= 0.01
    end = '"status":"ok","exitCode":0' if ok else '"status":"error","reason":"exit","error":"exited with 1"'
    return (
        f'{{"ts":"{ts}","scriptPath":"{chance.choice(NAMES)}","expression":"17 * * * *",'
        f'"runId":"019a0000-0000-7000-8000-{number:012x}",{end},"durationMs":{chance.randrange(5_000)},'
        f'"kind":"schedule","slot":"{slot}","host":"here"}}\n'
    )


async def measured(directory: Path) -> list[tuple[str, ...]]:
    """Ask for everything twice."""
    ledger = await Ledger.open(directory, now_ms=lambda: NOW_MS)
    control = WithLog(ledger)
    for number, name in enumerate(NAMES):
        control.register(name, expression=expression(number))
    table: list[tuple[str, ...]] = []
    try:
        vitals.settle_memory()
        async with serving(directory, control) as api:
            async with watched() as held:
                await asyncio.sleep(REST_S)
            table.append(("nothing", "", *held.shown()))
            for name, before, after, step in STRETCHES:
                for time_ in ("first", "again"):
                    path = f"{SCHEDULES}/calendar?{stretch(before, after)}&step={step}"
                    table.append(await asked(api, f"{name} by {step}, {time_}", path))
            named = "&".join(f"scriptPath={name}" for name in NAMES[:200])
            path = f"{SCHEDULES}/calendar?{stretch(1, 1)}&step=5m&by=script&{named}"
            table.append(await asked(api, "24 h by 5m, of each of 200 scripts", path))
            for time_ in ("first", "again"):
                path = f"{SCHEDULES}/recent?{named}"
                table.append(await asked(api, f"the last outcomes of 200 scripts, {time_}", path))
            table.append(await asked(api, "the feed", f"{SCHEDULES}/calendar.ics"))
    finally:
        await ledger.close()
    return table


def expression(number: int) -> str:
    """Return one of some thousand expressions: most daily or hourly, some every few minutes."""
    if number % 10 == 0:
        return f"*/{5 + number // 10 % 25} * * * *"
    return f"{number % 60} * * * *" if number % 3 else f"{number % 60} {number // 60 % 24} * * *"


def stretch(before: int, after: int) -> str:
    """Return the query for so many days before and after the hour."""
    hour_ms = NOW_MS // 3_600_000 * 3_600_000
    begin, end = (instant.from_ms(hour_ms + days * DAY_MS) for days in (-before, after))
    return f"from={begin}&to={end}"


async def asked(api: Api, what: str, path: str) -> tuple[str, ...]:
    """Ask once; return what, how long it took, and for how long the loop was held."""
    async with watched() as held:
        before = time.perf_counter()
        await asyncio.to_thread(fetch, f"{api.bound.url}{path}", api.admin)
        took_s = time.perf_counter() - before
    row = (what, shown(took_s), *held.shown())
    print(*row, flush=True)
    return row


def fetch(url: str, token: str) -> bytes:
    """Ask from a thread, so that the loop has only the server's work. Raises HTTPError for all but 200."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: bytes = answer.read()
    return found


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[Held]:
    """Watch the loop."""
    held, done = Held(), asyncio.Event()

    async def watch() -> None:
        while not done.is_set():
            before, computed = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.001)
            held.busy_s = max(held.busy_s, time.thread_time() - computed)
            held.late_s = max(held.late_s, time.perf_counter() - before - 0.001)

    task = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        yield held
    finally:
        done.set()
        await task


if __name__ == "__main__":
    main()
