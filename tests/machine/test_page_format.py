"""How the dashboard writes times, amounts and statuses: the module that the page loads, run by node."""

import json
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from schedd.fire import Reason, Status

PROGRAM = """
import { readFileSync } from "node:fs";
import * as format from "./format.js";
const calls = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(calls.map(([name, ...given]) => format[name](...given))));
"""

Write = Callable[..., list[str]]
S, MIN, H, D = 1_000, 60_000, 3_600_000, 86_400_000


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Return a function from calls (name, arguments…) to what they return."""
    (tmp_path / "format.js").write_bytes((resources.files("schedd.web") / "page" / "format.js").read_bytes())
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "main.js").write_text(PROGRAM)

    def ask(*calls: tuple[Any, ...]) -> list[str]:
        node = shutil.which("node")
        assert node is not None
        done = subprocess.run(
            [node, "main.js"],
            cwd=tmp_path,
            input=json.dumps(calls),
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        texts: list[str] = json.loads(done.stdout)
        return texts

    return ask


def test_a_duration_has_at_most_two_units(written: Write) -> None:
    given = [0, 320, 4_200, 9_949, 9_951, 42 * S, 192 * S, 2 * H + 5 * MIN, 2 * H, 3 * D + 4 * H]
    assert written(*(("duration", ms) for ms in given)) == [
        "0 ms",
        "320 ms",
        "4.2 s",
        "9.9 s",
        "9 s",
        "42 s",
        "3 min 12 s",
        "2 h 5 min",
        "2 h",
        "3 d 4 h",
    ]


def test_what_was_and_what_comes_are_told_apart(written: Write) -> None:
    assert written(("ago", 500), ("ago", 40 * S), ("ago", 3 * MIN + 9 * S), ("ago", 3 * D)) == [
        "just now",
        "40 s ago",
        "3 min ago",
        "3 d ago",
    ]
    assert written(("until", -5), ("until", 40 * S), ("until", 192 * S), ("until", 14 * MIN + 9 * S)) == [
        "now",
        "in 40 s",
        "in 3 min 12 s",
        "in 14 min",
    ]


def test_a_time_of_day_is_that_of_the_zone_and_has_seconds_only_if_there_are_any(written: Write) -> None:
    at = "2026-11-24T23:30:00.000Z"
    assert written(
        ("clock", at, "Asia/Tokyo"), ("clock", "2026-11-24T00:00:05Z", "UTC"), ("day", at, "Asia/Tokyo")
    ) == [
        "08:30",
        "00:00:05",
        "Wed 2026-11-25",
    ]


def test_amounts_are_grouped_and_have_the_unit_that_fits(written: Write) -> None:
    assert written(("number", 1_234_567), ("bytes", 0), ("bytes", 1_536), ("bytes", 12 * 1_024**2)) == [
        "1\u202f234\u202f567",
        "0 B",
        "1.5 KiB",
        "12 MiB",
    ]
    assert written(("plural", 1, "script"), ("plural", 2, "entry"), ("plural", 0, "fire")) == [
        "1 script",
        "2 entries",
        "0 fires",
    ]


def test_every_status_and_every_reason_has_words_of_its_own(written: Write) -> None:
    statuses = written(*(("statusWord", status) for status in Status))
    reasons = written(*(("explain", "error", reason, {}) for reason in Reason))
    assert not [word for word in statuses if "_" in word]
    assert [reason for reason, said in zip(Reason, reasons, strict=True) if said == "It is failed"] == []


def test_an_explanation_ends_with_the_first_line_of_the_error(written: Write) -> None:
    entry = {"exitCode": 28, "error": "\n  no space left\nTraceback"}
    assert written(("explain", "error", "exit", entry)) == ["It ended with exit code 28: no space left"]
