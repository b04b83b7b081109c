"""The HTTP client of the command line: the only module besides the web layer that knows aiohttp.

One request at a time, bounded in size and, except where the daemon waits for a run on purpose, in time.
Whatever goes wrong on the way becomes one of two errors: nobody answered (`UnreachableError`, with what
to do about it), or the daemon declined (`ScheddError` with the daemon's own sentence).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

import aiohttp

from schedd.cli.where import Target
from schedd.errors import ScheddError, UnreachableError

API = "/api/v1/exec"
OUTSIDE = frozenset({"/readyz"})
"""Paths that probes know, which do not lie below the API."""
CONNECT_S = 5.0
ANSWER_S = 60.0
"""How long a look may take: a search through rotated fires logs reads at most 32 MiB a request."""
ANSWER_BYTES = 1 << 28
"""Larger than the list of 100,000 schedules."""

Params = Mapping[str, str]


class Client:
    """A connection to the daemon; an async context manager."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        socket = self._target.socket
        headers = {} if self._target.token is None else {"Authorization": f"Bearer {self._target.token}"}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector() if socket is None else aiohttp.UnixConnector(path=socket),
            headers=headers,
        )
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        has: str,
        params: Params | None = None,
        body: Mapping[str, object] | None = None,
        patient: bool = False,
    ) -> Any:
        """Return the JSON answer, an object that has the key `has`.

        `patient`: the daemon waits for a run or reads a directory, and so do we.

        Raises UnreachableError or ScheddError.
        """
        request = self._request(method, path, params=params, body=body, patient=patient)
        try:
            async with request as response:
                answer = await _whole(response)
        except (aiohttp.ClientError, OSError) as problem:
            raise self._unreachable(problem) from None
        decoded = _decoded(response.status, answer, self._target)
        if has not in decoded:
            raise _stranger(self._target, response.status)
        return decoded

    async def stream(self, path: str, *, params: Params) -> AsyncIterator[bytes]:
        """Yield a body as it comes.

        Raises UnreachableError or ScheddError.
        """
        try:
            async with self._request("GET", path, params=params, body=None, patient=True) as response:
                if response.status >= 400:
                    _decoded(response.status, await _whole(response), self._target)
                async for chunk in response.content.iter_any():
                    yield chunk
        except (aiohttp.ClientError, OSError) as problem:
            raise self._unreachable(problem) from None

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None,
        body: Mapping[str, object] | None,
        patient: bool,
    ) -> Any:
        assert self._session is not None
        timeout = aiohttp.ClientTimeout(
            total=None if patient else ANSWER_S, connect=CONNECT_S, sock_connect=CONNECT_S
        )
        base = self._target.url or "http://localhost"
        # A redirect would carry the token to whoever it names.
        return self._session.request(
            method,
            f"{base}{'' if path in OUTSIDE else API}{path}",
            params=params,
            json=body,
            timeout=timeout,
            allow_redirects=False,
        )

    def _unreachable(self, problem: Exception) -> UnreachableError:
        return UnreachableError(
            f"{_what_happened(problem, self._target)}; {_what_to_do(problem, self._target)}"
        )


def ask(
    target: Target,
    method: str,
    path: str,
    *,
    has: str,
    params: Params | None = None,
    body: Mapping[str, object] | None = None,
    patient: bool = False,
) -> Any:
    """Ask once, without an event loop around; see `Client.ask`."""

    async def once() -> Any:
        async with Client(target) as client:
            return await client.ask(method, path, has=has, params=params, body=body, patient=patient)

    return asyncio.run(once())


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    parts, size_bytes = [], 0
    async for chunk in response.content.iter_any():
        size_bytes += len(chunk)
        if size_bytes > ANSWER_BYTES:
            raise ScheddError(f"the answer is larger than {ANSWER_BYTES >> 20} MiB; ask for less")
        parts.append(chunk)
    return b"".join(parts)


def _decoded(status: int, answer: bytes, target: Target) -> dict[str, Any]:
    try:
        decoded = json.loads(answer)
    except (ValueError, RecursionError):
        raise _stranger(target, status) from None
    if not isinstance(decoded, dict) or status in range(300, 400):
        raise _stranger(target, status)
    if status < 400:
        return decoded
    raise _declined(status, decoded, target)


def _stranger(target: Target, status: int) -> ScheddError:
    return ScheddError(f"what answers at {target} is not schedd (HTTP {status}); check the address")


def _declined(status: int, decoded: dict[str, Any], target: Target) -> ScheddError:
    if not isinstance(decoded.get("error"), str):
        return _stranger(target, status)
    if status == 401:
        return ScheddError(_unknown(target))
    text = str(decoded["error"])
    details = decoded.get("details")
    if isinstance(details, dict) and isinstance(details.get("reason"), str):
        text += f": {details['reason']}"
    return ScheddError(text)


def _unknown(target: Target) -> str:
    where_from = "`schedd token add NAME` on the daemon's host makes one"
    if target.token is None:
        return f"the daemon at {target} wants a token: put it into SCHEDD_TOKEN ({where_from})"
    return f"the daemon at {target} does not know the token ({where_from})"


def _what_happened(problem: Exception, target: Target) -> str:
    cause = problem.__cause__ if isinstance(problem.__cause__, OSError) else problem
    if isinstance(problem, aiohttp.ClientConnectorError):
        cause = problem.os_error
    if isinstance(cause, PermissionError):
        return f"you may not use {target}"
    if isinstance(problem, TimeoutError):
        return f"the daemon at {target} does not answer in time"
    if isinstance(problem, aiohttp.ClientConnectorError) or isinstance(cause, FileNotFoundError):
        return f"no daemon answers at {target}"
    return f"the daemon at {target} ended the connection before the answer was whole"


def _what_to_do(problem: Exception, target: Target) -> str:
    cause = getattr(problem, "os_error", problem)
    if isinstance(cause, PermissionError):
        return "ask as root or as a member of its group, or over --url with a token"
    if target.socket is not None:
        return "see `systemctl status schedd`, or say where the daemon is with --socket or --url"
    return "check the address and that the daemon runs there (`systemctl status schedd`)"
