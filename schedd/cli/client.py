"""The HTTP client of the command line.

One request at a time, bounded in size and, except where the daemon waits for a run on purpose, in time.
Whatever goes wrong on the way becomes one of two errors: nobody answered (`UnreachableError`, with what
to do about it), or the daemon declined (`ScheddError` with the daemon's own sentence).

http.client of the standard library, and a connection for each request: a person waits for each verb, and only
to import aiohttp and asyncio takes longer than all the rest of `schedd list`.
"""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from schedd.cli.where import Target
from schedd.errors import ScheddError, UnreachableError
from schedd.host.clock import SystemClock

API = "/api/v1/exec"
OUTSIDE = frozenset({"/readyz"})
"""Paths that probes know, which do not lie below the API."""
CONNECT_S = 5.0
ANSWER_S = 60.0
"""How long a look may take: a search through rotated fires logs reads at most 32 MiB a request."""
ANSWER_BYTES = 1 << 28
"""Larger than the list of 100,000 schedules."""
CHUNK_BYTES = 1 << 16

Params = Mapping[str, str]


class _Unconnected(Exception):  # noqa: N818 - what it wraps is the error
    """Nobody could be reached; its cause says why."""


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
    """Return the JSON answer, an object that has the key `has`.

    `patient`: the daemon waits for a run or reads a directory, and so do we.

    Raises UnreachableError or ScheddError.
    """
    until_s = None if patient else SystemClock().monotonic() + ANSWER_S
    connection = _connection(target)
    try:
        _send(connection, target, method, _where(target, path, params), body)
        _wait_until(connection, until_s)
        response = connection.getresponse()
        answer = b"".join(_chunks(connection, response, until_s))
    except (OSError, http.client.HTTPException, _Unconnected) as problem:
        raise _unreachable(problem, target) from None
    finally:
        connection.close()
    decoded = _decoded(response.status, answer, target)
    if has not in decoded:
        raise _stranger(target, response.status)
    return decoded


def stream(target: Target, path: str, *, params: Params) -> Iterator[bytes]:
    """Yield a body as it comes.

    Raises UnreachableError or ScheddError.
    """
    connection = _connection(target)
    try:
        _send(connection, target, "GET", _where(target, path, params), None)
        _wait_until(connection, None)
        response = connection.getresponse()
        if response.status >= 400:
            _decoded(response.status, b"".join(_chunks(connection, response, None)), target)
        while chunk := response.read1(CHUNK_BYTES):
            yield chunk
    except (OSError, http.client.HTTPException, _Unconnected) as problem:
        raise _unreachable(problem, target) from None
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=CONNECT_S)
        self._path = path

    def connect(self) -> None:
        """Connect, as the base class does over TCP."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(target: Target) -> http.client.HTTPConnection:
    if target.socket is not None:
        return _UnixConnection(target.socket)
    url = urlsplit(target.url or "")
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(url.hostname or "", url.port, timeout=CONNECT_S)


def _where(target: Target, path: str, params: Params | None) -> str:
    """Return what stands in the request's first line."""
    base = urlsplit(target.url or "").path.rstrip("/")
    query = f"?{urlencode(params)}" if params else ""
    return f"{base}{'' if path in OUTSIDE else API}{path}{query}"


def _send(
    connection: http.client.HTTPConnection,
    target: Target,
    method: str,
    where: str,
    body: Mapping[str, object] | None,
) -> None:
    """Connect, and send a request. A redirect is an answer: followed, it would carry the token elsewhere."""
    headers = {} if target.token is None else {"Authorization": f"Bearer {target.token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection.connect()
    except OSError as problem:
        raise _Unconnected from problem
    connection.request(method, where, None if body is None else json.dumps(body), headers)


def _chunks(
    connection: http.client.HTTPConnection, response: http.client.HTTPResponse, until_s: float | None
) -> Iterator[bytes]:
    size_bytes = 0
    while chunk := response.read1(CHUNK_BYTES):
        size_bytes += len(chunk)
        if size_bytes > ANSWER_BYTES:
            raise ScheddError(f"the answer is larger than {ANSWER_BYTES >> 20} MiB; ask for less")
        _wait_until(connection, until_s)
        yield chunk


def _wait_until(connection: http.client.HTTPConnection, until_s: float | None) -> None:
    """Bound what is waited for from here on. Raises TimeoutError when the time is over."""
    left_s = None if until_s is None else until_s - SystemClock().monotonic()
    if left_s is not None and left_s <= 0:
        raise TimeoutError
    if connection.sock is not None:  # the response has it once the answer is whole
        connection.sock.settimeout(left_s)


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


def _unreachable(problem: Exception, target: Target) -> UnreachableError:
    connected = not isinstance(problem, _Unconnected)
    cause = problem if connected else problem.__cause__
    happened = _what_happened(cause, target, connected=connected)
    return UnreachableError(f"{happened}; {_what_to_do(cause, target)}")


def _what_happened(cause: BaseException | None, target: Target, *, connected: bool) -> str:
    if isinstance(cause, PermissionError):
        return f"you may not use {target}"
    if isinstance(cause, TimeoutError):
        return f"the daemon at {target} does not answer in time"
    if not connected:
        return f"no daemon answers at {target}"
    return f"the daemon at {target} ended the connection before the answer was whole"


def _what_to_do(cause: BaseException | None, target: Target) -> str:
    if isinstance(cause, PermissionError):
        return "ask as root or as a member of its group, or over --url with a token"
    if target.socket is not None:
        return "see `systemctl status schedd`, or say where the daemon is with --socket or --url"
    return "check the address and that the daemon runs there (`systemctl status schedd`)"
