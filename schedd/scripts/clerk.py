"""Reads the values of one header and remembers what was wrong with them.

Only the clerk knows about lines and columns. A schema library was rejected: none of them gives a place inside
a comment line.
"""

import functools
import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from schedd.errors import TimetableError
from schedd.fire import Reason
from schedd.schedule import Expectation, Keepers, Limits, Schedule
from schedd.scripts import expectations, limits, oddities, values
from schedd.scripts.accounts import Accounts
from schedd.scripts.calendars.shelf import Shelf
from schedd.scripts.directives import UNSUPPORTED, Directive, Header, Problem
from schedd.timetable.observance import Observance
from schedd.timetable.timetable import Timetable

Value = TypeVar("Value")

WITHHELD = "(withheld)"

_LIMITS = frozenset({"memory", "cpu", "pids", "shell-limit", "files"})
_UNLIMITED = Limits()


class Clerk:
    """Reads the values of one header and remembers what was wrong with them."""

    def __init__(
        self,
        header: Header,
        script: str,
        path: str,
        make: Callable[[str, str, str, int, Observance | None], Timetable],
        shelf: Shelf,
    ) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.calendar: tuple[str, str] | None = None
        self._shelf = shelf
        # Values of directives that name files, which are seen from where the script is.
        self.directory = functools.partial(values.directory, path=path)
        self.env_file = functools.partial(values.env_file, script=script, path=path)
        self.requirements = functools.partial(values.requirements, path=path)
        self._make = make
        self._header = header
        self._script = script
        self._first = {directive.name: directive for directive in reversed(header.directives)}

    def summary(self) -> str:
        """Return the directives, as a header that means the same; the words of `@token` are left out."""
        lines = (
            f"# @{directive.name} {WITHHELD if directive.name == 'token' else directive.value}".rstrip()
            for directive in self._header.directives
        )
        return "\n".join(lines)

    def lines(self) -> tuple[int, ...]:
        """Return where each directive stands."""
        return _shared(tuple(directive.line for directive in self._header.directives))

    @property
    def expression(self) -> str:
        """As written behind `@schedule`."""
        directive = self._first.get("schedule")
        return "" if directive is None else directive.value

    def refuse_unsupported(self) -> None:
        """Complain about directives that are only reserved."""
        for directive in self._header.directives:
            if directive.name in UNSUPPORTED:
                self._refuse(directive, f"@{directive.name} is not supported by this version: remove it")

    def refuse_websocket(self) -> None:
        """Complain about a script that serves a connection and cannot be scheduled."""
        directive = self._first.get("websocket")
        if directive is None or not self.value("websocket", values.flag, default=False):
            return
        reason = "@websocket scripts cannot be scheduled: remove @websocket or @schedule"
        self._refuse(directive, reason, Reason.WEBSOCKET)

    def timetable(self, timezone: str) -> Timetable:
        """Return the timetable; one that stands in for it, after a complaint about what is wrong with it."""
        return self._asked_for(timezone) or Timetable.parse("@reboot", "UTC")

    def value(self, name: str, read: Callable[[str], Value], *, default: Value) -> Value:
        """Return what a directive means; the default when it is absent or wrong."""
        directive = self._first.get(name)
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
        """Return the variables of `@env`; later ones may use earlier ones."""
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
        """Return a directive's value as it stands; None when it is absent or empty."""
        directive = self._first.get(name)
        return None if directive is None else directive.value or None

    def tags(self) -> tuple[str, ...]:
        """Return the words of `@tags` and of each `@tag`, once each."""
        lists = [found.value for found in self._header.directives if found.name in {"tags", "tag"}]
        return _tags("\n".join(lists)) if lists else ()

    def limits(self) -> Limits:
        """Return what a run may use at most."""
        if self._first.keys().isdisjoint(_LIMITS):
            return _UNLIMITED
        pids, alias = self._first.get("pids"), self._first.get("shell-limit")
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
        """Return the group that it runs in."""
        has_user = self._first.get("user") is not None
        return self.value("group", functools.partial(accounts.group, with_user=has_user), default=None)

    def expectations(self, cwd: str | None) -> tuple[Expectation, ...]:
        """Return the tests of `@expect`; relative paths are seen from where the script will run."""
        if "expect" not in self._first:
            return ()
        directory = self.directory(".") if cwd is None else cwd
        tests: list[Expectation] = []
        for directive in self._header.all("expect"):
            try:
                tests.append(expectations.read(directive.value, directory=directory, beside=tests))
            except ValueError as wrong:
                self._refuse_value(directive, wrong)
        return tuple(tests)

    def weigh(self, schedule: Schedule, keepers: Keepers, accounts: Accounts) -> None:
        """Warn of what a directive cannot do beside the others."""
        for oddity in oddities.of(schedule, keepers=keepers, own_user=accounts.own_user):
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
                (self._first.get("env-file"), schedule.env_file),
                (self._first.get("cwd"), schedule.cwd),
            )
            if directive is not None and path is not None
        )

    def _asked_for(self, timezone: str) -> Timetable | None:
        """Return the timetable, after a complaint about the zone, the expression or both when it is None."""
        directive = self._first.get("schedule")
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
        self._refuse(self._first.get("timezone"), fault)
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
        self._refuse(
            msgspec.structs.replace(directive, column=directive.column + at), f"@{directive.name}: {wrong}"
        )

    def _remark(self, directive: Directive, reason: str) -> Problem:
        return Problem(self._script, reason, directive.line, directive.column)


@functools.lru_cache(maxsize=4096)
def _tags(text: str) -> tuple[str, ...]:
    """Return the words of some lists; remembered, since thousands of scripts share few tags."""
    return tuple(dict.fromkeys(tag for tag in re.split(r"[,\s]+", text) if tag))


@functools.lru_cache(maxsize=4096)
def _shared(lines: tuple[int, ...]) -> tuple[int, ...]:
    """Return the same for equal ones: thousands of headers have the same shape."""
    return lines


def _zone_fault(timezone: str) -> str | None:
    """Return what is wrong with a zone's name, asked of an expression that nothing is wrong with."""
    try:
        Timetable.parse("0 0 * * *", timezone, seed="")
    except TimetableError as wrong:
        return str(wrong)
    return None
