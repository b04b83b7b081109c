"""From a header to a schedule: all that is wrong with it, and all that is odd about it, in one pass.

A script is registered as its author wrote it or not at all. Nothing is guessed (see `values`), and a
directive that this version does not have is refused by name, since a script that asks for `@notify` was
written in the belief that somebody will hear of it.

What a single directive says is read by the `clerk`, who knows about lines and columns. What directives mean
together is looked at last (see `oddities`): a pair that does no harm but cannot do what it says is a warning.
"""

import os
from dataclasses import dataclass, field, replace
from typing import Final

from schedd.schedule import Catchup, FileStamp, Keepers, Overlap, Schedule
from schedd.scripts import values
from schedd.scripts.accounts import Accounts
from schedd.scripts.calendars.shelf import Shelf
from schedd.scripts.clerk import Clerk
from schedd.scripts.directives import Header, Problem, read_header
from schedd.timetable.observance import Observance
from schedd.timetable.timetable import Timetable

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
    opening: bytes | None = None


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
        self._told: dict[str, tuple[str, str]] = {}
        self._openings: dict[bytes | None, bytes | None] = {}
        """Once each: thousands of scripts begin alike."""

    def register(self, header: Header, source: Source) -> Finding:
        """Return the schedule that a header with `@schedule` asks for, or all that is wrong with it."""
        clerk = Clerk(header, source.script, source.path, self._timetable, self._shelf)
        clerk.refuse_unsupported()
        clerk.refuse_websocket()
        schedule = self._schedule(clerk, source)
        problems = tuple(sorted((*header.problems, *clerk.problems), key=position))
        if problems:
            return Finding(
                stamp=source.stamp, problems=problems, warnings=header.warnings, calendar=clerk.calendar
            )
        clerk.weigh(schedule, self._defaults.keepers, self._defaults.accounts)
        warnings = tuple(sorted((*header.warnings, *clerk.warnings), key=position))
        if warnings:
            said = tuple(f"line {warning.line}: {warning.reason}" for warning in warnings)
            schedule = replace(schedule, warnings=said)
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

    def remember(self, script: str, *, header: str, sha256: str) -> None:
        """Share these words of the ledger with the schedule that says the same: half a kilobyte for each."""
        self._told[script] = header, sha256

    def recall(self, script: str, path: str, *, header: str, sha256: str) -> Schedule | None:
        """Return what was registered under this `Schedule.header`; None if it cannot be followed any more."""
        source = Source(script=script, path=path, sha256=sha256, stamp=FileStamp(0, 0, 0))
        recalled = self.register(read_header(header.encode(), script), source).schedule if header else None
        return replace(recalled, header_lines=()) if recalled else None

    def _schedule(self, clerk: Clerk, source: Source) -> Schedule:
        """Read the whole header; what was wrong in it, the clerk remembers."""
        timezone = clerk.value("timezone", values.needed, default=self._defaults.timezone)
        timeout_ms = clerk.value("timeout", values.timeout, default=self._defaults.timeout_ms)
        overlap = clerk.value("overlap", values.overlap, default=Overlap.SKIP)
        catchup, within_ms = clerk.value("catchup", values.catchup, default=_NO_CATCHUP)
        tokens = clerk.values("token", values.token)
        cwd = clerk.value("cwd", clerk.directory, default=None)
        accounts = self._defaults.accounts
        timetable = clerk.timetable(timezone)
        said = clerk.summary(), source.sha256
        told = self._told.pop(source.script, said)
        header, sha256 = told if told == said else said
        return Schedule(
            script=source.script,
            path=source.path,
            # The timetable's own words where they are the same: one copy for all that share it.
            expression=timetable.expression if timetable.expression == clerk.expression else clerk.expression,
            timezone=timetable.zone if timetable.zone == timezone else timezone,
            timetable=timetable,
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
            sha256=sha256,
            stamp=source.stamp,
            header=header,
            header_lines=clerk.lines(),
            opening=self._openings.setdefault(source.opening, source.opening),
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
