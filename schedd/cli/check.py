"""`schedd check`: what a reload would say of a scripts directory, without a daemon; for git hooks and CI.

Who owns the files says nothing about a checkout, so the owner of the directory itself counts as trusted
here; what others may write is refused as the daemon refuses it.
"""

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from schedd import config
from schedd.cli import screen
from schedd.cli.main import EXIT_FAILED
from schedd.cli.options import config_option, json_option
from schedd.cli.screen import Cell, Column
from schedd.config import Config
from schedd.daemon import record
from schedd.daemon.settings import defaults_of, tools_of
from schedd.host import cgroup
from schedd.host.clock import SystemClock
from schedd.runner.preflight import Preflight
from schedd.schedule import Keepers, Schedule
from schedd.scripts import preflight
from schedd.scripts.catalogue import Scan
from schedd.scripts.directives import Problem
from schedd.scripts.registration import Defaults
from schedd.scripts.scan import Scanner
from schedd.timetable.instant import Slot, from_slot

NEXT = 3
"""So many slots of each script tell a daily from a monthly one."""


@click.command("check")
@click.argument("directory", type=click.Path(), metavar="[DIR]", required=False)
@click.option("--next", "shows_next", is_flag=True, help=f"Show the next {NEXT} slots of each script, too.")
@click.option(
    "--elsewhere",
    is_flag=True,
    help="The scripts run on another host: an interpreter or @requires that is not met here is a warning.",
)
@config_option
@json_option
def check_verb(
    directory: str | None, *, shows_next: bool, elsewhere: bool, config_file: str | None, as_json: bool
) -> int:
    """Check a scripts directory; for git hooks and CI.

    Headers, interpreters, syntax, @requires: all that a reload would look at. Nothing of a script is run.
    Prints path:line:column: text for each problem and each warning, and exits with 1 if there is a
    problem. DIR is by default the configured scripts directory.
    """
    settings = config.load(file=config_file)
    root = directory or settings.scripts_dir
    found = _checked(root, settings, elsewhere=elsewhere)
    upcoming = _upcoming(found.schedules) if shows_next else {}
    if as_json:
        answer = {
            "scripts": len(found.schedules),
            "problems": [_item(problem) for problem in found.problems],
            "warnings": [_item(warning) for warning in found.warnings],
        }
        if shows_next:
            answer["next"] = {
                script: [from_slot(slot) for slot in slots] for script, slots in upcoming.items()
            }
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        if shows_next:
            _show_next(found.schedules, upcoming)
        for problem in found.problems:
            click.echo(_located(root, problem, ""))
        for warning in found.warnings:
            click.echo(_located(root, warning, "warning: "))
        click.echo(_sum(len(found.schedules), len(found.problems), len(found.warnings)))
    return EXIT_FAILED if found.problems else 0


def _checked(root: str, settings: Config, *, elsewhere: bool) -> Scan:
    """Look at the directory as a daemon would at its first reload."""
    scanner = Scanner(root, defaults=_defaults(settings, elsewhere=elsewhere), trusted_uids=trusted(root))
    examiner = Preflight(tools_of(settings), scripts_dir=root, monotonic=SystemClock().monotonic)
    found = preflight.examined(scanner.scan(), examiner, elsewhere=elsewhere)
    return replace(found, warnings=(*found.warnings, *record.overruled(found.schedules)))


def _upcoming(schedules: Sequence[Schedule]) -> dict[str, list[Slot]]:
    now = Slot(SystemClock().now_ms() // 1000)
    return {schedule.script: list(schedule.timetable.to_run(now, NEXT)) for schedule in schedules}


def _show_next(schedules: Sequence[Schedule], upcoming: dict[str, list[Slot]]) -> None:
    """Show slots on the clock of each script's zone; a pipe gets them in UTC."""
    columns = (Column("Script"), *(Column("Next" if at == 0 else "", drop=at) for at in range(NEXT)))
    rows = []
    for schedule in schedules:
        zone = ZoneInfo(schedule.timezone)
        cells = [
            Cell(from_slot(slot), f"{datetime.fromtimestamp(slot, zone):%a %Y-%m-%d %H:%M:%S %Z}")
            for slot in upcoming[schedule.script]
        ]
        rows.append((Cell(schedule.script), *cells, *[Cell("")] * (NEXT - len(cells))))
    screen.show(columns, rows, empty="No scripts.")
    if screen.of(sys.stdout).terminal:
        click.echo()


def _defaults(settings: Config, *, elsewhere: bool) -> Defaults:
    """What this process may become, or has been given, says nothing of the daemon that will run the scripts.

    But what this host does not have at all, a daemon on it will not have either.
    """
    keepers = Keepers() if elsewhere else Keepers.by_controllers(cgroup.available())
    defaults = defaults_of(settings, keepers)
    return replace(defaults, accounts=defaults.accounts.elsewhere())


def trusted(root: str) -> set[int]:
    """Return whose files are believed: those of who asks, and of the directory's owner."""
    uids = {os.geteuid()}
    with contextlib.suppress(OSError):
        uids.add(os.stat(root).st_uid)
    return uids


def _item(problem: Problem) -> dict[str, object]:
    return {"path": problem.path, "line": problem.line, "column": problem.column, "reason": problem.reason}


def _located(root: str, problem: Problem, kind: str) -> str:
    path = os.path.normpath(os.path.join(root, problem.path))
    place = path if problem.line is None else f"{path}:{problem.line}:{problem.column or 1}"
    return f"{screen.clean(place)}: {kind}{screen.clean(problem.reason)}"


def _sum(scripts: int, problems: int, warnings: int) -> str:
    fine = f"{_counted(scripts, 'script')} fine, {_counted(problems, 'problem')}"
    return f"{fine}, {_counted(warnings, 'warning')}" if warnings else fine


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
