"""`GET /list`: every field of the contract, and how it follows the daemon."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from schedd.fire import Fire, Kind, Outcome, RunId, Status
from schedd.planner.locks import Holder
from schedd.planner.view import LockView, Pace
from schedd.schedule import Catchup, Retry
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable
from tests.api import INSTANT, SCHEDULES, serving
from tests.fake_control import NOW_MS, entry
from tests.pure.calendars import closing, observed

CONTRACT = {
    "scriptPath": str,
    "scriptRel": str,
    "subdomain": str,
    "execId": str | None,
    "vmCacheKey": str,
    "expression": str,
    "timeoutMs": int,
    "registeredAt": str,
    "nextFire": str | None,
    "lastFireAt": str | None,
    "lastFireStatus": str | None,
    "lastFireRunId": str | None,
}
OURS = {
    "id",
    "name",
    "status",
    "timezone",
    "description",
    "tags",
    "words",
    "overlap",
    "calendar",
    "catchup",
    "catchupWithinMs",
    "deadlineMs",
    "jitterMs",
    "retry",
    "pause",
    "running",
    "held",
    "nextFires",
    "lock",
    "cadence",
    "sha256",
    "warnings",
}


async def test_an_empty_list_is_bare_json(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(f"{SCHEDULES}/list")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body == {"total": 0, "schedules": []}


async def test_each_schedule_has_every_field_of_the_contract_with_its_type(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("default/cron/cleanup.py")
        api.control.register("never_ran.sh", expression="@reboot", enabled=False)
        api.control.entries.append(entry("default/cron/cleanup.py"))
        body = await api.list()
    assert body["total"] == 2
    for item in body["schedules"]:
        assert set(item) == set(CONTRACT) | OURS
        for key, kind in CONTRACT.items():
            assert isinstance(item[key], kind), key


async def test_values_are_those_of_the_schedule(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register(
            "default/cron/cleanup.py",
            expression="30 2 * * 1-5",
            timeout_ms=1_200_000,
            schedule_timeout_ms=1_200_000,
            label="Cleanup",
            tags=("a", "b"),
        )
        ended = entry("default/cron/cleanup.py", status=Status.OK)
        api.control.entries.append(ended)
        (item,) = (await api.list())["schedules"]
    expected = {
        "scriptPath": "/srv/scripts/default/cron/cleanup.py",
        "scriptRel": "default/cron/cleanup.py",
        "subdomain": "default",
        "execId": "cron",
        "vmCacheKey": "default:default/cron/cleanup.py",
        "expression": "30 2 * * 1-5",
        "timeoutMs": 1_200_000,
        "registeredAt": "2026-11-24T09:59:59.123Z",
        "nextFire": "2026-11-25T02:30:00.000Z",
        "lastFireAt": ended.ts,
        "lastFireStatus": "ok",
        "lastFireRunId": ended.run_id,
        "id": "default/cron/cleanup.py",
        "name": "Cleanup",
        "tags": ["a", "b"],
        "status": "scheduled",
        "catchup": "none",
        "running": 0,
    }
    assert {key: item[key] for key in expected} == expected
    assert len(item["nextFires"]) == 5
    assert item["nextFires"][0] == item["nextFire"]
    assert "02:30" in item["words"]


async def test_subdomain_and_exec_id_come_from_the_first_two_directories(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        for script in ("top.py", "shop/direct.py", "shop/cron/deep/x.py"):
            api.control.register(script)
        items = {item["scriptRel"]: item for item in (await api.list())["schedules"]}
    assert [(items[s]["subdomain"], items[s]["execId"]) for s in sorted(items)] == [
        ("shop", "cron"),
        ("shop", None),
        ("default", None),
    ]
    assert items["top.py"]["vmCacheKey"] == "default:top.py"


async def test_a_running_script_is_shown_as_running(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.ends_at_once = None
        await api.trigger("a.py", wait=False)
        (item,) = (await api.list())["schedules"]
        assert (item["status"], item["running"]) == ("running", 1)


async def test_a_stale_script_says_why_in_its_warnings(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py", stale="line 2: bad expression", warnings=("misspelt @schedul",))
        (item,) = (await api.list())["schedules"]
    assert item["status"] == "stale"
    assert item["warnings"] == ["misspelt @schedul", "line 2: bad expression"]


async def test_a_disabled_script_has_no_next_fire(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py", enabled=False)
        (item,) = (await api.list())["schedules"]
    assert (item["status"], item["nextFire"], item["nextFires"]) == ("disabled", None, [])


async def test_policies_are_those_of_the_header(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("plain.py")
        api.control.register(
            "careful.py",
            catchup=Catchup.LAST,
            catchup_within_ms=7_200_000,
            deadline_ms=300_000,
            retry=Retry(limit=3, first_ms=1_000, most_ms=60_000),
            timetable=Timetable.parse("0 * * * *", "UTC", seed="careful.py", jitter_s=600),
        )
        careful, plain = (await api.list())["schedules"]
    keys = ("catchup", "catchupWithinMs", "deadlineMs", "jitterMs", "retry")
    assert [plain[key] for key in keys] == ["none", None, None, 0, None]
    retry = {"limit": 3, "firstMs": 1_000, "mostMs": 60_000}
    assert [careful[key] for key in keys] == ["last", 7_200_000, 300_000, 600_000, retry]


async def test_a_calendar_is_named_and_what_it_closes_is_no_next_fire(tmp_path: Path) -> None:
    today = closing([date(2026, 11, 24)])
    timetable = Timetable.parse("0 */6 * * *", "UTC", observance=observed(today, "skip"))
    async with serving(tmp_path) as api:
        api.control.register("a.py", timetable=timetable)
        api.control.register("b.py")
        closed, plain = (await api.list())["schedules"]
    assert (closed["calendar"], plain["calendar"]) == ({"file": "test.txt", "how": "skip"}, None)
    assert closed["nextFires"][0] == closed["nextFire"] == "2026-11-25T00:00:00.000Z"
    assert closed["words"].endswith(", not when it is in test.txt")


async def test_after_a_pause_too_the_next_fire_is_an_open_slot(tmp_path: Path) -> None:
    tomorrow = closing([date(2026, 11, 25)])
    timetable = Timetable.parse("0 */6 * * *", "UTC", observance=observed(tomorrow, "skip"))
    async with serving(tmp_path) as api:
        api.control.register("a.py", timetable=timetable)
        await api.control.pause("a.py", note=None, until_ms=NOW_MS + 86_400_000, by="x")
        (item,) = (await api.list())["schedules"]
    assert item["nextFire"] == "2026-11-26T00:00:00.000Z"


async def test_what_waits_is_counted_apart_from_what_runs(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        await api.control.replay([("a.py", Slot(NOW_MS // 1000 - 60)), ("a.py", Slot(1))], by="x")
        (item,) = (await api.list())["schedules"]
    assert (item["status"], item["running"], item["held"]) == ("scheduled", 0, 2)


async def test_secrets_and_environment_are_not_shown(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py", guarded=True, secrets=("hunter2",), env=(("PASSWORD", "hunter2"),))
        answer = await api.get(f"{SCHEDULES}/list")
    assert b"hunter2" not in answer.raw


async def test_the_list_follows_every_change_between_two_polls(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.register("b.py")
        before = await api.list()
        api.control.registered["a.py"] = replace(api.control.registered["a.py"], description="new")
        del api.control.registered["b.py"]
        await api.trigger("a.py")
        after = await api.list()
    assert before["total"] == 2
    assert [item["description"] for item in after["schedules"]] == ["new"]
    assert after["schedules"][0]["lastFireStatus"] == "ok"


async def test_an_unchanged_list_is_not_sent_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        first = await api.get(f"{SCHEDULES}/list")
        tag = first.headers["ETag"]
        again = await api.get(f"{SCHEDULES}/list", headers={"If-None-Match": f'"other", W/{tag}'})
        api.control.ends_at_once = Outcome(status=Status.OK, ended_ms=NOW_MS)
        await api.trigger("a.py")
        changed = await api.get(f"{SCHEDULES}/list", headers={"If-None-Match": tag})
    assert tag.startswith('"')
    assert (again.status, again.raw, again.headers["ETag"]) == (304, b"", tag)
    assert changed.status == 200


async def test_hundreds_of_schedules_are_all_listed_in_order(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        for number in range(130):
            api.control.register(f"{number:03}.py")
        body = await api.list()
    assert body["total"] == 130
    assert [item["id"] for item in body["schedules"]] == [f"{number:03}.py" for number in range(130)]


async def test_instants_have_milliseconds_and_a_z(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        (item,) = (await api.list())["schedules"]
    assert all(INSTANT.fullmatch(at) for at in (item["registeredAt"], *item["nextFires"]))


async def test_a_misspelt_query_key_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(f"{SCHEDULES}/list?limit=3")
    assert answer.status == 400
    assert "limit" in answer.body["error"]


async def test_words_of_tokens_in_what_is_for_everybody_are_replaced(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register(
            "s3cret.sh",
            secrets=("s3cret", "s3cret-longer"),
            label="with s3cret-longer",
            description="needs s3cret",
            tags=("s3cret", "x"),
        )
        api.control.register("s3cret-2.sh", secrets=("s3cret",))
        second, first = (await api.get(f"{SCHEDULES}/list")).body["schedules"]
    assert (first["name"], first["description"]) == ("with [redacted]", "needs [redacted]")
    assert (first["tags"], first["scriptRel"]) == (["[redacted]", "x"], "s3cret.sh")
    assert second["name"] == "s3cret-2"


async def test_a_lock_shows_who_has_it_and_who_waits(tmp_path: Path) -> None:
    has, waits = (Fire(RunId(name), f"{name}.py", "@daily", Kind.SCHEDULE, Slot(0)) for name in ("b", "c"))
    lock = LockView(
        name="database",
        slots=1,
        taken=1,
        holders=(Holder(has, NOW_MS),),
        waiting=1,
        waiters=(waits,),
    )
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        api.control.register("plain.py")
        api.control.seen["a.py"] = {"lock": lock, "cautions": ("@lock database:3 counts as database:1",)}
        item, plain = (await api.list())["schedules"]
    assert item["lock"] == {
        "name": "database",
        "slots": 1,
        "taken": 1,
        "holders": [{"scriptPath": "b.py", "runId": "b", "since": "2026-11-24T10:00:00.123Z"}],
        "waiting": 1,
        "waiters": [{"scriptPath": "c.py", "runId": "c"}],
    }
    assert item["warnings"] == ["@lock database:3 counts as database:1"]
    assert plain["lock"] is None


async def test_a_script_whose_runs_outlast_its_interval_has_its_cadence_and_a_warning(tmp_path: Path) -> None:
    pace = Pace(since=Slot(NOW_MS // 1000), slots=145, span_s=86_400, ran=48, p50_ms=1_620_000)
    async with serving(tmp_path) as api:
        api.control.register("a.py", expression="*/10 * * * *")
        api.control.seen["a.py"] = {"pace": pace}
        (item,) = (await api.list())["schedules"]
    assert item["cadence"] == {
        "slotsPerDay": 144,
        "ranPerDay": 48,
        "p50Ms": 1_620_000,
        "since": "2026-11-24T10:00:00.000Z",
    }
    (warning,) = item["warnings"]
    assert warning.startswith("its runs outlast its interval: every 10 min, really 48 a day")
