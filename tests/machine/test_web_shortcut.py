"""The list again over one connection: from memory, and never anything but what the long way would say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from schedd.planner.view import ScheduleView
from schedd.web import app, tokens
from tests.api import SCHEDULES, Api, serving

LIST = f"{SCHEDULES}/list"


@dataclass
class Line:
    """One connection, kept open."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, *headers: str, method: str = "GET", path: str = LIST, version: str = "1.1") -> bytes:
        """Ask, and return the head of the answer and its body, without the date."""
        lines = [f"{method} {path} HTTP/{version}", "Host: localhost", *headers, "", ""]
        self.writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            told = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
            size = 0 if method == "HEAD" else int(told.get(b"Content-Length", b"0"))
            body = await self.reader.readexactly(size)
        assert b"Date" in told
        return head.replace(b"Date: " + told[b"Date"], b"Date: now") + body


@asynccontextmanager
async def line_to(api: Api) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.bound.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as served:
        served.control.register("shop/a.sh")
        served.control.register("shop/b.sh")
        served.control.still = True
        yield served


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


def parts(answer: bytes) -> tuple[bytes, list[bytes], bytes]:
    """The status line, the headers in any order, and the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    return first, sorted(headers), body


async def test_the_second_answer_is_the_first_in_every_header_and_byte(api: Api) -> None:
    async with line_to(api) as line:
        first = await line.ask(bearer(api.admin))
        second = await line.ask(bearer(api.admin))
    assert parts(first) == parts(second)
    assert b"shop/b.sh" in second


async def test_the_second_304_is_the_first_in_every_header(api: Api) -> None:
    tag = (await api.get(LIST)).headers["ETag"]
    async with line_to(api) as line:
        first = await line.ask(bearer(api.admin), f"If-None-Match: {tag}")
        second = await line.ask(bearer(api.admin), f"If-None-Match: {tag}")
    assert first.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert parts(first) == parts(second)


async def test_what_has_happened_since_is_in_it(api: Api) -> None:
    async with line_to(api) as line:
        for _ in range(2):
            assert b"shop/c.sh" not in await line.ask(bearer(api.admin))
        api.control.register("shop/c.sh")
        api.control.still = False
        assert b"shop/c.sh" in await line.ask(bearer(api.admin))


async def test_a_304_ends_when_something_has_happened(api: Api) -> None:
    tag = (await api.get(LIST)).headers["ETag"]
    async with line_to(api) as line:
        for _ in range(2):
            assert b" 304 " in await line.ask(bearer(api.admin), f"If-None-Match: {tag}")
        api.control.register("shop/c.sh")
        api.control.still = False
        assert b" 200 " in await line.ask(bearer(api.admin), f"If-None-Match: {tag}")


async def test_a_revoked_token_gets_nothing_more_over_the_same_connection(api: Api) -> None:
    token = api.token("guest", "read")
    async with line_to(api) as line:
        for _ in range(2):
            assert b" 200 " in await line.ask(bearer(token))
        tokens.revoke(str(api.state_dir), "guest")
        assert b" 401 " in await line.ask(bearer(token))


async def test_a_tokens_file_that_cannot_be_used_ends_it(api: Api) -> None:
    async with line_to(api) as line:
        for _ in range(2):
            assert b" 200 " in await line.ask(bearer(api.admin))
        (api.state_dir / tokens.FILE_NAME).write_text("{")
        assert b" 503 " in await line.ask(bearer(api.admin))


async def test_each_token_on_one_connection_gets_its_own_list(api: Api) -> None:
    some = api.token("some", "read", scripts="shop/a*")
    async with line_to(api) as line:
        for _ in range(3):
            assert b"shop/b.sh" in await line.ask(bearer(api.admin))
            for _ in range(2):
                assert b"shop/b.sh" not in await line.ask(bearer(some))


async def test_nobody_without_a_token_profits_from_who_asked_before(api: Api) -> None:
    async with line_to(api) as line:
        for _ in range(2):
            assert b" 200 " in await line.ask(bearer(api.admin))
        assert b" 401 " in await line.ask()


async def test_the_host_is_checked_again_when_it_is_another(api: Api) -> None:
    async with line_to(api) as line:
        for _ in range(2):
            assert b" 200 " in await line.ask(bearer(api.admin))
        line.writer.write(
            f"GET {LIST} HTTP/1.1\r\nHost: evil.example\r\n{bearer(api.admin)}\r\n\r\n".encode()
        )
        assert (await line.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 403 ")


async def test_other_rules_hold_at_once(api: Api) -> None:
    async with line_to(api) as line:
        for _ in range(2):
            assert b"Vary" not in await line.ask(bearer(api.admin))
        app.apply(api.app, cors_origins=["https://a.example"], allowed_hosts=(), allowed_uids=())
        for _ in range(2):
            assert b"Vary: Origin" in await line.ask(bearer(api.admin))


async def test_other_methods_and_paths_are_other_questions(api: Api) -> None:
    async with line_to(api) as line:
        for _ in range(2):
            assert b" 200 " in await line.ask(bearer(api.admin))
        assert (await line.ask(bearer(api.admin), method="HEAD")).endswith(b"\r\n\r\n")
        assert b" 404 " in await line.ask(bearer(api.admin), path=f"{LIST}s")
        assert b" 400 " in await line.ask(bearer(api.admin), path=f"{LIST}?scriptpath=x")


async def test_a_client_of_http_1_0_is_let_go_as_it_expects(api: Api) -> None:
    async with line_to(api) as line:
        for _ in range(2):
            await line.ask(bearer(api.admin))
        assert (await line.ask(bearer(api.admin), version="1.0")).startswith(b"HTTP/1.0 200 OK")
        assert await line.reader.read() == b""


async def test_a_client_that_wants_no_more_is_let_go(api: Api) -> None:
    async with line_to(api) as line:
        answer = await line.ask(bearer(api.admin), "Connection: close")
        assert b"Connection: close" in answer
        assert await line.reader.read() == b""


async def test_every_answer_is_counted(api: Api) -> None:
    async with line_to(api) as line:
        for _ in range(7):
            await line.ask(bearer(api.admin))
    text = (await api.get("/metrics")).raw.decode()
    assert f'schedd_http_requests_total{{route="{LIST}",status="200"}} 7.0' in text


async def test_a_large_list_arrives_whole_at_a_slow_client(api: Api) -> None:
    for number in range(2_000):
        api.control.register(f"many/script-{number}.sh")
    api.control.still = False
    async with line_to(api) as line:
        first = await line.ask(bearer(api.admin))
        api.control.still = True
        await line.ask(bearer(api.admin))
        line.writer.write(f"GET {LIST} HTTP/1.1\r\nHost: localhost\r\n{bearer(api.admin)}\r\n\r\n".encode())
        assert parts(await line.ask(bearer(api.admin))) == parts(first)


async def test_many_who_ask_at_once_get_one_list_that_is_made_once(api: Api) -> None:
    made: list[str] = []
    plain = api.control.schedule

    def counted(script: str) -> ScheduleView | None:
        made.append(script)
        return plain(script)

    api.control.schedule = counted  # type: ignore[method-assign]
    answers = await asyncio.gather(*(api.get(LIST) for _ in range(20)))
    assert len({answer.raw for answer in answers}) == 1
    assert made == ["shop/a.sh", "shop/b.sh"]
