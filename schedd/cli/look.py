"""The verbs that look at the daemon: list, next, runs, output; `history` has a module of its own."""

import asyncio
import heapq
import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from schedd.cli import client, moments, screen, where
from schedd.cli.options import daemon_options, json_option
from schedd.cli.screen import WARN, Cell, Column
from schedd.errors import TimetableError
from schedd.host.clock import SystemClock
from schedd.timetable.instant import Slot, from_slot, to_ms
from schedd.timetable.timetable import Timetable

MAX_NEXT = 10_000


@click.command("list")
@json_option
@daemon_options
def list_verb(socket: str | None, url: str | None, token_file: str | None, *, as_json: bool) -> int:
    """List the registered scripts, with their last and next fires.

    In a pipe: status, script, expression, time zone, next fire, last status, last end, why it is paused;
    separated by tabs.
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
    )
    rows = [_schedule_row(schedule, now_ms) for schedule in answer["schedules"]]
    pauses = [schedule["pause"] for schedule in answer["schedules"] if schedule.get("pause")]
    if not pauses:
        columns = columns[:-1]
    if screen.of(sys.stdout).terminal:
        _tell_maintenance(pauses, now_ms)
    screen.show(columns, rows, empty="No script is registered; `schedd reload` says why not.")
    return 0


@click.command("next")
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1, MAX_NEXT),
    default=10,
    show_default=True,
    help="How many fires to show.",
)
@json_option
@daemon_options
def next_verb(
    socket: str | None, url: str | None, token_file: str | None, *, count: int, as_json: bool
) -> int:
    """Show what fires next.

    In a pipe: slot, script, expression; separated by tabs.
    """
    target = where.find(socket=socket, url=url, token_file=token_file)
    answer = client.ask(target, "GET", "/schedules/list", has="schedules")
    coming = heapq.merge(*(_slots(schedule) for schedule in answer["schedules"]), key=lambda slot: slot[0])
    fires = list(itertools.islice(coming, count))
    if as_json:
        keys = ("slot", "scriptPath", "expression")
        click.echo(json.dumps([dict(zip(keys, fire, strict=True)) for fire in fires], ensure_ascii=False))
        return 0
    now_ms = SystemClock().now_ms()
    rows = [
        (
            _away(slot, now_ms),
            Cell(slot, moments.wall(to_ms(slot), now_ms=now_ms)),
            Cell(script),
            Cell(expression),
        )
        for slot, script, expression in fires
    ]
    columns = (Column("In", drop=1), Column("At"), Column("Script"), Column("Schedule", drop=2))
    piped = [row[1:] for row in rows]
    terminal = screen.of(sys.stdout).terminal
    screen.show(columns if terminal else columns[1:], rows if terminal else piped, empty="Nothing will fire.")
    return 0


@click.command("runs")
@json_option
@daemon_options
def runs_verb(socket: str | None, url: str | None, token_file: str | None, *, as_json: bool) -> int:
    """Show what runs now, and what is held.

    In a pipe: state, script, run, kind, start, slot, pid, when it is due; separated by tabs.
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
    )
    rows = [_run_row(run, now_ms) for run in answer["runs"]]
    screen.show(columns, rows, empty="Nothing runs, and nothing is held.")
    return 0


@click.command("output")
@click.argument("run")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@daemon_options
def output_verb(
    socket: str | None, url: str | None, token_file: str | None, *, run: str, follow: bool
) -> int:
    """Show what a run printed.

    RUN is a run's id, as in `schedd history` and `schedd runs`. The bytes are those of the run, as they
    are.
    """
    target = where.find(socket=socket, url=url, token_file=token_file)
    asyncio.run(_pour(target, run_path(run, "output"), {"follow": "true"} if follow else {}))
    return 0


def run_path(run: str, what: str) -> str:
    """Return the path of something of a run; a usage error when the id cannot be one."""
    if not run.isascii() or not run.replace("-", "").isalnum():
        raise click.UsageError(
            f"{run!r} is not the id of a run; `schedd history` and `schedd runs` show them."
        )
    return f"/runs/{run}/{what}"


async def _pour(target: where.Target, path: str, params: dict[str, str]) -> None:
    async with client.Client(target) as daemon:
        async for chunk in daemon.stream(path, params=params):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()


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
    )


def _away(slot: str, now_ms: int) -> Cell:
    return Cell("", moments.distance(to_ms(slot) - now_ms))


def _slots(schedule: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the coming slots of a schedule: those that the daemon lists, then those of its timetable."""
    script, expression = schedule["scriptRel"], schedule["expression"]
    listed = schedule.get("nextFires") or ([schedule["nextFire"]] if schedule["nextFire"] else [])
    for slot in listed:
        yield slot, script, expression
    if not listed:
        return
    try:
        jitter_s = schedule.get("jitterMs", 0) // 1000
        timetable = Timetable.parse(
            expression, schedule.get("timezone", "UTC"), seed=script, jitter_s=jitter_s
        )
    except TimetableError:
        # A newer daemon may know expressions that we don't; what it lists is right all the same.
        return
    after: Slot | None = Slot(to_ms(listed[-1]) // 1000)
    while after is not None and (after := timetable.next_after(after)) is not None:
        yield from_slot(after), script, expression
