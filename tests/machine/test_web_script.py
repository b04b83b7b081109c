"""`GET /script`: one script for its page, with its header and without its secrets."""

from dataclasses import replace
from pathlib import Path

from schedd.schedule import FileStamp, Schedule
from schedd.scripts.directives import read_header
from schedd.scripts.registration import Defaults, Registrar, Source
from tests.api import SCHEDULES, is_error, serving
from tests.fake_control import SCRIPTS_DIR, FakeControl, failure

SCRIPT = f"{SCHEDULES}/script"
TEXT = """#!/bin/sh
# What it is for.

# @schedule "5 4 * * *"
# @timezone Europe/Berlin
# @token open-sesame
# @description say open-sesame to the mountain
# @env PGPASSWORD=hunter2
# @env PGHOST=db
# @env DATABASE_URL=postgres://shop:swordfish@db/orders
"""


def registered(text: str = TEXT, script: str = "shop/a.sh") -> Schedule:
    """Return a script as a scan registers it."""
    source = Source(script=script, path=f"{SCRIPTS_DIR}/{script}", sha256="ab" * 32, stamp=FileStamp(1, 2, 3))
    schedule = Registrar(Defaults()).register(read_header(text.encode(), script), source).schedule
    assert schedule is not None
    return schedule


def with_script(schedule: Schedule) -> FakeControl:
    control = FakeControl()
    control.registered[schedule.script] = schedule
    return control


async def test_the_header_is_shown_with_its_lines_in_the_file(tmp_path: Path) -> None:
    async with serving(tmp_path, with_script(registered())) as api:
        body = (await api.get(f"{SCRIPT}?scriptPath=shop/a.sh")).body
    shown = [(row["line"], row["name"], row["value"]) for row in body["header"]]
    assert shown[:2] == [(4, "schedule", "5 4 * * *"), (5, "timezone", "Europe/Berlin")]
    assert (9, "env", "PGHOST=db") in shown
    assert (body["path"], body["sha256"]) == (f"{SCRIPTS_DIR}/shop/a.sh", "ab" * 32)


async def test_no_secret_is_in_the_answer(tmp_path: Path) -> None:
    async with serving(tmp_path, with_script(registered())) as api:
        answer = await api.get(f"{SCRIPT}?scriptPath=shop/a.sh")
    assert b"open-sesame" not in answer.raw
    assert b"hunter2" not in answer.raw
    assert b"swordfish" not in answer.raw
    assert b"postgres://shop:[redacted]@db/orders" in answer.raw
    values = {row["name"]: row["value"] for row in answer.body["header"]}
    assert values["token"] == "[redacted]"
    assert values["description"] == "say [redacted] to the mountain"
    assert answer.body["guarded"] is True


async def test_the_schedule_is_the_item_of_the_list(tmp_path: Path) -> None:
    async with serving(tmp_path, with_script(registered())) as api:
        body = (await api.get(f"{SCRIPT}?scriptPath=shop/a.sh")).body
        (listed,) = (await api.list())["schedules"]
    assert body["schedule"] == listed


async def test_what_only_the_ledger_knows_has_no_lines(tmp_path: Path) -> None:
    known = registered()
    recalled = Registrar(Defaults()).recall(known.script, known.path, header=known.header, sha256="0")
    assert recalled is not None
    control = with_script(replace(recalled, stale="line 4: Invalid cron expression: 'x'"))
    control.report = replace(
        control.report, failed=(failure("shop/a.sh", "Invalid cron expression: 'x'", 4),)
    )
    async with serving(tmp_path, control) as api:
        body = (await api.get(f"{SCRIPT}?scriptPath=shop/a.sh")).body
    assert {row["line"] for row in body["header"]} == {None}
    assert body["problems"] == [{"reason": "Invalid cron expression: 'x'", "line": 4, "column": None}]


async def test_a_script_that_was_refused_is_not_found_and_says_why(tmp_path: Path) -> None:
    control = FakeControl()
    control.report = replace(control.report, failed=(failure("bad.py", "no such zone", 2),))
    async with serving(tmp_path, control) as api:
        refused = await api.get(f"{SCRIPT}?scriptPath=bad.py")
        unknown = await api.get(f"{SCRIPT}?scriptPath=none.py")
    assert is_error(refused, 404, "NOT_FOUND", "script is not registered")
    assert refused.body["details"] == {"reason": "line 2: no such zone"}
    assert is_error(unknown, 404, "NOT_FOUND", "script is not registered")
    assert "details" not in unknown.body


async def test_a_path_is_required_and_lies_inside(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        none = await api.get(SCRIPT)
        outside = await api.get(f"{SCRIPT}?scriptPath=../etc/passwd")
    assert is_error(none, 400, "VALIDATION_ERROR", "scriptPath is required")
    assert is_error(outside, 400, "VALIDATION_ERROR", "scriptPath must be inside scripts directory")


async def test_a_token_for_other_scripts_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, with_script(registered())) as api:
        limited = api.token("limited", "read", scripts="other/*")
        answer = await api.get(f"{SCRIPT}?scriptPath=shop/a.sh", token=limited)
    assert is_error(answer, 403, "FORBIDDEN", "the token limited is not for this script")


async def test_an_unchanged_script_is_not_sent_again(tmp_path: Path) -> None:
    async with serving(tmp_path, with_script(registered())) as api:
        first = await api.get(f"{SCRIPT}?scriptPath=shop/a.sh")
        again = await api.get(
            f"{SCRIPT}?scriptPath=shop/a.sh", headers={"If-None-Match": first.headers["ETag"]}
        )
    assert (again.status, again.raw) == (304, b"")
