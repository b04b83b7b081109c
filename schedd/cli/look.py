"""The verbs that look at the daemon: list and runs; others that look have modules of their own."""

import json
import sys
from typing import Any

import click

from schedd.cli import client, moments, screen, where
from schedd.cli.options import daemon_options, json_option
from schedd.cli.screen import WARN, Cell, Column
from schedd.host.clock import SystemClock
from schedd.insight.telling import length


@click.command("list")
@json_option
@daemon_options
def list_verb(socket: str | None, url: str | None, token_file: str | None, *, as_json: bool) -> int:
    """List the registered scripts, with their last and next fires.

    In a pipe: status, script, expression, time zone, next fire, last status, last end, why it is paused, how
    often it runs a day if its runs outlast its interval; separated by tabs.
    """
    target = where.find(socket=socket, url=url, token_file=token_file)
    answer = client.ask(target, "GET", "/schedules/list", has="schedules")
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
        return 0
    now_ms = SystemClock().now_ms()
    columns: tuple[Column, ...] = (
        Column("Status"),
        Column("Script"),
        Column("Schedule", drop=4),
        Column("Zone", drop=5),
        Column("Next", drop=1),
        Column("Last", drop=2),
        Column("Ended", drop=6),
        Column("Paused", drop=3, folds=True),
        Column("Lags", drop=3),
    )
    rows = [_schedule_row(schedule, now_ms) for schedule in answer["schedules"]]
    pauses = [schedule["pause"] for schedule in answer["schedules"] if schedule.get("pause")]
    if screen.of(sys.stdout).terminal:
        _tell_maintenance(pauses, now_ms)
        slow = any(schedule.get("cadence") for schedule in answer["schedules"])
        wanted = [title for title, there in (("Paused", pauses), ("Lags", slow)) if not there]
        kept = [n for n, column in enumerate(columns) if column.title not in wanted]
        columns, rows = tuple(columns[n] for n in kept), [tuple(row[n] for n in kept) for row in rows]
    screen.show(columns, rows, empty="No script is registered; `schedd reload` says why not.")
    return 0


@click.command("runs")
@json_option
@daemon_options
def runs_verb(socket: str | None, url: str | None, token_file: str | None, *, as_json: bool) -> int:
    """Show what runs now, and what is held.

    In a pipe: state, script, run, kind, start, slot, pid, when it is due, what it waits for; separated by
    tabs.
    """
    target = where.find(socket=socket, url=url, token_file=token_file)
    answer = client.ask(target, "GET", "/runs", has="runs")
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
        return 0
    now_ms = SystemClock().now_ms()
    columns = (
        Column("State"),
        Column("Script"),
        Column("Run"),
        Column("Kind", drop=2),
        Column("Started", drop=1),
        Column("Slot", drop=5),
        Column("PID", drop=4),
        Column("Due", drop=3),
        Column("Waits for", drop=3, folds=True),
    )
    rows = [_run_row(run, now_ms) for run in answer["runs"]]
    screen.show(columns, rows, empty="Nothing runs, and nothing is held.")
    return 0


def run_path(run: str, what: str) -> str:
    """Return the path of something of a run; a usage error when the id cannot be one."""
    if not run.isascii() or not run.replace("-", "").isalnum():
        raise click.UsageError(
            f"{run!r} is not the id of a run; `schedd history` and `schedd runs` show them."
        )
    return f"/runs/{run}/{what}"


def _schedule_row(schedule: dict[str, Any], now_ms: int) -> tuple[Cell, ...]:
    last, ended = schedule.get("lastFireStatus"), schedule.get("lastFireAt")
    return (
        screen.status(str(schedule.get("status", "scheduled"))),
        Cell(schedule["scriptRel"]),
        Cell(schedule["expression"]),
        Cell(str(schedule.get("timezone", ""))),
        screen.moment(schedule["nextFire"], now_ms=now_ms),
        Cell("", "-") if last is None else screen.status(last),
        screen.moment(ended, now_ms=now_ms),
        _why_paused(schedule.get("pause")),
        _lags(schedule.get("cadence")),
    )


def _tell_maintenance(pauses: list[dict[str, Any]], now_ms: int) -> None:
    """Say it once when everything is paused."""
    for pause in [pause for pause in pauses if pause["all"]][:1]:
        since = moments.both(pause["since"], now_ms=now_ms)
        until = "" if pause["until"] is None else f", until {moments.both(pause['until'], now_ms=now_ms)}"
        note = "" if pause["note"] is None else f": {pause['note']}"
        text = f"All scripts are paused by {pause['by']} ({since}{until}){note}"
        screen.line([(text, WARN)], piped=[])


def _why_paused(pause: dict[str, Any] | None) -> Cell:
    if pause is None:
        return Cell("")
    note = pause["note"] or ""
    return Cell(note, "maintenance" if pause["all"] else note or f"by {pause['by']}")


def _lags(cadence: dict[str, Any] | None) -> Cell:
    """Say how often it runs, and how long the middle one of its runs takes."""
    if cadence is None:
        return Cell("")
    badge = f"{cadence['ranPerDay']} of {cadence['slotsPerDay']} a day"
    long = f"{badge}, p50 {length(cadence['p50Ms'])}"
    return Cell(badge, f"! {long}", WARN, short=f"! {badge}")


def _waits_for(wait: dict[str, Any] | None) -> Cell:
    if wait is None:
        return Cell("")
    who = f" ({wait['scriptPath']}, run {wait['runId']})" if wait["runId"] else ""
    match wait["what"]:
        case "lock":
            return Cell(f"lock {wait['lock']}", f"the lock {wait['lock']}{who}", short=f"lock {wait['lock']}")
        case "run":
            return Cell("run", "the end of a run" if wait["runId"] is None else f"run {wait['runId']}")
        case "place":
            return Cell("place", "a free place")
        case "time":
            return Cell("time", "its time")
        case "turn":
            return Cell("turn", "its turn")
        case other:
            return Cell(str(other))


def _run_row(run: dict[str, Any], now_ms: int) -> tuple[Cell, ...]:
    started, slot, pid, due = (run.get(key) for key in ("startedAt", "slot", "pid", "due"))
    return (
        screen.status(str(run.get("state", "running"))),
        Cell(run["scriptPath"]),
        Cell(run["runId"]),
        Cell(run["kind"]),
        screen.moment(started, now_ms=now_ms),
        screen.moment(slot, now_ms=now_ms),
        Cell("" if pid is None else str(pid)),
        screen.moment(due, now_ms=now_ms),
        _waits_for(run.get("waitsFor")),
    )
