"""`schedd check`: what a reload would say of a scripts directory, without a daemon; for git hooks and CI.

Who owns the files says nothing about a checkout, so the owner of the directory itself counts as trusted
here; what others may write is refused as the daemon refuses it.
"""

import contextlib
import json
import os

import click

from schedd import config
from schedd.cli import screen
from schedd.cli.flags import config_option
from schedd.cli.main import EXIT_FAILED
from schedd.cli.options import json_option
from schedd.daemon.settings import defaults_of
from schedd.scripts.directives import Problem
from schedd.scripts.scan import Scanner


@click.command("check")
@click.argument("directory", type=click.Path(), metavar="[DIR]", required=False)
@config_option
@json_option
def check_verb(directory: str | None, *, config_file: str | None, as_json: bool) -> int:
    """Check a scripts directory; for git hooks and CI.

    Prints path:line:column: text for each problem and each warning, and exits with 1 if there is a
    problem. DIR is by default the configured scripts directory.
    """
    settings = config.load(file=config_file)
    root = directory or settings.scripts_dir
    found = Scanner(root, defaults=defaults_of(settings), trusted_uids=trusted(root)).scan()
    if as_json:
        answer = {
            "scripts": len(found.schedules),
            "problems": [_item(problem) for problem in found.problems],
            "warnings": [_item(warning) for warning in found.warnings],
        }
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        for problem in found.problems:
            click.echo(_located(root, problem, ""))
        for warning in found.warnings:
            click.echo(_located(root, warning, "warning: "))
        click.echo(_sum(len(found.schedules), len(found.problems), len(found.warnings)))
    return EXIT_FAILED if found.problems else 0


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
