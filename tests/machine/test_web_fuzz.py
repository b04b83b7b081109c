"""Whatever a client sends, the answer is ours, in our form, and never a 5xx."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedd.web import app, calendar, ics, insight, query, recent, types
from tests.api import RUNS, SCHEDULES, Answer, Api, serving
from tests.fake_control import entry

KEYS = {
    f"{SCHEDULES}/history": query.HISTORY_KEYS,
    f"{SCHEDULES}/preview": ("expression", "timezone", "from", "count"),
    f"{SCHEDULES}/recent": recent.RECENT_KEYS,
    f"{SCHEDULES}/calendar": calendar.CALENDAR_KEYS,
    f"{SCHEDULES}/calendar.ics": ics.ICS_KEYS,
    f"{SCHEDULES}/why": insight.WHY_KEYS,
    f"{SCHEDULES}/gaps": insight.GAPS_KEYS,
    f"{RUNS}/{{runId}}/output": ("follow",),
}
GOOD = [
    "9999-W53-7",
    "a.py",
    "2026-11-24T10:00:00Z",
    "1",
    "true",
    "ok",
    "* * * * *",
    "UTC",
    "after-1",
    "manual",
    "5m",
    "script",
    "",
    "0",
    "-1",
]
VALUES = st.one_of(st.sampled_from(GOOD), st.text(max_size=30), st.integers().map(str))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
BODY_KEYS = {"scriptPath", "force", "wait", "dry_run", "all", "note", "until", "since", "only"}
BODIES = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=20).map(lambda text: b'{"scriptPath": "%s"}' % text),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(
        st.sampled_from(sorted(BODY_KEYS | {"zz"})),
        st.one_of(st.sampled_from(["a.py", "../x", "2h", "9999-12-31T23:59:59Z", True, False, None]), JSON),
        max_size=4,
    ).map(lambda value: json.dumps(value).encode()),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "If-None-Match",
            "Range",
            "If-Range",
            "Idempotency-Key",
            "Origin",
            "Content-Type",
            "Accept",
            "X-Forwarded-For",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    max_size=3,
)


def fuzzed(asking: Callable[[Api], Coroutine[Any, Any, None]]) -> None:
    """Run one example in a loop and a server of its own."""

    async def run() -> None:
        with TemporaryDirectory() as directory:
            async with serving(Path(directory)) as api:
                api.control.register("a.py")
                api.control.entries = [entry("a.py"), entry("b.py")]
                await asking(api)

    asyncio.run(run())


def of_a_run(path: str, api: Api) -> str:
    return path.replace("{runId}", api.control.entries[0].run_id)


def check(answer: Answer) -> None:
    assert answer.status < 500, answer.raw
    if answer.status >= 400:
        assert {"error", "code", "timestamp"} <= set(answer.body)
        assert "message" not in answer.body


ENDLESS = "/api/v1/exec/events"
"""Left out: it answers for as long as the client stays."""
GETS = [route.path for route in app.ROUTES if route.method == "GET" and route.path != ENDLESS]
POSTS = [route.path for route in app.ROUTES if route.method == "POST"]


PAIRS = {
    path: st.lists(st.tuples(st.sampled_from(keys), VALUES), max_size=3, unique_by=lambda p: p[0])
    for path, keys in KEYS.items()
}
ASKED = st.sampled_from([*KEYS, *KEYS, *GETS]).flatmap(
    lambda path: st.tuples(st.just(path), PAIRS.get(path, st.just([])), HEADERS)
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ASKED, min_size=20, max_size=40))
def test_no_query_and_no_header_is_a_5xx(
    asked: list[tuple[str, list[tuple[str, str]], dict[str, str]]],
) -> None:
    async def ask(api: Api) -> None:
        for path, pairs, headers in asked:
            url = f"{of_a_run(path, api)}?{urlencode(pairs, errors='surrogatepass')}"
            check(await api.get(url, headers=headers))

    fuzzed(ask)


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(POSTS), BODIES, HEADERS), min_size=10, max_size=20))
def test_no_body_is_a_5xx(asked: list[tuple[str, bytes, dict[str, str]]]) -> None:
    async def ask(api: Api) -> None:
        for path, body, headers in asked:
            check(await api.post(of_a_run(path, api), data=body, headers=headers))

    fuzzed(ask)


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=80), min_size=5, max_size=10))
def test_no_bytes_on_the_line_are_a_5xx(asked: list[bytes]) -> None:
    async def ask(api: Api) -> None:
        for tail in asked:
            head = (
                f"Host: localhost\r\nAuthorization: Bearer {api.admin}\r\nConnection: close\r\n\r\n".encode()
            )
            for line in (
                b"GET " + RUNS.encode() + b"/" + tail,
                b"GET " + SCHEDULES.encode() + b"/history?" + tail,
                tail,
            ):
                came = await api.raw(line + b" HTTP/1.1\r\n" + head)
                assert b" 500 " not in came[:16]

    fuzzed(ask)


@pytest.mark.parametrize("request_type", types.Request.__subclasses__())
def test_every_request_is_covered_by_the_bodies_above(request_type: type[types.Request]) -> None:
    assert set(request_type.__struct_encode_fields__) <= BODY_KEYS
