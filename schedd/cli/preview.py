"""`schedd preview`: when an expression fires, by the engine that fires, without a daemon."""

import json
import math
import os
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from schedd.cli import moments, screen
from schedd.cli.options import config_option, json_option
from schedd.cli.screen import Cell, Column
from schedd.host.clock import SystemClock
from schedd.timetable import effects
from schedd.timetable.instant import Slot, from_slot
from schedd.timetable.observance import Observance
from schedd.timetable.timetable import Timetable

MAX_COUNT = 10_000


@click.command("preview")
@click.argument("expression", metavar="EXPR")
@click.option("--timezone", "-z", default="UTC", show_default=True, metavar="ZONE", help="An IANA time zone.")
@click.option(
    "--calendar",
    metavar="'NAME HOW'",
    help="What stands after @calendar: 'holidays skip'; files are looked for in calendars_dir.",
)
@config_option
@click.option("--from", "start", metavar="TIME", help="Fires after this time.  [default: now]")
@click.option(
    "-n", "--count", type=click.IntRange(1, MAX_COUNT), default=5, show_default=True, help="How many fires."
)
@json_option
def preview_verb(
    expression: str,
    *,
    timezone: str,
    calendar: str | None,
    config_file: str | None,
    start: str | None,
    count: int,
    as_json: bool,
) -> int:
    """Show when an expression fires.

    EXPR is what stands after @schedule: `schedd preview '30 2 * * 1-5' --timezone Europe/Berlin`. TIME is
    ISO 8601, in ZONE unless it has an offset. In a pipe: one UTC instant a line. With --json: an array of
    UTC instants.
    """
    observance = None if calendar is None else _observance(calendar, config_file)
    timetable = Timetable.parse(expression, timezone, observance=observance)
    zone = ZoneInfo(timezone)
    now_ms = SystemClock().now_ms()
    after = Slot(now_ms // 1000) if start is None else _slot(start, zone)
    fires = timetable.to_run(after, count)
    if as_json:
        click.echo(json.dumps([from_slot(fire) for fire in fires]))
        return 0
    terminal = screen.of(sys.stdout).terminal
    if terminal:
        click.echo(f"{timetable.words()} ({timezone})\n")
    columns = (Column("At"), Column("In", drop=1), Column("UTC", drop=2))
    rows = [_row(fire, zone, now_ms) for fire in fires]
    screen.show(columns, rows if terminal else [row[2:] for row in rows], empty="It fires no more.")
    for warning in (*timetable.warnings(after), *effects.of(timetable, after, fires)):
        click.echo(f"note: {warning}", err=True)
    return 0


def _observance(text: str, config_file: str | None) -> Observance:
    """Return what `@calendar` means, by the files as they are now."""
    # Most previews have no calendar, and need neither a configuration nor what reads files.
    from schedd import config  # noqa: PLC0415
    from schedd.scripts import values  # noqa: PLC0415
    from schedd.scripts.calendars.shelf import Shelf  # noqa: PLC0415

    try:
        name, how = values.calendar(text)
        directory = config.load(file=config_file).calendars_dir
        return Observance(Shelf(directory, trusted_uids={os.geteuid()}).find(name), how)
    except ValueError as error:
        raise click.UsageError(f"--calendar: {error}") from None


def _slot(text: str, zone: ZoneInfo) -> Slot:
    """Return the second that a time is in; what is shown comes after it, as in the API."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return Slot(math.floor(moment.timestamp()))
    except (ValueError, OverflowError):
        raise click.UsageError(f"--from: {text!r} is not a time; write it like 2027-01-31T09:00.") from None


def _row(fire: Slot, zone: ZoneInfo, now_ms: int) -> tuple[Cell, ...]:
    fire_ms = fire * 1000
    return (
        Cell(f"{datetime.fromtimestamp(fire, zone):%a %Y-%m-%d %H:%M:%S %Z}"),
        Cell(moments.distance(fire_ms - now_ms)),
        Cell(from_slot(fire)),
    )
