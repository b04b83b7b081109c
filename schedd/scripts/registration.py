"""From a header to a schedule: all that is wrong with it, and all that is odd about it, in one pass.

A script is registered as its author wrote it or not at all. Nothing is guessed (see `values`), and a
directive that this version does not have is refused by name, since a script that asks for `@lock` was
written in the belief that it will be alone.

Only `_Clerk` knows about lines and columns. A schema library was rejected: none of them gives a place
inside a comment line. What two directives mean together is looked at last; a pair that does no harm but
cannot do what it says is a warning.
"""

import functools
import itertools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from schedd.errors import TimetableError
from schedd.fire import Reason
from schedd.schedule import Catchup, FileStamp, Overlap, Schedule
from schedd.scripts import values
from schedd.scripts.directives import UNSUPPORTED, Directive, Header, Problem, read_header
from schedd.timetable import words
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

Value = TypeVar("Value")

MOST_SHARED: Final = 100_000
"""How many timetables are remembered for sharing; a few hundred are usual."""

_MIDNIGHT = Slot(1_704_067_200)
"""2024-01-01, a Monday: from here on slots are looked at, to learn how far apart they are."""
_LOOKED_AT = 12
"""So many slots show a pattern of every few minutes; what comes less often has no need of a warning."""
_NO_CATCHUP: tuple[Catchup, int | None] = (Catchup.NONE, None)
_OF_SLOTS = {
    "catchup": "that could be missed",
    "deadline": "to be late for",
    "jitter": "to move",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds where a header is silent (settings of the configuration). 0 ms = unlimited."""

    timezone: str = "UTC"
    timeout_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file that a header was read from."""

    script: str
    """Relative to the scripts directory."""
    path: str
    """Absolute."""
    sha256: str
    stamp: FileStamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a file turned out to be. A file that is no script has neither a schedule nor problems."""

    stamp: FileStamp
    schedule: Schedule | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    needs: tuple[tuple[str, Problem], ...] = ()
    """Absolute paths that have to be there when it runs, each with the warning for when it is not."""

    def is_of(self, info: os.stat_result) -> bool:
        """Tell whether the file is still the one that was read."""
        stamp = self.stamp
        return (
            info.st_mtime_ns == stamp.mtime_ns and info.st_size == stamp.size and info.st_ino == stamp.inode
        )


WITHHELD = "(withheld)"


class Registrar:
    """Registers scripts under the same defaults, and lets those with the same timetable share one.

    Making the timetable is most of the work of registering a script, and thousands of scripts say
    `0 * * * *`. New defaults or new zone data want a new registrar.
    """

    def __init__(self, defaults: Defaults) -> None:
        self._defaults = defaults
        self._timetables: dict[tuple[str, str], Timetable] = {}

    def register(self, header: Header, source: Source) -> Finding:
        """Return the schedule that a header with `@schedule` asks for, or all that is wrong with it."""
        clerk = _Clerk(header, source.script, self._timetable)
        clerk.refuse_unsupported()
        clerk.refuse_websocket()
        schedule = self._schedule(clerk, source)
        problems = tuple(sorted((*header.problems, *clerk.problems), key=position))
        if problems:
            return Finding(stamp=source.stamp, problems=problems, warnings=header.warnings)
        clerk.weigh(schedule)
        warnings = tuple(sorted((*header.warnings, *clerk.warnings), key=position))
        said = tuple(f"line {warning.line}: {warning.reason}" for warning in warnings)
        schedule = replace(schedule, warnings=said)
        needs = clerk.needs(schedule)
        return Finding(stamp=source.stamp, schedule=schedule, warnings=warnings, needs=needs)

    def recall(self, script: str, path: str, *, header: str, sha256: str) -> Schedule | None:
        """Return what was registered under this `Schedule.header`; None if it cannot be followed any more."""
        source = Source(script=script, path=path, sha256=sha256, stamp=FileStamp(0, 0, 0))
        return self.register(read_header(header.encode(), script), source).schedule if header else None

    def _schedule(self, clerk: "_Clerk", source: Source) -> Schedule:
        """Read the whole header; what was wrong in it, the clerk remembers."""
        timezone = clerk.value("timezone", values.needed, default=self._defaults.timezone)
        timeout_ms = clerk.value("timeout", values.timeout, default=self._defaults.timeout_ms)
        overlap = clerk.value("overlap", values.overlap, default=Overlap.SKIP)
        catchup, within_ms = clerk.value("catchup", values.catchup, default=_NO_CATCHUP)
        tokens = clerk.values("token", values.token)
        read_env_file = functools.partial(values.env_file, script=source.script, path=source.path)
        read_cwd = functools.partial(values.directory, path=source.path)
        return Schedule(
            script=source.script,
            path=source.path,
            expression=clerk.expression,
            timezone=timezone,
            timetable=clerk.timetable(timezone),
            timeout_ms=timeout_ms,
            schedule_timeout_ms=clerk.value("schedule-timeout", values.timeout, default=timeout_ms),
            enabled=clerk.value("enabled", values.boolean, default=True),
            overlap=overlap,
            max_runs=clerk.value(
                "concurrent", values.concurrent, default=None if overlap is Overlap.ALLOW else 1
            ),
            catchup=catchup,
            catchup_within_ms=within_ms,
            deadline_ms=clerk.value("deadline", values.deadline, default=None),
            retry=clerk.value("retry", values.retry, default=None),
            guarded=bool(tokens),
            secrets=tokens,
            description=clerk.text("description"),
            label=clerk.text("label"),
            tags=clerk.tags(),
            env=clerk.env(),
            env_file=clerk.value("env-file", read_env_file, default=None),
            cwd=clerk.value("cwd", read_cwd, default=None),
            umask=clerk.value("umask", values.umask, default=None),
            nice=clerk.value("nice", values.nice, default=None),
            runtime=clerk.value("runtime", values.runtime, default=None),
            sha256=source.sha256,
            stamp=source.stamp,
            header=clerk.summary(),
        )

    def _timetable(self, expression: str, zone: str, script: str, jitter_s: int) -> Timetable:
        if jitter_s:
            return Timetable.parse(expression, zone, seed=script, jitter_s=jitter_s)
        made = self._timetables.get((expression, zone))
        if made is None:
            made = Timetable.parse(expression, zone, seed=script)
            if not made.seed and len(self._timetables) < MOST_SHARED:
                self._timetables[expression, zone] = made
        return made


def position(problem: Problem) -> tuple[str, int, int]:
    """Return the sort key that puts problems in the order in which a person meets them."""
    return (problem.path, problem.line or 0, problem.column or 0)


class _Clerk:
    """Reads the values of one header and remembers what was wrong with them."""

    def __init__(self, header: Header, script: str, make: Callable[[str, str, str, int], Timetable]) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._make = make
        self._header = header
        self._script = script

    def summary(self) -> str:
        """Return the directives, as a header that means the same; the words of `@token` are left out."""
        lines = (
            f"# @{directive.name} {WITHHELD if directive.name == 'token' else directive.value}".rstrip()
            for directive in self._header.directives
        )
        return "\n".join(lines)

    @property
    def expression(self) -> str:
        directive = self._header.get("schedule")
        return "" if directive is None else directive.value

    def refuse_unsupported(self) -> None:
        for directive in self._header.directives:
            if directive.name in UNSUPPORTED:
                self._refuse(directive, f"@{directive.name} is not supported by this version: remove it")

    def refuse_websocket(self) -> None:
        directive = self._header.get("websocket")
        if directive is None or not self.value("websocket", values.flag, default=False):
            return
        reason = "@websocket scripts cannot be scheduled: remove @websocket or @schedule"
        self._refuse(directive, reason, Reason.WEBSOCKET)

    def timetable(self, timezone: str) -> Timetable:
        """Return the timetable; one that stands in for it, after a complaint about what is wrong with it."""
        return self._asked_for(timezone) or Timetable.parse("@reboot", "UTC")

    def value(self, name: str, read: Callable[[str], Value], *, default: Value) -> Value:
        """Return what a directive means; the default when it is absent or wrong."""
        directive = self._header.get(name)
        if directive is None:
            return default
        try:
            return read(directive.value)
        except ValueError as wrong:
            self._refuse(directive, f"@{name}: {wrong}")
            return default

    def values(self, name: str, read: Callable[[str], Value]) -> tuple[Value, ...]:
        """Return what each directive of this name means, without those that are wrong."""
        read_values: list[Value] = []
        for directive in self._header.all(name):
            try:
                read_values.append(read(directive.value))
            except ValueError as wrong:
                self._refuse(directive, f"@{name}: {wrong}")
        return tuple(read_values)

    def env(self) -> tuple[tuple[str, str], ...]:
        pairs: dict[str, str] = {}
        for directive in self._header.all("env"):
            try:
                name, value = values.env(directive.value, pairs)
            except ValueError as wrong:
                self._refuse(directive, f"@env: {wrong}")
            else:
                pairs[name] = value
        return tuple(pairs.items())

    def text(self, name: str) -> str | None:
        directive = self._header.get(name)
        return None if directive is None else directive.value or None

    def tags(self) -> tuple[str, ...]:
        lists = [found.value for found in self._header.directives if found.name in {"tags", "tag"}]
        return tuple(dict.fromkeys(tag for each in lists for tag in re.split(r"[,\s]+", each) if tag))

    def weigh(self, schedule: Schedule) -> None:
        """Warn of what a directive cannot do beside the others."""
        if schedule.timetable.next_after(Slot(-1)) is None:
            for name, slots in _OF_SLOTS.items():
                self._warn(name, f"@{name} does nothing here: @reboot has no slots {slots}")
            return
        retry, jitter_s = schedule.retry, schedule.timetable.jitter_s
        plain = replace(schedule.timetable, jitter_s=0, offset_s=0)
        apart_s = _apart_s(plain) if retry or jitter_s else None
        if apart_s is None:
            return
        often = words.of_interval(apart_s).lower()
        if retry and retry.first_ms >= apart_s * 1000:
            self._warn("retry", f"@retry waits too long: a new slot comes {often} and takes its place")
        if jitter_s > apart_s:
            self._warn("jitter", f"@jitter is longer than it need be: a slot comes {often}")

    def needs(self, schedule: Schedule) -> tuple[tuple[str, Problem], ...]:
        """Return the paths that a run cannot do without, each with what to say when it is not there."""
        return tuple(
            (
                path,
                self._remark(
                    directive, f"@{directive.name}: {path} does not exist: no run can start without it"
                ),
            )
            for directive, path in (
                (self._header.get("env-file"), schedule.env_file),
                (self._header.get("cwd"), schedule.cwd),
            )
            if directive is not None and path is not None
        )

    def _asked_for(self, timezone: str) -> Timetable | None:
        """Return the timetable, after a complaint about the zone, the expression or both when it is None."""
        directive = self._header.get("schedule")
        assert directive is not None
        jitter_s = self.value("jitter", values.jitter_s, default=0)
        if not directive.value:
            self._refuse(directive, "@schedule needs an expression, for example `30 2 * * *` or `@every 90s`")
            return None
        try:
            return self._make(directive.value, timezone, self._script, jitter_s)
        except TimetableError as wrong:
            reason = str(wrong)
        if (fault := _zone_fault(timezone)) is None:
            self._refuse(directive, reason)
            return None
        self._refuse(self._header.get("timezone"), fault)
        try:
            self._make(directive.value, "UTC", self._script, 0)
        except TimetableError as wrong:
            self._refuse(directive, str(wrong))
        return None

    def _refuse(self, directive: Directive | None, reason: str, cause: Reason = Reason.PREFLIGHT) -> None:
        line, column = (None, None) if directive is None else (directive.line, directive.column)
        self.problems.append(Problem(self._script, reason, line, column, cause))

    def _warn(self, name: str, reason: str) -> None:
        if directive := self._header.get(name):
            self.warnings.append(self._remark(directive, reason))

    def _remark(self, directive: Directive, reason: str) -> Problem:
        return Problem(self._script, reason, directive.line, directive.column)


def _zone_fault(timezone: str) -> str | None:
    """Return what is wrong with a zone's name, asked of an expression that nothing is wrong with."""
    try:
        Timetable.parse("0 0 * * *", timezone, seed="")
    except TimetableError as wrong:
        return str(wrong)
    return None


@functools.lru_cache(maxsize=1024)
def _apart_s(timetable: Timetable) -> int | None:
    """Return how far apart the slots are where they are farthest; None if too few were found."""
    slots = timetable.upcoming(_MIDNIGHT, _LOOKED_AT)
    if len(slots) < _LOOKED_AT:
        return None
    return max(later - early for early, later in itertools.pairwise(slots))
