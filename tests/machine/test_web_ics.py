"""`GET /calendar.ics`: what a calendar program gets, and how it signs in."""

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.planner.view import Pause
from schedd.web import ics
from tests.api import SCHEDULES, Api, is_error, serving
from tests.fake_control import NOW_MS, FakeControl

FEED = f"{SCHEDULES}/calendar.ics"


def events(raw: bytes) -> list[dict[str, str]]:
    """Read a feed by the rules of RFC 5545, and check those that a reader may rely on."""
    text = raw.decode()
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    lines = text.replace("\r\n ", "").split("\r\n")[:-1]
    assert (lines[0], lines[-1]) == ("BEGIN:VCALENDAR", "END:VCALENDAR")
    assert {"VERSION:2.0"} <= set(lines)
    found: list[dict[str, str]] = []
    for line in lines[1:-1]:
        name, colon, value = line.partition(":")
        assert colon, line
        if line == "BEGIN:VEVENT":
            found.append({})
        elif found and line != "END:VEVENT":
            assert name not in found[-1]
            found[-1][name] = unescaped(value)
    return found


def unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], value)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def feed(api: Api, query: str = "") -> list[dict[str, str]]:
    answer = await api.get(f"{FEED}?{query}")
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    return events(answer.raw)


def with_one(**more: object) -> FakeControl:
    control = FakeControl()
    control.register("shop/a.sh", expression="0 12 * * *", **more)
    return control


async def test_an_event_stands_for_each_coming_slot(tmp_path: Path) -> None:
    async with serving(tmp_path, with_one()) as api:
        found = await feed(api, "to=2026-11-27T00:00:00Z")
    assert [event["DTSTART"] for event in found] == [
        "20261124T120000Z",
        "20261125T120000Z",
        "20261126T120000Z",
    ]
    assert {event["SUMMARY"] for event in found} == {"a"}
    assert found[0]["DESCRIPTION"].endswith("(UTC)\nshop/a.sh")


async def test_an_event_keeps_its_uid_and_has_it_alone(tmp_path: Path) -> None:
    control = with_one()
    control.register("shop/b.sh", expression="0 12 * * *")
    async with serving(tmp_path, control) as api:
        first = await feed(api, "to=2026-12-24T00:00:00Z")
        later = await feed(api, "from=2026-11-30T00:00:00Z&to=2026-12-24T00:00:00Z")
    uids = [event["UID"] for event in first]
    assert len(set(uids)) == len(uids) == 60
    assert {event["UID"] for event in later} < set(uids)


async def test_names_that_mean_something_to_the_format_arrive_as_they_are(tmp_path: Path) -> None:
    label = 'Eins; zwei, drei \\ "vier"' + " ünïcödé 🎉" * 20
    async with serving(tmp_path, with_one(label=label, description="one\nEND:VEVENT", tags=("a,b",))) as api:
        (event,) = await feed(api, "to=2026-11-25T00:00:00Z")
    assert event["SUMMARY"] == label
    assert event["DESCRIPTION"].startswith("one\nEND:VEVENT\n")
    assert event["CATEGORIES"] == "a,b"


async def test_slots_that_will_not_fire_are_not_in_it(tmp_path: Path) -> None:
    control = with_one()
    control.register("shop/off.sh", expression="0 12 * * *")
    control.registered["shop/off.sh"] = replace(control.registered["shop/off.sh"], enabled=False)
    control.paused["shop/a.sh"] = Pause(
        script="shop/a.sh", since_ms=NOW_MS, by="me", until_ms=NOW_MS + 86_400_000
    )
    async with serving(tmp_path, control) as api:
        found = await feed(api, "to=2026-11-27T00:00:00Z")
    assert [event["DTSTART"] for event in found] == ["20261125T120000Z", "20261126T120000Z"]


async def test_it_holds_the_next_ones_when_there_are_too_many(tmp_path: Path) -> None:
    control = with_one()
    control.register("busy.sh", expression="* * * * *")
    async with serving(tmp_path, control) as api:
        found = await feed(api)
    starts = [event["DTSTART"] for event in found]
    assert len(starts) == ics.MOST_EVENTS
    assert starts == sorted(starts)
    assert starts[-1] < "20261126T"


async def test_it_can_be_for_one_script_or_one_tag(tmp_path: Path) -> None:
    control = with_one(tags=("nightly",))
    control.register("shop/b.sh", expression="0 13 * * *")
    async with serving(tmp_path, control) as api:
        tagged = await feed(api, "tag=nightly")
        named = await feed(api, "scriptPath=shop/b.sh")
    assert {event["SUMMARY"] for event in tagged} == {"a"}
    assert {event["SUMMARY"] for event in named} == {"b"}


async def test_an_unchanged_feed_is_a_304(tmp_path: Path) -> None:
    async with serving(tmp_path, with_one()) as api:
        query = "from=2026-11-25T00:00:00Z&to=2026-11-27T00:00:00Z"
        tag = (await api.get(f"{FEED}?{query}")).headers["ETag"]
        again = await api.get(f"{FEED}?{query}", headers={"If-None-Match": tag})
    assert (again.status, again.raw) == (304, b"")


async def test_the_token_may_come_as_a_password(tmp_path: Path) -> None:
    async with serving(tmp_path, with_one()) as api:
        for user in ("", "anybody"):
            answer = await api.get(FEED, token=None, headers=basic(user, api.admin))
            assert answer.status == 200


async def test_a_token_for_some_scripts_gets_only_their_slots(tmp_path: Path) -> None:
    control = with_one()
    control.register("bank/c.sh", expression="0 12 * * *")
    async with serving(tmp_path, control) as api:
        token = api.token("bank", "read", scripts="bank/*")
        answer = await api.get(FEED, token=None, headers=basic("x", token))
    assert {event["SUMMARY"] for event in events(answer.raw)} == {"c"}


@pytest.mark.parametrize(
    "given", ["Basic", "Basic !!!", "Basic eDp4", "Basic eA==", "Basic //79", "Basic " + "eA" * 1_500]
)
async def test_a_wrong_password_is_a_401_that_asks_for_one(tmp_path: Path, given: str) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(FEED, token=None, headers={"Authorization": given})
        assert is_error(answer, 401, "UNAUTHORIZED")
        assert 'Basic realm="schedd"' in answer.headers["WWW-Authenticate"]
        silent = await api.get(FEED, token=None)
        assert 'Basic realm="schedd"' in silent.headers["WWW-Authenticate"]


async def test_no_other_route_takes_a_password_or_asks_for_one(tmp_path: Path) -> None:
    async with serving(tmp_path, with_one()) as api:
        for path in (f"{SCHEDULES}/list", f"{SCHEDULES}/calendar", "/api/v1/exec/runs"):
            answer = await api.get(path, token=None, headers=basic("x", api.admin))
            assert is_error(answer, 401, "UNAUTHORIZED")
            assert "Basic" not in answer.headers["WWW-Authenticate"]


async def test_a_stretch_of_years_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get(f"{FEED}?from=2026-01-01T00:00:00Z&to=2036-01-01T00:00:00Z")
    assert is_error(answer, 400, "VALIDATION_ERROR", "from and to may be 400 days apart at most")


@given(st.text())
def test_any_text_is_one_line_that_unfolds_to_itself(text: str) -> None:
    line = ics.folded(f"SUMMARY:{ics.escaped(text)}")
    assert all(len(part.encode("utf-8", "replace")) <= 75 for part in line.split("\r\n"))
    kept = "".join(c for c in text.replace("\r\n", "\n") if c in "\n\t" or (c >= " " and c != "\x7f"))
    assert unescaped(line.replace("\r\n ", "")[len("SUMMARY:") : -2]) == kept


async def test_a_reader_of_others_finds_the_same(tmp_path: Path) -> None:
    label = 'Eins; zwei, drei \\ "vier"' + " ünïcödé 🎉" * 20
    control = with_one(label=label, description="one\nEND:VEVENT: two", tags=("a,b", "c;d"))
    async with serving(tmp_path, control) as api:
        raw = (await api.get(f"{FEED}?to=2026-11-26T00:00:00Z")).raw
    calendar = icalendar.Calendar.from_ical(raw)
    assert calendar["VERSION"] == "2.0"
    found = calendar.walk("VEVENT")
    assert [event.errors for event in found] == [[], []]
    assert [event.decoded("DTSTART") for event in found] == [
        datetime(2026, 11, 24, 12, tzinfo=UTC),
        datetime(2026, 11, 25, 12, tzinfo=UTC),
    ]
    for event in found:
        assert str(event["SUMMARY"]) == label
        assert str(event["DESCRIPTION"]).startswith("one\nEND:VEVENT: two\n")
        assert [str(category) for category in event["CATEGORIES"].cats] == ["a,b", "c;d"]
        assert event["TRANSP"] == "TRANSPARENT"
    assert len({str(event["UID"]) for event in found}) == 2
