"""`GET /why`, `GET /gaps` and `POST /replay`: the record, asked over HTTP."""

from dataclasses import replace
from pathlib import Path

import pytest

from schedd.fire import Kind, Reason, Status
from schedd.ledger import facts
from schedd.ledger.annals import Annals
from schedd.timetable.instant import from_slot
from schedd.web.control import Phase, ReloadReport
from tests.api import SCHEDULES, is_error, serving
from tests.fake_control import NOW_MS, FakeControl, entry, failure

WHY = f"{SCHEDULES}/why"
GAPS = f"{SCHEDULES}/gaps"
REPLAY = f"{SCHEDULES}/replay"
HOUR_MS = 3_600_000
TEN = NOW_MS // HOUR_MS * HOUR_MS
"""2026-11-24T10:00Z: a slot, and so young that it may not be decided yet."""


def slot_text(hours: int) -> str:
    """Return the slot so many hours from ten o'clock."""
    return from_slot(TEN // 1000 + hours * 3600)


def with_past(*scripts: str, zone: str = "UTC") -> FakeControl:
    """A daemon with scripts that are due at each full hour, and were registered at midnight."""
    control, annals = FakeControl(), Annals(0)
    for script in scripts:
        control.register(script, timezone=zone)
        registered = facts.Registered(
            at=TEN - 10 * HOUR_MS - 1000,
            path=script,
            expression="0 * * * *",
            timezone=zone,
            enabled=True,
            sha256="0",
        )
        annals.take(registered, None)
    control.told = annals.chronicle(NOW_MS, complete=True)
    return control


def line(script: str, hours: int, status: Status = Status.OK, **more: object):
    at_ms = TEN + hours * HOUR_MS + 100
    return entry(
        script, at_ms=at_ms, status=status, slot=slot_text(hours), started_at=slot_text(hours), **more
    )


def failed(script: str, hours: int):
    return line(script, hours, Status.ERROR, reason=Reason.EXIT, error="exit code 7")


async def test_a_verdict_has_its_word_its_sentence_and_its_evidence(tmp_path: Path) -> None:
    control = with_past("a.py")
    control.entries = [failed("a.py", -1)]
    async with serving(tmp_path, control) as api:
        body = (await api.get(f"{WHY}?scriptPath=a.py&at={slot_text(-1)}")).body
    assert (body["verdict"], body["slot"], body["before"]) == ("ran_failed", slot_text(-1), slot_text(-2))
    assert body["sentence"] == (
        "a.py ran for its slot of Tue 2026-11-24 09:00 UTC and failed after 5 ms: exit code 7."
    )
    assert body["runId"] == control.entries[0].run_id
    assert [fact["what"] for fact in body["evidence"]][:2] == ["registered: 0 * * * * in UTC", "due"]
    assert (body["next"], body["complete"], body["timezone"]) == (slot_text(1), True, "UTC")


async def test_a_time_without_an_offset_is_one_on_the_clock_of_the_script(tmp_path: Path) -> None:
    async with serving(tmp_path, with_past("a.py", zone="Asia/Kolkata")) as api:
        body = (await api.get(f"{WHY}?scriptPath=a.py&at=2026-11-24T12:00")).body
        same = (await api.get(f"{WHY}?scriptPath=a.py&at=2026-11-24T12:00%2B05:30")).body
    assert body["slot"] == same["slot"] == "2026-11-24T06:30:00.000Z"


async def test_the_line_of_a_slot_is_found_however_late_it_was_written(tmp_path: Path) -> None:
    control = with_past("a.py")
    missed = entry(
        "a.py",
        at_ms=NOW_MS,
        status=Status.ERROR,
        reason=Reason.MISSED,
        error="not there",
        slot=slot_text(-9),
        last_slot=slot_text(-1),
        count=9,
    )
    control.entries = [missed]
    async with serving(tmp_path, control) as api:
        body = (await api.get(f"{WHY}?scriptPath=a.py&at={slot_text(-8)}")).body
    assert (body["verdict"], body["runId"]) == ("missed", missed.run_id)


async def test_the_run_in_the_way_is_looked_up(tmp_path: Path) -> None:
    control = with_past("a.py")
    before = line("a.py", -3)
    before = facts.msgspec.structs.replace(before, ts=slot_text(-1))
    error = f"the slot of {slot_text(-3)} was still running (run {before.run_id})"
    skipped = entry(
        "a.py",
        at_ms=TEN - 2 * HOUR_MS,
        status=Status.SKIPPED_OVERLOAD,
        reason=Reason.OVERLAP,
        error=error,
        slot=slot_text(-2),
    )
    control.entries = [before, skipped]
    async with serving(tmp_path, control) as api:
        body = (await api.get(f"{WHY}?scriptPath=a.py&at={slot_text(-2)}")).body
    assert "its run for the slot of 07:00, started at 07:00, ended only at 09:00" in body["sentence"]


async def test_a_script_that_was_refused_says_why(tmp_path: Path) -> None:
    control = FakeControl()
    control.report = replace(control.report, failed=(failure("bad.py", "Invalid cron expression: 'x'", 2),))
    assert isinstance(control.report, ReloadReport)
    async with serving(tmp_path, control) as api:
        body = (await api.get(f"{WHY}?scriptPath=bad.py")).body
    assert body["verdict"] == "not_registered"
    assert body["sentence"] == "bad.py is not registered: line 2: Invalid cron expression: 'x'."


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "scriptPath is required"),
        ("?scriptPath=", "scriptPath is required"),
        ("?scriptPath=../x", "scriptPath must be inside scripts directory"),
        ("?scriptPath=a.py&at=noon", "at must be an ISO 8601 instant such as 2026-01-31T09:00:00Z"),
        ("?scriptPath=a.py&at=2026-13-01T00:00", "at must be an ISO 8601 instant"),
        ("?scriptPath=a.py&at=1970-01-01T00:00", "at must lie in the years 1971 to 2198"),
        ("?scriptPath=a.py&at=9999-12-31T23:59:59Z", "at must lie in the years 1971 to 2198"),
    ],
)
async def test_a_question_that_cannot_be_one_is_refused(tmp_path: Path, query: str, sentence: str) -> None:
    async with serving(tmp_path, with_past("a.py")) as api:
        answer = await api.get(WHY + query)
        assert is_error(answer, 400, "VALIDATION_ERROR")
        assert answer.body["error"].startswith(sentence)


async def test_gaps_are_the_slots_of_the_last_day_without_an_ok(tmp_path: Path) -> None:
    control = with_past("a.py")
    control.entries = [line("a.py", hours) for hours in (0, -1)] + [failed("a.py", -2), line("a.py", -3)]
    async with serving(tmp_path, control) as api:
        body = (await api.get(GAPS)).body
    assert body["total"] == 8
    assert [(g["slot"], g["lastSlot"], g["count"], g["status"], g["reason"]) for g in body["gaps"]] == [
        (slot_text(-10), slot_text(-4), 7, None, None),
        (slot_text(-2), slot_text(-2), 1, "error", "exit"),
    ]
    assert (body["only"], body["truncated"]) == ("all", False)


async def test_gaps_of_one_kind_in_a_range_are_told_alone(tmp_path: Path) -> None:
    control = with_past("a.py", "b.py")
    control.entries = [failed("a.py", -2), failed("b.py", -2)]
    async with serving(tmp_path, control) as api:
        path = f"{GAPS}?since={slot_text(-2)}&until={slot_text(0)}&only=failed&scriptPath=b.py"
        body = (await api.get(path)).body
    assert [(gap["scriptPath"], gap["slot"]) for gap in body["gaps"]] == [("b.py", slot_text(-2))]


async def test_gaps_are_found_behind_many_pages_of_the_log(tmp_path: Path) -> None:
    control = with_past("a.py")
    control.scan = 3
    control.entries = [line("a.py", -hours) for hours in range(11) if hours != 7]
    async with serving(tmp_path, control) as api:
        body = (await api.get(GAPS)).body
    assert [gap["slot"] for gap in body["gaps"]] == [slot_text(-7)]


async def test_what_is_in_flight_is_no_gap(tmp_path: Path) -> None:
    control = with_past("a.py")
    control.ends_at_once = None
    async with serving(tmp_path, control) as api:
        ticket = await control.trigger("a.py", force=False, by="me")
        control.hold(ticket.run_id, slot=TEN // 1000 - 3600, kind=Kind.REPLAY)
        body = (await api.get(f"{GAPS}?since={slot_text(-2)}&until={slot_text(0)}")).body
    assert [gap["slot"] for gap in body["gaps"]] == [slot_text(-2)]


async def test_a_limited_token_sees_and_replays_its_own_scripts_only(tmp_path: Path) -> None:
    control = with_past("shop/a.py", "pub/b.py")
    async with serving(tmp_path, control) as api:
        token = api.token("shop", "read", "trigger", scripts="shop/*")
        told = (await api.get(f"{GAPS}?since={slot_text(-1)}", token=token)).body
        done = (await api.post(REPLAY, {"since": slot_text(-1)}, token=token)).body
        foreign = await api.get(f"{WHY}?scriptPath=pub/b.py", token=token)
        assert is_error(foreign, 403, "FORBIDDEN")
        assert is_error(await api.get(f"{GAPS}?scriptPath=pub/b.py", token=token), 403, "FORBIDDEN")
    assert {gap["scriptPath"] for gap in told["gaps"]} == {"shop/a.py"}
    assert {item["scriptPath"] for item in done["slots"]} == {"shop/a.py"}


async def test_a_replay_queues_a_fire_for_each_gap_oldest_first(tmp_path: Path) -> None:
    control = with_past("a.py")
    control.entries = [failed("a.py", -1)]
    async with serving(tmp_path, control) as api:
        body = (await api.post(REPLAY, {"since": slot_text(-3), "until": slot_text(0)})).body
        runs = [run.fire for run in control.runs()]
    assert (body["total"], body["queued"], body["only"]) == (2, 2, "missing")
    assert [item["slot"] for item in body["slots"]] == [slot_text(-3), slot_text(-2)]
    assert [item["runId"] for item in body["slots"]] == [run.run_id for run in runs]
    assert {run.kind for run in runs} == {Kind.REPLAY}


async def test_a_dry_run_only_says_what_would_be_queued(tmp_path: Path) -> None:
    control = with_past("a.py")
    async with serving(tmp_path, control) as api:
        body = (await api.post(REPLAY, {"since": slot_text(-2), "only": "all", "dry_run": True})).body
    assert (body["total"], body["queued"], body["dry_run"]) == (2, 0, True)
    assert [item["runId"] for item in body["slots"]] == [None, None]
    assert not control.runs()


async def test_a_script_that_is_gone_is_not_replayed(tmp_path: Path) -> None:
    control = with_past("a.py")
    (registration,) = control.told.registrations
    gone = replace(registration, until_ms=NOW_MS, removed=True)
    control.told = replace(control.told, registrations=(gone,))
    async with serving(tmp_path, control) as api:
        body = (await api.post(REPLAY, {"since": slot_text(-2)})).body
        told = (await api.get(f"{GAPS}?since={slot_text(-2)}")).body
    assert (body["total"], body["slots"]) == (0, [])
    assert told["total"] == 2


async def test_a_thousand_slots_are_replayed_at_a_time(tmp_path: Path) -> None:
    control, annals = FakeControl(), Annals(0)
    control.register("a.py", expression="@every 1s")
    registered = facts.Registered(
        at=TEN - HOUR_MS, path="a.py", expression="@every 1s", timezone="UTC", enabled=True, sha256="0"
    )
    annals.take(registered, None)
    control.told = annals.chronicle(NOW_MS, complete=True)
    async with serving(tmp_path, control) as api:
        body = (await api.post(REPLAY, {"since": slot_text(-1), "until": slot_text(0), "dry_run": True})).body
    assert (body["total"], len(body["slots"]), body["truncated"]) == (3598, 1000, True)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "since is required"),
        ({"since": "soon"}, "since must be an ISO 8601 instant such as 2026-01-31T09:00:00Z"),
        ({"since": slot_text(5)}, "since must lie before until, and not in the future"),
        ({"since": slot_text(-1), "only": "some"}, "only must be one of missing, failed, all"),
        ({"since": slot_text(-1), "dry_run": 1}, "dry_run must be a boolean"),
        ({"since": slot_text(-1), "dryRun": True}, "unknown key 'dryRun'"),
    ],
)
async def test_a_replay_that_is_not_understood_is_refused(
    tmp_path: Path, body: dict[str, object], sentence: str
) -> None:
    async with serving(tmp_path, with_past("a.py")) as api:
        assert is_error(await api.post(REPLAY, body), 400, "VALIDATION_ERROR", sentence)


async def test_a_draining_daemon_replays_nothing_and_still_says_what_it_would(tmp_path: Path) -> None:
    control = with_past("a.py")
    control.phase = Phase.DRAINING
    async with serving(tmp_path, control) as api:
        assert is_error(await api.post(REPLAY, {"since": slot_text(-1)}), 503, "SERVICE_UNAVAILABLE")
        assert (await api.post(REPLAY, {"since": slot_text(-1), "dry_run": True})).body["total"] == 1
