"""Schedules and planners for tests, made in one line."""

import itertools
from collections.abc import Callable

from schedd.fire import RunId
from schedd.planner.planner import Planner
from schedd.schedule import Catchup, FileStamp, Lock, Overlap, Retry, Schedule
from schedd.timetable.observance import Observance
from schedd.timetable.timetable import Timetable

T0_MS = 1_700_000_000_000 - 1_700_000_000_000 % 86_400_000
"""A midnight, UTC."""


def schedule(
    script: str,
    expression: str = "@every 10s",
    *,
    zone: str = "UTC",
    enabled: bool = True,
    overlap: Overlap = Overlap.SKIP,
    max_runs: int | None = 1,
    catchup: Catchup = Catchup.NONE,
    within_s: int | None = None,
    deadline_s: int | None = None,
    retry: Retry | None = None,
    lock: Lock | None = None,
    observance: Observance | None = None,
    sha256: str = "0",
) -> Schedule:
    return Schedule(
        script=script,
        path=f"/scripts/{script}",
        expression=expression,
        timezone=zone,
        timetable=Timetable.parse(expression, zone, seed=script, observance=observance),
        enabled=enabled,
        overlap=overlap,
        max_runs=max_runs,
        catchup=catchup,
        catchup_within_ms=None if within_s is None else within_s * 1000,
        deadline_ms=None if deadline_s is None else deadline_s * 1000,
        retry=retry,
        lock=lock,
        sha256=sha256,
        stamp=FileStamp(1, 1, 1),
    )


def counted_ids() -> Callable[[int], RunId]:
    numbers = itertools.count(1)
    return lambda _: RunId(f"run-{next(numbers)}")


def planner(*, max_running: int = 256, max_held: int = 10_000) -> Planner:
    return Planner(new_run_id=counted_ids(), max_running=max_running, max_held=max_held)
