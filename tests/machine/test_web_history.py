"""`GET /history`: the fires log as it is, filtered and in pages."""

from pathlib import Path

import msgspec
import pytest

from schedd.fire import Kind, Reason, Status
from tests.api import SCHEDULES, is_error, serving
from tests.fake_control import NOW_MS, entry

HISTORY = f"{SCHEDULES}/history"


async def test_an_empty_history_has_the_keys_of_the_contract(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(HISTORY)
    assert answer.body == {
        "total": 0,
        "limit": 100,
        "includeRotated": False,
        "entries": [],
        "truncated": False,
    }


async def test_entries_are_the_lines_of_the_fires_log(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.entries = [
            entry("a.py", status=Status.ERROR, reason=Reason.EXIT, error="exit 1", exit_code=1),
            entry("b.py", return_preview='{"deleted":12}', kind=Kind.MANUAL),
        ]
        body = (await api.get(HISTORY)).body
        lines = [msgspec.json.decode(msgspec.json.encode(line)) for line in api.control.entries]
    assert body["entries"] == lines
    assert body["total"] == 2
    assert "error" not in body["entries"][1]
    assert "returnPreview" not in body["entries"][0]


async def test_a_truncated_answer_is_continued_by_its_cursor(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.entries = [entry("a.py", at_ms=NOW_MS - age) for age in range(5)]
        first = (await api.get(f"{HISTORY}?limit=3")).body
        second = (await api.get(f"{HISTORY}?limit=3&cursor={first['cursor']}")).body
    assert (first["total"], first["limit"], first["truncated"]) == (3, 3, True)
    assert (second["total"], second["truncated"]) == (2, False)
    assert "cursor" not in second
    seen = [line["runId"] for line in first["entries"] + second["entries"]]
    assert seen == [line.run_id for line in api.control.entries]


@pytest.mark.parametrize(
    ("asked", "effective"), [("1", 1), ("007", 7), ("1000", 1000), ("1001", 1000), ("9" * 5000, 1000)]
)
async def test_a_limit_above_1000_is_clamped_and_echoed(tmp_path: Path, asked: str, effective: int) -> None:
    async with serving(tmp_path) as api:
        assert (await api.get(f"{HISTORY}?limit={asked}")).body["limit"] == effective


@pytest.mark.parametrize("asked", ["0", "-1", "ten", "1e2", "1.5", "", "%2B5", "%D9%A1", "0x10", " 5", "00"])
async def test_a_limit_that_is_no_positive_number_is_a_400(tmp_path: Path, asked: str) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(f"{HISTORY}?limit={asked}")
    assert is_error(answer, 400, "VALIDATION_ERROR", "limit must be a whole number from 1 to 1000")


@pytest.mark.parametrize("path", ["a.py", "/srv/scripts/a.py"])
async def test_a_script_may_be_named_relative_or_absolute(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as api:
        api.control.entries = [entry("a.py"), entry("b.py")]
        body = (await api.get(HISTORY, params={"scriptPath": path})).body
    assert [line["scriptPath"] for line in body["entries"]] == ["a.py"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../a.py", "a/../b.py", "a\0.py", "a\n.py", "a\r.py"])
async def test_a_path_outside_the_scripts_directory_is_a_400(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(HISTORY, params={"scriptPath": path})
    assert is_error(answer, 400, "VALIDATION_ERROR", "scriptPath must be inside scripts directory")


@pytest.mark.parametrize(
    "since",
    [
        "2026-11-24T10:00:00.100Z",
        "2026-11-24T10:00:00.100",
        "2026-11-24T11:00:00.100%2B01:00",
        "20261124T100000.100Z",
        "2026-11-24T10:00:00.0995Z",
    ],
)
async def test_since_is_an_inclusive_lower_bound_in_any_iso_spelling(tmp_path: Path, since: str) -> None:
    async with serving(tmp_path) as api:
        base = NOW_MS - 23
        api.control.entries = [entry("a.py", at_ms=at) for at in (base + 1, base, base - 1)]
        body = (await api.get(f"{HISTORY}?since={since}")).body
    assert [line["ts"][-4:-1] for line in body["entries"]] == ["101", "100"]


async def test_until_is_an_exclusive_upper_bound(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        base = NOW_MS - 23
        api.control.entries = [entry("a.py", at_ms=at) for at in (base + 1, base, base - 1)]
        whole = (await api.get(f"{HISTORY}?until=2026-11-24T10:00:00.100Z")).body
        finer = (await api.get(f"{HISTORY}?until=2026-11-24T10:00:00.1001Z")).body
    assert [line["ts"][-4:-1] for line in whole["entries"]] == ["099"]
    assert [line["ts"][-4:-1] for line in finer["entries"]] == ["100", "099"]


async def test_a_plus_that_became_a_space_is_explained(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(f"{HISTORY}?since=2026-11-24T10:00:00+01:00")
    assert is_error(answer, 400, "VALIDATION_ERROR")
    assert "write %2B" in answer.body["error"]


@pytest.mark.parametrize(
    "since", ["yesterday", "1", "2026-13-01", "9999-W53-7", "0000", "%00", "2026-11-24T25:00"]
)
async def test_what_is_no_instant_is_a_400_that_names_the_key(tmp_path: Path, since: str) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(f"{HISTORY}?until={since}")
    assert is_error(answer, 400, "VALIDATION_ERROR")
    assert answer.body["details"] == {"key": "until"}


async def test_our_filters_reach_the_log(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.entries = [
            entry("a.py", status=Status.ERROR, reason=Reason.MISSED),
            entry("a.py", status=Status.ERROR, reason=Reason.EXIT),
            entry("a.py", kind=Kind.MANUAL),
        ]
        wanted = api.control.entries
        for question, expected in (
            ("status=error", wanted[:2]),
            ("reason=missed", wanted[:1]),
            ("kind=manual", wanted[2:]),
            (f"runId={wanted[1].run_id.upper()}", wanted[1:2]),
            ("status=error&reason=exit&kind=schedule", wanted[1:2]),
        ):
            body = (await api.get(f"{HISTORY}?{question}")).body
            assert [line["runId"] for line in body["entries"]] == [line.run_id for line in expected]


async def test_bounds_of_slots_reach_the_log(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        slots = ["2026-11-24T09:00:00.000Z", "2026-11-24T08:00:00.000Z", None]
        api.control.entries = [entry("a.py", slot=slot, status=Status.ERROR) for slot in slots]
        question = "slotSince=2026-11-24T10:00:00%2B01:00&slotUntil=2026-11-24T09:00:01Z"
        body = (await api.get(f"{HISTORY}?{question}")).body
        assert [line["slot"] for line in body["entries"]] == slots[:1]
        answer = await api.get(f"{HISTORY}?slotUntil=noon")
    assert is_error(answer, 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "question",
    [
        "status=great",
        "status=unregistered",
        "reason=mood",
        "kind=cron",
        "runId=7",
        "includeRotated=yes",
        "includeRotated=",
        "cursor=%C3%A9",
        "cursor=not-a-cursor",
        "limit=1&limit=2",
        "statuss=ok",
    ],
)
async def test_a_bad_filter_is_a_400_that_names_its_key(tmp_path: Path, question: str) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(f"{HISTORY}?{question}")
    assert is_error(answer, 400, "VALIDATION_ERROR")
    assert question.partition("=")[0] in answer.body["error"]


async def test_empty_texts_count_as_not_given(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.entries = [entry("a.py")]
        body = (await api.get(f"{HISTORY}?scriptPath=&since=&until=&status=&cursor=&runId=")).body
    assert body["total"] == 1


async def test_lines_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.bad_lines = ("fires.log ending at byte 812",)
        assert (await api.get(HISTORY)).body["badLines"] == ["fires.log ending at byte 812"]


async def test_include_rotated_is_echoed(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        assert (await api.get(f"{HISTORY}?includeRotated=true")).body["includeRotated"] is True


async def test_a_json_content_type_on_a_get_is_fine(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(HISTORY, headers={"Content-Type": "application/json"})
    assert answer.status == 200


async def test_a_limited_token_sees_its_scripts_in_pages_without_gap_or_repeat(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        token = api.token("shop", "read", scripts="shop/*")
        api.control.entries = [
            entry("shop/a.py" if number % 7 == 0 else "other.py", at_ms=NOW_MS - number)
            for number in range(50)
        ]
        seen, question = [], f"{HISTORY}?limit=3"
        while True:
            body = (await api.get(question, token=token)).body
            assert body["total"] <= 3
            seen += [(line["scriptPath"], line["runId"]) for line in body["entries"]]
            if "cursor" not in body:
                break
            question = f"{HISTORY}?limit=3&cursor={body['cursor']}"
    assert seen == [(line.script_path, line.run_id) for line in api.control.entries[::7]]
