"""`/runs`: what is in flight, one run, its output, stopping it."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from schedd.fire import Kind, Outcome, RunId, Status
from schedd.planner.view import Awaited, Wait
from schedd.timetable.instant import Slot
from tests.api import RUNS, Api, is_error, serving
from tests.fake_control import NOW_MS, entry

UNKNOWN = "019357a0-0000-7000-8000-000000000000"
OK = Outcome(status=Status.OK, ended_ms=NOW_MS)


async def started(api: Api, script: str = "a.py") -> RunId:
    """Start a run that goes on."""
    api.control.register(script)
    api.control.ends_at_once = None
    return RunId((await api.trigger(script, wait=False)).body["runId"])


async def test_runs_in_flight_are_listed_with_held_fires(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        first, second = await started(api), await started(api, "b.py")
        api.control.hold(second)
        body = (await api.get(RUNS)).body
    assert body["total"] == 2
    assert [(run["runId"], run["state"]) for run in body["runs"]] == [(first, "running"), (second, "held")]
    assert body["runs"][0] == {
        "runId": first,
        "state": "running",
        "scriptPath": "a.py",
        "expression": "0 * * * *",
        "kind": "manual",
        "slot": None,
        "attempt": 1,
        "due": None,
        "waitsFor": None,
        "startedAt": "2026-11-24T10:00:00.123Z",
        "pid": 77,
        "timeoutMs": 0,
    }


async def test_what_waits_says_why_it_is_there_and_until_when(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        retry, catchup = await started(api), await started(api, "b.py")
        slot = Slot(NOW_MS // 1000 - 7_200)
        api.control.hold(retry, kind=Kind.RETRY, slot=slot, attempt=2, due_ms=NOW_MS + 60_000)
        api.control.hold(catchup, kind=Kind.CATCHUP, slot=slot)
        first, second = (await api.get(RUNS)).body["runs"]
    keys = ("state", "kind", "slot", "attempt", "due", "startedAt", "pid")
    at = "2026-11-24T08:00:00.000Z"
    assert [first[k] for k in keys] == ["held", "retry", at, 2, "2026-11-24T10:01:00.123Z", None, None]
    assert [second[k] for k in keys] == ["held", "catchup", at, 1, None, None, None]


async def test_what_waits_for_a_lock_says_who_has_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        waiter, holder = await started(api), await started(api, "b.py")
        fire = next(view.fire for view in api.control.runs() if view.fire.run_id == holder)
        api.control.hold(waiter, wait=Wait(Awaited.LOCK, "database", fire))
        api.control.hold(holder, wait=Wait(Awaited.PLACE))
        first, second = (await api.get(RUNS)).body["runs"]
    assert first["waitsFor"] == {"what": "lock", "lock": "database", "scriptPath": "b.py", "runId": holder}
    assert second["waitsFor"] == {"what": "place", "lock": None, "scriptPath": None, "runId": None}


async def test_however_many_wait_the_list_is_bounded_and_counts_them_all(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        running = await started(api)
        await api.control.replay([("a.py", Slot(number)) for number in range(1_200)], by="x")
        body = (await api.get(RUNS)).body
    assert (body["total"], len(body["runs"])) == (1_201, 1_000)
    assert body["runs"][0]["runId"] == running


async def test_a_run_that_ended_has_its_entry_and_its_whole_result(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        line = api.control.end(run_id, OK)
        api.control.results[run_id] = '{"rows": [1, 2]}'
        body = (await api.get(f"{RUNS}/{run_id}")).body
    assert (body["state"], body["pid"]) == ("ended", None)
    assert body["entry"]["runId"] == line.run_id
    assert body["result"] == {"rows": [1, 2]}


async def test_a_run_far_back_in_the_log_is_found(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.entries = [entry("a.py", at_ms=NOW_MS - age) for age in range(9)]
        api.control.scan = 2
        body = (await api.get(f"{RUNS}/{api.control.entries[-1].run_id}")).body
    assert body["state"] == "ended"


async def test_a_run_in_flight_has_no_entry_yet(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        body = (await api.get(f"{RUNS}/{run_id.upper()}")).body
    assert (body["state"], body["entry"], body["result"]) == ("running", None, None)


async def test_a_result_that_was_cut_short_is_shown_as_text(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.end(run_id, OK)
        api.control.results[run_id] = '{"rows": [1, 2'
        assert (await api.get(f"{RUNS}/{run_id}")).body["result"] == '{"rows": [1, 2'


@pytest.mark.parametrize("run_id", [UNKNOWN, "7", "%00", "..%2F..%2Fetc", "a" * 36])
@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("GET", "/output"), ("POST", "/stop")])
async def test_a_run_that_is_not_known_is_a_404(tmp_path: Path, run_id: str, method: str, tail: str) -> None:
    async with serving(tmp_path) as api:
        assert is_error(await api.ask(method, f"{RUNS}/{run_id}{tail}"), 404, "NOT_FOUND", "run not found")


async def test_output_is_plain_text_byte_for_byte(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.print(run_id, b"<b>caf\xc3\xa9</b>\r\n\x00\xff")
        api.control.end(run_id, OK)
        answer = await api.get(f"{RUNS}/{run_id}/output")
    assert answer.raw == b"<b>caf\xc3\xa9</b>\r\n\x00\xff"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_run_that_printed_nothing_has_an_empty_output(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.end(run_id, OK)
        answer = await api.get(f"{RUNS}/{run_id}/output")
    assert (answer.status, answer.raw) == (200, b"")


@pytest.mark.parametrize(
    ("asked", "status", "came", "content_range"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("bytes=4-2", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=a-b", 200, b"0123456789", None),
    ],
)
async def test_a_range_of_the_output(
    tmp_path: Path, asked: str, status: int, came: bytes, content_range: str | None
) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.print(run_id, b"0123456789")
        answer = await api.get(f"{RUNS}/{run_id}/output", headers={"Range": asked})
    assert (answer.status, answer.raw, answer.headers.get("Content-Range")) == (status, came, content_range)
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99-100", "bytes=-0", "bytes=" + "9" * 19 + "-"])
async def test_a_range_behind_the_end_is_a_416(tmp_path: Path, asked: str) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.print(run_id, b"0123456789")
        answer = await api.get(f"{RUNS}/{run_id}/output", headers={"Range": asked})
    assert is_error(answer, 416, "VALIDATION_ERROR")
    assert answer.headers["Content-Range"] == "bytes */10"


async def test_a_range_of_an_older_version_gives_the_whole(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.print(run_id, b"0123456789")
        tag = (await api.get(f"{RUNS}/{run_id}/output")).headers["ETag"]
        same = await api.get(f"{RUNS}/{run_id}/output", headers={"Range": "bytes=8-", "If-Range": tag})
        api.control.print(run_id, b"abc")
        older = await api.get(f"{RUNS}/{run_id}/output", headers={"Range": "bytes=8-", "If-Range": tag})
    assert (same.status, same.raw) == (206, b"89")
    assert (older.status, older.raw) == (200, b"0123456789abc")


async def test_following_sends_what_there_is_and_then_what_comes_until_the_end(tmp_path: Path) -> None:
    async with serving(tmp_path) as api, asyncio.timeout(2):
        run_id = await started(api)
        api.control.print(run_id, b"one\n")
        headers = {"Authorization": f"Bearer {api.admin}"}
        url = f"{api.bound.url}{RUNS}/{run_id}/output?follow=true"
        async with api.session.get(url, headers=headers) as response:
            assert response.content_type == "text/plain"
            assert await response.content.readany() == b"one\n"
            api.control.print(run_id, b"two\n")
            assert await response.content.readany() == b"two\n"
            api.control.end(run_id, OK)
            assert await response.content.read() == b""
        await api.control.unfollowed.wait()


async def test_following_a_run_that_ended_gives_its_output(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.print(run_id, b"done\n")
        api.control.end(run_id, OK)
        answer = await api.get(f"{RUNS}/{run_id}/output?follow=true")
    assert answer.raw == b"done\n"


async def test_a_follower_that_left_is_noticed_though_the_run_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schedd.web.live.LOOK_S", 0.01)
    async with serving(tmp_path) as api, asyncio.timeout(2):
        run_id = await started(api)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await api.get(f"{RUNS}/{run_id}/output?follow=true")
        await api.control.unfollowed.wait()
        assert [run.fire.run_id for run in api.control.runs()] == [run_id]


async def test_streams_end_when_the_sockets_close(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.print(run_id, b"one\n")
        following = asyncio.ensure_future(api.get(f"{RUNS}/{run_id}/output?follow=true"))
        await api.control.followed.wait()
        stopped = asyncio.get_running_loop().time()
    took_s = asyncio.get_running_loop().time() - stopped
    assert (await following).raw == b"one\n"
    assert took_s < 0.3


async def test_stopping_a_run_ends_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        answer = await api.post(f"{RUNS}/{run_id}/stop")
        again = await api.post(f"{RUNS}/{run_id}/stop")
        assert api.control.asked[-1] == ("stop", run_id, "admin")
    assert answer.body == {"runId": run_id, "stopping": True}
    assert is_error(again, 409, "CONFLICT", "the run is over")


async def test_stopping_says_nothing_in_its_body(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        answer = await api.post(f"{RUNS}/{run_id}/stop", {"signal": "KILL"})
        assert len(api.control.runs()) == 1
    assert is_error(answer, 400, "VALIDATION_ERROR", "unknown key 'signal'")


async def test_a_limited_token_does_not_see_the_runs_of_others(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        token = api.token("shop", "read", "trigger", scripts="shop/*")
        run_id, own = await started(api), await started(api, "shop/a.py")
        listed = (await api.get(RUNS, token=token)).body
        for method, tail in (("GET", ""), ("GET", "/output"), ("POST", "/stop")):
            answer = await api.ask(method, f"{RUNS}/{run_id}{tail}", token=token)
            assert is_error(answer, 404, "NOT_FOUND", "run not found")
    assert [run["runId"] for run in listed["runs"]] == [own]
