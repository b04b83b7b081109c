"""The real program is asked why: after kill -9, an overlap, a removal, and what a replay makes good."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.whole.child import Child

SLOW = "#!/bin/sh\n# @schedule @every 1s\nexec sleep 30\n"
QUICK = "#!/bin/sh\n# @schedule @every 1s\nexit 0\n"
FAILS_ONCE = """#!/bin/sh
# @schedule @every 1s
[ "$SCHEDD_KIND" = replay ] && exit 0
exit 7
"""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    child = Child(tmp_path)
    yield child
    child.close()


def why(child: Child, script: str, slot: str | None = None) -> Any:
    at = "" if slot is None else f"&at={quote(slot)}"
    return child.schedules(f"why?scriptPath={script}{at}")


def test_a_run_that_kill_nine_cut_off_is_told_with_the_death_of_the_daemon(child: Child) -> None:
    child.write("slow.sh", SLOW)
    child.start()
    skipped = child.wait_for_lines(1, reason="overlap")[0]
    (run,) = child.ask("GET", "/api/v1/exec/runs")[1]["runs"]
    overlap = why(child, "slow.sh", skipped["slot"])
    assert overlap["verdict"] == "skipped_overlap"
    assert overlap["sentence"].endswith(f"(run {run['runId']}), is still in flight.")
    assert why(child, "slow.sh", run["slot"])["verdict"] == "running"
    child.kill()
    child.start()
    told = why(child, "slow.sh", run["slot"])
    assert (told["verdict"], told["runId"]) == ("interrupted", run["runId"])
    assert "when schedd died (last heard of at " in told["sentence"]


def test_a_script_that_was_removed_says_when_it_went(child: Child) -> None:
    child.write("quick.sh", QUICK)
    child.start()
    child.wait_for_lines(1, status="ok")
    (child.scripts / "quick.sh").unlink()
    child.schedules("reload", method="POST")
    told = why(child, "quick.sh")
    assert told["verdict"] == "not_registered"
    assert "it was gone when the scripts directory was read at" in told["sentence"]


def test_a_replay_fills_the_gaps_that_it_names(child: Child) -> None:
    child.write("fails.sh", FAILS_ONCE)
    child.start()
    failed = child.wait_for_lines(2, status="error")
    first, last = failed[0]["slot"], failed[1]["slot"]
    (child.scripts / "fails.sh").write_text(FAILS_ONCE.replace("@every 1s", "@every 1h"))
    child.schedules("reload", method="POST")
    body = {"since": first, "until": last.replace(".000Z", ".001Z"), "only": "failed"}
    queued = child.schedules("replay", method="POST", body=body)
    assert [item["slot"] for item in queued["slots"]][:1] == [first]
    child.wait_for_lines(queued["queued"], kind="replay", status="ok")
    deadline = time.monotonic() + 10
    while child.schedules(f"gaps?since={first}&until={body['until']}")["total"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    told = why(child, "fails.sh", first)
    assert (told["verdict"], told["runId"]) == ("ran_ok", queued["slots"][0]["runId"])
