"""`GET /preview`: the engine that fires, asked in advance."""

from datetime import date
from pathlib import Path

import pytest

from tests.api import SCHEDULES, is_error, serving
from tests.pure.calendars import closing, observed

PREVIEW = f"{SCHEDULES}/preview"


async def test_the_next_instants_after_from_in_words_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        asked = {
            "expression": "30 2 * * *",
            "timezone": "Europe/Berlin",
            "from": "2026-11-24T01:30:00Z",
            "count": "2",
        }
        body = (await api.get(PREVIEW, params=asked)).body
    assert body["fires"] == ["2026-11-25T01:30:00.000Z", "2026-11-26T01:30:00.000Z"]
    assert (body["expression"], body["timezone"], body["count"]) == ("30 2 * * *", "Europe/Berlin", 2)
    assert body["from"] == "2026-11-24T01:30:00.000Z"
    assert "02:30" in body["words"]


async def test_without_more_it_is_five_from_now_in_utc(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        body = (await api.get(PREVIEW, params={"expression": "0 * * * *"})).body
    assert body["from"] == "2026-11-24T10:00:00.000Z"
    assert len(body["fires"]) == 5
    assert body["fires"][0] == "2026-11-24T11:00:00.000Z"


async def test_a_clock_change_is_a_warning(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        asked = {"expression": "30 2 * * *", "timezone": "Europe/Berlin"}
        assert (await api.get(PREVIEW, params=asked)).body["warnings"]


async def test_a_calendar_is_observed(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.calendars["x next"] = observed(closing([date(2026, 11, 25)]), "next")
        asked = {"expression": "30 2 * * 3", "from": "2026-11-24T00:00:00Z", "count": "1"}
        body = (await api.get(PREVIEW, params=asked | {"calendar": "x next"})).body
        refused = await api.get(PREVIEW, params=asked | {"calendar": "y next"})
    assert body["fires"] == ["2026-11-26T02:30:00.000Z"]
    assert body["calendar"] == {"file": "test.txt", "how": "next"}
    moved = "Wed 2026-11-25 02:30 is moved to Thu 2026-11-26 02:30 (test.txt: 2026-11-25)."
    assert body["warnings"] == [moved]
    assert is_error(refused, 400, "VALIDATION_ERROR")


async def test_a_from_before_all_slots_is_clamped_and_echoed(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        asked = {"expression": "@yearly", "from": "1901-01-01T00:00:00Z", "count": "1"}
        body = (await api.get(PREVIEW, params=asked)).body
    assert (body["from"], body["fires"]) == ("1969-12-31T23:59:59.000Z", ["1970-01-01T00:00:00.000Z"])


async def test_a_count_above_1000_is_clamped_and_echoed(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        body = (await api.get(PREVIEW, params={"expression": "@hourly", "count": "5000"})).body
    assert (body["count"], len(body["fires"])) == (1000, 1000)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ({}, "expression is required"),
        ({"expression": " "}, "expression is required"),
        ({"expression": "every blue moon"}, "Invalid cron expression: 'every blue moon'"),
        ({"expression": "0 0 30 2 *"}, "never fires"),
        ({"expression": "* " * 3000}, "Invalid cron expression"),
        ({"expression": "0 0 * * *\0"}, "Invalid cron expression"),
        ({"expression": "@hourly", "timezone": "Mars/Base"}, "Mars/Base"),
        ({"expression": "@hourly", "timezone": "../../etc/passwd"}, "time zone"),
        ({"expression": "@hourly", "count": "0"}, "count"),
        ({"expression": "@hourly", "from": "soon"}, "from"),
        ({"expression": "@hourly", "zone": "UTC"}, "zone"),
    ],
)
async def test_what_cannot_be_followed_is_a_400_that_says_why(
    tmp_path: Path, asked: dict[str, str], part: str
) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(PREVIEW, params=asked)
    assert is_error(answer, 400, "VALIDATION_ERROR")
    assert part in answer.body["error"]


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("0001-01-01T00:00:00%2B14:00", 400),
        ("0001-01-01T00:00:00Z", 200),
        ("1969-12-31T23:59:59Z", 200),
        ("9999-12-31T23:59:59Z", 200),
        ("9999-12-31T23:59:59.9999Z", 400),
        ("9999-12-31T23:59:59-14:00", 400),
    ],
)
async def test_the_ends_of_the_calendar_are_no_surprise(tmp_path: Path, at: str, status: int) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(f"{PREVIEW}?expression=@yearly&from={at}")
    assert answer.status == status
