"""The probes: alive for everybody, ready for those who may read, and the front door."""

from pathlib import Path

import pytest

import schedd
from schedd.web.control import Phase
from tests.api import is_error, serving
from tests.fake_control import NOW_MS

HEALTH = "/api/v1/exec/health"


@pytest.mark.parametrize("path", [HEALTH, "/healthz"])
async def test_alive_is_open_and_tells_strangers_no_more_than_that(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(path, token=None)
    assert answer.body == {
        "status": "ok",
        "phase": "running",
        "ready": True,
        "version": "0.1.0",
        "startedAt": "2026-11-24T09:59:00.123Z",
    }
    assert answer.headers["ETag"]


async def test_a_daemon_that_is_not_ready_is_alive_and_degraded(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.not_ready = ("the disk below /var/lib/schedd is full",)
        answer = await api.get(HEALTH, token=None)
    assert (answer.status, answer.body["status"], answer.body["ready"]) == (200, "degraded", False)
    assert b"/var/lib" not in answer.raw


@pytest.mark.parametrize("phase", list(Phase))
async def test_every_phase_has_an_answer(tmp_path: Path, phase: Phase) -> None:
    async with serving(tmp_path) as api:
        api.control.phase = phase
        assert (await api.get(HEALTH, token=None)).body["phase"] == phase.value


async def test_ready_wants_a_token(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        assert is_error(await api.get("/readyz", token=None), 401, "UNAUTHORIZED")


async def test_ready_says_how_it_is(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        answer = await api.get("/readyz")
    assert answer.status == 200
    assert (answer.body["schedules"], answer.body["scriptsDir"]) == (1, "/srv/scripts")


async def test_ready_tells_of_maintenance_and_of_paused_scripts(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        before = (await api.get("/readyz")).body
        await api.control.pause("a.py", note=None, until_ms=None, by="x")
        await api.control.pause(None, note="new disks", until_ms=NOW_MS + 60_000, by="ops")
        answer = await api.get("/readyz")
        stranger = await api.get(HEALTH, token=None)
    assert (before["paused"], before["maintenance"]) == (0, None)
    assert (answer.status, answer.body["paused"]) == (200, 1)
    assert answer.body["maintenance"] == {
        "scriptPath": None,
        "all": True,
        "since": "2026-11-24T10:00:00.123Z",
        "by": "ops",
        "note": "new disks",
        "until": "2026-11-24T10:01:00.123Z",
    }
    assert b"disks" not in stranger.raw


async def test_not_ready_says_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.not_ready = ("the ledger cannot write",)
        answer = await api.get("/readyz")
    assert is_error(answer, 503, "SERVICE_UNAVAILABLE", "Service unavailable")
    assert answer.body["details"] == {"reasons": ["the ledger cannot write"]}
    assert answer.headers["Retry-After"] == "5"


async def test_the_front_door_says_who_is_here_and_where_to_go(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get("/", token=None)
        health = await api.get(answer.body["health"], token=None)
        listed = await api.get(answer.body["api"] + "/list")
    assert (answer.body["name"], answer.body["version"]) == ("schedd", schedd.__version__)
    assert (health.status, listed.status) == (200, 200)
