"""Tables: for a person at a terminal of any width, and for a pipe."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from schedd.cli import screen
from schedd.cli.screen import Cell, Column, Screen
from schedd.fire import Status

PIPE = Screen(terminal=False)
COLUMNS = (
    Column("Status"),
    Column("Script"),
    Column("Ended", drop=1),
    Column("Run"),
    Column("Note", drop=2, folds=True),
)


RUN = "019ab3f2-6c00-7cc1-9d55-2f1f4b1f6a10"
AT = "2026-11-24T10:00:00.000Z"
NOW_MS = 1_795_514_700_000  # five minutes later
NAME = "default/cron/cleanup.py"


def row(script="shop/a.py", status="ok", reason=None, note="a note of some length"):
    ended = screen.moment(AT, now_ms=NOW_MS)
    return (screen.status(status, reason=reason), Cell(script), ended, Cell(RUN), Cell(note))


def shown(width, *rows, colour=False):
    return screen.table(COLUMNS, rows or [row()], screen=Screen(terminal=True, width=width, colour=colour))


@pytest.fixture
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_pipe_gets_plain_cells_between_tabs_and_no_title():
    line = f"ok\tshop/a.py\t{AT}\t{RUN}\ta note of some length\n"
    assert screen.table(COLUMNS, [row()], screen=PIPE) == line


def test_a_pipe_gets_nothing_for_no_rows():
    assert screen.table(COLUMNS, [], screen=PIPE) == ""


@given(st.lists(st.lists(st.text(max_size=20), min_size=3, max_size=3), max_size=5))
def test_in_a_pipe_each_row_is_one_line_of_as_many_cells_as_columns(texts):
    rows = [tuple(Cell(text) for text in line) for line in texts]
    lines = screen.table(COLUMNS, rows, screen=PIPE).split("\n")[:-1]
    assert [line.count("\t") for line in lines] == [2] * len(rows)
    assert all(character.isprintable() or character == "\t" for line in lines for character in line)


def test_a_terminal_gets_titles_and_what_is_meant_for_people(utc):
    titles, line = shown(120).splitlines()
    assert titles.split() == ["Status", "Script", "Ended", "Run", "Note"]
    assert line == f"✓ ok    shop/a.py  5 min ago, 10:00:00 UTC  {RUN}  a note of some length"


def test_what_does_not_fit_is_said_shorter_then_left_out_by_its_rank(utc):
    narrow = [shown(width, row(NAME, "error", "exit")).splitlines()[0].split() for width in (130, 95, 80, 79)]
    assert narrow == [
        ["Status", "Script", "Ended", "Run", "Note"],
        ["Status", "Script", "Ended", "Run", "Note"],
        ["Status", "Script", "Ended", "Run"],
        ["Status", "Script", "Run"],
    ]
    assert shown(80, row(NAME, "error", "exit")).splitlines()[1] == f"✗ exit  {NAME}  5 min ago  {RUN}"
    assert shown(79, row(NAME, "error", "exit")).splitlines()[1] == f"✗ error (exit)  {NAME}  {RUN}"


def test_free_text_is_folded_before_its_column_is_left_out(utc):
    lines = shown(80, row(note="word " * 8)).splitlines()
    assert len(lines) > 2
    assert max(map(cell_len, lines)) <= 80


@given(script=st.text(min_size=1, max_size=200), width=st.integers(screen.NARROW, 200))
def test_names_and_run_ids_are_never_broken_and_no_control_character_is_shown(script, width):
    table = shown(width, row(script, note=""))
    line = table.split("\n")[1]
    assert RUN in line
    assert screen.clean(script).rstrip() in line
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", table) is None


@given(note=st.text(max_size=200), width=st.integers(60, 200))
def test_nothing_is_wider_than_a_terminal_in_which_the_names_fit(note, width):
    assert all(cell_len(line) <= width for line in shown(width, row("a.py", note=note)).split("\n"))


def test_a_script_that_is_called_like_markup_is_text():
    assert "[red]x[/red]:smile:" in shown(80, row("[red]x[/red]:smile:"), colour=True)


@pytest.mark.parametrize("colour", [False, True])
def test_without_colour_there_is_no_escape(colour):
    assert ("\x1b" in shown(80, colour=colour)) is colour


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_sign_besides_its_colour(status):
    sign, word = screen.status(status.value).text(short=False).split(" ", 1)
    assert (len(sign), word) == (1, status.value)


def test_a_reason_is_shown_unless_it_repeats_the_status():
    assert screen.status("error", reason="exit").shown == "✗ error (exit)"
    assert screen.status("timeout", reason="timeout").shown == "⧗ timeout"
