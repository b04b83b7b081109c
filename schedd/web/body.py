"""Reading the body of a POST: bounded in size and in time, and never a surprise for the server.

A body is checked key by key against its type in `types`, because the contract fixes the sentences: which
key is unknown, what a key must be. The Content-Type is not looked at: clients send JSON under many names,
and what a browser may send across origins is decided in `gate`, not by its type.
"""

import asyncio
from types import NoneType
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from schedd.web import answers, types
from schedd.web.answers import AnswerError

MAX_BODY_BYTES = 64 * 1024
READ_S = 10.0
"""A client that needs longer for 64 KiB is not sending."""

R = TypeVar("R", bound=types.Request)

_KINDS: dict[Any, tuple[str, tuple[type, ...]]] = {
    bool: ("a boolean", (bool,)),
    str: ("a string", (str,)),
    str | None: ("a string or null", (str, NoneType)),
}
"""What a key may be typed as in `types`, in words, and what JSON gives for it: no subclasses, no guesses."""


async def read(request: web.Request, kind: type[R]) -> R:
    """Return the body as this type; absent, empty and `null` bodies count as `{}`.

    Raises AnswerError: 400 for what is not such an object, 408 when it does not arrive, 413 when it is too
    large.
    """
    return parse(await _raw(request), kind)


def parse(raw: bytes, kind: type[R]) -> R:
    """Return the bytes of a body as this type. Raises AnswerError (400), naming the key that is wrong."""
    given = _object(raw)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in given:
        if key not in fields:
            raise answers.invalid(f"unknown key {key!r}", key=key, known=sorted(fields))
    for name, field in fields.items():
        if field.required and not _filled(given.get(name)):
            raise answers.invalid(f"{name} is required", key=name)
        words, allowed = _KINDS[field.type]
        if name in given and type(given[name]) not in allowed:
            raise answers.invalid(f"{name} must be {words}", key=name)
    return msgspec.convert(given, kind)


async def _raw(request: web.Request) -> bytes:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise too_large()
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise answers.invalid("Content-Encoding is not supported: send the JSON as it is")
    try:
        async with asyncio.timeout(READ_S):
            return await request.read()
    except TimeoutError as error:
        raise AnswerError(408, f"the body did not arrive within {READ_S:.0f} s", close=True) from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise AnswerError(400, "the body is cut short or badly framed", close=True) from error


def too_large() -> AnswerError:
    """Return the 413; the connection closes, so that nobody has to read the rest."""
    return AnswerError(413, f"the body is larger than {MAX_BODY_BYTES} bytes", close=True)


def _object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in these bytes."""
    if not raw.strip():
        return {}
    try:
        given = msgspec.json.decode(raw)
    except UnicodeDecodeError as error:
        raise answers.invalid("the body is not valid UTF-8") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise answers.invalid("the body is not valid JSON", reason=str(error)) from error
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise answers.invalid("the body must be a JSON object")
    return given


def _filled(value: object) -> bool:
    """A required text that is blank, or no text at all, is not there: there is one sentence for both."""
    return isinstance(value, str) and bool(value.strip())
