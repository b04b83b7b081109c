"""What a scrape of `/metrics` costs with 2,000 scripts, beside what prometheus_client takes for the same.

`python -m bench.scrapes` takes some seconds, and has a section of the results of its own. It measures the
processor time of a thread, since the machine may be busy.
"""

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bench import results
from bench.row import REPEATS, shown
from schedd.fire import Entry, Kind, Reason, RunId, Status
from schedd.ledger import facts
from schedd.web.meters import DURATION_S, FIRE_LABELS, Meters, Now

SCRIPTS = 2_000
FORM = "text/plain;version=0.0.4"
NAMES = [f"shop/area{number % 20}/script-{number}.sh" for number in range(SCRIPTS)]


def main() -> None:
    """Measure all cases, show them as they come, and keep them."""
    table = [
        f"Measured by `python -m bench.scrapes` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores.",
        f"{SCRIPTS:,} scripts, each with ends of two kinds, 4.2 MB of text. Beside it, the same series as",
        "the library writes them, which schedd did until it kept the lines of what has not changed.",
        "",
        "| since the last scrape | schedd | prometheus_client | times |",
        "|---|---|---|---|",
    ]
    for what, own_s, library_s in rows():
        figures = f"{shown(own_s)} | {shown(library_s)} | {library_s / own_s:.1f}"
        print(f"{what:50} {figures}", flush=True)
        table.append(f"| {what} | {figures} |")
    results.keep("\n".join(table), section="Scrapes")


def rows() -> Iterator[tuple[str, float, float]]:
    """Measure all cases."""
    chance, meters = random.Random(7), Meters()
    for name in NAMES:
        meters.heard(ended(name, chance))
        meters.heard(ended(name, chance, Status.ERROR))
    library_s = of_library(chance)
    for fired in (0, SCRIPTS // 25, SCRIPTS // 4, SCRIPTS):
        times = []
        for turn in range(REPEATS):
            for name in chance.sample(NAMES, fired):
                meters.heard(ended(name, chance))
            present = now(turn)
            times.append(timed(partial(meters.text, present, FORM)))
        yield f"{fired:,} scripts have fired", statistics.median(times), library_s


def of_library(chance: random.Random) -> float:
    """Return how long the library takes for the same series, in seconds."""
    registry = CollectorRegistry()
    fires = Counter("schedd_fires", "Fires that are over.", FIRE_LABELS, registry=registry)
    durations = Histogram(
        "schedd_fire_duration_seconds", "How long.", ["script"], registry=registry, buckets=DURATION_S
    )
    gauges = [Gauge(name, "When.", ["script"], registry=registry) for name in ("schedd_next", "schedd_last")]
    for name in NAMES:
        durations.labels(name).observe(chance.random())
        for labels in (("ok", ""), ("error", "exit")):
            fires.labels(name, "schedule", *labels).inc()
        for gauge in gauges:
            gauge.labels(name).set(1_795_514_400.5)
    return statistics.median(timed(partial(generate_latest, registry)) for _ in range(REPEATS))


def timed(work: Callable[[], object]) -> float:
    """Return the processor time of this thread for something, in seconds."""
    before = time.thread_time()
    work()
    return time.thread_time() - before


def ended(name: str, chance: random.Random, status: Status = Status.OK) -> facts.Ended:
    """A run that is over."""
    entry = Entry(
        ts="2026-11-24T10:00:01.500Z",
        script_path=name,
        expression="@hourly",
        run_id=RunId("0"),
        status=status,
        kind=Kind.SCHEDULE,
        reason=None if status is Status.OK else Reason.EXIT,
        duration_ms=chance.randrange(5_000),
        started_at="2026-11-24T10:00:00.000Z",
    )
    return facts.Ended(entry=entry)


def now(turn: int) -> Now:
    """Return the numbers of a moment: when each script fires next, and was ok last."""
    at_s = 1_795_514_400 + 15 * turn
    return Now(
        version="0",
        host="here",
        states={"scheduled": SCRIPTS},
        failed=0,
        running=0,
        held=0,
        up_since_s=at_s,
        next_fire_s={name: at_s + number for number, name in enumerate(NAMES)},
        last_success_s={name: at_s - number - 0.5 for number, name in enumerate(NAMES)},
    )


if __name__ == "__main__":
    main()
