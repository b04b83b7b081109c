"""The dashboard's grouping of failures by what they share: the module that the page loads, run by node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "schedd" / "web" / "page"
MODULES = ("failures.js", "format.js")
PROGRAM = """
import { readFileSync } from "node:fs";
import { group } from "./failures.js";
const { entries, locks } = JSON.parse(readFileSync(0, "utf8"));
const clock = (ms) => new Date(ms).toISOString().slice(11, 16);
process.stdout.write(JSON.stringify(group(entries, { lockOf: (script) => locks[script], clock })));
"""


@pytest.fixture
def grouped(tmp_path: Path) -> Any:
    """Return a function from entries (and the locks of scripts) to their groups."""
    for name in MODULES:
        shutil.copy(PAGE / name, tmp_path / name)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "main.js").write_text(PROGRAM)

    def ask(entries: list[dict[str, object]], locks: dict[str, str] | None = None) -> list[dict[str, Any]]:
        given = json.dumps({"entries": entries, "locks": locks or {}})
        node = shutil.which("node")
        assert node is not None
        done = subprocess.run(
            [node, "main.js"],
            cwd=tmp_path,
            input=given,
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        groups: list[dict[str, Any]] = json.loads(done.stdout)
        return groups

    return ask


def failed(script: str, at: str, *, exit_code: int = 1, **more: object) -> dict[str, object]:
    """Return the line of a run that failed at this time of day."""
    return {
        "scriptPath": script,
        "ts": f"2026-11-24T{at}.000Z",
        "runId": f"{script}@{at}",
        "status": "error",
        "reason": "exit",
        "exitCode": exit_code,
        "error": f"exit code {exit_code}",
    } | more


def sentences(groups: list[dict[str, Any]]) -> list[str]:
    return [group["sentence"] for group in groups]


def test_scripts_that_fail_within_a_minute_are_one_group(grouped: Any) -> None:
    entries = [failed(f"s{n}.sh", f"02:00:{n:02d}") for n in range(7)]
    groups = grouped([failed("else.py", "09:15:00"), *entries])
    assert sentences(groups) == [
        "7 scripts failed within the same minute, 02:00: exit 1",
        "else.py failed at 09:15: exit 1",
    ]


def test_a_minute_has_one_cause_only_if_all_share_it(grouped: Any) -> None:
    entries = [failed("a", "02:00:01"), failed("b", "02:00:02", exit_code=2), failed("c", "02:00:03")]
    (group,) = grouped(entries)
    assert (group["sentence"], group["cause"]) == ("3 scripts failed within the same minute, 02:00", None)


def test_runs_due_in_the_same_minute_are_one_group_however_long_they_took(grouped: Any) -> None:
    slot = "2026-11-24T02:00:00.000Z"
    entries = [failed(f"s{n}", f"02:{10 + 7 * n}:00", slot=slot) for n in range(3)]
    assert sentences(grouped(entries)) == ["3 scripts failed within the same minute, 02:00: exit 1"]


def test_a_script_that_always_fails_is_one_group_and_no_part_of_a_coincidence(grouped: Any) -> None:
    entries = [failed(name, f"{h:02d}:00:00") for h in range(20) for name in ("a.sh", "b.sh", "c.sh")]
    assert sentences(grouped(entries)) == [
        f"{name} failed 20 times since 00:00: exit 1" for name in ("a.sh", "b.sh", "c.sh")
    ]


def test_scripts_that_share_a_lock_are_one_group(grouped: Any) -> None:
    skip = {"status": "skipped_overload", "reason": "lock", "exitCode": None}
    entries = [
        failed("a", "01:00:00", **skip),
        failed("b", "04:00:00", **skip),
        failed("b", "05:00:00", **skip),
    ]
    (group,) = grouped(entries, {"a": "db", "b": "db"})
    assert (group["by"], group["sentence"]) == ("lock", "3 slots of 2 scripts skipped: the lock db was taken")


def test_an_exit_code_that_tells_something_joins_scripts_of_different_hours(grouped: Any) -> None:
    entries = [failed("a", "01:00:00", exit_code=127), failed("b", "04:00:00", exit_code=127)]
    assert sentences(grouped(entries)) == ["2 scripts failed alike: exit 127"]


def test_what_a_failing_exit_printed_joins_scripts_and_is_told_without_its_code(grouped: Any) -> None:
    said = {"exit_code": 7, "error": "exit code 7: no route to host"}
    entries = [failed(name, at, **said) for name in ("a", "b") for at in ("01:00:00", "04:00:00")]
    assert sentences(grouped(entries)) == ["2 scripts failed alike: no route to host, 4 times since 01:00"]


def test_exit_1_alone_joins_nothing(grouped: Any) -> None:
    entries = [failed("a", "01:00:00"), failed("b", "04:00:00")]
    assert [group["by"] for group in grouped(entries)] == ["script", "script"]


def test_the_same_error_but_for_its_numbers_joins_scripts(grouped: Any) -> None:
    entries = [
        failed(name, at, reason="exception", error=f"ConnectionError: db:5432 refused after {n} s")
        for n, (name, at) in enumerate([("a", "01:00:00"), ("b", "04:00:00"), ("c", "05:00:00")])
    ]
    (group,) = grouped(entries)
    assert group["sentence"] == "3 scripts failed alike: ConnectionError: db:5432 refused after 2 s"


def test_a_stretch_of_missed_slots_counts_all_of_them(grouped: Any) -> None:
    missed = {"reason": "missed", "exitCode": None, "error": "nobody was there"}
    counts = {"a": 30, "b": 6, "c": 1}
    entries = [failed(name, "06:00:00", count=count, **missed) for name, count in counts.items()]
    assert sentences(grouped(entries)) == ["37 slots of 3 scripts missed: nobody was there to decide"]


def test_what_went_well_or_was_asked_for_is_no_failure(grouped: Any) -> None:
    entries = [
        failed("a", "01:00:00", status="ok"),
        failed("b", "01:00:00", status="disabled", reason="paused"),
        failed("c", "01:00:00", status="skipped_overload", reason="overlap"),
    ]
    assert grouped(entries) == []


def test_each_failure_is_in_exactly_one_group(grouped: Any) -> None:
    entries = [
        failed(f"s{n % 37}", f"{n % 24:02d}:{n % 60:02d}:00", exit_code=n % 5 + 1, slot=None)
        for n in range(900)
    ]
    groups = grouped(entries, {f"s{n}": f"lock{n % 3}" for n in range(20)})
    ids = [entry["runId"] for group in groups for entry in group["entries"]]
    assert len(ids) == len(entries)
    assert len(groups) <= 51
    assert all(group["sentence"] for group in groups)


def test_a_run_that_somebody_stopped_is_told_so(grouped: Any) -> None:
    assert sentences(grouped([failed("a", "01:00:00", reason="stopped")])) == ["a was stopped at 01:00"]


def test_names_stay_as_they_are(grouped: Any) -> None:
    hostile = '<img src=x onerror="alert(1)">.sh'
    (group,) = grouped([failed(hostile, "01:00:00")])
    assert group["scripts"] == [hostile]
    assert group["sentence"].startswith(f"{hostile} failed at 01:00")
