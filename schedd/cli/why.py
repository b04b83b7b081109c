"""The verbs that ask what the record means: why, gaps; and replay, which runs what is missing."""

import json
import sys
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import click

from schedd.cli import client, moments, screen, where
from schedd.cli.history import Moment
from schedd.cli.main import EXIT_FAILED, complain
from schedd.cli.options import daemon_options, json_option
from schedd.cli.screen import BAD, DIM, GOOD, WARN, Cell, Column
from schedd.host.clock import SystemClock
from schedd.timetable import zone as zones
from schedd.timetable.instant import from_ms, to_ms

DAY_MS = 86_400_000
ONLY = click.Choice(["missing", "failed", "all"])
NO_GAPS = {
    "all": "Every slot since {since} ended ok, or is not over yet.",
    "missing": "No slot since {since} is missing.",
    "failed": "No run for a slot since {since} failed.",
}
STYLES = {
    "ran_ok": ("✓", GOOD),
    "running": ("▶", GOOD),
    "held": ("…", WARN),
    "retrying": ("…", WARN),
    "not_yet": ("·", ""),
    "not_due": ("·", ""),
    "disabled": ("-", DIM),
    "paused": ("-", DIM),
    "unknown": ("?", WARN),
    "not_registered": ("?", WARN),
    "skipped_overlap": ("»", WARN),
    "superseded": ("»", WARN),
    "overload": ("»", WARN),
    "locked": ("»", WARN),
    "too_late": ("»", WARN),
    "draining": ("»", WARN),
}
"""The sign and the colour of a verdict; of the others it is a cross."""


@click.command("why")
@click.argument("script")
@click.option(
    "--at",
    metavar="TIME",
    help="An instant; without an offset, a time on the clock of the script's zone.  [default: the last slot]",
)
@json_option
@daemon_options
def why_verb(
    socket: str | None,
    url: str | None,
    token_file: str | None,
    *,
    script: str,
    at: str | None,
    as_json: bool,
) -> int:
    """Say why a script did or did not run.

    SCRIPT is a path, absolute or relative to the scripts directory; it may be gone. In a pipe: verdict,
    script, slot, run, sentence; separated by tabs; then the evidence, each with its instant.
    """
    target = where.find(socket=socket, url=url, token_file=token_file)
    params = {"scriptPath": script} | ({} if at is None else {"at": at.replace(" ", "T")})
    answer = client.ask(target, "GET", "/schedules/why", has="sentence", params=params)
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
    elif screen.of(sys.stdout).terminal:
        _tell(answer)
    else:
        keys = ("verdict", "scriptPath", "slot", "runId", "sentence")
        rows = [tuple(Cell(str(answer[key] or "")) for key in keys)]
        rows += [(Cell(fact["at"]), Cell(fact["what"])) for fact in answer["evidence"]]
        screen.show((), rows, empty="")
    return 0


@click.command("gaps")
@click.option("--since", type=Moment(), help="From this instant on, or this long ago.  [default: 1d]")
@click.option("--until", type=Moment(), help="Before this instant, or this long ago.  [default: now]")
@click.option("--script", metavar="SCRIPT", help="Only this script: its path, relative or absolute.")
@click.option("--only", type=ONLY, help="Only what is missing, or only what failed.  [default: all]")
@json_option
@daemon_options
def gaps_verb(
    socket: str | None,
    url: str | None,
    token_file: str | None,
    *,
    since: str | None,
    until: str | None,
    script: str | None,
    only: str | None,
    as_json: bool,
) -> int:
    """Show the slots that have no ok.

    Exits with 1 if there are any. In a pipe: status, reason, script, first slot, last slot, count, runs
    (separated by spaces); separated by tabs.
    """
    target = where.find(socket=socket, url=url, token_file=token_file)
    given = {"since": since, "until": until, "scriptPath": script, "only": only}
    params = {key: value for key, value in given.items() if value is not None}
    answer = client.ask(target, "GET", "/schedules/gaps", has="gaps", params=params)
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        _show_gaps(answer, only or "all")
    return EXIT_FAILED if answer["gaps"] else 0


@click.command("replay")
@click.option("--only", type=ONLY, default="missing", show_default=True, help="Which gaps are run.")
@click.option("--since", type=Moment(), help="From this instant on, or this long ago.  [default: 1d]")
@click.option("--until", type=Moment(), help="Before this instant, or this long ago.  [default: now]")
@click.option("--script", metavar="SCRIPT", help="Only this script: its path, relative or absolute.")
@click.option("--dry-run", is_flag=True, help="Only say what would be run.")
@json_option
@daemon_options
def replay_verb(
    socket: str | None,
    url: str | None,
    token_file: str | None,
    *,
    only: str,
    since: str | None,
    until: str | None,
    script: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run the slots that have no ok.

    They are queued, and run a few at a time, oldest first, whenever their script is not running. In a pipe:
    script, slot, run; separated by tabs.
    """
    target = where.find(socket=socket, url=url, token_file=token_file)
    body: dict[str, object] = {"only": only, "dry_run": dry_run, "until": until, "scriptPath": script}
    body["since"] = since or from_ms(SystemClock().now_ms() - DAY_MS)
    answer = client.ask(target, "POST", "/schedules/replay", has="slots", body=body)
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        _show_replay(answer)
    return 0


def _tell(answer: dict[str, Any]) -> None:
    """Print the sentence, then what speaks for it, then how to go on."""
    now_ms = SystemClock().now_ms()
    zone = _zone(answer["timezone"])
    sign, style = STYLES.get(answer["verdict"], ("✗", BAD))
    screen.line([(f"{sign} {answer['verdict']}", style)], piped=())
    click.echo(screen.clean(answer["sentence"]))
    if answer["evidence"]:
        click.echo()
    for fact in answer["evidence"]:
        at = moments.wall(to_ms(fact["at"]), now_ms=now_ms, zone=zone)
        click.echo(f"  {at}  {screen.clean(fact['what'])}")
    click.echo()
    coming = answer["next"]
    if coming is not None:
        at_ms = to_ms(coming)
        when = moments.wall(at_ms, now_ms=now_ms, zone=zone)
        click.echo(f"next: {moments.distance(at_ms - now_ms)}, {when}")
    click.echo(f"more: {answer['journalctl']}")
    if not answer["complete"]:
        complain("not all of the record could be read; there may be more to it")


def _zone(name: str) -> tzinfo:
    """Return a zone of the daemon's host, or UTC where this host does not know it."""
    return ZoneInfo(name) if name in zones.names() else UTC


def _show_gaps(answer: dict[str, Any], only: str) -> None:
    if not screen.of(sys.stdout).terminal:
        screen.show((), [_piped(gap) for gap in answer["gaps"]], empty="")
        return
    now_ms = SystemClock().now_ms()
    columns = (
        Column("Status"),
        Column("Script"),
        Column("Slot"),
        Column("To", drop=2),
        Column("Slots", drop=1),
        Column("Run", drop=3),
    )
    since = moments.wall(to_ms(answer["since"]), now_ms=now_ms)
    empty = NO_GAPS[only].format(since=since)
    screen.show(columns, [_row(gap, now_ms) for gap in answer["gaps"]], empty=empty)
    if answer["truncated"]:
        complain("there may be more; see it with --script, or with a narrower --since and --until")


def _row(gap: dict[str, Any], now_ms: int) -> tuple[Cell, ...]:
    status = Cell("", "? nothing on record", WARN)
    if gap["status"] is not None:
        status = screen.status(gap["status"], reason=gap["reason"])
    last = "" if gap["count"] == 1 else moments.wall(to_ms(gap["lastSlot"]), now_ms=now_ms)
    return (
        status,
        Cell(gap["scriptPath"]),
        Cell(moments.wall(to_ms(gap["slot"]), now_ms=now_ms)),
        Cell(last),
        Cell(str(gap["count"])),
        Cell(gap["runIds"][-1] if gap["runIds"] else ""),
    )


def _piped(gap: dict[str, Any]) -> tuple[Cell, ...]:
    keys = ("status", "reason", "scriptPath", "slot", "lastSlot", "count")
    cells = [Cell("" if gap[key] is None else str(gap[key])) for key in keys]
    return (*cells, Cell(" ".join(gap["runIds"])))


def _show_replay(answer: dict[str, Any]) -> None:
    now_ms = SystemClock().now_ms()
    rows = [
        (
            Cell(item["scriptPath"]),
            Cell(item["slot"], moments.wall(to_ms(item["slot"]), now_ms=now_ms)),
            Cell(item["runId"] or "", item["runId"] or ("" if answer["dry_run"] else "left out")),
        )
        for item in answer["slots"]
    ]
    columns = (Column("Script"), Column("Slot", drop=1), Column("Run"))
    screen.show(columns, rows, empty="There is nothing to run again.")
    if screen.of(sys.stdout).terminal and rows:
        done = "would be queued" if answer["dry_run"] else "queued"
        count = len(rows) if answer["dry_run"] else answer["queued"]
        click.echo(f"{count} of {answer['total']} {done}")
    if answer["truncated"]:
        complain("there may be more; run it again when these are over")
