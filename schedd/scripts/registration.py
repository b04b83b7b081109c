"""From a header to a schedule: what each directive's value means, and what is wrong with it.

A script is registered as its author wrote it or not at all. Nothing is guessed, and a directive that this
version does not have is refused by name, since a script that asks for `@retry` was written in the belief
that it will be retried. All problems of a file are found in one pass.

Values are read by small functions that return what the text means or raise ValueError with a sentence
that says what to write instead; only `_Clerk` knows about lines and columns. A schema library was
rejected: none of them gives a place inside a comment line.
"""

import posixpath
import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import TypeVar

from schedd.errors import TimetableError
from schedd.fire import Reason
from schedd.schedule import FileStamp, Overlap, Schedule
from schedd.scripts.directives import UNSUPPORTED, Directive, Header, Problem
from schedd.timetable import duration
from schedd.timetable.timetable import Timetable

Value = TypeVar("Value")

LONGEST_TIMEOUT_MS = 365 * 24 * 3600 * 1000
"""A year: whoever means more means `unlimited`, and a mistyped unit should not pass for it."""

MOST_RUNS = 1000
"""The largest `@concurrent N`; beyond any machine, so that N stays a number one can think about."""

MOST_SHARED = 100_000
"""How many timetables are remembered for sharing; a few hundred are usual."""

_UNLIMITED = frozenset({"0", "unlimited", "none"})
_OVERLAPS = {overlap.value: overlap for overlap in Overlap} | {
    "Forbid": Overlap.SKIP,
    "Replace": Overlap.REPLACE,
    "Allow": Overlap.ALLOW,
}
_RUNTIMES = ("python", "node", "program")
_NUMBER = re.compile(r"[0-9]{1,15}")
_UMASK = re.compile(r"0?[0-7]{3}")
_NICE = re.compile(r"[+-]?[0-9]{1,2}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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


class Registrar:
    """Registers scripts under the same defaults, and lets those with the same timetable share one.

    Making the timetable is most of the work of registering a script, and thousands of scripts say
    `0 * * * *`. New defaults or new zone data want a new registrar.
    """

    def __init__(self, defaults: Defaults) -> None:
        self._defaults = defaults
        self._timetables: dict[tuple[str, str], Timetable] = {}

    def register(self, header: Header, source: Source) -> Schedule | tuple[Problem, ...]:
        """Return the schedule that a header with `@schedule` asks for, or all that is wrong with it."""
        clerk = _Clerk(header, source.script, self._timetable)
        clerk.refuse_unsupported()
        clerk.refuse_websocket()
        timezone = clerk.value("timezone", _needed, default=self._defaults.timezone)
        timetable = clerk.timetable(timezone)
        timeout_ms = clerk.value("timeout", timeout, default=self._defaults.timeout_ms)
        schedule_timeout_ms = clerk.value("schedule-timeout", timeout, default=timeout_ms)
        overlap = clerk.value("overlap", _overlap, default=Overlap.SKIP)
        max_runs = clerk.value("concurrent", _concurrent, default=None if overlap is Overlap.ALLOW else 1)
        enabled = clerk.value("enabled", _boolean, default=True)
        tokens = clerk.values("token", _token)
        env = clerk.env()
        env_file = clerk.value("env-file", lambda text: _env_file(text, source), default=None)
        cwd = clerk.value("cwd", lambda text: _cwd(text, source), default=None)
        umask = clerk.value("umask", _umask, default=None)
        nice = clerk.value("nice", _nice, default=None)
        runtime = clerk.value("runtime", _runtime, default=None)
        problems = tuple(sorted((*header.problems, *clerk.problems), key=position))
        if problems or timetable is None:
            return problems
        return Schedule(
            script=source.script,
            path=source.path,
            expression=clerk.expression,
            timezone=timezone,
            timetable=timetable,
            timeout_ms=timeout_ms,
            schedule_timeout_ms=schedule_timeout_ms,
            enabled=enabled,
            overlap=overlap,
            max_runs=max_runs,
            guarded=bool(tokens),
            secrets=tokens,
            description=clerk.text("description"),
            label=clerk.text("label"),
            tags=clerk.tags(),
            env=env,
            env_file=env_file,
            cwd=cwd,
            umask=umask,
            nice=nice,
            runtime=runtime,
            sha256=source.sha256,
            stamp=source.stamp,
            warnings=tuple(f"line {warning.line}: {warning.reason}" for warning in header.warnings),
        )

    def _timetable(self, expression: str, zone: str, script: str) -> Timetable:
        made = self._timetables.get((expression, zone))
        if made is None:
            made = Timetable.parse(expression, zone, seed=script)
            if not made.seed and len(self._timetables) < MOST_SHARED:
                self._timetables[expression, zone] = made
        return made


def position(problem: Problem) -> tuple[str, int, int]:
    """Return the sort key that puts problems in the order in which a person meets them."""
    return (problem.path, problem.line or 0, problem.column or 0)


def timeout(text: str) -> int:
    """Return a limit in milliseconds; 0 = unlimited. Raises ValueError saying what to write."""
    if text in _UNLIMITED:
        return 0
    advice = "write a duration such as 90s, 20m or 1h30m, a number of milliseconds, or unlimited"
    if _NUMBER.fullmatch(text):
        limit_ms = int(text)
    else:
        try:
            limit_ms = duration.parse_ms(text)
        except ValueError as wrong:
            raise ValueError(f"{_quoted(text)} is not a time limit: {advice}") from wrong
    if limit_ms > LONGEST_TIMEOUT_MS:
        raise ValueError(f"{_quoted(text)} is longer than 365d: write a shorter one, or unlimited")
    if limit_ms == 0:
        raise ValueError(f"{_quoted(text)} is no time at all: {advice}")
    return limit_ms


class _Clerk:
    """Reads the values of one header and remembers what was wrong with them."""

    def __init__(self, header: Header, script: str, make: Callable[[str, str, str], Timetable]) -> None:
        self.problems: list[Problem] = []
        self._make = make
        self._header = header
        self._script = script

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
        if directive is None or not self.value("websocket", _flag, default=False):
            return
        reason = "@websocket scripts cannot be scheduled: remove @websocket or @schedule"
        self._refuse(directive, reason, Reason.WEBSOCKET)

    def timetable(self, timezone: str) -> Timetable | None:
        """Return the timetable, after a complaint about the zone, the expression or both when it is None."""
        directive = self._header.get("schedule")
        assert directive is not None
        if not directive.value:
            self._refuse(directive, "@schedule needs an expression, for example `30 2 * * *` or `@every 90s`")
            return None
        try:
            return self._make(directive.value, timezone, self._script)
        except TimetableError as wrong:
            reason = str(wrong)
        if (fault := _zone_fault(timezone)) is None:
            self._refuse(directive, reason)
            return None
        self._refuse(self._header.get("timezone"), fault)
        try:
            self._make(directive.value, "UTC", self._script)
        except TimetableError as wrong:
            self._refuse(directive, str(wrong))
        return None

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
                name, value = _env(directive.value, pairs)
            except ValueError as wrong:
                self._refuse(directive, f"@env: {wrong}")
            else:
                pairs[name] = value
        return tuple(pairs.items())

    def text(self, name: str) -> str | None:
        directive = self._header.get(name)
        return None if directive is None else directive.value or None

    def tags(self) -> tuple[str, ...]:
        values = [
            directive.value for directive in self._header.directives if directive.name in {"tags", "tag"}
        ]
        return tuple(dict.fromkeys(tag for value in values for tag in re.split(r"[,\s]+", value) if tag))

    def _refuse(self, directive: Directive | None, reason: str, cause: Reason = Reason.PREFLIGHT) -> None:
        line, column = (None, None) if directive is None else (directive.line, directive.column)
        self.problems.append(Problem(self._script, reason, line, column, cause))


def _zone_fault(timezone: str) -> str | None:
    """Return what is wrong with a zone's name, asked of an expression that nothing is wrong with."""
    try:
        Timetable.parse("0 0 * * *", timezone, seed="")
    except TimetableError as wrong:
        return str(wrong)
    return None


def _needed(text: str) -> str:
    if not text:
        raise ValueError("it needs a value")
    return text


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(f"{_quoted(text)} is neither: write true or false")
    return text == "true"


def _flag(text: str) -> bool:
    return not text or _boolean(text)


def _overlap(text: str) -> Overlap:
    if text not in _OVERLAPS:
        raise ValueError(f"{_quoted(text)} is not a policy: write {', '.join(Overlap)}")
    return _OVERLAPS[text]


def _concurrent(text: str) -> int | None:
    if text in {"true", "false"}:
        return None if text == "true" else 1
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MOST_RUNS:
        raise ValueError(f"{_quoted(text)} will not do: write true, false or a number from 1 to {MOST_RUNS}")
    return int(text)


def _token(text: str) -> str:
    # The text itself must not appear: problems are shown to everybody.
    if not text or any(char.isspace() for char in text):
        raise ValueError("write one word without spaces")
    return text


def _env(text: str, taken: Container[str]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{_quoted(text)} sets nothing: write NAME=value")
    if not _ENV_NAME.fullmatch(name):
        raise ValueError(f"{_quoted(name)} is not a name: write letters, digits and _, no space around the =")
    if name.startswith("SCHEDD_"):
        raise ValueError(f"{name} is for schedd to set: choose a name that does not start with SCHEDD_")
    if name in taken:
        raise ValueError(f"{name} is set twice: keep one")
    if len(value) >= 2 and value[0] in {"'", '"'} and value[-1] == value[0]:
        value = value[1:-1]
    return name, value


def _env_file(text: str, source: Source) -> str:
    """A relative file belongs to the scripts and stays among them; one from elsewhere is named in full."""
    path = _anchored(text, source)
    above = source.path.removesuffix(source.script)
    if not text.startswith("/") and not path.startswith(above):
        raise ValueError(f"{_quoted(text)} leaves the scripts directory: write its absolute path")
    return path


def _cwd(text: str, source: Source) -> str:
    return _anchored(text, source)


def _anchored(text: str, source: Source) -> str:
    _needed(text)
    if text.startswith("~"):
        raise ValueError(f"{_quoted(text)}: ~ means nobody's home here, write an absolute path")
    return posixpath.normpath(posixpath.join(posixpath.dirname(source.path), text))


def _umask(text: str) -> int:
    if not _UMASK.fullmatch(text):
        raise ValueError(
            f"{_quoted(text)} is not a file mode mask: write three octal digits, for example 027"
        )
    return int(text, 8)


def _nice(text: str) -> int:
    if not _NICE.fullmatch(text) or not -20 <= int(text) <= 19:
        raise ValueError(f"{_quoted(text)} is not a nice value: write a number from -20 to 19")
    return int(text)


def _runtime(text: str) -> str:
    if text in _RUNTIMES:
        return text
    if not text.startswith("/") or text.endswith("/"):
        names = ", ".join(_RUNTIMES)
        raise ValueError(f"{_quoted(text)} is unknown: write {names}, or an interpreter's absolute path")
    return text


def _quoted(text: str) -> str:
    """Show a value in a sentence, cut where it would drown the rest."""
    return repr(text if len(text) <= 60 else text[:59] + "…")
