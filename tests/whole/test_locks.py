"""Locks of the real daemon: real runs bear witness that they were alone, also after kill -9."""

from pathlib import Path
from typing import Any

from tests.whole.child import Child

ALONE = """#!/bin/sh
# @schedule @every 1s
# @lock database
# @overlap queue
exec 9<"$0.d"
flock -n -x 9 || echo two >>"$0.d/witness"
sleep 0.3
echo "$SCHEDD_RUN_ID" >>"$0.d/ran"
"""
HOLDS = "#!/bin/sh\n# @schedule 0 0 1 1 *\n# @lock database\nexec sleep 60\n"
SKIPS = "#!/bin/sh\n# @schedule 0 0 1 1 *\n# @lock database\ntrue\n"


def ran(directory: Path) -> int:
    log = directory / "ran"
    return len(log.read_text().split()) if log.exists() else 0


def triggered(child: Child, script: str, *, wait: bool = True) -> Any:
    path = "/api/v1/exec/schedules/trigger"
    return child.ask("POST", path, {"scriptPath": script, "wait": wait})[1]


def test_scripts_that_share_a_lock_never_run_together_and_each_gets_its_turn(child: Child) -> None:
    shared = child.scripts / "shared.d"
    shared.mkdir()
    for name in ("a.sh", "b.sh", "c.sh"):
        child.write(name, ALONE.replace("$0.d", str(shared)))
    child.start()
    for name in ("a.sh", "b.sh", "c.sh"):
        child.wait_for_lines(1, scriptPath=name, status="ok")
    child.kill()
    child.start()
    for name in ("a.sh", "b.sh", "c.sh"):
        so_far = len(
            [line for line in child.lines() if line["scriptPath"] == name and line["status"] == "ok"]
        )
        child.wait_for_lines(so_far + 1, scriptPath=name, status="ok")
    assert not (shared / "witness").exists()
    assert ran(shared) >= 6


def test_who_has_a_lock_is_told_wherever_somebody_may_look(child: Child) -> None:
    child.write("holds.sh", HOLDS)
    child.write("skips.sh", SKIPS)
    child.write("waits.sh", SKIPS.replace("@lock database\n", "@lock database\n# @overlap queue\n"))
    child.start()
    holder = triggered(child, "holds.sh", wait=False)["runId"]
    skipped = triggered(child, "skips.sh")
    waiter = triggered(child, "waits.sh", wait=False)["runId"]
    listed = {item["scriptRel"]: item["lock"] for item in child.schedules("list")["schedules"]}
    runs = {run["runId"]: run for run in child.ask("GET", "/api/v1/exec/runs")[1]["runs"]}
    assert (skipped["status"], skipped["reason"]) == ("skipped_overload", "lock")
    assert f"(run {holder}) by the manual run of holds.sh" in skipped["error"]
    assert listed["holds.sh"] == listed["skips.sh"]
    lock = listed["waits.sh"]
    assert [each["runId"] for each in lock["holders"]] == [holder]
    assert lock["waiters"] == [{"scriptPath": "waits.sh", "runId": waiter}]
    awaited = {"what": "lock", "lock": "database", "scriptPath": "holds.sh", "runId": holder}
    assert (runs[waiter]["state"], runs[waiter]["waitsFor"]) == ("held", awaited)
    child.ask("POST", f"/api/v1/exec/runs/{holder}/stop")
    child.wait_for_lines(1, runId=waiter, status="ok")


def test_authors_who_disagree_about_a_lock_are_told_at_the_reload(child: Child) -> None:
    child.write("careful.sh", SKIPS)
    child.write("bold.sh", SKIPS.replace("database", "database:3"))
    child.start()
    sentence = "@lock database:3 counts as database:1, as careful.sh has it"
    told = child.schedules("reload", method="POST", body={"dry_run": True})["warnings"]
    listed = {item["scriptRel"]: item["warnings"] for item in child.schedules("list")["schedules"]}
    assert {"path": "bold.sh", "reason": sentence} in told
    assert listed == {"bold.sh": [sentence], "careful.sh": []}


def test_a_schedule_that_cannot_keep_up_is_known_to_lag_over_a_restart(child: Child) -> None:
    child.write("slow.sh", "#!/bin/sh\n# @schedule @every 1s\nsleep 1.6\n")
    child.start()
    child.wait_for_lines(4, scriptPath="slow.sh", status="ok")
    (before,) = child.schedules("list")["schedules"]
    warnings = child.schedules("reload", method="POST")["warnings"]
    child.kill()
    child.start()
    (after,) = child.schedules("list")["schedules"]
    assert before["cadence"]["slotsPerDay"] == 86_400
    assert 30_000 <= before["cadence"]["ranPerDay"] <= 60_000
    assert any("its runs outlast its interval: every 1 s" in warning["reason"] for warning in warnings)
    assert after["cadence"]["since"] == before["cadence"]["since"]
    assert child.said().count("its runs outlast its interval") == 1
