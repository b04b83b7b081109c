"""What the dashboard makes of a line of output: colours as classes, everything else as text; run by node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).parents[2] / "schedd" / "web" / "page" / "ansi.js"
PROGRAM = """
import { readFileSync } from "node:fs";
import { PLAIN, pieces } from "./ansi.js";
let style = PLAIN;
const told = JSON.parse(readFileSync(0, "utf8")).map((line) => {
  const found = pieces(line, style);
  style = found.style;
  return found.pieces.map((piece) => [piece.text, piece.classes]);
});
process.stdout.write(JSON.stringify(told));
"""


@pytest.fixture
def drawn(tmp_path: Path) -> Any:
    """Return a function from lines to the pieces of each."""
    shutil.copy(MODULE, tmp_path / "ansi.js")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "main.js").write_text(PROGRAM)

    def ask(*lines: str) -> list[list[list[str]]]:
        node = shutil.which("node")
        assert node is not None
        done = subprocess.run(
            [node, "main.js"],
            cwd=tmp_path,
            input=json.dumps(lines),
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        told: list[list[list[str]]] = json.loads(done.stdout)
        return told

    return ask


def test_colours_become_classes_of_a_closed_list(drawn: Any) -> None:
    assert drawn("a \x1b[1;31mred\x1b[0m b") == [[["a ", ""], ["red", "ansi-1 ansi-bold"], [" b", ""]]]


def test_a_colour_goes_on_in_the_next_line(drawn: Any) -> None:
    assert drawn("\x1b[32mgreen", "still", "\x1b[39mnot") == [
        [["green", "ansi-2"]],
        [["still", "ansi-2"]],
        [["not", ""]],
    ]


def test_bright_and_256_colours_are_one_of_the_eight_or_none(drawn: Any) -> None:
    assert drawn("\x1b[91mx\x1b[38;5;12my\x1b[38;5;200mz\x1b[38;2;1;2;3mw") == [
        [["x", "ansi-1"], ["y", "ansi-4"], ["z", ""], ["w", ""]]
    ]


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[2J",
        "\x1b[10;20H",
        "\x1b]0;title\x07",
        "\x1b]8;;http://evil\x1b\\",
        "\x1bP1;2q\x1b\\",
        "\x1b(B",
        "\x1bc",
        "\x9b2J",
        "\x00",
        "\x08",
        "\u202e",
        "\u2066",
    ],
)
def test_what_is_no_colour_is_dropped(drawn: Any, sequence: str) -> None:
    assert "".join(text for text, _ in drawn(f"be{sequence}fore")[0]) == "before"


def test_a_progress_bar_shows_where_it_got_to(drawn: Any) -> None:
    assert drawn("10 %\r20 %\r30 %\r") == [[["30 %", ""]]]


def test_markup_is_text(drawn: Any) -> None:
    line = "<script>alert(1)</script> <img src=x onerror=alert(1)>"
    assert drawn(line) == [[[line, ""]]]


def test_an_unfinished_sequence_at_the_end_is_dropped_with_its_escape(drawn: Any) -> None:
    (pieces,) = drawn("text\x1b[3")
    assert all("\x1b" not in text for text, _ in pieces)


def test_a_line_of_64_kib_of_escapes_is_read_at_once(drawn: Any) -> None:
    (pieces, rest) = drawn("\x1b[31mx\x1b[0m" * 6_000, "\x1b]" * 30_000)
    assert len(pieces) == 6_000
    assert all("\x1b" not in text for text, _ in rest)
