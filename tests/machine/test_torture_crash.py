"""A campaign may take from the files what a power loss could take, and nothing that was promised."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.torture import crash

DRAWS = 60


def ended(run_id: str, **more: str) -> dict[str, Any]:
    return {"fact": "ended", "entry": {"runId": run_id, "kind": "schedule", **more}}


def claimed(run_id: str) -> dict[str, Any]:
    return {"fact": "claimed", "runId": run_id, "kind": "schedule"}


WATERMARK = {"fact": "watermark", "slot": 7}


def lay(state: Path, facts: list[dict[str, Any]], fires: list[str]) -> None:
    (state / "ledger.log").write_text("".join(json.dumps(fact) + "\n" for fact in facts))
    (state / "fires.log").write_text("".join(json.dumps({"runId": run_id}) + "\n" for run_id in fires))


def whole(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.parametrize(
    ("promised", "after"),
    [
        ([claimed("c"), WATERMARK], [ended("d"), WATERMARK]),
        ([{"fact": "registered"}], [WATERMARK]),
        ([{"fact": "held", "runId": "h", "kind": "manual"}], [ended("d")]),
        ([ended("i", reason="interrupted")], [ended("d")]),
        ([{"fact": "paused"}], [ended("d"), {"fact": "held", "runId": "h", "kind": "catchup"}]),
    ],
)
def test_what_was_promised_is_never_taken_from_the_ledger(
    tmp_path: Path, promised: list[dict[str, Any]], after: list[dict[str, Any]]
) -> None:
    facts = [ended("a"), *promised, *after]
    seen = set()
    for seed in range(DRAWS):
        lay(tmp_path, facts, ["a"])
        forgotten = crash.power_loss(tmp_path, random.Random(seed), begun=lambda _: True)
        left = whole(tmp_path / "ledger.log")
        assert left[: 1 + len(promised)] == facts[: 1 + len(promised)]
        assert forgotten == {crash._run_id(fact) for fact in facts[len(left) :]} - {None}
        seen.add(len(left))
    assert seen == set(range(1 + len(promised), len(facts) + 1)), "not all that may be lost was lost"


def test_a_turn_of_which_no_run_has_begun_may_be_cut_in_its_middle(tmp_path: Path) -> None:
    facts = [claimed("a"), WATERMARK, ended("b"), claimed("c"), claimed("d"), WATERMARK]
    seen = set()
    for seed in range(DRAWS):
        lay(tmp_path, facts, [])
        crash.power_loss(tmp_path, random.Random(seed), begun=lambda run_id: run_id == "a")
        seen.add(len(whole(tmp_path / "ledger.log")))
    assert seen == {2, 3, 4, 5, 6}


def test_the_fires_log_loses_only_what_the_ledger_can_give_back(tmp_path: Path) -> None:
    seen = set()
    for seed in range(DRAWS):
        lay(tmp_path, [ended("c"), ended("d")], ["a", "b", "c", "d"])
        crash.fires_cut(tmp_path, random.Random(seed))
        seen.add(len(whole(tmp_path / "fires.log")))
    assert seen == {2, 3, 4}


def test_half_a_line_is_put_behind_what_is_there(tmp_path: Path) -> None:
    lay(tmp_path, [ended("a")], ["a"])
    before = [(tmp_path / name).read_text() for name in ("fires.log", "ledger.log")]
    crash.half_a_line(tmp_path, random.Random(1))
    after = [(tmp_path / name).read_text() for name in ("fires.log", "ledger.log")]
    grown = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(grown) == 1
    ((old, new),) = grown
    assert new.startswith(old)
    assert not new.endswith("\n")
