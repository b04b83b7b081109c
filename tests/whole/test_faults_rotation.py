"""A fires log that turns over all the time, while it is read: nothing lost, nothing doubled."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from tests.whole.child import Child
from tests.whole.witness import until

ROTATIONS = 100
ASKERS = 3
TRIGGERS = 520
"""For each asker; ten lines or so fill 4 KiB."""


def test_a_hundred_rotations_lose_and_double_nothing_and_history_is_whole_at_any_time(child: Child) -> None:
    child.settings.write_text('fires_max_bytes = "4K"\nfires_keep = 1000\nledger_max_bytes = "64K"\n')
    child.write("sleeps.sh", "#!/bin/sh\n# @schedule 0 0 1 1 *\nsleep 300\n")
    child.start()
    body = {"scriptPath": "sleeps.sh", "wait": False}
    child.ask("POST", "/api/v1/exec/schedules/trigger", body)
    until(lambda: child.ask("GET", "/api/v1/exec/runs")[1]["runs"], child)
    with ThreadPoolExecutor(ASKERS) as askers:
        asking = [askers.submit(trigger, child, TRIGGERS) for _ in range(ASKERS)]
        walks = [walk(child)]
        while not all(asked.done() for asked in asking):
            walks.append(walk(child))
    walks.append(walk(child))
    told = [run_id for asked in asking for run_id in asked.result()]
    for earlier, later in pairwise(walks):
        assert len(set(later)) == len(later)
        assert later[len(later) - len(earlier) :] == earlier
    assert sorted(walks[-1]) == sorted(told)
    child.kill()
    child.start()
    child.stop()
    ids = [line["runId"] for line in child.lines()]
    assert len(set(ids)) == len(ids)
    assert set(told) <= set(ids)
    assert len(list(child.state.glob("fires.log.*"))) >= ROTATIONS


def trigger(child: Child, count: int) -> list[str]:
    """Ask for a script that is running already: each time a line, and no run."""
    told = []
    for _ in range(count):
        answer = child.schedules("trigger", method="POST", body={"scriptPath": "sleeps.sh"})
        assert answer["triggered"] is False, answer
        told.append(answer["runId"])
    return told


def walk(child: Child) -> list[str]:
    """Read the whole history, page by page, newest first."""
    ids: list[str] = []
    query = "limit=100&includeRotated=true"
    cursor = ""
    while True:
        page: dict[str, Any] = child.schedules(f"history?{query}{cursor}")
        ids += [str(entry["runId"]) for entry in page["entries"]]
        if not page["truncated"]:
            return ids
        cursor = f"&cursor={page['cursor']}"
