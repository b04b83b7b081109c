"""A hundred thousand schedules of one timetable, all due in one second: how long it takes to decide on them.

Measured is the planner alone, from the ring to the last decision, and the longest that it keeps the event
loop from anything else meanwhile. Admission comes in three kinds: every fire may start, most find no place,
most find no room to wait either.
"""

import time
from collections.abc import Iterator

from bench.beside import row_of
from bench.row import REPEATS, Row
from schedd.daemon import vitals
from schedd.host.identity import run_ids
from schedd.planner.planner import Planner
from schedd.schedule import FileStamp, Schedule
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

SCRIPTS = 100_000
NOON = Slot(1_800_014_400)
CASES = {
    "all may start": (SCRIPTS, SCRIPTS),
    "256 may start, the others wait": (256, SCRIPTS),
    "256 may start, 10,000 wait, the others are skipped": (256, 10_000),
}


def rows() -> Iterator[Row]:
    """Measure all cases."""
    schedules = {schedule.script: schedule for schedule in map(of, range(SCRIPTS))}
    for what, (max_running, max_held) in CASES.items():
        taken, longest = [], []
        for _ in range(REPEATS):
            planner = Planner(new_run_id=run_ids(), max_running=max_running, max_held=max_held)
            planner.reconcile(schedules, NOON * 1000)
            vitals.settle_memory()  # as the daemon does after each reload
            portions = decided(planner)
            taken.append(sum(portions))
            longest.append(max(portions))
            assert planner.running_count == max_running
        yield row_of("planner", f"{SCRIPTS:,} due in one tick, {what}: decided", taken)
        yield row_of("planner", f"{SCRIPTS:,} due in one tick, {what}: longest stretch", longest)


def decided(planner: Planner) -> list[float]:
    """Let the planner decide on a minute in which all is due; return how long each call of it took."""
    now_ms = (NOON + 60) * 1000
    portions = []
    while (planner.next_ms() or 0) <= now_ms:
        before = time.perf_counter()
        planner.tick(now_ms, whole=False)
        portions.append(time.perf_counter() - before)
    return portions


def of(number: int) -> Schedule:
    """Return a schedule that is due each minute."""
    script = f"team{number // 500:03}/job-{number:06}.sh"
    return Schedule(
        script=script,
        path=f"/srv/scripts/{script}",
        expression="* * * * *",
        timezone="UTC",
        timetable=Timetable.parse("* * * * *", "UTC"),
        sha256="0" * 64,
        stamp=FileStamp(number, 500, 0),
    )
