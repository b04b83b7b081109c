"""Pauses of the real daemon: over restarts, with an end of their own, and what becomes of the slots."""

from schedd.timetable.instant import to_ms
from tests.whole.child import Child

EACH_SECOND = "# @schedule * * * * * *\ntrue\n"


def test_maintenance_outlives_the_daemon_and_is_told_everywhere(child: Child) -> None:
    child.write("a.sh", "# @schedule 0 0 1 1 *\ntrue\n")
    child.start()
    made = child.schedules("pause", method="POST", body={"all": True, "note": "new disks"})
    child.kill()
    child.start()
    (listed,) = child.schedules("list")["schedules"]
    assert child.schedules("pauses")["pauses"] == [made]
    assert (listed["status"], listed["pause"], listed["nextFire"]) == ("paused", made, None)
    assert child.ask("GET", "/readyz")[1]["maintenance"] == made
    assert child.said().count("pauses all scripts: new disks") == 1


def test_a_paused_script_is_skipped_until_it_is_resumed(child: Child) -> None:
    child.write("a.sh", EACH_SECOND)
    child.write("b.sh", EACH_SECOND)
    child.start()
    child.wait_for_lines(1, scriptPath="a.sh", status="ok")
    child.schedules("pause", method="POST", body={"scriptPath": "a.sh"})
    skipped = child.schedules("trigger", method="POST", body={"scriptPath": "a.sh"})
    forced = child.schedules("trigger", method="POST", body={"scriptPath": "a.sh", "force": True})
    so_far = len(child.wait_for_lines(1, scriptPath="b.sh"))
    child.wait_for_lines(so_far + 3, scriptPath="b.sh")
    child.schedules("resume", method="POST", body={"scriptPath": "a.sh"})
    child.wait_for_lines(1, kind="schedule", reason="paused")
    assert (skipped["triggered"], skipped["status"], skipped["reason"]) == (False, "disabled", "paused")
    assert (forced["triggered"], forced["status"]) == (True, "ok")
    (span,) = [line for line in child.lines() if line.get("reason") == "paused" and "slot" in line]
    assert span["count"] >= 2


def test_a_pause_ends_by_itself_and_every_slot_has_its_line(child: Child) -> None:
    child.write("a.sh", EACH_SECOND)
    child.start()
    made = child.schedules("pause", method="POST", body={"scriptPath": "a.sh", "until": "2500ms"})
    (listed,) = child.schedules("list")["schedules"]
    child.wait_for_lines(1, reason="paused")
    ran = child.wait_for_lines(2, status="ok")
    slots = [to_ms(line["slot"]) for line in ran if to_ms(line["slot"]) > to_ms(made["since"])]
    until_ms = to_ms(made["until"])
    assert min(slots) == until_ms // 1000 * 1000 + 1000
    assert to_ms(listed["nextFire"]) == min(slots)
    (span,) = [line for line in child.lines() if line.get("reason") == "paused"]
    assert until_ms - to_ms(span["lastSlot"]) < 1000
    assert child.said().count("a.sh: the pause has come to its end\n") == 1
