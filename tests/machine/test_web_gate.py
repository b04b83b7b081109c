"""What every request passes: Host, Origin, OPTIONS; and the headers that every answer has."""

from pathlib import Path

import pytest

from tests.api import SCHEDULES, is_error, serving

LIST = f"{SCHEDULES}/list"
RELOAD = f"{SCHEDULES}/reload"
PAGE = "https://status.example.org"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8173", "127.0.0.1", "[::1]:80", "10.1.2.3", "localhost."]
)
async def test_our_own_names_and_addresses_are_served(tmp_path: Path, host: str) -> None:
    async with serving(tmp_path) as api:
        assert (await api.get(LIST, headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "127.1"]
)
@pytest.mark.parametrize("path", [LIST, "/healthz", "/nothing"])
async def test_a_rebound_name_is_refused_on_every_path(tmp_path: Path, host: str, path: str) -> None:
    async with serving(tmp_path) as api:
        assert is_error(await api.get(path, headers={"Host": host}), 403, "FORBIDDEN")


async def test_an_allowed_host_is_served_with_any_port(tmp_path: Path) -> None:
    async with serving(tmp_path, allowed_hosts=["Cron.example.org"]) as api:
        assert (await api.get(LIST, headers={"Host": "cron.example.org:8443"})).status == 200


@pytest.mark.parametrize("host", ["", "a b", "localhost:port", "[::1", "user@localhost", "localhost/"])
async def test_a_malformed_host_is_a_400(tmp_path: Path, host: str) -> None:
    async with serving(tmp_path) as api:
        came = await api.raw(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert came.startswith(b"HTTP/1.1 400 ")


async def test_two_hosts_are_a_400(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        came = await api.raw(
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        )
    assert b" 400 " in came.splitlines()[0]


async def test_an_old_probe_without_a_host_is_served(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        came = await api.raw(b"GET /healthz HTTP/1.0\r\n\r\n")
        modern = await api.raw(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert came.startswith(b"HTTP/1.0 200 ")
    assert b" 400 " in modern.splitlines()[0]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "", "http://localhost:1"])
async def test_a_post_from_a_page_of_another_origin_is_refused(tmp_path: Path, origin: str) -> None:
    async with serving(tmp_path) as api:
        answer = await api.post(RELOAD, headers={"Origin": origin})
        assert not api.control.reload_ended.is_set()
    assert is_error(answer, 403, "FORBIDDEN")


async def test_a_post_from_our_own_page_is_served(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        assert (await api.post(RELOAD, headers={"Origin": api.bound.url or ""})).status == 200


async def test_a_post_from_a_page_of_an_allowed_origin_is_served_and_readable(tmp_path: Path) -> None:
    async with serving(tmp_path, cors_origins=[PAGE + "/"]) as api:
        answer = await api.post(RELOAD, headers={"Origin": PAGE})
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in answer.headers["Vary"]


async def test_a_page_of_another_origin_cannot_read_an_answer(tmp_path: Path) -> None:
    async with serving(tmp_path, cors_origins=[PAGE]) as api:
        answer = await api.get(LIST, headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


async def test_errors_can_be_read_by_pages_of_an_allowed_origin(tmp_path: Path) -> None:
    async with serving(tmp_path, cors_origins=[PAGE]) as api:
        answer = await api.get("/nothing", headers={"Origin": PAGE})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (404, PAGE)


async def test_options_needs_no_token_and_says_what_is_allowed(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.ask("OPTIONS", RELOAD, token=None)
        unknown = await api.ask("OPTIONS", "/nothing", token=None)
    assert (answer.status, answer.raw, answer.headers["Allow"]) == (204, b"", "OPTIONS, POST")
    assert "Access-Control-Allow-Methods" not in answer.headers
    assert is_error(unknown, 404, "NOT_FOUND")


async def test_a_preflight_of_an_allowed_origin_gets_what_it_asks(tmp_path: Path) -> None:
    async with serving(tmp_path, cors_origins=[PAGE]) as api:
        asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
        answer = await api.ask("OPTIONS", RELOAD, token=None, headers=asked)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("path", ["/", LIST, "/nothing", f"{RELOAD}"])
async def test_every_answer_is_data_and_nothing_else(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as api:
        headers = (await api.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "schedd"
    assert "Cache-Control" in headers


async def test_head_is_get_without_its_body(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        got, head = await api.get(LIST), await api.ask("HEAD", LIST)
    assert (head.status, head.raw, head.headers["ETag"]) == (200, b"", got.headers["ETag"])
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
