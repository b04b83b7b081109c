"""What a scan found, against what is registered: the plan of a reload, before anything is changed.

A script that was registered and now fails keeps its last good registration, marked stale: a typing error
must not silently end a backup. The same goes for scripts below a directory that could not be read, since
nobody knows whether they are still there. Only a script that is certainly gone is removed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from schedd.schedule import Schedule
from schedd.scripts.directives import Problem

_NOT_DIRECTIVES = frozenset(
    {"path", "timetable", "sha256", "stamp", "header", "opening", "warnings", "stale"}
)
_DIRECTIVES = tuple(field.name for field in fields(Schedule) if field.name not in _NOT_DIRECTIVES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What there is in the scripts directory. All three are sorted by path."""

    schedules: tuple[Schedule, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    unread: tuple[str, ...] = ()
    """Directories that could not be read, relative; `.` is the scripts directory itself."""
    directories: tuple[str, ...] = field(default=(), compare=False)
    """Every directory that was read, absolute: where something new would appear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What a reload changes. Relative paths, sorted."""

    added: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    """Those of `kept` whose directives are not what they were; an edit below the header is no change."""
    failed: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    schedules: tuple[Schedule, ...]
    """What is to be registered from now on."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a script stands in the directory's first two levels, which have names of their own."""

    subdomain: str
    """The first directory; `default` for a script at the top."""
    exec_id: str | None
    """The second directory; None when there is none."""


def compare(registered: Mapping[str, Schedule], scan: Scan) -> Diff:
    """Return the difference between what is registered (by relative path) and what a scan found."""
    found = {schedule.script: schedule for schedule in scan.schedules}
    reasons = _reasons(registered, scan)
    stale = {
        script: _stale(registered[script], reason)
        for script, reason in reasons.items()
        if script not in found
    }
    after = found | stale
    kept = sorted(after.keys() & registered.keys())
    return Diff(
        added=tuple(sorted(found.keys() - registered.keys())),
        kept=tuple(kept),
        removed=tuple(sorted(registered.keys() - after.keys())),
        changed=tuple(
            script
            for script in kept
            if registered[script] is not after[script]
            and _directives(registered[script]) != _directives(after[script])
        ),
        failed=scan.problems,
        warnings=scan.warnings,
        schedules=tuple(after[script] for script in sorted(after)),
    )


def placement(script: str) -> Placement:
    """Return where a script (its relative path) stands."""
    parts = script.split("/")
    return Placement(parts[0] if len(parts) > 1 else "default", parts[1] if len(parts) > 2 else None)


def _reasons(registered: Mapping[str, Schedule], scan: Scan) -> dict[str, str]:
    """Return why each registered script fails now: its own first problem, or that of a directory above."""
    reasons: dict[str, str] = {}
    for problem in scan.problems:
        reasons.setdefault(problem.path, _in_words(problem))
    below = {
        script: reasons[directory]
        for directory in scan.unread
        for script in registered
        if directory == "." or script.startswith(directory + "/")
    }
    return below | {script: reason for script, reason in reasons.items() if script in registered}


def _in_words(problem: Problem) -> str:
    return problem.reason if problem.line is None else f"line {problem.line}: {problem.reason}"


def _stale(schedule: Schedule, reason: str) -> Schedule:
    return schedule if schedule.stale == reason else replace(schedule, stale=reason)


def _directives(schedule: Schedule) -> tuple[object, ...]:
    timetable = schedule.timetable
    return (timetable.jitter_s, timetable.observance, *(getattr(schedule, name) for name in _DIRECTIVES))
