"""Errors have one form everywhere, and nothing that a client sends is a 500."""

import asyncio
import logging
from pathlib import Path

import pytest

from schedd.web import body
from tests.api import RUNS, SCHEDULES, Api, is_error, serving
from tests.fake_control import FakeControl

TRIGGER = f"{SCHEDULES}/trigger"


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/exec/schedules", f"{SCHEDULES}/List", "/%00", "//", "/a/../b"]
)
async def test_an_unknown_path_is_a_json_404(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as api:
        assert is_error(await api.get(path), 404, "NOT_FOUND", "not found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", f"{SCHEDULES}/list", "GET, HEAD, OPTIONS"),
        ("DELETE", f"{SCHEDULES}/history", "GET, HEAD, OPTIONS"),
        ("GET", f"{SCHEDULES}/reload", "OPTIONS, POST"),
        ("PUT", TRIGGER, "OPTIONS, POST"),
        ("PATCH", f"{RUNS}/x/output", "GET, HEAD, OPTIONS"),
        ("PURGE", "/healthz", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_a_json_405_with_allow(
    tmp_path: Path, method: str, path: str, allow: str
) -> None:
    async with serving(tmp_path) as api:
        answer = await api.ask(method, path)
    assert is_error(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"{", "the body is not valid JSON"),
        (b"scriptPath=a.py", "the body is not valid JSON"),
        (b'{"scriptPath": "a.py",}', "the body is not valid JSON"),
        (b'{"scriptPath": NaN}', "the body is not valid JSON"),
        (b'{"scriptPath": "\\ud800"}', "the body is not valid JSON"),
        (b'{"scriptPath": 1e999}', "the body is not valid JSON"),
        (b"[" * 60_000, "the body is not valid JSON"),
        (b"\xef\xbb\xbf{}", "the body is not valid JSON"),
        (b'{"scriptPath": "\xff"}', "the body is not valid UTF-8"),
        (b'{"scriptPath": "caf\xe9.py"}', "the body is not valid UTF-8"),
        (b"true", "the body must be a JSON object"),
    ],
)
async def test_a_body_that_is_not_a_json_object_is_a_400(tmp_path: Path, raw: bytes, sentence: str) -> None:
    async with serving(tmp_path) as api:
        answer = await api.post(TRIGGER, data=raw)
    assert is_error(answer, 400, "VALIDATION_ERROR", sentence)


async def test_a_compressed_body_is_refused_with_a_word_on_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.post(TRIGGER, data=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert is_error(answer, 400, "VALIDATION_ERROR")
    assert "Content-Encoding" in answer.body["error"]


async def test_a_body_of_64_kib_is_read_and_one_byte_more_is_a_413(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        fits = await api.post(f"{SCHEDULES}/reload", data=b"{}" + b" " * (body.MAX_BODY_BYTES - 2))
        over = await api.post(f"{SCHEDULES}/reload", data=b"{}" + b" " * (body.MAX_BODY_BYTES - 1))
    assert fits.status == 200
    assert is_error(over, 413, "PAYLOAD_TOO_LARGE", "the body is larger than 65536 bytes")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_megabyte_is_a_413_in_either_framing(tmp_path: Path, chunked: bool) -> None:
    async with serving(tmp_path) as api:
        answer = await api.post(TRIGGER, data=b" " * 1_000_000, chunked=chunked or None)
    assert is_error(answer, 413, "PAYLOAD_TOO_LARGE")


async def test_a_body_that_does_not_arrive_is_a_408(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedd.web.body.READ_S", 0.02)
    async with serving(tmp_path) as api:
        came = await api.raw(request(api, "POST", TRIGGER, "Content-Length: 20") + b'{"script')
    assert came.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"TIMEOUT"' in came


async def test_a_client_that_leaves_in_the_middle_of_a_body_leaves_no_trace_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as api:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await api.raw(request(api, "POST", TRIGGER, "Content-Length: 20") + b'{"script')
        assert (await api.get("/healthz")).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ten\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: 1\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_the_same_form_of_error(
    tmp_path: Path, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as api:
        came = await api.raw(raw)
    head, _, text = came.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b'"code":"VALIDATION_ERROR"' in text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "line",
    [
        "OPTIONS * HTTP/1.1",
        "CONNECT localhost:80 HTTP/1.1",
        "GET http://evil.example/healthz HTTP/1.1",
        "GET /api/v1/exec/schedules/history?\xff=%FF&%=&&a=;b HTTP/1.1",
        "GET /healthz HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade",
        "HEAD /api/v1/exec/runs/x/output?follow=true HTTP/1.1",
        "POST /api/v1/exec/schedules/reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz",
    ],
)
async def test_odd_but_possible_requests_are_answered_by_us(tmp_path: Path, line: str) -> None:
    async with serving(tmp_path) as api:
        head, _, rest = line.partition("\r\n\r\n")
        lines = (head, "Host: localhost", f"Authorization: Bearer {api.admin}", "Connection: close", "", "")
        came = await api.raw("\r\n".join(lines).encode("latin-1") + rest.encode())
    assert 200 <= int(came.split(b" ")[1]) < 500
    assert b"Server: schedd" in came


async def test_an_expectation_that_nobody_knows_is_a_json_400(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        came = await api.raw(request(api, "GET", "/healthz", "Expect: a-miracle", "Connection: close"))
    assert came.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"VALIDATION_ERROR"' in came


async def test_what_nobody_expected_is_logged_whole_and_told_in_three_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeControl):
        def schedules_of(self, scripts: object) -> list[object]:  # type: ignore[override]
            raise ZeroDivisionError("secret detail")

    async with serving(tmp_path, Broken()) as api:
        answer = await api.get(f"{SCHEDULES}/list")
    assert is_error(answer, 500, "INTERNAL_ERROR", "Internal server error")
    assert b"secret" not in answer.raw
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None
    assert "/list" in record.getMessage()


async def test_no_error_body_has_a_message_and_no_success_is_an_envelope(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("a.py")
        answers = [
            await api.get("/"),
            await api.get("/readyz"),
            await api.get(f"{SCHEDULES}/list"),
            await api.get(f"{SCHEDULES}/history"),
            await api.post(f"{SCHEDULES}/reload"),
            await api.trigger("a.py"),
            await api.get("/nothing"),
            await api.post(TRIGGER, {}),
        ]
    assert not [answer.body for answer in answers if {"message", "data", "statusCode"} & set(answer.body)]


def request(api: Api, method: str, path: str, *headers: str) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {api.admin}", *headers)
    return "\r\n".join((*lines, "", "")).encode()
