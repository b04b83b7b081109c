"""Tables: for a person at a terminal of any width, and for a pipe."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from schedd.cli import screen
from schedd.cli.screen import Cell, Column, Screen
from schedd.fire import Status

PIPE = Screen(terminal=False)
COLUMNS = (Column("Status"), Column("Script"), Column("Run", from_width=60))


def row(script="shop/a.py", status="ok"):
    return (screen.status(status), Cell(script), Cell("0198-run", "the run"))


def test_a_pipe_gets_plain_cells_between_tabs_and_no_title():
    assert screen.table(COLUMNS, [row()], screen=PIPE) == "ok\tshop/a.py\t0198-run\n"


def test_a_pipe_gets_nothing_for_no_rows():
    assert screen.table(COLUMNS, [], screen=PIPE) == ""


@given(st.lists(st.lists(st.text(max_size=20), min_size=3, max_size=3), max_size=5))
def test_in_a_pipe_each_row_is_one_line_of_as_many_cells_as_columns(texts):
    rows = [tuple(Cell(text) for text in line) for line in texts]
    lines = screen.table(COLUMNS, rows, screen=PIPE).split("\n")[:-1]
    assert [line.count("\t") for line in lines] == [2] * len(rows)
    assert all(character.isprintable() or character == "\t" for line in lines for character in line)


def test_a_terminal_gets_titles_and_what_is_meant_for_people():
    titles, line = screen.table(COLUMNS, [row()], screen=Screen(terminal=True, width=80)).splitlines()
    assert titles.split() == ["Status", "Script", "Run"]
    assert line == "✓ ok    shop/a.py  the run"


def test_a_narrow_terminal_leaves_out_what_matters_least():
    shown = screen.table(COLUMNS, [row()], screen=Screen(terminal=True, width=59))
    assert "Run" not in shown
    assert "shop/a.py" in shown


@given(script=st.text(min_size=1, max_size=200), width=st.integers(screen.NARROW, 200))
def test_nothing_is_wider_than_the_terminal_and_no_control_character_reaches_it(script, width):
    shown = screen.table(COLUMNS, [row(script)], screen=Screen(terminal=True, width=width))
    assert all(cell_len(line) <= width for line in shown.split("\n"))
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown) is None


def test_a_script_that_is_called_like_markup_is_text():
    assert "[red]x[/red]:smile:" in screen.table(
        COLUMNS, [row("[red]x[/red]:smile:")], screen=Screen(terminal=True, width=80, colour=True)
    )


@pytest.mark.parametrize("colour", [False, True])
def test_without_colour_there_is_no_escape(colour):
    shown = screen.table(COLUMNS, [row()], screen=Screen(terminal=True, width=80, colour=colour))
    assert ("\x1b" in shown) is colour


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_sign_besides_its_colour(status):
    shown = screen.status(status.value).shown
    assert shown is not None
    sign, word = shown.split(" ", 1)
    assert (len(sign), word) == (1, status.value)


def test_a_reason_is_shown_unless_it_repeats_the_status():
    assert screen.status("error", reason="exit").shown == "✗ error (exit)"
    assert screen.status("timeout", reason="timeout").shown == "⧗ timeout"
