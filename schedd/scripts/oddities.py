"""What is right by itself and cannot do what it says: directives that another one leaves idle.

None of it does harm, so none of it is refused; but whoever wrote it believes in something that will not
happen.
"""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from schedd.schedule import Keeper, Keepers, Mode, Overlap, Schedule
from schedd.timetable import words
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable


@dataclass(frozen=True, slots=True)
class Oddity:
    """A sentence, and the directive to point at if the script has it."""

    directive: str
    reason: str
    value: str | None = None
    """Which of several directives of this name is meant."""


_MIDNIGHT = Slot(1_704_067_200)
"""2024-01-01, a Monday: from here on slots are looked at, to learn how far apart they are."""
_LOOKED_AT = 12
"""So many slots show a pattern of every few minutes; what comes less often has no need of a warning."""
_OF_SLOTS = {
    "catchup": "that could be missed",
    "deadline": "to be late for",
    "jitter": "to move",
    "calendar": "to close",
}
_PROGRAMS = (".sh", ".bash")
_WAITING = ("python", "pypy", "node")


def of(schedule: Schedule, *, keepers: Keepers, own_user: str) -> Iterator[Oddity]:
    """Yield what is odd about a schedule. Directives that it does not have may be named.

    `keepers` are those of the host that it runs on, as `own_user` if it names no other.
    """
    yield from _of_slots(schedule)
    yield from _of_lock(schedule)
    yield from _of_mode(schedule)
    yield from _of_tests(schedule)
    yield from _of_limits(schedule, keepers, as_root=(schedule.user or own_user) == "root")


def _of_slots(schedule: Schedule) -> Iterator[Oddity]:
    if not schedule.timetable.has_slots:
        for name, slots in _OF_SLOTS.items():
            yield Oddity(name, f"@{name} does nothing here: @reboot has no slots {slots}")
        return
    retry, jitter_s = schedule.retry, schedule.timetable.jitter_s
    if not retry and not jitter_s:
        return
    apart_s = _apart_s(replace(schedule.timetable, jitter_s=0, offset_s=0))
    if apart_s is None:
        return
    often = words.of_interval(apart_s).lower()
    if retry and retry.first_ms >= apart_s * 1000:
        yield Oddity("retry", f"@retry waits too long: a new slot comes {often} and takes its place")
    if jitter_s > apart_s:
        yield Oddity("jitter", f"@jitter is longer than it need be: a slot comes {often}")


def _of_lock(schedule: Schedule) -> Iterator[Oddity]:
    lock = schedule.lock
    if lock is None or (schedule.max_runs is not None and schedule.max_runs <= lock.slots):
        return
    name = "overlap" if schedule.max_runs is None and schedule.overlap is Overlap.ALLOW else "concurrent"
    most = "one run is" if lock.slots == 1 else f"{lock.slots} runs are"
    yield Oddity(name, f"@{name} asks for more than @lock gives: at most {most} alive at once")


def _of_mode(schedule: Schedule) -> Iterator[Oddity]:
    if schedule.mode is Mode.WARM and not _can_wait(schedule):
        yield Oddity("mode", "@mode warm does nothing here: a program is always started for the run")


def _can_wait(schedule: Schedule) -> bool:
    if schedule.runtime is None:
        return not schedule.script.endswith(_PROGRAMS)
    return schedule.runtime.rpartition("/")[2].startswith(_WAITING)


def _of_tests(schedule: Schedule) -> Iterator[Oddity]:
    for test in schedule.expect:
        if test.exit_codes == (0,):
            reason = "@expect exit 0 changes nothing: every run is held to that"
            yield Oddity("expect", reason, test.text)


def _of_limits(schedule: Schedule, keepers: Keepers, *, as_root: bool) -> Iterator[Oddity]:
    limits = schedule.limits
    if limits.cpu_percent is not None and keepers.cpu is Keeper.NOBODY:
        yield Oddity(
            "cpu", "@cpu is not enforced here: it takes a delegated cgroup v2 with the cpu controller"
        )
    if limits.memory_bytes is not None and keepers.memory is Keeper.SETRLIMIT:
        yield Oddity("memory", "@memory holds for each process of a run by itself here, not for all together")
    if limits.pids is not None and keepers.pids is Keeper.SETRLIMIT:
        by_user = "@pids counts by user here: what others of that user start uses it up, too"
        for_root = "@pids is not enforced for root here: it takes a delegated cgroup v2, or another @user"
        for name in ("pids", "shell-limit"):
            yield Oddity(name, (for_root if as_root else by_user).replace("pids", name, 1))


@functools.lru_cache(maxsize=1024)
def _apart_s(timetable: Timetable) -> int | None:
    """Return how far apart the slots are where they are farthest; None if too few were found."""
    slots = timetable.upcoming(_MIDNIGHT, _LOOKED_AT)
    if len(slots) < _LOOKED_AT:
        return None
    return max(later - early for early, later in itertools.pairwise(slots))
