"""The table of a soak, and what it proves."""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.row import shown
from bench.soak.subject import Sight

MOST_ROWS = 16
"""So many are kept in the results."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one stretch of time showed. Counts are the least that was seen: what leaked is always there."""

    at_s: float
    """When it ended, since the daemon was ready."""
    sight: Sight
    load: float
    """Of the whole machine, over a minute: what runs or wants to."""
    cpu: float
    """The daemon's own share of one core."""
    lag_s: float
    """Of the event loop, on average."""
    worst_lag_s: float
    """No longer than this."""
    late_s: Sequence[float]
    """From the slot to the start, of each run, sorted."""
    fires: float
    """Runs that ended, a second."""
    queue: int
    pings_s: Sequence[float]
    """How long the smallest request took, ten times a second, sorted: what the loop lets wait."""
    asked_s: Sequence[float]
    """How long all others took, sorted."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """What is left when nothing runs and everything is paused."""

    descriptors: int
    processes: int
    zombies: int


COLUMNS: dict[str, Callable[[Reading], str]] = {
    "after": lambda row: f"{row.at_s:.0f} s",
    "RSS MiB": lambda row: f"{row.sight.rss_mib:.1f}",
    "nurseries MiB": lambda row: f"{row.sight.nurseries_mib:.1f}",
    "fds": lambda row: str(row.sight.descriptors),
    "threads": lambda row: str(row.sight.threads),
    "processes": lambda row: str(row.sight.processes),
    "zombies": lambda row: str(row.sight.zombies),
    "load": lambda row: f"{row.load:.1f}",
    "CPU": lambda row: f"{row.cpu:.0%}",
    "lag mean": lambda row: shown(row.lag_s),
    "lag max": lambda row: f"<= {shown(row.worst_lag_s)}",
    "late p50": lambda row: shown(quantile(row.late_s, 0.5)),
    "late p99": lambda row: shown(quantile(row.late_s, 0.99)),
    "fires/s": lambda row: f"{row.fires:.1f}",
    "queue": lambda row: str(row.queue),
    "ping p99": lambda row: shown(quantile(row.pings_s, 0.99)),
    "API p99": lambda row: shown(quantile(row.asked_s, 0.99)),
}


@dataclass(slots=True)
class Report:
    """All that was found out."""

    seconds: float
    scripts: int
    interval_s: int
    readings: list[Reading] = field(default_factory=list)
    first_quiet: Quiet | None = None
    last_quiet: Quiet | None = None
    slots: int = 0
    segments: int = 0
    requests: dict[str, list[float]] = field(default_factory=dict)
    listened: int = 0
    edits: int = 0
    complaints: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Complain of what has grown between the two times at which nothing ran."""
        if self.first_quiet is None or self.last_quiet is None:
            return  # it was broken off, which is a complaint
        for what in ("descriptors", "processes", "zombies"):
            before, after = getattr(self.first_quiet, what), getattr(self.last_quiet, what)
            if after > before:
                self.complaints.append(f"{what} grew from {before} to {after} with nothing running")
        if self.last_quiet.zombies:
            self.complaints.append(f"{self.last_quiet.zombies} zombies are left")

    def summary(self) -> list[str]:
        """Return the sentences under the table."""
        half = self.readings[len(self.readings) // 2 :]
        rss = slope_per_hour([(row.at_s, row.sight.rss_mib) for row in half])
        descriptors = slope_per_hour([(row.at_s, row.sight.descriptors) for row in half])
        requests = ", ".join(
            f"{what} {shown(quantile(sorted(took), 0.5))} / {shown(quantile(sorted(took), 0.99))}"
            for what, took in sorted(self.requests.items())
        )
        verdict = "each with exactly one line" if not self.complaints else "and complaints, below"
        besides = f"{self.edits} scripts edited, {self.listened:,} outputs followed to their end"
        return [
            f"{self.slots:,} slots, {verdict}; {self.segments} segments of the fires log, {besides}.",
            f"Growth in the second half: RSS {rss:+.2f} MiB an hour, descriptors {descriptors:+.1f} an hour.",
            f"With everything paused, early and at the end: {_beside(self.first_quiet, self.last_quiet)}.",
            f"{sum(map(len, self.requests.values())):,} requests, p50 / p99: {requests}.",
        ]

    def section(self) -> str:
        """Write it for the results."""
        machine = f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
        when = f"`make soak SECONDS={self.seconds:.0f}` on {datetime.now(UTC):%Y-%m-%d}: {machine}."
        load = f"{self.scripts:,} scripts, each due every {self.interval_s} s."
        step = max(1, -(-len(self.readings) // MOST_ROWS))
        rows = self.readings[::-step][::-1]
        return "\n".join(
            [
                f"{when} {load}",
                "",
                f"| {' | '.join(COLUMNS)} |",
                f"|{'---|' * len(COLUMNS)}",
                *(f"| {' | '.join(column(row) for column in COLUMNS.values())} |" for row in rows),
                "",
                *(f"- {sentence}" for sentence in self.summary()),
                *(f"- **{complaint}**" for complaint in self.complaints),
            ]
        )


def heading() -> str:
    """Return the line above the rows on a terminal."""
    return "  ".join(f"{name:>{_width(name)}}" for name in COLUMNS)


def line(row: Reading) -> str:
    """Return a row for a terminal."""
    return "  ".join(f"{column(row):>{_width(name)}}" for name, column in COLUMNS.items())


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which this share is; 0 of nothing."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def slope_per_hour(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the straight line through (seconds, value) that fits best; 0 for a single point."""
    if len(points) < 2:
        return 0.0
    at_s, values = zip(*points, strict=True)
    return statistics.linear_regression(at_s, values).slope * 3600


def _width(name: str) -> int:
    return max(len(name), 9)


def _beside(first: Quiet | None, last: Quiet | None) -> str:
    if first is None or last is None:
        return "not reached"
    names = ("descriptors", "processes", "zombies")
    return ", ".join(f"{name} {getattr(first, name)} → {getattr(last, name)}" for name in names)
