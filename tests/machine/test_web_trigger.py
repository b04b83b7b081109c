"""`POST /trigger`: what it answers for each end, what it refuses, and that asking twice fires once."""

import asyncio
from pathlib import Path

import pytest

from schedd.fire import REASONS, Outcome, Reason, Status
from schedd.web import schedules
from schedd.web.control import Phase
from tests.api import RUNS, SCHEDULES, is_error, serving
from tests.fake_control import NOW_MS

TRIGGER = f"{SCHEDULES}/trigger"


async def test_it_answers_when_the_fire_is_over(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        answer = await api.trigger("/srv/scripts/a.py")
        run_id = api.control.entries[0].run_id
    assert answer.status == 200
    assert answer.body == {
        "triggered": True,
        "scriptPath": "a.py",
        "runId": run_id,
        "status": "ok",
        "durationMs": 12,
    }


async def test_a_failing_script_is_a_200_with_its_error(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("exits_7.sh")
        api.control.ends_at_once = Outcome(
            status=Status.ERROR, reason=Reason.EXIT, error="exit code 7", ended_ms=NOW_MS, duration_ms=3
        )
        answer = await api.trigger("exits_7.sh")
    assert answer.status == 200
    assert (answer.body["triggered"], answer.body["status"]) == (True, "error")
    assert (answer.body["error"], answer.body["reason"]) == ("exit code 7", "exit")


DID_RUN = {
    (Status.OK, None),
    (Status.TIMEOUT, Reason.TIMEOUT),
    *((Status.ERROR, reason) for reason in REASONS[Status.ERROR]),
} - {(Status.ERROR, Reason.SPAWN), (Status.ERROR, Reason.MISSED)}


def test_triggered_is_true_exactly_for_fires_that_had_a_run() -> None:
    every = {(status, reason) for status in Status for reason in REASONS[status] or (None,)}
    assert {pair for pair in every if schedules.triggered(*pair)} == DID_RUN


async def test_a_script_that_could_not_start_was_not_triggered(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.ends_at_once = Outcome(
            status=Status.ERROR, reason=Reason.SPAWN, error="no such interpreter", ended_ms=NOW_MS
        )
        assert (await api.trigger("a.py")).body["triggered"] is False


async def test_a_script_that_is_not_yet_registered_is_registered(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.on_disk["new.py"] = "0 * * * *"
        assert (await api.trigger("new.py")).status == 200
        assert [item["id"] for item in (await api.list())["schedules"]] == ["new.py"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "scriptPath is required"),
        (None, "scriptPath is required"),
        ({"scriptPath": ""}, "scriptPath is required"),
        ({"scriptPath": "  "}, "scriptPath is required"),
        ({"scriptPath": None}, "scriptPath is required"),
        ({"scriptPath": 7}, "scriptPath is required"),
        ({"scriptPath": ["a.py"]}, "scriptPath is required"),
        ({"scriptPath": "a.py", "force": "yes"}, "force must be a boolean"),
        ({"scriptPath": "a.py", "force": 1}, "force must be a boolean"),
        ({"scriptPath": "a.py", "force": None}, "force must be a boolean"),
        ({"scriptPath": "a.py", "wait": "no"}, "wait must be a boolean"),
        ({"scriptPath": "a.py", "forced": True}, "unknown key 'forced'"),
        ({"scriptPath": "/etc/passwd"}, "scriptPath must be inside scripts directory"),
        ({"scriptPath": "../a.py"}, "scriptPath must be inside scripts directory"),
        ({"scriptPath": "b/../a.py"}, "scriptPath must be inside scripts directory"),
        ({"scriptPath": ".."}, "scriptPath must be inside scripts directory"),
        ({"scriptPath": "a\0.py"}, "scriptPath must be inside scripts directory"),
        ({"scriptPath": "a.py\n"}, "scriptPath must be inside scripts directory"),
        ({"scriptPath": "plain.py"}, "script has no @schedule directive"),
        ([], "the body must be a JSON object"),
        ("a.py", "the body must be a JSON object"),
        (7, "the body must be a JSON object"),
    ],
)
async def test_what_is_wrong_with_a_request_is_said_in_one_sentence(
    tmp_path: Path, body: object, sentence: str
) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.on_disk["plain.py"] = ""
        answer = await api.post(TRIGGER, body)
        assert api.control.asked == []
    assert is_error(answer, 400, "VALIDATION_ERROR", sentence)


async def test_a_script_that_cannot_be_scheduled_says_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.on_disk["moon.py"] = "every blue moon"
        answer = await api.trigger("moon.py")
    assert is_error(answer, 400, "VALIDATION_ERROR", "script is not schedulable")
    assert answer.body["details"]["reason"] == "Invalid cron expression: 'every blue moon'"


@pytest.mark.parametrize("path", ["nowhere.py", "a" * 300, "d/" * 2500, "x" * 250 + "/" + "é" * 200])
async def test_a_script_that_is_not_there_is_a_404(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as api:
        answer = await api.trigger(path)
    assert is_error(answer, 404, "NOT_FOUND", "script not found")


async def test_a_guarded_script_wants_force(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py", guarded=True)
        refused = await api.trigger("a.py")
        forced = await api.trigger("a.py", force=True)
    assert is_error(refused, 403, "FORBIDDEN")
    assert forced.status == 200


@pytest.mark.parametrize(("all_of_them", "reason"), [(False, "paused"), (True, "maintenance")])
async def test_a_paused_script_runs_only_with_force(tmp_path: Path, all_of_them: bool, reason: str) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        await api.control.pause(None if all_of_them else "a.py", note=None, until_ms=None, by="x")
        unforced = await api.trigger("a.py")
        forced = await api.trigger("a.py", force=True)
    assert (unforced.status, unforced.body["triggered"]) == (200, False)
    assert (unforced.body["status"], unforced.body["reason"]) == ("disabled", reason)
    assert (forced.body["triggered"], forced.body["status"]) == (True, "ok")


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.DRAINING, Phase.STOPPED])
async def test_a_daemon_that_is_not_running_fires_nothing(tmp_path: Path, phase: Phase) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.phase = phase
        answer = await api.trigger("a.py")
        assert api.control.asked == []
    assert is_error(answer, 503, "SERVICE_UNAVAILABLE", "scheduler unavailable")
    assert answer.headers["Retry-After"] == "5"


async def test_the_fire_goes_on_when_the_client_hangs_up(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.ends_at_once = None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await api.trigger("a.py")
        (run,) = api.control.runs()
        api.control.end(run.fire.run_id, Outcome(status=Status.OK, ended_ms=NOW_MS))
        history = (await api.get(f"{SCHEDULES}/history")).body
    assert [line["status"] for line in history["entries"]] == ["ok"]


async def test_without_waiting_the_answer_is_the_run(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.ends_at_once = None
        answer = await api.trigger("a.py", wait=False)
        (run,) = api.control.runs()
        seen = await api.get(answer.headers["Location"])
    assert answer.status == 202
    assert answer.body == {"accepted": True, "scriptPath": "a.py", "runId": run.fire.run_id}
    assert answer.headers["Location"] == f"{RUNS}/{run.fire.run_id}"
    assert seen.body["state"] == "running"


async def test_the_daemon_is_told_who_asked(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        await api.trigger("a.py")
        assert api.control.asked == [("trigger", "a.py", "admin")]


async def test_the_same_key_gives_the_same_fire(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        key = {"Idempotency-Key": "deploy 42 / try 1"}
        first = await api.trigger("a.py", headers=key)
        again = await api.trigger("a.py", headers=key)
        other = await api.trigger("a.py", headers={"Idempotency-Key": "deploy 43"})
        assert len(api.control.asked) == 2
    assert first.body == again.body
    assert other.body["runId"] != first.body["runId"]


async def test_a_repeat_is_answered_while_the_daemon_drains(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        first = await api.trigger("a.py", headers={"Idempotency-Key": "k"})
        api.control.phase = Phase.DRAINING
        again = await api.trigger("a.py", headers={"Idempotency-Key": "k"})
        other = await api.trigger("a.py", headers={"Idempotency-Key": "another"})
    assert first.body == again.body
    assert other.status == 503


async def test_the_same_key_at_the_same_time_gives_the_same_fire(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.ends_at_once = None
        key = {"Idempotency-Key": "k"}
        answers = await asyncio.gather(*(api.trigger("a.py", wait=False, headers=key) for _ in range(5)))
        assert len(api.control.asked) == 1
    assert len({answer.body["runId"] for answer in answers}) == 1


async def test_a_key_that_belongs_to_another_script_is_a_409(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.register("b.py")
        await api.trigger("a.py", headers={"Idempotency-Key": "k"})
        answer = await api.trigger("b.py", headers={"Idempotency-Key": "k"})
    assert is_error(answer, 409, "CONFLICT", "this Idempotency-Key was used for another script")
    assert answer.body["details"] == {"reason": "a.py"}


async def test_a_key_is_kept_as_a_hash_that_is_the_same_each_time(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        await api.trigger("a.py", headers={"Idempotency-Key": "deploy 42"})
        (kept,) = api.control.keys
    # Of "admin", NUL, "deploy 42": another hash would make every key of yesterday a new one.
    assert kept == "3cf49197d6039927759a296e4f21f730"


async def test_a_refused_trigger_leaves_its_key_free(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        missing = await api.trigger("a.py", headers={"Idempotency-Key": "k"})
        api.control.register("a.py")
        there = await api.trigger("a.py", headers={"Idempotency-Key": "k"})
    assert (missing.status, there.status) == (404, 200)


async def test_two_callers_may_use_the_same_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        other = api.token("other", "trigger")
        api.control.register("a.py")
        key = {"Idempotency-Key": "1"}
        mine = await api.trigger("a.py", headers=key)
        theirs = await api.trigger("a.py", headers=key | {"Authorization": f"Bearer {other}"})
    assert mine.body["runId"] != theirs.body["runId"]


@pytest.mark.parametrize("key", ["", "x" * 256, "café", "a\tb"])
async def test_a_key_that_cannot_be_one_is_a_400(tmp_path: Path, key: str) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        came = await api.raw(
            f"POST {TRIGGER} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.admin}\r\n"
            f"Idempotency-Key: {key}\r\nContent-Length: 21\r\nConnection: close\r\n\r\n"
            '{"scriptPath":"a.py"}'.encode()
        )
        assert api.control.asked == []
    assert came.startswith(b"HTTP/1.1 400 ")
    assert b"Idempotency-Key" in came
