"""How an answer is written: JSON with a strong ETag, or an error in the one form that errors have."""

import hashlib
from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web

from schedd.errors import ScheddError
from schedd.timetable import instant
from schedd.web import control
from schedd.web.types import ErrorAnswer

RETRY_AFTER_S = 5
"""When to ask again after a 503: a restart takes seconds."""

CODES: dict[int, str] = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "TIMEOUT",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    # Answers of HTTP itself, which the closed list has no code for.
    416: "VALIDATION_ERROR",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}

_REFUSED = {
    control.Why.INVALID: 400,
    control.Why.FORBIDDEN: 403,
    control.Why.NOT_FOUND: 404,
    control.Why.CONFLICT: 409,
    control.Why.UNAVAILABLE: 503,
}

FRESH = "private, no-cache"
"""An answer may be kept, and is asked for again with its tag."""

Details = dict[str, str | int | bool | list[str]]


class AnswerError(ScheddError):
    """An error to answer with: its HTTP status, its sentence, and what belongs to them."""

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        details: Details | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after_s: int | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.details = details
        self.headers = dict(headers or {})
        self.retry_after_s = retry_after_s
        self.close = close


def invalid(sentence: str, **details: str | int | bool | list[str]) -> AnswerError:
    """Return a 400: the client should ask differently."""
    return AnswerError(400, sentence, details=details or None)


def not_found(sentence: str) -> AnswerError:
    """Return a 404."""
    return AnswerError(404, sentence)


def unavailable(sentence: str = "Service unavailable", *, reasons: tuple[str, ...] = ()) -> AnswerError:
    """Return a 503: the same request may succeed in a moment."""
    details: Details | None = {"reasons": list(reasons)} if reasons else None
    return AnswerError(503, sentence, details=details, retry_after_s=RETRY_AFTER_S)


def refused(error: control.RefusedError) -> AnswerError:
    """Return the daemon's refusal as an answer."""
    details: Details | None = None if error.reason is None else {"reason": error.reason}
    status = _REFUSED[error.why]
    retry = RETRY_AFTER_S if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return AnswerError(status, str(error), details=details, retry_after_s=retry)


def failed(error: AnswerError, *, now_ms: int) -> web.Response:
    """Write an error."""
    body = ErrorAnswer(
        error=error.sentence,
        code=CODES[error.status],
        timestamp=instant.from_ms(now_ms),
        retry_after=error.retry_after_s,
        details=error.details,
    )
    response = _json(msgspec.json.encode(body), status=error.status)
    response.headers.update(error.headers)
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    if error.retry_after_s is not None:
        response.headers[hdrs.RETRY_AFTER] = str(error.retry_after_s)
    if error.close:
        response.force_close()
    return response


def done(
    body: msgspec.Struct, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Write the answer to a POST."""
    response = _json(msgspec.json.encode(body), status=status)
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    response.headers.update(headers or {})
    return response


def found(request: web.Request, body: msgspec.Struct) -> web.Response:
    """Write the answer to a GET, or 304 when the client has it already."""
    encoded = msgspec.json.encode(body)
    return found_tagged(request, etag(encoded), lambda: encoded)


def found_tagged(request: web.Request, tag: str, body: Callable[[], bytes]) -> web.Response:
    """Write JSON whose tag is known, or 304, for which nobody has to make the body."""
    response = web.Response(status=304) if has(request, tag) else _json(body())
    response.headers[hdrs.ETAG] = f'"{tag}"'
    response.headers[hdrs.CACHE_CONTROL] = FRESH
    return response


def etag(body: bytes) -> str:
    """Return the strong tag of a body, without its quotes."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _json(body: bytes, *, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


def has(request: web.Request, tag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2): `W/"x"` matches `"x"`."""
    tags = request.if_none_match
    return tags is not None and any(given.value in {tag, "*"} for given in tags)
