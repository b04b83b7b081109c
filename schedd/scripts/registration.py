"""From a header to a schedule: all that is wrong with it, and all that is odd about it, in one pass.

A script is registered as its author wrote it or not at all. Nothing is guessed (see `values`), and a
directive that this version does not have is refused by name, since a script that asks for `@notify` was
written in the belief that somebody will hear of it.

Only `_Clerk` knows about lines and columns. A schema library was rejected: none of them gives a place
inside a comment line. What directives mean together is looked at last (see `oddities`): a pair that does
no harm but cannot do what it says is a warning.
"""

import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from schedd.errors import TimetableError
from schedd.fire import Reason
from schedd.schedule import Catchup, Expectation, FileStamp, Keepers, Limits, Overlap, Schedule
from schedd.scripts import expectations, limits, oddities, values
from schedd.scripts.accounts import Accounts
from schedd.scripts.calendars.shelf import Shelf
from schedd.scripts.directives import UNSUPPORTED, Directive, Header, Problem, read_header
from schedd.timetable.observance import Observance
from schedd.timetable.timetable import Timetable

Value = TypeVar("Value")

MOST_SHARED: Final = 100_000
"""How many timetables are remembered for sharing; a few hundred are usual."""

_NO_CATCHUP: tuple[Catchup, int | None] = (Catchup.NONE, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds where a header is silent (settings of the configuration). 0 ms = unlimited."""

    timezone: str = "UTC"
    timeout_ms: int = 0
    accounts: Accounts = field(default_factory=Accounts)
    calendars_dir: str = ""
    """Empty = there are no calendars."""
    keepers: Keepers = field(default_factory=Keepers)
    """Of limits, where the scripts run."""


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
    calendar: tuple[str, str] | None = None
    """The calendar that it asks for, and the state that this one was in (see `Shelf.state`)."""

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

    def __init__(self, defaults: Defaults, shelf: Shelf | None = None) -> None:
        """`shelf` holds the calendars; it is for others to refresh."""
        self._defaults = defaults
        self._shelf = shelf or Shelf(defaults.calendars_dir, trusted_uids=())
        self._timetables: dict[tuple[str, str], Timetable] = {}

    def register(self, header: Header, source: Source) -> Finding:
        """Return the schedule that a header with `@schedule` asks for, or all that is wrong with it."""
        clerk = _Clerk(header, source, self._timetable, self._shelf)
        clerk.refuse_unsupported()
        clerk.refuse_websocket()
        schedule = self._schedule(clerk, source)
        problems = tuple(sorted((*header.problems, *clerk.problems), key=position))
        if problems:
            return Finding(
                stamp=source.stamp, problems=problems, warnings=header.warnings, calendar=clerk.calendar
            )
        clerk.weigh(schedule, self._defaults)
        warnings = tuple(sorted((*header.warnings, *clerk.warnings), key=position))
        said = tuple(f"line {warning.line}: {warning.reason}" for warning in warnings)
        lines = tuple(directive.line for directive in header.directives)
        schedule = replace(schedule, warnings=said, header_lines=lines)
        needs = clerk.needs(schedule)
        return Finding(
            stamp=source.stamp,
            schedule=schedule,
            warnings=warnings,
            needs=needs,
            calendar=clerk.calendar,
        )

    def stands(self, finding: Finding) -> bool:
        """Whether the calendar of a finding is as it was then; of one without a calendar it is."""
        return finding.calendar is None or self._shelf.state(finding.calendar[0]) == finding.calendar[1]

    def recall(self, script: str, path: str, *, header: str, sha256: str) -> Schedule | None:
        """Return what was registered under this `Schedule.header`; None if it cannot be followed any more."""
        source = Source(script=script, path=path, sha256=sha256, stamp=FileStamp(0, 0, 0))
        recalled = self.register(read_header(header.encode(), script), source).schedule if header else None
        return replace(recalled, header_lines=()) if recalled else None

    def _schedule(self, clerk: "_Clerk", source: Source) -> Schedule:
        """Read the whole header; what was wrong in it, the clerk remembers."""
        timezone = clerk.value("timezone", values.needed, default=self._defaults.timezone)
        timeout_ms = clerk.value("timeout", values.timeout, default=self._defaults.timeout_ms)
        overlap = clerk.value("overlap", values.overlap, default=Overlap.SKIP)
        catchup, within_ms = clerk.value("catchup", values.catchup, default=_NO_CATCHUP)
        tokens = clerk.values("token", values.token)
        cwd = clerk.value("cwd", clerk.directory, default=None)
        accounts = self._defaults.accounts
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
            env_file=clerk.value("env-file", clerk.env_file, default=None),
            cwd=cwd,
            umask=clerk.value("umask", values.umask, default=None),
            nice=clerk.value("nice", values.nice, default=None),
            runtime=clerk.value("runtime", values.runtime, default=None),
            mode=clerk.value("mode", values.mode, default=None),
            lock=clerk.value("lock", values.lock, default=None),
            limits=clerk.limits(),
            user=clerk.value("user", accounts.user, default=None),
            group=clerk.group(accounts),
            detach=clerk.value("detach", values.flag, default=False),
            requires=clerk.value("requires", clerk.requirements, default=()),
            expect=clerk.expectations(cwd),
            sha256=source.sha256,
            stamp=source.stamp,
            header=clerk.summary(),
        )

    def _timetable(
        self, expression: str, zone: str, script: str, jitter_s: int, observance: Observance | None
    ) -> Timetable:
        if jitter_s or observance is not None:
            return Timetable.parse(expression, zone, seed=script, jitter_s=jitter_s, observance=observance)
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

    def __init__(
        self,
        header: Header,
        source: Source,
        make: Callable[[str, str, str, int, Observance | None], Timetable],
        shelf: Shelf,
    ) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.calendar: tuple[str, str] | None = None
        self._shelf = shelf
        # Values of directives that name files, which are seen from where the script is.
        self.directory = functools.partial(values.directory, path=source.path)
        self.env_file = functools.partial(values.env_file, script=source.script, path=source.path)
        self.requirements = functools.partial(values.requirements, path=source.path)
        self._make = make
        self._header = header
        self._script = source.script

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
            self._refuse_value(directive, wrong)
            return default

    def values(self, name: str, read: Callable[[str], Value]) -> tuple[Value, ...]:
        """Return what each directive of this name means, without those that are wrong."""
        read_values: list[Value] = []
        for directive in self._header.all(name):
            try:
                read_values.append(read(directive.value))
            except ValueError as wrong:
                self._refuse_value(directive, wrong)
        return tuple(read_values)

    def env(self) -> tuple[tuple[str, str], ...]:
        pairs: dict[str, str] = {}
        for directive in self._header.all("env"):
            try:
                name, value = values.env(directive.value, pairs)
            except ValueError as wrong:
                self._refuse_value(directive, wrong)
            else:
                pairs[name] = value
        return tuple(pairs.items())

    def text(self, name: str) -> str | None:
        directive = self._header.get(name)
        return None if directive is None else directive.value or None

    def tags(self) -> tuple[str, ...]:
        lists = [found.value for found in self._header.directives if found.name in {"tags", "tag"}]
        return tuple(dict.fromkeys(tag for each in lists for tag in re.split(r"[,\s]+", each) if tag))

    def limits(self) -> Limits:
        pids, alias = self._header.get("pids"), self._header.get("shell-limit")
        if pids is not None and alias is not None:
            first, second = sorted((pids, alias), key=lambda directive: directive.line)
            what = f"@{second.name} means the same as @{first.name} in line {first.line}: keep one"
            self._refuse(second, what)
        most_pids = self.value("pids", limits.pids, default=None)
        most_aliased = self.value("shell-limit", limits.pids, default=None)
        return Limits(
            memory_bytes=self.value("memory", limits.memory_bytes, default=None),
            cpu_percent=self.value("cpu", limits.cpu_percent, default=None),
            pids=most_pids if alias is None else most_aliased,
            files=self.value("files", limits.files, default=None),
        )

    def group(self, accounts: Accounts) -> str | None:
        has_user = self._header.get("user") is not None
        return self.value("group", functools.partial(accounts.group, with_user=has_user), default=None)

    def expectations(self, cwd: str | None) -> tuple[Expectation, ...]:
        """Return the tests of `@expect`; relative paths are seen from where the script will run."""
        directory = self.directory(".") if cwd is None else cwd
        tests: list[Expectation] = []
        for directive in self._header.all("expect"):
            try:
                tests.append(expectations.read(directive.value, directory=directory, beside=tests))
            except ValueError as wrong:
                self._refuse_value(directive, wrong)
        return tuple(tests)

    def weigh(self, schedule: Schedule, defaults: Defaults) -> None:
        """Warn of what a directive cannot do beside the others."""
        own_user = defaults.accounts.own_user
        for oddity in oddities.of(schedule, keepers=defaults.keepers, own_user=own_user):
            named = self._header.all(oddity.directive)
            meant = [found for found in named if oddity.value in {None, found.value}]
            self.warnings += [self._remark(found, oddity.reason) for found in meant[:1]]

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
        observance = self.value("calendar", self._observance, default=None)
        if not directive.value:
            self._refuse(directive, "@schedule needs an expression, for example `30 2 * * *` or `@every 90s`")
            return None
        try:
            return self._make(directive.value, timezone, self._script, jitter_s, observance)
        except TimetableError as wrong:
            reason = str(wrong)
        if (fault := _zone_fault(timezone)) is None:
            self._refuse(directive, reason)
            return None
        self._refuse(self._header.get("timezone"), fault)
        try:
            self._make(directive.value, "UTC", self._script, 0, None)
        except TimetableError as wrong:
            self._refuse(directive, str(wrong))
        return None

    def _observance(self, text: str) -> Observance:
        """Return what `@calendar` asks for. Raises ValueError, also for what is wrong with the calendar."""
        name, how = values.calendar(text)
        self.calendar = name, self._shelf.state(name)
        observance = Observance(self._shelf.find(name), how)
        try:
            Timetable.check(observance)
        except TimetableError as wrong:
            raise ValueError(str(wrong)) from None
        return observance

    def _refuse(self, directive: Directive | None, reason: str, cause: Reason = Reason.PREFLIGHT) -> None:
        line, column = (None, None) if directive is None else (directive.line, directive.column)
        self.problems.append(Problem(self._script, reason, line, column, cause))

    def _refuse_value(self, directive: Directive, wrong: ValueError) -> None:
        """Complain about a value: where it begins, or where in it something is wrong."""
        at = wrong.at if isinstance(wrong, values.MisplacedError) else 0
        self._refuse(replace(directive, column=directive.column + at), f"@{directive.name}: {wrong}")

    def _remark(self, directive: Directive, reason: str) -> Problem:
        return Problem(self._script, reason, directive.line, directive.column)


def _zone_fault(timezone: str) -> str | None:
    """Return what is wrong with a zone's name, asked of an expression that nothing is wrong with."""
    try:
        Timetable.parse("0 0 * * *", timezone, seed="")
    except TimetableError as wrong:
        return str(wrong)
    return None
