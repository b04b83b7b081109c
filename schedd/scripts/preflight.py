"""A scan, less what would not run: what is asked before a script is registered, and what comes of it.

Whoever can tell (`schedd.runner.preflight` does) says what is wrong with each schedule that a scan found. A
script with a fault turns into a problem, exactly as one with a bad header: it is not registered, or keeps its
last good registration as stale. Doubts are warnings.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from schedd.schedule import Fault, Inspection, Schedule
from schedd.scripts.catalogue import Scan
from schedd.scripts.directives import HEADER_BYTES, Problem, read_header
from schedd.scripts.registration import position


class Examiner(Protocol):
    """Who can tell whether scripts would run, without running them. It blocks."""

    def examine(self, schedules: Sequence[Schedule], *, every: bool) -> Mapping[str, Inspection]:
        """Return what there is to say, by script; `every` means that there are no other scripts."""


def examined(scan: Scan, examiner: Examiner, *, elsewhere: bool = False) -> Scan:
    """Return what is left of a scan. `elsewhere`: what only this host lacks is a warning."""
    found = examiner.examine(scan.schedules, every=not scan.unread)
    faults: list[Problem] = []
    doubts: list[Problem] = []
    for schedule in scan.schedules:
        inspection = found.get(schedule.script)
        if inspection is not None:
            weighed = _weighed(inspection, elsewhere=elsewhere)
            faults += _problems(schedule, weighed.faults)
            doubts += _problems(schedule, weighed.doubts)
    failed = {problem.path for problem in faults}
    return replace(
        scan,
        schedules=tuple(schedule for schedule in scan.schedules if schedule.script not in failed),
        problems=tuple(sorted((*scan.problems, *faults), key=position)),
        warnings=tuple(sorted((*scan.warnings, *doubts), key=position)),
    )


def examined_alone(schedule: Schedule, examiner: Examiner) -> Schedule | tuple[Problem, ...]:
    """Return a single schedule if it would run, else what is wrong with it."""
    inspection = examiner.examine([schedule], every=False).get(schedule.script, Inspection())
    return _problems(schedule, inspection.faults) or schedule


def _weighed(inspection: Inspection, *, elsewhere: bool) -> Inspection:
    if not elsewhere:
        return inspection
    faults = tuple(fault for fault in inspection.faults if not fault.here)
    lacks = tuple(fault for fault in inspection.faults if fault.here)
    return Inspection(faults, (*inspection.doubts, *lacks))


def _problems(schedule: Schedule, faults: Iterable[Fault]) -> tuple[Problem, ...]:
    return tuple(Problem(schedule.script, fault.reason, *_place(schedule, fault)) for fault in faults)


def _place(schedule: Schedule, fault: Fault) -> tuple[int | None, int | None]:
    """Return line and column, looked up in the header for what is a directive's fault."""
    nowhere = fault.line, fault.column
    if fault.directive is None:
        return nowhere
    try:
        descriptor = os.open(schedule.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return nowhere
    try:
        directive = read_header(os.read(descriptor, HEADER_BYTES)).get(fault.directive)
    except OSError:
        return nowhere
    finally:
        os.close(descriptor)
    return nowhere if directive is None else (directive.line, directive.column)
