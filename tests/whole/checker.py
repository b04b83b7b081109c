"""Proves the promise from the files alone: it shares nothing with schedd but the format of the fires log.

Given what each script's expression means (which seconds are due), every due second while the script was
registered must be covered by exactly one line: of its own, or as part of a span.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

Line = dict[str, Any]


def seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())


def covered(lines: Iterable[Line], is_due: Callable[[int], bool]) -> Counter[int]:
    """Count how often each second is covered by these lines of one script."""
    told: Counter[int] = Counter()
    for line in lines:
        if "slot" not in line:
            continue
        first = seconds(line["slot"])
        if "count" not in line:
            told[first] += 1
            continue
        span = [s for s in range(first, seconds(line["lastSlot"]) + 1) if is_due(s)]
        assert len(span) == line["count"], line
        told.update(span)
    return told


def check(
    lines: list[Line], due: dict[str, Callable[[int], bool]], *, first_s: int, last_s: int
) -> dict[str, int]:
    """Return how many slots each script had; fail on any that is lost or told twice.

    `first_s` to `last_s` is the time in which every script was registered for certain.
    """
    counts = {}
    ids = Counter(line["runId"] for line in lines)
    doubled = [run_id for run_id, count in ids.items() if count > 1]
    assert not doubled, f"two lines for one fire: {doubled[:3]}"
    for script, is_due in due.items():
        told = covered([line for line in lines if line["scriptPath"] == script], is_due)
        wanted = {second for second in range(first_s, last_s + 1) if is_due(second)}
        lost = sorted(wanted - told.keys())
        twice = sorted(second for second, count in told.items() if count > 1)
        never_due = sorted(second for second in told if not is_due(second))
        assert not lost, f"{script}: lost {lost[:5]} ({len(lost)} in all)"
        assert not twice, f"{script}: told twice {twice[:5]} ({len(twice)} in all)"
        assert not never_due, f"{script}: never due {never_due[:5]}"
        counts[script] = sum(told.values())
    return counts


def read(state: Path) -> list[Line]:
    """Every line of a state directory's fires log, oldest first, rotated files too."""
    files = sorted(state.glob("fires.log*"), key=_age, reverse=True)
    return [json.loads(line) for file in files for line in file.read_bytes().split(b"\n") if line]


def _age(path: Path) -> int:
    suffix = path.name.removeprefix("fires.log").lstrip(".")
    return int(suffix) if suffix.isdigit() else 0
