"""`schedd history`: how fires ended, and with -f how they end from now on.

-f asks again each second for what came since the newest entry it has seen. The live stream of the daemon
would be a second way to the same lines, with its own reconnecting; a second's delay is no loss to a
person who watches.
"""

import json
import os
import sys
from typing import Any, NoReturn

import click

from schedd.cli import client, moments, screen, where
from schedd.cli.main import complain
from schedd.cli.options import daemon_options, json_option
from schedd.cli.screen import DIM, Cell, Column
from schedd.errors import UnreachableError
from schedd.fire import REASONS, Kind, Status
from schedd.host import journald
from schedd.host.clock import SystemClock, sleep
from schedd.timetable import duration
from schedd.timetable.instant import from_ms, to_ms

LIMIT = 100
MAX_LIMIT = 1000
FIRST_FOLLOWED = 10
MAX_PAGES = 100
POLL_S = 1.0
FAILURES = frozenset({Status.ERROR, Status.TIMEOUT, Status.LOAD_ERROR, Status.INCOMPATIBLE})
NO_HISTORY = frozenset({Status.STALE_GENERATION, Status.UNREGISTERED, Status.SCHEDULER_NOT_READY})
STATUSES = [status.value for status in Status if status not in NO_HISTORY]
REASON_NAMES = sorted({reason.value for reasons in REASONS.values() for reason in reasons})

COLUMNS = (
    Column("Status"),
    Column("Script"),
    Column("Ended", drop=1),
    Column("Took", drop=2),
    Column("Kind", drop=3),
    Column("Run"),
    Column("Error", drop=4, folds=True),
)


Entry = dict[str, Any]


class Moment(click.ParamType[str]):
    """An instant, or how long ago; becomes the instant as the API wants it."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read an ISO 8601 instant with its offset, or a duration."""
        try:
            return from_ms(SystemClock().now_ms() - duration.parse_ms(value))
        except ValueError:
            pass
        try:
            return from_ms(to_ms(value))
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither an instant like 2027-01-31T09:00Z nor a duration like 2h.", param, ctx
            )


@click.command("history")
@click.option("-f", "--follow", is_flag=True, help="Show the last ones, oldest first, and go on until ^C.")
@click.option("--script", metavar="SCRIPT", help="Only this script: its path, relative or absolute.")
@click.option("--status", type=click.Choice(STATUSES), help="Only fires that ended so.")
@click.option(
    "--reason", type=click.Choice(REASON_NAMES), metavar="REASON", help="Only fires with this reason."
)
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), help="Only fires of this kind.")
@click.option("--since", type=Moment(), help="Only what ended at or after this instant, or this long ago.")
@click.option("--until", type=Moment(), help="Only what ended at or before this instant, or this long ago.")
@click.option(
    "-n", "--limit", type=click.IntRange(1, MAX_LIMIT), help=f"How many at most.  [default: {LIMIT}]"
)
@click.option("--rotated", is_flag=True, help="Look into the rotated fires logs too.")
@json_option
@daemon_options
def history_verb(
    socket: str | None,
    url: str | None,
    token_file: str | None,
    *,
    follow: bool,
    rotated: bool,
    limit: int | None,
    as_json: bool,
    script: str | None,
    **filters: str | None,
) -> int:
    """Show how fires ended, newest first.

    In a pipe: end, status, reason, script, kind, duration in ms, run, slot, error; separated by tabs.
    With --json: the daemon's answer; with -f too, one line for each fire.
    """
    target = where.find(socket=socket, url=url, token_file=token_file)
    params = {name: value for name, value in filters.items() if value is not None}
    if script is not None:
        params["scriptPath"] = script
    if rotated:
        params["includeRotated"] = "true"
    if follow:
        if "until" in params:
            raise click.UsageError("--until and -f exclude each other: what is followed has no end.")
        _follow(target, params, first=limit or FIRST_FOLLOWED, as_json=as_json)
    answer = client.ask(
        target, "GET", "/schedules/history", has="entries", params=params | {"limit": str(limit or LIMIT)}
    )
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
        return 0
    _show(answer["entries"])
    if target.socket is not None:
        _hint(answer["entries"])
    if answer.get("truncated") and screen.of(sys.stdout).terminal:
        complain("there is more; see it with --limit, --until or a filter")
    return 0


def _follow(target: where.Target, params: dict[str, str], *, first: int, as_json: bool) -> NoReturn:
    """Print entries as they come, oldest first, until somebody interrupts."""
    fresh = _pages(target, params | {"limit": str(first)}, pages=1)[::-1]
    newest = params.get("since") or from_ms(SystemClock().now_ms())
    seen = {entry["runId"] for entry in fresh}
    while True:
        _print(fresh, as_json=as_json)
        newest = fresh[-1]["ts"] if fresh else newest
        sleep(POLL_S)
        # A rotation between two looks must hide nothing.
        since = params | {"since": newest, "limit": str(MAX_LIMIT), "includeRotated": "true"}
        there = _pages_patiently(target, since)
        fresh = [entry for entry in reversed(there) if entry["runId"] not in seen]
        # Enough to tell the lines of the newest instant apart, and bounded.
        seen = {entry["runId"] for entry in there} or seen


def _pages_patiently(target: where.Target, params: dict[str, str]) -> list[Entry]:
    """Ask until the daemon answers: it may just be restarting, and its history waits for us."""
    silent = False
    while True:
        try:
            return _pages(target, params, pages=MAX_PAGES)
        except UnreachableError as problem:
            if not silent:
                complain(f"{problem}; still waiting for it")
            silent = True
            sleep(POLL_S)


def _pages(target: where.Target, params: dict[str, str], *, pages: int) -> list[Entry]:
    """Return the entries of an answer and of what continues it, newest first."""
    entries: list[Entry] = []
    for _ in range(pages):
        answer = client.ask(target, "GET", "/schedules/history", has="entries", params=params)
        entries += answer["entries"]
        if "cursor" not in answer:
            break
        params = params | {"cursor": answer["cursor"]}
    return entries


def _print(entries: list[Entry], *, as_json: bool) -> None:
    if as_json:
        for entry in entries:
            click.echo(json.dumps(entry, ensure_ascii=False))
    elif entries:
        _show(entries)
    sys.stdout.flush()


def _show(entries: list[Entry]) -> None:
    if screen.of(sys.stdout).terminal:
        now_ms = SystemClock().now_ms()
        screen.show(COLUMNS, [_row(entry, now_ms) for entry in entries], empty="Nothing was recorded.")
    else:
        screen.show((), [_piped(entry) for entry in entries], empty="")


def _hint(entries: list[Entry]) -> None:
    """Say where the newest failure is told from its first line on, where this host has a journal."""
    failed = next((entry for entry in entries if entry["status"] in FAILURES), None)
    if failed is not None and screen.of(sys.stdout).terminal and os.path.exists(journald.JOURNAL_SOCKET):
        screen.line([(f"the newest failure: journalctl SCHEDD_RUN_ID={failed['runId']}", DIM)], piped=())


def _row(entry: Entry, now_ms: int) -> tuple[Cell, ...]:
    count = entry.get("count")
    return (
        screen.status(entry["status"], reason=entry.get("reason")),
        Cell(entry["scriptPath"] + (f" (\u00d7{count})" if count else "")),
        screen.moment(entry["ts"], now_ms=now_ms),
        Cell(moments.length(entry["durationMs"])),
        Cell(entry["kind"]),
        Cell(entry["runId"]),
        Cell(entry.get("error", "")),
    )


def _piped(entry: Entry) -> tuple[Cell, ...]:
    keys = ("ts", "status", "reason", "scriptPath", "kind", "durationMs", "runId", "slot", "error")
    return tuple(Cell(str(entry.get(key, ""))) for key in keys)
