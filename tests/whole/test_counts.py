"""The real daemon's timeline: what it counts is what its log and its list say."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.whole.child import Child

QUIET = "#!/bin/sh\n# @schedule 0 3 1 1 *\ntrue\n"
OFTEN = "#!/bin/sh\n# @schedule */10 * * * *\ntrue\n"


def stretch(*, hours: int) -> tuple[datetime, str]:
    """Return a whole hour and the query for so many hours before and after it."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    begin, end = (hour + timedelta(hours=n) for n in (-hours, hours))
    return begin, f"from={begin:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"


def trigger(child: Child, script: str) -> str:
    answer: dict[str, Any] = child.schedules("trigger", method="POST", body={"scriptPath": script})
    return str(answer["runId"])


def test_outcomes_are_there_once_whether_they_came_before_or_after_the_first_question(child: Child) -> None:
    child.write("a.sh", QUIET)
    child.start()
    run_ids = [trigger(child, "a.sh") for _ in range(3)]
    for _ in range(3):
        (found,) = child.schedules("recent?scriptPath=a.sh")["scripts"]
        assert [outcome["runId"] for outcome in found["outcomes"]] == run_ids
        assert found["usualMs"] is not None
        run_ids.append(trigger(child, "a.sh"))


def test_outcomes_outlive_the_daemon(child: Child) -> None:
    child.write("a.sh", QUIET)
    child.start()
    run_id = trigger(child, "a.sh")
    child.kill()
    child.start()
    (found,) = child.schedules("recent?scriptPath=a.sh")["scripts"]
    assert [outcome["runId"] for outcome in found["outcomes"]] == [run_id]


def test_every_line_of_the_history_is_counted_once(child: Child) -> None:
    child.write("a.sh", QUIET)
    child.write("b.sh", QUIET.replace("true", "exit 3"))
    child.start()
    _, query = stretch(hours=2)
    for _ in range(2):
        for script in ("a.sh", "b.sh"):
            trigger(child, script)
        told = Counter(entry["status"] for entry in child.schedules("history")["entries"])
        found = child.schedules(f"calendar?{query}&step=5m")["fires"]
        assert {status: sum(counts) for status, counts in found.items()} == told


def test_the_coming_slots_are_those_of_the_list(child: Child) -> None:
    child.write("a.sh", OFTEN)
    child.start()
    begin, query = stretch(hours=3)
    (listed,) = child.schedules("list")["schedules"]
    (one,) = child.schedules(f"calendar?{query}&step=1m&by=script&scriptPath=a.sh")["scripts"]
    coming = [begin + timedelta(minutes=step) for step, count in one["slots"] for _ in range(count)]
    assert [f"{at:%Y-%m-%dT%H:%M:%S}.000Z" for at in coming[:5]] == listed["nextFires"]
    assert sum(child.schedules(f"calendar?{query}&step=1m")["slots"]) == len(coming)
    child.schedules("pause", method="POST", body={"scriptPath": "a.sh"})
    assert sum(child.schedules(f"calendar?{query}&step=1m")["slots"]) == 0


def test_a_night_without_a_daemon_is_a_night_of_misses(child: Child) -> None:
    begin, query = stretch(hours=6)
    slots = [f"{begin + timedelta(minutes=n):%Y-%m-%dT%H:%M:%S}.000Z" for n in (0, 239)]
    child.state.mkdir()
    (child.state / "fires.log").write_text(
        f'{{"ts":"{begin + timedelta(hours=5):%Y-%m-%dT%H:%M:%S}.000Z","scriptPath":"a.sh",'
        '"expression":"* * * * *","runId":"019a0000-0000-7000-8000-000000000001","status":"error",'
        '"durationMs":0,"kind":"schedule","reason":"missed","error":"nobody was there",'
        f'"slot":"{slots[0]}","lastSlot":"{slots[1]}","count":240}}\n'
    )
    child.start()
    found = child.schedules(f"calendar?{query}&step=1h")
    assert found["fires"] == {"error": [60] * 4 + [0] * 8}
    assert found["missed"] == found["fires"]["error"]
