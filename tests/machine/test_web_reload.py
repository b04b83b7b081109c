"""`POST /reload`: the body may be missing, the answer is the report; `GET /refused` is a part of it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from schedd.web.control import Phase, ReloadReport
from tests.api import SCHEDULES, is_error, serving
from tests.fake_control import failure

RELOAD = f"{SCHEDULES}/reload"
REFUSED = f"{SCHEDULES}/refused"
REPORT = ReloadReport(
    dry_run=False,
    added=("new.py",),
    kept=("a.py", "broken.py"),
    removed=("old.py",),
    changed=("a.py",),
    failed=(failure("broken.py", "Invalid cron expression: 'every blue moon'", line=2),),
    warnings=(failure("a.py", "unknown directive @schedul"),),
)


async def test_the_report_has_the_keys_of_the_contract(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.report = REPORT
        answer = await api.post(RELOAD, {"dry_run": True})
    assert answer.status == 200
    assert answer.body == {
        "dry_run": True,
        "added": ["new.py"],
        "kept": ["a.py", "broken.py"],
        "removed": ["old.py"],
        "changed": ["a.py"],
        "failed": [
            {"path": "broken.py", "reason": "Invalid cron expression: 'every blue moon'", "line": 2},
        ],
        "warnings": [{"path": "a.py", "reason": "unknown directive @schedul"}],
    }


@pytest.mark.parametrize("body", [None, b"", b"null", b"  ", b"{}", b'{"dry_run": false}', b" null\n"])
async def test_a_missing_body_means_a_real_reload(tmp_path: Path, body: bytes | None) -> None:
    async with serving(tmp_path) as api:
        answer = await api.post(RELOAD, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.body["dry_run"]) == (200, False)


async def test_content_length_0_with_a_json_type_is_fine(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        came = await api.raw(
            f"POST {RELOAD} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.admin}\r\n"
            "Content-Type: application/json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
    assert came.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("value", ["yes", 1, 0, None, [], {}])
async def test_dry_run_must_be_a_boolean(tmp_path: Path, value: object) -> None:
    async with serving(tmp_path) as api:
        answer = await api.post(RELOAD, {"dry_run": value})
        assert not api.control.reload_ended.is_set()
    assert is_error(answer, 400, "VALIDATION_ERROR", "dry_run must be a boolean")


async def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.post(RELOAD, {"dryRun": True})
    assert is_error(answer, 400, "VALIDATION_ERROR", "unknown key 'dryRun'")


async def test_a_reload_goes_on_when_the_client_hangs_up(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.reload_may_end.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await api.post(RELOAD)
        api.control.reload_may_end.set()
        await asyncio.wait_for(api.control.reload_ended.wait(), 1)


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.DRAINING])
async def test_a_daemon_that_is_not_running_does_not_reload(tmp_path: Path, phase: Phase) -> None:
    async with serving(tmp_path) as api:
        api.control.phase = phase
        answer = await api.post(RELOAD)
    assert is_error(answer, 503, "SERVICE_UNAVAILABLE", "Service unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert answer.body["retryAfter"] == 5


async def test_empty_lists_are_lists(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.report = replace(REPORT, added=(), failed=(), warnings=())
        body = (await api.post(RELOAD)).body
    assert (body["added"], body["failed"], body["warnings"]) == ([], [], [])


async def test_who_may_only_read_is_told_what_was_refused(tmp_path: Path) -> None:
    failed = (failure("broken.py", "Invalid cron expression: 'soon'", line=2), failure("new.py", "unsafe"))
    async with serving(tmp_path) as api:
        api.control.register("broken.py")
        api.control.report = replace(REPORT, failed=failed)
        answer = await api.get(REFUSED, token=api.token("reader", "read"))
    assert answer.body == {
        "total": 2,
        "failed": [
            {"path": "broken.py", "reason": "Invalid cron expression: 'soon'", "line": 2, "stale": True},
            {"path": "new.py", "reason": "unsafe", "stale": False},
        ],
    }


async def test_a_token_for_some_scripts_is_told_of_those_that_were_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        failed = (failure("shop/a.sh", "bad"), failure("bank/b.sh", "bad"))
        api.control.report = replace(REPORT, failed=failed)
        answer = await api.get(REFUSED, token=api.token("bank", "read", scripts="bank/*"))
    assert [each["path"] for each in answer.body["failed"]] == ["bank/b.sh"]
