"""What a crash may leave of the two files of a dead daemon, and nothing that it may not.

The process was killed, so the kernel still has all that it wrote; these functions take back what a power
loss could take: the end of a file that nobody had synced. A claim was on the disk before its run began, and
with it all that was written with it or before it; that, and what somebody was told, is never taken. When no
run of the last turn has begun, that turn may have been cut in its middle.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

Fact = dict[str, Any]

MAY_BE_LOST = frozenset({"ended", "watermark", "held"})
"""Facts that are written without waiting for the disk, and of which nobody is told at once."""
TOLD = frozenset({"manual", "replay"})
"""Kinds of which somebody was told: who asked for them."""


def half_a_line(state: Path, dice: random.Random) -> None:
    """The last write of a file stopped in its middle."""
    path = state / dice.choice(("fires.log", "ledger.log"))
    lines = _lines(path)
    if lines:
        line = lines[-1]
        with path.open("ab") as file:
            file.write(line[: dice.randint(1, len(line) - 1)])


def fires_cut(state: Path, dice: random.Random) -> None:
    """The fires log lost its end; the ledger has all that is needed to write it again."""
    ended = {_run_id(fact) for fact in map(_fact, _lines(state / "ledger.log")) if fact["fact"] == "ended"}
    lines = _lines(state / "fires.log")
    first = len(lines)
    while first > 0 and json.loads(lines[first - 1]).get("runId") in ended:
        first -= 1
    _cut(state / "fires.log", lines, max(first, len(lines) - 30), dice)


def power_loss(state: Path, dice: random.Random, *, begun: Callable[[str], bool]) -> set[str]:
    """Both files lost their ends, each for itself; return the fires that the ledger has forgotten.

    `begun` says whether the run of this id was ever started.
    """
    path = state / "ledger.log"
    fires_cut(state, dice)
    lines = _lines(path)
    facts = [_fact(line) for line in lines]
    kept = _cut(path, lines, _durable(facts, begun), dice)
    return {run_id for fact in facts[kept:] if (run_id := _run_id(fact))}


def _durable(facts: list[Fact], begun: Callable[[str], bool]) -> int:
    """Return how many facts were on the disk for certain."""
    durable = before = 0
    claims: list[str] = []
    claiming, settled = False, True
    for number, fact in enumerate(facts, start=1):
        if fact["fact"] == "claimed":
            if not claiming:
                before, claims, claiming, settled = durable, [], True, False
            claims.append(fact["runId"])
        settled = settled or _must_be_kept(fact)
        if claiming or _must_be_kept(fact):
            durable = number
        if fact["fact"] == "watermark":
            claiming = False
    ended = {_run_id(fact) for fact in facts if fact["fact"] == "ended"}
    return durable if settled or any(c in ended or begun(c) for c in claims) else before


def _must_be_kept(fact: Fact) -> bool:
    about = fact.get("entry", fact)
    told = about.get("kind") in TOLD or about.get("reason") == "interrupted"
    return told or fact["fact"] not in (MAY_BE_LOST | {"claimed"})


def _cut(path: Path, lines: list[bytes], first: int, dice: random.Random) -> int:
    """Cut a file somewhere behind its first lines, mostly within a line; return how many are whole."""
    kept = dice.randint(first, len(lines)) if lines else 0
    size = sum(map(len, lines[:kept]))
    if kept < len(lines) and dice.random() < 0.7:
        size += dice.randint(0, len(lines[kept]) - 1)
    if lines:
        with path.open("r+b") as file:
            file.truncate(size)
    return kept


def _lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file, each with its end."""
    if not path.exists():
        return []
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def _fact(line: bytes) -> Fact:
    fact: Fact = json.loads(line)
    return fact


def _run_id(fact: Fact) -> str | None:
    run_id = fact.get("entry", fact).get("runId")
    return None if run_id is None else str(run_id)
