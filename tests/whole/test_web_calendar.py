"""The counts of the real daemon: each line of the log counts once, also across a kill -9."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.whole.child import Child


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child(tmp_path)
    made.write("good.sh", "# @schedule * * * * * *\n# @overlap allow\ntrue\n")
    made.write("bad.sh", "# @schedule * * * * * *\n# @overlap allow\nexit 3\n")
    yield made
    made.close()


def told(lines: list[dict[str, Any]], *, before: str = "~") -> Counter[str]:
    """Count the lines by their status, each for as many slots as it stands for."""
    counts: Counter[str] = Counter()
    for line in lines:
        if line["ts"] < before:
            counts[line["status"]] += line.get("count", 1)
    return counts


def test_its_fires_are_the_lines_of_the_log_also_after_a_kill(child: Child) -> None:
    child.start()
    child.wait_for_lines(2, scriptPath="good.sh", status="ok")
    child.schedules("calendar?step=10m")
    child.kill()
    child.start()
    child.wait_for_lines(4, scriptPath="good.sh", status="ok")
    answer = child.schedules("calendar?step=10m")
    fires = Counter({status: sum(steps) for status, steps in answer["fires"].items()})
    lines = child.lines()
    assert told(lines, before=answer["now"]) <= fires <= told(lines)
    assert fires["ok"] >= 4
    assert sum(answer["slots"]) > 2 * 86_000


def test_the_last_outcomes_are_the_last_lines_also_of_the_daemon_before(child: Child) -> None:
    child.start()
    child.wait_for_lines(2, scriptPath="bad.sh", status="error")
    child.stop()
    child.start()
    (before,) = child.schedules("recent?scriptPath=bad.sh")["scripts"]
    assert len(before["outcomes"]) >= 2
    child.wait_for_lines(len(before["outcomes"]) + 1, scriptPath="bad.sh")
    (after,) = child.schedules("recent?scriptPath=bad.sh")["scripts"]
    run_ids = [line["runId"] for line in child.lines() if line["scriptPath"] == "bad.sh"]
    shown = [outcome["runId"] for outcome in after["outcomes"]]
    assert shown == run_ids[: len(shown)]
    assert len(shown) > len(before["outcomes"])
    assert after["usualMs"] is None
