"""`POST /pause`, `POST /resume`, `GET /pauses`, and what the list says of what is paused."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from schedd.web.control import Phase
from tests.api import SCHEDULES, Answer, Api, is_error, serving
from tests.fake_control import NOW_MS

PAUSE = f"{SCHEDULES}/pause"
RESUME = f"{SCHEDULES}/resume"
PAUSES = f"{SCHEDULES}/pauses"
NOW = "2026-11-24T10:00:00.123Z"
A_PY = {"scriptPath": "a.py", "all": False, "since": NOW, "by": "admin", "note": None, "until": None}
ALL = {"scriptPath": None, "all": True, "since": NOW, "by": "admin", "note": None, "until": None}


async def pause(api: Api, **body: object) -> Answer:
    return await api.post(PAUSE, body)


async def pauses(api: Api, **more: object) -> object:
    return (await api.get(PAUSES, **more)).body["pauses"]


async def item(api: Api, script: str = "a.py") -> dict[str, object]:
    return next(item for item in (await api.list())["schedules"] if item["id"] == script)


async def test_a_script_is_paused_until_somebody_resumes_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        made = await pause(api, scriptPath="/srv/scripts/a.py")
        during = await pauses(api)
        ended = await api.post(RESUME, {"scriptPath": "a.py"})
        assert await pauses(api) == []
        assert api.control.asked == [("pause", "a.py", "admin"), ("resume", "a.py", "admin")]
    assert (made.status, made.body, during) == (200, A_PY, [A_PY])
    assert (ended.status, ended.body) == (
        200,
        {"resumed": True, "scriptPath": "a.py", "all": False, "pause": None},
    )


async def test_all_scripts_are_paused_when_it_is_spelt_out(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        made = await pause(api, all=True, note=" new disks ", until="2h")
        ended = await api.post(RESUME, {"all": True})
    assert made.body == ALL | {"note": "new disks", "until": "2026-11-24T12:00:00.123Z"}
    assert ended.body == {"resumed": True, "scriptPath": None, "all": True, "pause": None}


@pytest.mark.parametrize("path", [PAUSE, RESUME])
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (None, "scriptPath is required, or all: true"),
        ({}, "scriptPath is required, or all: true"),
        ({"all": False}, "scriptPath is required, or all: true"),
        ({"scriptPath": ""}, "scriptPath is required, or all: true"),
        ({"scriptPath": " "}, "scriptPath is required, or all: true"),
        ({"scriptPath": None}, "scriptPath is required, or all: true"),
        ({"scriptPath": "a.py", "all": True}, "scriptPath and all exclude each other: give one"),
        ({"scriptPath": 7}, "scriptPath must be a string or null"),
        ({"scriptPath": ["a.py"]}, "scriptPath must be a string or null"),
        ({"all": "true"}, "all must be a boolean"),
        ({"all": 1}, "all must be a boolean"),
        ({"all": None}, "all must be a boolean"),
        ({"script": "a.py"}, "unknown key 'script'"),
        ({"scriptPath": "../a.py"}, "scriptPath must be inside scripts directory"),
        ({"scriptPath": "/etc/passwd"}, "scriptPath must be inside scripts directory"),
        ([], "the body must be a JSON object"),
    ],
)
async def test_nothing_but_a_script_or_all_true_is_taken(
    tmp_path: Path, path: str, body: object, sentence: str
) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        answer = await api.post(path, body)
        assert api.control.asked == []
    assert is_error(answer, 400, "VALIDATION_ERROR", sentence)


@pytest.mark.parametrize(
    ("until", "told"),
    [
        ("90s", "2026-11-24T10:01:30.123Z"),
        ("1h30m", "2026-11-24T11:30:00.123Z"),
        ("2026-11-25T08:00:00Z", "2026-11-25T08:00:00.000Z"),
        ("2026-11-25T08:00+01:00", "2026-11-25T07:00:00.000Z"),
        ("2026-11-25", "2026-11-25T00:00:00.000Z"),
        ("2026-11-24T10:00:00.1234Z", "2026-11-24T10:00:00.124Z"),
        (None, None),
    ],
)
async def test_until_is_an_instant_or_how_long_from_now(
    tmp_path: Path, until: str | None, told: str | None
) -> None:
    async with serving(tmp_path) as api:
        made = await pause(api, all=True, until=until)
    assert made.body == ALL | {"until": told}


WANTED = "until must be an ISO 8601 instant such as 2026-01-31T09:00:00Z, or a duration such as 2h"


@pytest.mark.parametrize(
    ("until", "sentence"),
    [
        ("", WANTED),
        ("tomorrow", WANTED),
        ("2h ago", WANTED),
        ("-2h", WANTED),
        ("2400", "until: '2400' has no unit, write 2400s or use m, h, d"),
        ("0s", "until must lie in the future"),
        ("2026-11-24T10:00:00.123Z", "until must lie in the future"),
        ("2026-11-24T11:00+01:00", "until must lie in the future"),
        ("99999d", WANTED),
        ("9999-12-31T23:59:59-01:00", "until must lie in the years 1 to 9999, UTC"),
        (7, "until must be a string or null"),
    ],
)
async def test_an_end_that_is_none_is_a_400(tmp_path: Path, until: object, sentence: str) -> None:
    async with serving(tmp_path) as api:
        answer = await pause(api, all=True, until=until)
        assert api.control.asked == []
    assert is_error(answer, 400, "VALIDATION_ERROR", sentence)


@pytest.mark.parametrize("note", ["x" * 501, "two\nlines", "a\tb", "a\x1b[2Jb", "a\u2028b", "a\x85b"])
async def test_a_note_is_one_line_that_fits_a_table(tmp_path: Path, note: str) -> None:
    async with serving(tmp_path) as api:
        answer = await pause(api, all=True, note=note)
        assert api.control.asked == []
    assert is_error(answer, 400, "VALIDATION_ERROR", "note must be one line of at most 500 characters")


async def test_a_blank_note_is_none(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        made = await pause(api, all=True, note="  ")
    assert made.body == ALL


async def test_a_second_pause_replaces_the_first(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        await pause(api, scriptPath="a.py", note="first", until="2h")
        await pause(api, scriptPath="a.py", note="second")
        assert await pauses(api) == [A_PY | {"note": "second"}]


@pytest.mark.parametrize("path", [PAUSE, RESUME])
async def test_a_script_that_is_neither_registered_nor_paused_is_a_404(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as api:
        answer = await api.post(path, {"scriptPath": "nowhere.py"})
    assert is_error(answer, 404, "NOT_FOUND", "script is not registered")


async def test_a_script_that_has_gone_while_it_was_paused_can_be_resumed(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        await pause(api, scriptPath="a.py")
        del api.control.registered["a.py"]
        answer = await api.post(RESUME, {"scriptPath": "a.py"})
    assert answer.body["resumed"] is True


async def test_resuming_what_is_not_paused_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        script = await api.post(RESUME, {"scriptPath": "a.py"})
        everything = await api.post(RESUME, {"all": True})
    assert (script.status, script.body["resumed"]) == (200, False)
    assert (everything.status, everything.body["resumed"]) == (200, False)


async def test_a_pause_of_all_and_one_of_a_script_end_apart(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        await pause(api, scriptPath="a.py")
        await pause(api, all=True)
        both = await pauses(api)
        resumed = await api.post(RESUME, {"scriptPath": "a.py"})
        await pause(api, scriptPath="a.py")
        await api.post(RESUME, {"all": True})
        assert await pauses(api) == [A_PY]
    assert both == [ALL, A_PY]
    assert (resumed.body["resumed"], resumed.body["pause"]) == (True, ALL)


@pytest.mark.parametrize("path", [PAUSE, RESUME])
@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.DRAINING, Phase.STOPPED])
async def test_a_daemon_that_is_not_running_neither_pauses_nor_resumes(
    tmp_path: Path, path: str, phase: Phase
) -> None:
    async with serving(tmp_path) as api:
        api.control.phase = phase
        answer = await api.post(path, {"all": True})
    assert is_error(answer, 503, "SERVICE_UNAVAILABLE")


# Who may.


@pytest.mark.parametrize("path", [PAUSE, RESUME])
async def test_to_pause_and_to_resume_take_an_admin(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        headers = {"Authorization": f"Bearer {api.token('ci', 'read', 'trigger')}"}
        answer = await api.post(path, {"scriptPath": "a.py"}, headers=headers)
        assert api.control.asked == []
    assert is_error(answer, 403, "FORBIDDEN", "the token ci lacks the scope admin")


@pytest.mark.parametrize("path", [PAUSE, RESUME])
async def test_a_token_for_some_scripts_pauses_these_and_never_all(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as api:
        api.control.register("shop/a.py")
        api.control.register("bank/b.py")
        headers = {"Authorization": f"Bearer {api.token('shop', 'admin', scripts='shop/*')}"}
        everything = await api.post(path, {"all": True}, headers=headers)
        other = await api.post(path, {"scriptPath": "bank/b.py"}, headers=headers)
        assert api.control.asked == []
        own = await api.post(path, {"scriptPath": "shop/a.py"}, headers=headers)
    assert is_error(everything, 403, "FORBIDDEN")
    assert is_error(other, 403, "FORBIDDEN", "the token shop is not for this script")
    assert own.status == 200


async def test_a_token_for_some_scripts_sees_their_pauses_and_that_of_all(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        for script in ("shop/a.py", "bank/b.py"):
            api.control.register(script)
            await pause(api, scriptPath=script)
        await pause(api, all=True)
        headers = {"Authorization": f"Bearer {api.token('shop', 'read', scripts='shop/*')}"}
        seen = await pauses(api, headers=headers)
    assert seen == [ALL, A_PY | {"scriptPath": "shop/a.py"}]


# Who did it.


async def test_who_pauses_and_resumes_is_in_the_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "schedd")
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        await pause(api, scriptPath="a.py", note="new disks", until="2h")
        await pause(api, all=True)
        await api.post(RESUME, {"scriptPath": "a.py"})
        await api.post(RESUME, {"all": True})
        await api.post(RESUME, {"all": True})
    assert caplog.messages == [
        "token admin pauses a.py until 2026-11-24T12:00:00.123Z: new disks",
        "token admin pauses all scripts",
        "token admin resumes a.py",
        "token admin resumes all scripts",
    ]
    assert [getattr(line, "SCHEDD_SCRIPT", None) for line in caplog.records] == ["a.py", None, "a.py", None]


async def test_who_reloads_and_who_stops_is_in_the_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "schedd")
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.ends_at_once = None
        run = (await api.trigger("a.py", wait=False)).body["runId"]
        await api.post(f"{SCHEDULES}/reload", {"dry_run": True})
        await api.post(f"{SCHEDULES}/reload")
        await api.post(f"/api/v1/exec/runs/{run}/stop")
    assert caplog.messages == ["token admin reloads", f"token admin stops run {run} of a.py"]
    assert getattr(caplog.records[1], "SCHEDD_RUN_ID", None) == run


# What the list says.


async def test_a_paused_script_says_so_with_all_that_is_known_of_the_pause(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        before = await item(api)
        await pause(api, scriptPath="a.py", note="new disks")
        during = await item(api)
    assert (before["status"], before["pause"]) == ("scheduled", None)
    assert (during["status"], during["pause"]) == ("paused", A_PY | {"note": "new disks"})


async def test_in_maintenance_every_script_is_paused(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.register("b.py", enabled=False)
        await pause(api, all=True)
        a, b = (await api.list())["schedules"]
    assert (a["status"], a["pause"]) == ("paused", ALL)
    assert (b["status"], b["pause"]) == ("disabled", ALL)


async def test_a_pause_without_an_end_leaves_no_next_fire(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        await pause(api, scriptPath="a.py")
        paused = await item(api)
    assert (paused["nextFire"], paused["nextFires"]) == (None, [])


@pytest.mark.parametrize(
    ("until", "hour"),
    [
        ("2026-11-24T13:59:59.999Z", 14),
        ("2026-11-24T14:00:00.000Z", 14),
        ("2026-11-24T14:00:00.001Z", 15),
        ("2026-11-24T10:30:00.000Z", 11),
    ],
)
async def test_the_next_fire_is_the_first_slot_that_the_pause_does_not_cover(
    tmp_path: Path, until: str, hour: int
) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py", expression="0 * * * *")
        await pause(api, scriptPath="a.py", until=until)
        paused = await item(api)
    expected = [f"2026-11-24T{later:02}:00:00.000Z" for later in range(hour, hour + 5)]
    assert (paused["nextFire"], paused["nextFires"]) == (expected[0], expected)


@pytest.mark.parametrize(
    ("own", "of_all", "next_fire"),
    [
        ("2h", "4h", "2026-11-24T15:00:00.000Z"),
        ("4h", "2h", "2026-11-24T15:00:00.000Z"),
        ("2h", None, None),
        (None, "2h", None),
    ],
)
async def test_a_script_that_is_paused_twice_fires_when_both_pauses_are_over(
    tmp_path: Path, own: str | None, of_all: str | None, next_fire: str | None
) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py", expression="0 * * * *")
        await pause(api, scriptPath="a.py", until=own)
        await pause(api, all=True, until=of_all)
        assert (await item(api))["nextFire"] == next_fire


async def test_a_disabled_script_has_no_next_fire_after_a_pause_either(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py", enabled=False)
        await pause(api, scriptPath="a.py", until="2h")
        assert (await item(api))["nextFires"] == []


async def test_a_pause_that_outlives_the_last_slot_leaves_none(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py", expression="@at 2026-11-24T11:00Z")
        before = (await item(api))["nextFire"]
        await pause(api, scriptPath="a.py", until="2h")
        assert (await item(api))["nextFire"] is None
    assert before == "2026-11-24T11:00:00.000Z"


async def test_a_script_that_still_runs_is_shown_as_running_with_its_pause(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.ends_at_once = None
        await api.trigger("a.py", wait=False)
        await pause(api, scriptPath="a.py")
        running = await item(api)
    assert (running["status"], running["pause"]) == ("running", A_PY)


async def test_the_list_follows_a_pause_of_all_that_the_views_do_not_show(tmp_path: Path) -> None:
    """A script's own pause hides the pause of all in its view; its next fire must know both."""
    async with serving(tmp_path) as api:
        api.control.register("a.py", expression="0 * * * *")
        await pause(api, scriptPath="a.py", until="2h")
        answers = [(await item(api))["nextFire"]]
        await pause(api, all=True, until="4h")
        answers.append((await item(api))["nextFire"])
        api.control.paused[None] = replace(api.control.paused[None], until_ms=NOW_MS + 6 * 3_600_000)
        answers.append((await item(api))["nextFire"])
    assert answers == [f"2026-11-24T{hour}:00:00.000Z" for hour in (13, 15, 17)]


async def test_unchanged_pauses_are_not_sent_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        await pause(api, all=True)
        tag = (await api.get(PAUSES)).headers["ETag"]
        assert (await api.get(PAUSES, headers={"If-None-Match": tag})).status == 304
