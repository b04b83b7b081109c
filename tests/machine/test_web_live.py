"""`/runs/{runId}/output` as server-sent events: each line as it comes, gaps, the end, and coming back."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from schedd.fire import Outcome, Reason, RunId, Status
from schedd.web import live
from tests.api import RUNS, Api, is_error, serving
from tests.fake_control import KEPT, NOW_MS

OK = Outcome(status=Status.OK, ended_ms=NOW_MS, duration_ms=12, exit_code=0)
NOW = "2026-11-24T10:00:00.123Z"


@dataclass(frozen=True)
class Event:
    name: str
    id: int | None
    data: Any


class Listener:
    """Reads events as a browser does."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> Event | str | None:
        """Return the next event, the text of a comment, or None at the end."""
        name, number, data = "message", None, list[str]()
        async for raw in self.response.content:
            line = raw.decode().removesuffix("\n")
            field, _, value = line.partition(": ")
            match field:
                case "event":
                    name = value
                case "id":
                    number = int(value)
                case "data":
                    data.append(value)
                case "":
                    if data:
                        return Event(name, number, json.loads("\n".join(data)))
                    if line:
                        return value
        return None

    async def events(self) -> list[Event]:
        """Return all events to the end."""
        found = []
        while (event := await self.next()) is not None:
            if isinstance(event, Event):
                found.append(event)
        return found


@contextlib.asynccontextmanager
async def listening(api: Api, run_id: RunId, *, after: str | None = None) -> AsyncIterator[Listener]:
    headers = {"Authorization": f"Bearer {api.admin}", "Accept": "text/event-stream"}
    if after is not None:
        headers["Last-Event-ID"] = after
    url = f"{api.bound.url}{RUNS}/{run_id}/output?follow=true"
    async with asyncio.timeout(5), api.session.get(url, headers=headers) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        yield Listener(response)


async def started(api: Api) -> RunId:
    """Start a run that goes on."""
    api.control.register("a.py")
    api.control.ends_at_once = None
    return RunId((await api.trigger("a.py", wait=False)).body["runId"])


def line(text: str, number: int, end: int, *, at: str | None = NOW, part: bool = False) -> Event:
    return Event("line", end, {"text": text, "at": at, "n": number, "part": part})


async def test_lines_come_as_they_are_printed_and_then_how_it_ended(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.print(run_id, b"one\ntw")
        async with listening(api, run_id) as listener:
            assert await listener.next() == line("one", 1, 4, at=None)
            api.control.print(run_id, "o\u2028\nthree".encode())
            assert await listener.next() == line("two\u2028", 2, 11)
            api.control.end(run_id, OK)
            assert await listener.events() == [
                line("three", 3, 16, part=True),
                Event("end", None, {"status": "ok", "reason": None, "exitCode": 0, "durationMs": 12}),
            ]
        await api.control.unfollowed.wait()


@pytest.mark.parametrize("printed", [b"", b"one\n\xff\n"])
async def test_a_run_that_is_over_has_its_lines_and_its_end(tmp_path: Path, printed: bytes) -> None:
    failed = Outcome(status=Status.ERROR, reason=Reason.EXIT, error="x", ended_ms=NOW_MS, exit_code=3)
    async with serving(tmp_path) as api:
        run_id = await started(api)
        if printed:
            api.control.print(run_id, printed)
        api.control.end(run_id, failed)
        async with listening(api, run_id) as listener:
            *lines, end = await listener.events()
    assert lines == ([line("one", 1, 4, at=None), line("\ufffd", 2, 6, at=None)] if printed else [])
    assert end.data == {"status": "error", "reason": "exit", "exitCode": 3, "durationMs": 0}


async def test_what_was_left_out_is_a_gap(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.print(run_id, b"x" * (KEPT - 1) + b"\n" + b"y" * 5000 + b"\n" + b"z" * (KEPT - 1) + b"\n")
        async with listening(api, run_id) as listener:
            first, gap, last = [await listener.next() for _ in range(3)]
            api.control.end(run_id, OK)
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert gap == Event("gap", KEPT + 5001, {"bytes": 5001, "lines": None})
    assert (first.data["text"], last.data["text"], last.data["n"]) == ("x" * 999, "z" * 999, None)


async def test_one_that_comes_back_goes_on_where_it_was(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.print(run_id, b"one\ntwo\n")
        async with listening(api, run_id, after="4") as listener:
            assert await listener.next() == line("two", 2, 8, at=None)
        api.control.end(run_id, OK)
        async with listening(api, run_id, after="8") as listener:
            assert [event.name for event in await listener.events()] == ["end"]


@pytest.mark.parametrize("after", ["", "x", "-1", "1e3", "9" * 30, "\u0664"])
async def test_an_id_that_is_none_of_ours_begins_anew(tmp_path: Path, after: str) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.print(run_id, b"one\n")
        api.control.end(run_id, OK)
        async with listening(api, run_id, after=after) as listener:
            assert (await listener.events())[0] == line("one", 1, 4, at=None)


async def test_a_fire_that_waits_is_listened_to_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HELD_S", 0.01)
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.hold(run_id)
        async with listening(api, run_id) as listener:
            api.control.begin(run_id)
            await api.control.followed.wait()
            api.control.print(run_id, b"one\n")
            assert await listener.next() == line("one", 1, 4)
            api.control.end(run_id, OK)
            assert [event.name for event in await listener.events()] == ["end"]


async def test_what_ran_between_two_looks_is_told_from_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HELD_S", 60)
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.hold(run_id)
        async with listening(api, run_id) as listener:
            api.control.begin(run_id)
            api.control.print(run_id, b"one\n")
            api.control.end(run_id, OK)
            assert [event.name for event in await listener.events()] == ["line", "end"]


async def test_a_silent_run_is_pinged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_S", 0.01)
    monkeypatch.setattr(live, "PING_S", 0.01)
    async with serving(tmp_path) as api:
        run_id = await started(api)
        async with listening(api, run_id) as listener:
            assert await listener.next() == "ping"
            api.control.print(run_id, b"one\n")
            while (event := await listener.next()) == "ping":
                pass
            assert event == line("one", 1, 4)


async def test_a_line_too_long_for_one_event_comes_in_parts(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        async with listening(api, run_id) as listener:
            await api.control.followed.wait()
            api.control.print(run_id, b"x" * 40_000 + b"\n")
            parts = [await listener.next() for _ in range(3)]
    events = [part for part in parts if isinstance(part, Event)]
    assert "".join(event.data["text"] for event in events) == "x" * 40_000
    assert [(event.data["n"], event.data["part"]) for event in events] == [(1, True), (1, True), (1, False)]


async def test_a_stream_ends_without_an_end_when_the_sockets_close(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.print(run_id, b"one\n")
        headers = {"Accept": "text/event-stream"}
        following = asyncio.ensure_future(api.get(f"{RUNS}/{run_id}/output?follow=true", headers=headers))
        await api.control.followed.wait()
    raw = (await following).raw
    assert b"event: line" in raw
    assert b"event: end" not in raw


async def test_a_client_that_left_is_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_S", 0.01)
    async with serving(tmp_path) as api, asyncio.timeout(5):
        run_id = await started(api)
        async with listening(api, run_id):
            await api.control.followed.wait()
        await api.control.unfollowed.wait()
        assert [run.fire.run_id for run in api.control.runs()] == [run_id]


async def test_a_query_asks_for_events_where_a_header_cannot(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        run_id = await started(api)
        api.control.end(run_id, OK)
        path = f"{RUNS}/{run_id}/output"
        events = await api.get(f"{path}?follow=true&format=sse")
        text = await api.get(f"{path}?follow=true&format=text", headers={"Accept": "text/event-stream"})
        plain = await api.get(path, headers={"Accept": "text/event-stream"})
        assert is_error(await api.get(f"{path}?format=sse"), 400, "VALIDATION_ERROR")
        assert is_error(await api.get(f"{path}?follow=true&format=xml"), 400, "VALIDATION_ERROR")
    assert events.headers["Content-Type"] == "text/event-stream"
    assert text.headers["Content-Type"] == plain.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_a_limited_token_cannot_listen_to_others(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        token = api.token("shop", "read", scripts="shop/*")
        run_id = await started(api)
        answer = await api.get(f"{RUNS}/{run_id}/output?follow=true&format=sse", token=token)
    assert is_error(answer, 404, "NOT_FOUND", "run not found")


async def test_so_many_may_listen_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS", 1)
    async with serving(tmp_path) as api:
        run_id = await started(api)
        async with listening(api, run_id):
            await api.control.followed.wait()
            answer = await api.get(f"{RUNS}/{run_id}/output?follow=true&format=sse")
    assert is_error(answer, 503, "SERVICE_UNAVAILABLE")
