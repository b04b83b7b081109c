"""The HTTP API over real sockets, with a fake daemon behind it, for one test at a time."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy

from schedd.web import app, server, tokens
from schedd.web.auth import Access
from tests.fake_control import NOW_MS, FakeControl

SCHEDULES = "/api/v1/exec/schedules"
RUNS = "/api/v1/exec/runs"
DEADLINE_S = 5.0
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    raw: bytes

    @property
    def body(self) -> Any:
        assert self.headers["Content-Type"] == "application/json; charset=utf-8" or (
            self.headers["Content-Type"] == "application/json"
        )
        return json.loads(self.raw)


@dataclass
class Api:
    """A running server and a client that may do everything; `token=None` sends none."""

    control: FakeControl
    app: web.Application
    bound: server.Bound
    state_dir: Path
    admin: str
    session: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, *, token: str | None = "", endless: bool = False, **more: Any
    ) -> Answer:
        """Ask once; of an `endless` answer that is none of errors only the headers are read."""
        url = path if path.startswith("http") else f"{self.bound.url}{path}"
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token or self.admin}")
        async with (
            asyncio.timeout(DEADLINE_S),
            self.session.request(method, url, headers=headers, **more) as response,
        ):
            raw = b"" if endless and response.ok else await response.read()
            return Answer(response.status, response.headers, raw)

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Answer:
        if body is not None:
            more["json"] = body
        return await self.ask("POST", path, **more)

    async def list(self) -> Any:
        return (await self.get(f"{SCHEDULES}/list")).body

    async def trigger(self, script: str, **more: Any) -> Answer:
        headers = more.pop("headers", {})
        return await self.post(f"{SCHEDULES}/trigger", {"scriptPath": script} | more, headers=headers)

    async def raw(self, request: bytes) -> bytes:
        """Send these bytes, say that no more come, and return all that comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.bound.port)
        try:
            writer.write(request)
            async with asyncio.timeout(DEADLINE_S):
                return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def token(self, name: str, *scopes: str, scripts: str | None = None) -> str:
        return tokens.add(str(self.state_dir), name, scopes=scopes, scripts=scripts, now_ms=NOW_MS)


@contextlib.asynccontextmanager
async def serving(
    state_dir: Path,
    control: FakeControl | None = None,
    *,
    cors_origins: Iterable[str] = (),
    allowed_hosts: Iterable[str] = (),
    allowed_uids: Iterable[int] = (),
    behind_proxy: bool = False,
    unix: bool = False,
) -> AsyncIterator[Api]:
    """Serve a fake daemon on a free port (and, with `unix`, on a socket in `state_dir`)."""
    control = control or FakeControl()
    access = Access(tokens.TokenFile(str(state_dir)), allowed_uids=allowed_uids, behind_proxy=behind_proxy)
    built = app.build(control, access, cors_origins=cors_origins, allowed_hosts=allowed_hosts)
    admin = tokens.add(str(state_dir), "admin", scopes=["admin"], now_ms=NOW_MS)
    path = str(state_dir / "api.sock") if unix else None
    async with (
        # The client outlives the server, so that tests see how the server hangs up.
        aiohttp.ClientSession() as session,
        server.serve(built, host="127.0.0.1", socket_path=path, stop_s=0.4) as bound,
    ):
        yield Api(control, built, bound, state_dir, admin, session)


def is_error(answer: Answer, status: int, code: str, sentence: str | None = None) -> bool:
    """Check the one form of errors; returns True so that tests can assert it."""
    body = answer.body
    assert (answer.status, body["code"]) == (status, code), body
    assert set(body) <= {"error", "code", "timestamp", "details", "retryAfter"}
    assert INSTANT.fullmatch(body["timestamp"])
    assert sentence is None or body["error"] == sentence, body
    return True
