"""The first sentence of the dashboard, which must never be wrong: the page's module, run by node."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "schedd" / "web" / "page"
MODULES = ("verdict.js", "failures.js", "format.js")
PROGRAM = """
import { readFileSync } from "node:fs";
import { verdict } from "./verdict.js";
process.stdout.write(JSON.stringify(verdict(JSON.parse(readFileSync(0, "utf8")))));
"""
NOW_MS = 1_795_552_380_000
READY = {"ready": True, "reasons": [], "failed": 0}
FINE = "Everything is fine."

Say = Callable[..., dict[str, Any]]


@pytest.fixture
def say(tmp_path: Path) -> Say:
    """Return a function from what is known to what is said; all is well unless the test says otherwise."""
    for name in MODULES:
        shutil.copy(PAGE / name, tmp_path / name)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "main.js").write_text(PROGRAM)
    node = shutil.which("node")
    assert node is not None

    def ask(**known: Any) -> dict[str, Any]:
        given = {"list": [script("a.sh")], "now": NOW_MS, "entries": [], "health": READY, **known}
        done = subprocess.run(
            [node, "main.js"],
            cwd=tmp_path,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return ask


def script(name: str, last: str | None = "ok", **more: Any) -> dict[str, Any]:
    known = {"status": "scheduled", "pause": None, "cadence": None, "nextFire": "2026-11-24T20:33:30.000Z"}
    return {"scriptRel": name, "lastFireStatus": last, **known, **more}


def failure(name: str, **more: Any) -> dict[str, Any]:
    return {"scriptPath": name, "status": "error", "reason": "exit", "ts": "2026-11-24T20:00:00.000Z", **more}


def test_all_is_fine_when_nothing_failed_and_all_of_it_is_known(say: Say) -> None:
    answer = say()
    assert (answer["text"], answer["tone"]) == (FINE, "ok")
    assert answer["more"] == ["The next fire is in 30 s."]


@pytest.mark.parametrize(
    "known",
    [
        {"entries": None},
        {"health": None},
        {"entries": None, "dayError": {"message": "schedd does not answer"}},
        {"lostSince": NOW_MS - 60_000},
        {"health": {"ready": False, "reasons": ["the disk is full"]}},
        {"health": {**READY, "failed": 1}},
        {"list": [], "health": {**READY, "failed": 2}},
        {"list": []},
        {"paused": True},
        {"list": [script("weekly.sh", "error")]},
        {"list": [script("a.sh", "timeout", status="running")]},
        {"list": [script("a.sh", cadence={"slotsPerDay": 1440, "ranPerDay": 20})]},
        {"entries": [failure("a.sh")]},
        {"entries": [failure("gone.sh")]},
        {"entries": [failure("a.sh", status="skipped_overload", reason="lock")]},
    ],
    ids=lambda known: json.dumps(known)[:40],
)
def test_it_is_not_called_fine_when_something_is_wrong_or_unknown(say: Say, known: dict[str, Any]) -> None:
    assert say(**known)["text"] != FINE


def test_a_script_whose_last_run_failed_is_failing_however_long_ago_that_was(say: Say) -> None:
    answer = say(list=[script("weekly.sh", "error"), script("b.sh")])
    assert (answer["text"], answer["tone"]) == ("1 script is failing.", "error")


def test_a_script_that_somebody_has_paused_is_not_called_failing(say: Say) -> None:
    pause = {"all": False, "by": "ines"}
    assert say(list=[script("a.sh", "error", pause=pause), script("b.sh")])["text"] == FINE


def test_what_failed_and_is_ok_again_is_told_apart_from_what_is_not_known_to_be(say: Say) -> None:
    mended = say(list=[script("a.sh"), script("b.sh")], entries=[failure("a.sh"), failure("b.sh")])
    assert mended["text"] == "Everything runs again."
    assert mended["more"][0] == "2 scripts failed in the last 24 h, and are ok since."
    gone = say(entries=[failure("a.sh"), failure("gone.sh")])
    assert gone["text"] == "Nothing is failing just now."
    assert gone["more"][0] == "2 scripts failed in the last 24 h; 1 of them is ok since."


def test_a_list_of_failures_that_is_cut_is_not_taken_for_all_of_them(say: Say) -> None:
    assert say(entries=[failure("a.sh")], cut=True)["more"][0].startswith("At least 1 script failed")


def test_the_worst_comes_first_and_the_rest_stands_below_it(say: Say) -> None:
    answer = say(
        list=[script("a.sh", "error"), script("b.sh")],
        entries=[failure("a.sh"), failure("b.sh")],
        health={**READY, "failed": 3},
    )
    assert answer["text"] == "1 script is failing."
    assert answer["more"][:2] == [
        "1 other failed in the last 24 h, and is ok since.",
        "3 files could not be registered.",
    ]


def test_a_skip_that_somebody_asked_for_is_no_matter(say: Say) -> None:
    assert say(entries=[failure("a.sh", status="skipped_overload", reason="overlap")])["text"] == FINE
