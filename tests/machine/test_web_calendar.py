"""`GET /calendar` and `GET /recent`: what they count, for whom, and what they refuse."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest

from schedd.fire import Kind, Reason, RunId, Status
from schedd.insight.recent import Outcome, Recent
from schedd.ledger.tally import Tally
from schedd.planner.view import Pause
from schedd.web.calendar import MOST_STEPS, PIECE_BYTES
from tests.api import SCHEDULES, is_error, serving
from tests.fake_control import NOW_MS, FakeControl

CALENDAR = f"{SCHEDULES}/calendar"
RECENT = f"{SCHEDULES}/recent"
DAY = "from=2026-11-24T00:00:00Z&to=2026-11-25T00:00:00Z"


def some_control() -> FakeControl:
    """Return a daemon at ten past ten (and 123 ms), with two scripts of one team and one of another."""
    control = FakeControl()
    control.register("shop/a.sh", expression="0 * * * *")
    control.register("shop/b.sh", expression="0 12 * * *")
    control.register("bank/c.sh", expression="30 * * * *")
    return control


async def test_slots_are_counted_from_now_on(tmp_path: Path) -> None:
    async with serving(tmp_path, some_control()) as api:
        body = (await api.get(f"{CALENDAR}?{DAY}&step=1h")).body
    assert body["stepMs"] == 3_600_000
    assert body["now"] == "2026-11-24T10:00:00.123Z"
    assert body["slots"] == [0] * 10 + [1, 2, 3] + [2] * 11
    assert body["fires"] == {}
    assert "scripts" not in body


async def test_fires_are_told_by_status(tmp_path: Path) -> None:
    control = some_control()
    control.counted = Tally(together={Status.OK: Counter({0: 5, 3: 1}), Status.TIMEOUT: Counter({1: 2})})
    async with serving(tmp_path, control) as api:
        body = (await api.get(f"{CALENDAR}?{DAY}&step=21600")).body
    assert body["fires"] == {"ok": [5, 0, 0, 1], "timeout": [0, 2, 0, 0]}
    assert body["missed"] == [0, 0, 0, 0]


async def test_by_script_says_what_is_whose(tmp_path: Path) -> None:
    control = some_control()
    control.counted = Tally(
        each={"shop/b.sh": {Status.ERROR: Counter({2: 3})}}, missed_by={"shop/b.sh": Counter({2: 1})}
    )
    async with serving(tmp_path, control) as api:
        path = f"{CALENDAR}?{DAY}&step=6h&by=script&scriptPath=shop/a.sh&scriptPath=shop/b.sh"
        body = (await api.get(path)).body
    assert body["scripts"] == [
        {"scriptPath": "shop/a.sh", "slots": [[1, 1], [2, 6], [3, 6]], "fires": {}, "missed": []},
        {"scriptPath": "shop/b.sh", "slots": [[2, 1]], "fires": {"error": [[2, 3]]}, "missed": [[2, 1]]},
    ]
    assert body["slots"] == [0, 1, 7, 6]


async def test_pauses_and_disabled_schedules_have_no_slots(tmp_path: Path) -> None:
    control = some_control()
    control.registered["shop/a.sh"] = replace(control.registered["shop/a.sh"], enabled=False)
    control.paused["bank/c.sh"] = Pause(
        script="bank/c.sh", since_ms=NOW_MS, by="me", until_ms=NOW_MS + 6 * 3_600_000
    )
    control.paused["shop/b.sh"] = Pause(script="shop/b.sh", since_ms=NOW_MS, by="me")
    async with serving(tmp_path, control) as api:
        body = (await api.get(f"{CALENDAR}?{DAY}&step=1h")).body
    assert body["slots"] == [0] * 16 + [1] * 8


async def test_a_token_for_some_scripts_counts_only_those(tmp_path: Path) -> None:
    control = some_control()
    async with serving(tmp_path, control) as api:
        token = api.token("bank", "read", scripts="bank/*")
        body = (await api.get(f"{CALENDAR}?{DAY}&step=1d", token=token)).body
        assert body["slots"] == [14]
        sees = control.tallied[-1].sees
        assert sees is not None
        assert [sees("bank/c.sh"), sees("shop/a.sh")] == [True, False]
        for route in (CALENDAR, RECENT):
            refused = await api.get(f"{route}?scriptPath=shop/a.sh", token=token)
            assert is_error(refused, 403, "FORBIDDEN")


async def test_the_tag_leaves_out_what_time_it_is(tmp_path: Path) -> None:
    control = some_control()
    async with serving(tmp_path, control) as api:
        first = await api.get(f"{CALENDAR}?{DAY}")
        tag = first.headers["ETag"]
        assert tag.startswith('W/"')
        control.now_ms = lambda: NOW_MS + 60_000  # type: ignore[method-assign]
        again = await api.get(f"{CALENDAR}?{DAY}", headers={"If-None-Match": tag})
        assert (again.status, again.raw, again.headers["ETag"]) == (304, b"", tag)
        control.register("shop/d.sh", expression="* * * * *")
        assert (await api.get(f"{CALENDAR}?{DAY}", headers={"If-None-Match": tag})).status == 200


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("step=x", "step must be a number of seconds, or a duration such as 5m"),
        ("step=0", "step must be a whole number of seconds, from 1s to 366d"),
        ("step=1500ms", "step must be a whole number of seconds, from 1s to 366d"),
        (
            f"{DAY}&step=1s",
            (
                "from, to and step make 86400 steps, at most 2000 are answered: "
                "ask for longer steps or a shorter stretch"
            ),
        ),
        ("from=2026-11-25T00:00:00Z&to=2026-11-24T00:00:00Z", "from must be before to"),
        ("from=2026-11-25T00:00:00Z&to=2026-11-25T00:00:00Z", "from must be before to"),
        ("from=1960-01-01T00:00:00Z", "from must lie in the years 1970 to 2199, UTC"),
        ("from=soon", "from must be an ISO 8601 instant such as 2026-01-31T09:00:00Z"),
        ("by=script", "by=script needs scriptPath: say which scripts"),
        ("by=day", "by must be script, or left away"),
        ("scriptPath=a.sh&" * 201, "scriptPath may be given at most 200 times"),
        ("step=1h&step=2h", "step is given twice"),
        ("scriptpath=a.sh", "unknown query key 'scriptpath': did you mean scriptPath?"),
    ],
)
async def test_what_cannot_be_counted_is_refused(tmp_path: Path, query: str, sentence: str) -> None:
    async with serving(tmp_path) as api:
        assert is_error(await api.get(f"{CALENDAR}?{query}"), 400, "VALIDATION_ERROR", sentence)


async def test_the_last_outcomes_come_for_each_script_that_is_named(tmp_path: Path) -> None:
    control = some_control()
    run_id = RunId(str(UUID(int=5)))
    control.lately["ü b.sh"] = Recent(
        (Outcome(NOW_MS, run_id, Status.ERROR, Reason.EXIT, 70, Kind.SCHEDULE),)
    )
    async with serving(tmp_path, control) as api:
        body = (await api.get(f"{RECENT}?scriptPath={quote('ü b.sh')}&scriptPath=shop/a.sh")).body
        assert is_error(await api.get(RECENT), 400, "VALIDATION_ERROR", "scriptPath is required")
    assert body["total"] == 2
    assert body["scripts"][1] == {"scriptPath": "shop/a.sh", "usualMs": None, "outcomes": []}
    assert body["scripts"][0]["outcomes"] == [
        {
            "ts": "2026-11-24T10:00:00.123Z",
            "runId": run_id,
            "status": "error",
            "reason": "exit",
            "durationMs": 70,
            "kind": "schedule",
        }
    ]


async def test_an_answer_of_many_numbers_comes_whole(tmp_path: Path) -> None:
    control, scripts = FakeControl(), [f"{number}.sh" for number in range(20)]
    counts = {index: index + 1 for index in range(MOST_STEPS)}

    def count_anew() -> None:
        control.counted = Tally(each={script: {Status.OK: dict(counts)} for script in scripts})

    named = "&".join(f"scriptPath={script}" for script in scripts)
    path = f"{CALENDAR}?from=2026-11-24T00:00:00Z&to=2026-12-14T20:00:00Z&step=15m&by=script&{named}"
    async with serving(tmp_path, control) as api:
        count_anew()
        whole = await api.get(path)
        count_anew()
        head = await api.ask("HEAD", path)
        count_anew()
        again = await api.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert len(whole.raw) > 3 * PIECE_BYTES
    assert whole.headers["Content-Length"] == head.headers["Content-Length"] == str(len(whole.raw))
    assert [each["scriptPath"] for each in whole.body["scripts"]] == scripts
    for each in whole.body["scripts"]:
        assert each["fires"] == {"ok": [[index, count] for index, count in counts.items()]}
    assert (again.status, again.raw, head.raw) == (304, b"", b"")
