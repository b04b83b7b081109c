"""`schedd next`: what fires next, over all scripts.

The daemon lists the coming slots of each script; what comes after those is computed here, from the timetable.
"""

import heapq
import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from schedd.cli import client, moments, screen, where
from schedd.cli.options import daemon_options, json_option
from schedd.cli.screen import Cell, Column
from schedd.errors import TimetableError
from schedd.host.clock import SystemClock
from schedd.timetable.instant import Slot, from_slot, to_ms
from schedd.timetable.timetable import Timetable

MAX_NEXT = 10_000
LISTED = 5
"""So many coming slots of a script are in the list."""


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
    known_until, whose = min(filter(None, map(_known_until, answer["schedules"])), default=("9999", ""))
    fires = [fire for fire in itertools.islice(coming, count) if fire[0] <= known_until]
    if len(fires) < count and whose:
        why = f"{screen.clean(whose)} observes a calendar, and the daemon lists its next {LISTED}"
        click.echo(f"note: later fires are left out: {why}", err=True)
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


def _away(slot: str, now_ms: int) -> Cell:
    return Cell("", moments.distance(to_ms(slot) - now_ms))


def _known_until(schedule: dict[str, Any]) -> tuple[str, str] | None:
    """Return until when the fires of a schedule are known, and its script; None if they all are."""
    listed = schedule.get("nextFires") or []
    if not schedule.get("calendar") or len(listed) < LISTED:
        return None
    return listed[-1], schedule["scriptRel"]


def _slots(schedule: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the coming slots of a schedule: those that the daemon lists, then those of its timetable."""
    script, expression = schedule["scriptRel"], schedule["expression"]
    listed = schedule.get("nextFires") or ([schedule["nextFire"]] if schedule["nextFire"] else [])
    for slot in listed:
        yield slot, script, expression
    if not listed or schedule.get("calendar"):
        return  # which slots a calendar leaves is for the daemon to say
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
