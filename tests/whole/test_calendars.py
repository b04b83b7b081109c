"""Calendars of the real daemon: what they close is told and never runs; edits count from the reload on."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schedd.timetable.instant import to_ms
from tests.whole.child import Child

WITHIN_S = 20
EACH_SECOND = "# @schedule * * * * * *\n# @overlap allow\n# @calendar holidays skip\ntrue\n"
CLOSED = "{}..{} the great holiday\n".format(
    *((datetime.now(UTC) + timedelta(days=n)).date() for n in (-1, 2))
)
OPEN = "# nothing is closed any more\n"


@pytest.fixture
def calendar(tmp_path: Path) -> Path:
    directory = tmp_path / "calendars"
    directory.mkdir(mode=0o755)
    path = directory / "holidays.txt"
    path.write_text(CLOSED)
    return path


@pytest.fixture(params=["watch = false\n"])
def child(tmp_path: Path, calendar: Path, request: pytest.FixtureRequest) -> Iterator[Child]:
    made = Child(tmp_path, settings=f'calendars_dir = "{calendar.parent}"\n{request.param}')
    yield made
    made.close()


def seconds(child: Child, **wanted: object) -> list[int]:
    """Return the slots that the log has lines for, one by one."""
    found = []
    for line in child.lines():
        if all(line.get(key) == value for key, value in wanted.items()):
            first = to_ms(line["slot"]) // 1000
            found += range(first, to_ms(line.get("lastSlot", line["slot"])) // 1000 + 1)
    return sorted(found)


def wait_until_passed(child: Child, slots: int) -> None:
    """Wait until so many slots of a script were due, by that of another one which nothing closes."""
    child.wait_for_lines(slots, scriptPath="clock.sh", status="ok")


def test_a_script_does_not_run_on_a_holiday_and_does_when_it_is_over(child: Child, calendar: Path) -> None:
    child.write("a.sh", EACH_SECOND)
    child.write("clock.sh", "# @schedule * * * * * *\n# @overlap allow\ntrue\n")
    child.start()
    (listed, _) = child.schedules("list")["schedules"]
    wait_until_passed(child, 2)
    verdict = child.schedules("why?scriptPath=a.sh")
    calendar.write_text(OPEN)
    report = child.schedules("reload", method="POST")
    child.wait_for_lines(2, scriptPath="a.sh", status="ok")

    assert listed["calendar"] == {"file": "holidays.txt", "how": "skip"}
    assert to_ms(listed["nextFire"]) > (time.time() + 86_400) * 1000
    assert verdict["verdict"] == "blackout"
    assert "its calendar was closed then, by holidays.txt: the great holiday" in verdict["sentence"]
    assert report["changed"] == ["a.sh"]
    (line,) = [line for line in child.lines() if line.get("reason") == "blackout"]
    assert (line["status"], line["error"]) == ("disabled", "holidays.txt: the great holiday")
    assert line["count"] >= 2
    shut, ran = seconds(child, reason="blackout"), seconds(child, scriptPath="a.sh", status="ok")
    assert shut + ran == list(range(shut[0], ran[-1] + 1)), "each second once, and none left out"


def test_a_crash_on_a_holiday_forgets_none_of_its_slots(child: Child, calendar: Path) -> None:
    child.write("a.sh", EACH_SECOND)
    child.write("clock.sh", "# @schedule * * * * * *\n# @overlap allow\ntrue\n")
    child.start()
    wait_until_passed(child, 2)
    child.kill()
    child.start()
    wait_until_passed(child, 4)
    child.stop()
    shut = seconds(child, scriptPath="a.sh")
    assert shut == list(range(shut[0], shut[-1] + 1))
    assert {line.get("reason") for line in child.lines() if line["scriptPath"] == "a.sh"} == {"blackout"}


def test_an_edit_while_the_daemon_is_down_counts_for_what_comes_after(child: Child, calendar: Path) -> None:
    child.write("a.sh", EACH_SECOND)
    child.start()
    child.kill()
    calendar.write_text(OPEN)
    child.start()
    child.wait_for_lines(2, scriptPath="a.sh", status="ok")
    child.kill()
    calendar.write_text("nonsense\n")
    child.start()
    (failed,) = child.schedules("reload", method="POST")["failed"]
    assert (failed["path"], failed["line"], failed["column"]) == ("a.sh", 3, 13)
    assert failed["reason"].startswith(f"@calendar: {calendar}:1: 'nonsense' is not understood")


@pytest.mark.parametrize("child", ["watch = true\n"], indirect=True)
def test_an_edited_calendar_is_noticed(child: Child, calendar: Path) -> None:
    child.write("a.sh", EACH_SECOND)
    child.start()
    draft = calendar.with_name(".holidays.txt.swp")
    draft.write_text(OPEN)
    draft.rename(calendar)
    child.wait_for_lines(1, scriptPath="a.sh", status="ok", within_s=WITHIN_S)


def test_the_preview_of_the_api_reads_the_file_as_it_is_now(child: Child, calendar: Path) -> None:
    child.start()
    calendar.write_text("2030-01-01 New Year\n2030-01-05..2030-01-06\n")
    asked = "preview?expression=30+2+*+*+*&from=2029-12-31T12:00Z&count=4&calendar="
    skipped, moved = child.schedules(f"{asked}holidays+skip"), child.schedules(f"{asked}holidays+previous")
    assert [fire[8:16] for fire in skipped["fires"]] == ["02T02:30", "03T02:30", "04T02:30", "07T02:30"]
    assert skipped["calendar"] == {"file": "holidays.txt", "how": "skip"}
    assert skipped["warnings"][0] == "Tue 2030-01-01 02:30 is left out (holidays.txt: New Year)."
    told = "Sun 2030-01-06 02:30 is moved to Fri 2030-01-04 02:30 (holidays.txt: 2030-01-05..2030-01-06)."
    assert moved["warnings"][-1] == told
    status, refused = child.ask("GET", f"/api/v1/exec/schedules/{asked}holiday+skip")
    assert status == 400
    assert "did you mean holidays?" in refused["error"]
