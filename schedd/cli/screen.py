"""Tables, for a person at a terminal and for a pipe.

A terminal gets aligned columns, colour unless NO_COLOR says otherwise, and only as many columns as fit. A
pipe gets one line for each row, cells separated by tabs, no title, nothing shortened and instants as the
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

NARROW = 20
"""No terminal is narrower than this, whatever it says."""

GOOD, BAD, WARN, DIM = "green", "red", "yellow", "dim"
SIGNS = {
    "ok": ("✓", GOOD),
    "error": ("✗", BAD),
    "timeout": ("⧗", BAD),
    "load_error": ("!", BAD),
    "incompatible": ("!", BAD),
    "skipped_overload": ("»", WARN),
    "disabled": ("-", DIM),
    "paused": ("-", DIM),
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
    """A column's title, and from which width of the screen on it is shown."""

    title: str
    from_width: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """What a pipe gets, what a person gets (None = the same), and in which style."""

    plain: str
    shown: str | None = None
    style: str = ""


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
    return Cell(word, f"{sign} {word}{f' ({reason})' if reason and reason != word else ''}", style)


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

    kept = [n for n, column in enumerate(columns) if screen.width >= column.from_width]
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for n in kept:
        drawn.add_column(columns[n].title, overflow="fold")
    for row in rows:
        cells = [row[n] for n in kept]
        drawn.add_row(*(Text(clean(c.plain if c.shown is None else c.shown), style=c.style) for c in cells))
    console = Console(
        width=screen.width,
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
