"""What Prometheus is told.

Two kinds of numbers. What is counted as it happens (fires, requests, clock steps) lives in a registry of our
own; what is true at the moment of the question (how many run, what is next) is a frozen `Now` that the daemon
hands out, and becomes text in a thread: with thousands of scripts that takes a tenth of a second the first
time, in which a slot would wait. What has lines for each script is in `series`, which keeps them.

Labels come from closed lists, but for the scripts: the first 2,000 get a name of their own, the rest is
`other`, so that a directory full of scripts cannot flood whoever stores the series.

Rejected: the library's default registry (it adds the interpreter's own numbers, and is shared by the tests).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from types import MappingProxyType

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from schedd.fire import Entry, Status
from schedd.ledger import facts
from schedd.ledger.facts import AnyFact
from schedd.timetable.instant import to_ms
from schedd.web import series
from schedd.web.series import Encode, Family

MOST_SCRIPTS = 2_000
OTHER = "other"

DURATION_S = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 4 * 3_600, 12 * 3_600)
LATENESS_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 3_600)
LAG_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5)

FIRE_LABELS = ("script", "kind", "status", "reason")
STATES = ("scheduled", "running", "paused", "disabled", "stale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """How things are at the moment of the question. Instants are seconds since the epoch."""

    version: str
    host: str
    states: Mapping[str, int]
    """How many schedules are in each of `STATES`."""
    failed: int
    running: int
    held: int
    up_since_s: float
    next_fire_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    last_success_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    overrunning: Collection[str] = ()
    """Scripts whose runs outlast their interval."""
    ledger_queued: int = 0
    ledger_lost: int = 0
    ledger_writes: int = 0
    ledger_write_s: float = 0.0
    ledger_failing: bool = False
    journal_dropped: int = 0
    output_not_in_journal: int = 0
    event_listeners: int = 0


class Meters:
    """Counts what happens. Used from the event loop; only `text` may be called from another thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._series: dict[str, set[tuple[str, ...]]] = {}
        """The scripts that have a name of their own, and the label values of their fires."""
        counter = partial(Counter, registry=self._registry)
        histogram = partial(Histogram, registry=self._registry)
        fires = Counter(
            "schedd_fires", "Fires that are over; a span line counts its slots.", FIRE_LABELS, registry=None
        )
        durations = Histogram(
            "schedd_fire_duration_seconds",
            "How long runs took.",
            ["script"],
            registry=None,
            buckets=DURATION_S,
        )
        self._fires = Family(fires, FIRE_LABELS)
        self._durations = Family(durations, ("script",))
        self._lateness = histogram(
            "schedd_fire_lateness_seconds", "From the slot to the start of its run.", buckets=LATENESS_S
        )
        self._lag = histogram(
            "schedd_loop_lag_seconds", "How late the event loop turned to its alarm.", buckets=LAG_S
        )
        self._steps = counter("schedd_clock_steps", "How often the wall clock was set by over a second.")
        self._suspended = counter("schedd_suspend_seconds", "For how long the host was suspended.")
        self._requests = counter("schedd_http_requests", "Requests that were answered.", ["route", "status"])
        self._reloaded_s = 0.0

    def heard(self, fact: AnyFact) -> None:
        """Something happened that goes on record; most of it is not counted."""
        match fact:
            case facts.Ended(entry=entry):
                self._ended(entry)
            case facts.ClockStep():
                self._steps.inc()
            case facts.Suspended(duration_ms=duration_ms):
                self._suspended.inc(duration_ms / 1000)
            case _:
                pass

    def lagged(self, lag_s: float) -> None:
        """The loop has turned to its alarm so late."""
        self._lag.observe(max(0.0, lag_s))

    def reloaded(self, registered: Collection[str], at_ms: int) -> None:
        """These scripts are registered now; the series of others are dropped."""
        self._reloaded_s = at_ms / 1000
        for script in self._series.keys() - set(registered):
            for labels in self._series.pop(script):
                self._fires.remove(*labels)
            self._durations.remove(script)

    def requested(self, route: str, status: int) -> None:
        """A request to one of our routes (or to `unknown`) was answered."""
        self._requests.labels(route, str(status)).inc()

    def text(self, now: Now, accept: str) -> tuple[bytes, str]:
        """Return the exposition and its content type, in the form that the Accept header asks for."""
        encode, content_type = series.form(accept)
        scripts = self._fires.text(encode) + self._durations.text(encode) + _of_scripts(now, encode)
        return scripts.encode() + encode(_Scrape(self._registry, now, self._reloaded_s)), content_type

    def _ended(self, entry: Entry) -> None:
        script = self._label(entry.script_path)
        reason = "" if entry.reason is None else entry.reason.value
        labels = (script, entry.kind.value, entry.status.value, reason)
        if script != OTHER:
            self._series[script].add(labels)
        self._fires.child(*labels).inc(entry.count or 1)
        self._fires.changed(*labels)
        if entry.started_at is not None:
            self._durations.child(script).observe(entry.duration_ms / 1000)
            self._durations.changed(script)
        if entry.lateness_ms is not None:
            self._lateness.observe(entry.lateness_ms / 1000)

    def _label(self, script: str) -> str:
        if script not in self._series:
            if len(self._series) >= MOST_SCRIPTS:
                return OTHER
            self._series[script] = set()
        return script


class _Scrape(prometheus_client.registry.Collector):
    """What was counted and what is, as one collection."""

    def __init__(self, counted: CollectorRegistry, now: Now, reloaded_s: float) -> None:
        self._counted = counted
        self._now = now
        self._reloaded_s = reloaded_s

    def collect(self) -> Iterator[Metric]:
        yield from self._counted.collect()
        yield from _of_now(self._now, self._reloaded_s)


def _of_now(now: Now, reloaded_s: float) -> Iterator[Metric]:
    info = GaugeMetricFamily("schedd_info", "Which schedd this is.", labels=["version", "host"])
    info.add_metric([now.version, now.host], 1)
    yield info
    states = GaugeMetricFamily("schedd_schedules", "Registered schedules by state.", labels=["state"])
    for name in STATES:
        states.add_metric([name], now.states.get(name, 0))
    yield states
    yield _gauge("schedd_scripts_failed", "Scripts that the last reload refused.", now.failed)
    yield _gauge("schedd_runs_in_flight", "Runs that are alive.", now.running)
    yield _gauge("schedd_held", "Fires that wait.", now.held)
    yield _gauge("schedd_event_listeners", "Who listens to what happens.", now.event_listeners)
    yield _gauge("schedd_start_time_seconds", "When the daemon came up.", now.up_since_s)
    yield _gauge("schedd_reload_last_success_timestamp_seconds", "The last reload.", reloaded_s)
    yield _gauge("schedd_ledger_queue", "Lines that wait to be written.", now.ledger_queued)
    yield _gauge("schedd_ledger_failing", "1 while the record cannot be written.", int(now.ledger_failing))
    yield _counter("schedd_ledger_lost_lines", "Lines that never reached the disk.", now.ledger_lost)
    yield _counter("schedd_journal_dropped_lines", "Lines the journal did not take.", now.journal_dropped)
    yield _counter(
        "schedd_output_not_in_journal_lines",
        "Lines of scripts that were not sent to the journal.",
        now.output_not_in_journal,
    )
    writes = prometheus_client.metrics_core.SummaryMetricFamily(
        "schedd_ledger_write_seconds", "How long batches of the record took to be written."
    )
    writes.add_metric([], now.ledger_writes, now.ledger_write_s)
    yield writes


def _of_scripts(now: Now, encode: Encode) -> str:
    """Return what is true of single scripts now."""
    overrunning = ((script, 1) for script in now.overrunning)
    gauges = (
        ("schedd_schedule_next_fire_timestamp_seconds", "When it fires next.", now.next_fire_s.items()),
        ("schedd_schedule_last_success_timestamp_seconds", "Its last ok.", now.last_success_s.items()),
        ("schedd_schedule_overrunning", "1 for a script whose runs outlast its interval.", overrunning),
    )
    return "".join(
        series.gauge(name, text, "script", islice(values, MOST_SCRIPTS), encode)
        for name, text, values in gauges
    )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def last_success_s(*, status: Status, ts: str, last_ok_slot: int | None) -> float | None:
    """Return when a script last ended ok, as far as is remembered; its slot where that is all there is."""
    return to_ms(ts) / 1000 if status is Status.OK else last_ok_slot
