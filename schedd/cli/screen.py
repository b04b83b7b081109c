"""Tables, for a person at a terminal and for a pipe.

A terminal gets aligned columns, colour unless NO_COLOR says otherwise, and only as many columns as fit: in
short forms first, then one column less after the other. What somebody may want to copy, a name or a run's
id, is never broken into two lines, not even where the terminal is too narrow for it; only free text is.

A pipe gets one line for each row, cells separated by tabs, no title, nothing shortened and instants as the
API writes them, so that `cut -f2` works. What comes from scripts and their names is text, never markup
and never a control sequence: whatever does not print is escaped.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

import click

from schedd.cli import moments
from schedd.timetable.instant import to_ms

NARROW = 20
"""No terminal is narrower than this, whatever it says."""
FOLDED = 12
"""Free text is folded down to this width before a column is left out for it."""
GAP = 2
"""Blanks between two columns."""

GOOD, BAD, WARN, DIM = "green", "red", "yellow", "dim"
SIGNS = {
    "ok": ("✓", GOOD),
    "error": ("✗", BAD),
    "timeout": ("⧗", BAD),
    "load_error": ("!", BAD),
    "incompatible": ("!", BAD),
    "skipped_overload": ("»", WARN),
    "disabled": ("-", DIM),
    "paused": ("‖", WARN),
    "stale": ("!", WARN),
    "running": ("▶", GOOD),
    "held": ("…", WARN),
    "scheduled": ("·", ""),
}
"""A sign and a colour for each status: the sign says it too, for whoever sees no colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What the output goes to."""

    terminal: bool
    width: int = 80
    colour: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title, and what becomes of it where the room is scarce."""

    title: str
    drop: int = 0
    """The highest is left out first, and one with 0 never."""
    folds: bool = False
    """It is free text, which may be broken into lines."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a pipe gets, what a person gets (None = the same), and in which style."""

    plain: str
    shown: str | None = None
    style: str = ""
    short: str | None = None
    """What a person gets where the room is scarce; None = the same."""

    def text(self, *, short: bool) -> str:
        """Return what a person gets."""
        full = self.plain if self.shown is None else self.shown
        return clean(full if self.short is None or not short else self.short)


def of(stream: TextIO) -> Screen:
    """Return what the stream is."""
    if not stream.isatty():
        return Screen(terminal=False)
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Screen(terminal=True, width=max(NARROW, shutil.get_terminal_size().columns), colour=colour)


def show(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, empty: str) -> None:
    """Print a table to stdout; on a terminal `empty` says in a sentence that there are no rows."""
    screen = of(sys.stdout)
    if screen.terminal and not rows:
        click.echo(empty)
    else:
        sys.stdout.write(table(columns, rows, screen=screen))


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, screen: Screen) -> str:
    """Return a table as text that ends with a newline, or nothing."""
    if not screen.terminal:
        return "".join("\t".join(clean(cell.plain) for cell in row) + "\n" for row in rows)
    return _drawn(columns, rows, screen)


def line(parts: Sequence[tuple[str, str]], *, piped: Sequence[str]) -> None:
    """Print one line to stdout: (text, style) parts for a person, cells for a pipe."""
    screen = of(sys.stdout)
    if screen.terminal:
        click.echo("".join(_styled(clean(text), style if screen.colour else "") for text, style in parts))
    else:
        click.echo("\t".join(clean(cell) for cell in piped))


def status(word: str, *, reason: str | None = None) -> Cell:
    """Return the cell for a status."""
    sign, style = SIGNS.get(word, ("?", WARN))
    if reason is None or reason == word:
        return Cell(word, f"{sign} {word}", style)
    return Cell(word, f"{sign} {word} ({reason})", style, short=f"{sign} {reason}")


def moment(instant: str | None, *, now_ms: int) -> Cell:
    """Return the cell for an instant of the API, or for none."""
    if instant is None:
        return Cell("", "-")
    away = moments.distance(to_ms(instant) - now_ms)
    return Cell(instant, moments.both(instant, now_ms=now_ms), short=away)


def clean(text: str) -> str:
    """Return the text with everything that does not print escaped: tabs, newlines, control sequences."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


def _styled(text: str, style: str) -> str:
    if not style:
        return text
    return click.style(text, dim=True) if style == DIM else click.style(text, fg=style)


def _drawn(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], screen: Screen) -> str:
    # rich costs as much as all the rest of a verb, and pipes don't need it.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    kept, short, width = _layout(columns, rows, screen.width)
    drawn = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for n in kept:
        drawn.add_column(columns[n].title, overflow="fold", no_wrap=not columns[n].folds)
    for row in rows:
        drawn.add_row(*(Text(row[n].text(short=short), style=row[n].style) for n in kept))
    console = Console(
        width=width,
        force_terminal=screen.colour,
        color_system="standard" if screen.colour else None,
        no_color=not screen.colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(drawn)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _layout(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], room: int
) -> tuple[list[int], bool, int]:
    """Return which columns are shown, whether in short forms, and how wide the table may be for it."""
    shortest = [_width(columns, rows, n, short=True) for n in range(len(columns))]
    kept = list(range(len(columns)))
    while _sum(shortest, kept) > room and any(columns[n].drop for n in kept):
        kept.remove(max(kept, key=lambda n: columns[n].drop))
    full = [_width(columns, rows, n, short=False) for n in range(len(columns))]
    short = _sum(full, kept) > room
    return kept, short, max(room, _sum(shortest, kept))


def _width(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], n: int, *, short: bool) -> int:
    """Return how wide a column has to be."""
    from rich.cells import cell_len  # noqa: PLC0415

    column = columns[n]
    widest = max((cell_len(row[n].text(short=short)) for row in rows), default=0)
    return max(cell_len(column.title), min(widest, FOLDED) if column.folds else widest)


def _sum(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[n] + GAP for n in kept) - GAP
