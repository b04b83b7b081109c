"""Reading the query string: strictly, because a filter that is misspelt would silently match everything.

Unknown and repeated keys are a 400 that names the key. An empty text (`since=`) counts as not given, as
forms send it; `limit`, `count` and the booleans have no empty form. Instants are ISO 8601; without an
offset they are UTC.
"""

import difflib
import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from aiohttp import web
from dateutil import parser

from schedd.fire import Kind, Reason, RunId, Status
from schedd.ledger.history import Query
from schedd.timetable import duration
from schedd.web import answers
from schedd.web.control import Control

HISTORY_LIMIT = 100
MAX_HISTORY_LIMIT = 1_000
MAX_CURSOR_CHARS = 1_024
MAX_PATH_BYTES = 4_095
MAX_NAME_BYTES = 255
"""PATH_MAX and NAME_MAX of Linux: no file can be called more."""

OUTSIDE = "scriptPath must be inside scripts directory"

HISTORY_KEYS = (
    "scriptPath",
    "since",
    "until",
    "slotSince",
    "slotUntil",
    "limit",
    "includeRotated",
    "cursor",
    "status",
    "reason",
    "kind",
    "runId",
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
"""An offset can lift an instant out of what a calendar of four digits can write."""
_PLUS_BECAME_SPACE = re.compile(r"[Tt ]\d\d.* \d\d(:?\d\d)?")
_NUMBER = re.compile(r"[0-9.]+")
_EXAMPLE = "2026-01-31T09:00:00Z"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

E = TypeVar("E", bound=StrEnum)


def read(request: web.Request, known: Iterable[str] = (), *, several: Collection[str] = ()) -> dict[str, str]:
    """Return the query, each key once. Raises AnswerError (400) for an unknown or repeated key.

    Those in `several` may be repeated; the handler asks the request for them.
    """
    names = tuple(known)
    given: dict[str, str] = {}
    for key, value in request.query.items():
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f": did you mean {near[0]}?" if near else ""
            raise answers.invalid(f"unknown query key {key!r}{hint}", key=key, known=list(names))
        if key in given and key not in several:
            raise answers.invalid(f"{key} is given twice", key=key)
        given[key] = value
    return given


def history(given: dict[str, str], control: Control) -> Query:
    """Return what of the fires log is wanted. Raises AnswerError (400), RefusedError for a path outside."""
    return Query(
        script=script(given["scriptPath"], control) if given.get("scriptPath") else None,
        since_ms=instant_ms(given, "since", up=True),
        until_ms=instant_ms(given, "until", up=True),
        slot_since_ms=instant_ms(given, "slotSince", up=True),
        slot_until_ms=instant_ms(given, "slotUntil", up=True),
        status=status(given),
        reason=_one_of(given, "reason", tuple(Reason)),
        kind=_one_of(given, "kind", tuple(Kind)),
        run_id=_run_id(given),
        limit=number(given, "limit", default=HISTORY_LIMIT, most=MAX_HISTORY_LIMIT),
        include_rotated=boolean(given, "includeRotated"),
        cursor=_cursor(given),
    )


def status(given: dict[str, str]) -> Status | None:
    """Return how fires should have ended; None when it is not given. Raises AnswerError (400)."""
    return _one_of(given, "status", _IN_HISTORY)


def script(path: str, control: Control) -> str:
    """Return a script's path relative to the scripts directory.

    Raises AnswerError (400) for a path that no script can have, RefusedError for one that is outside.
    """
    if _CONTROL.search(path) or ".." in path.split("/"):
        raise answers.invalid(OUTSIDE)
    if not _fits_a_file_system(path):
        raise answers.not_found("script not found")
    return control.relative(path)


def run_id(text: str) -> RunId | None:
    """Return a run id as it is written in the log; None for what cannot be one."""
    text = text.lower()
    return RunId(text) if _UUID.fullmatch(text) else None


def number(given: dict[str, str], key: str, *, default: int, most: int) -> int:
    """Return a count of at least 1; what is above `most` counts as `most`."""
    text = given.get(key)
    if text is None:
        return default
    digits = text.lstrip("0") if re.fullmatch("[0-9]+", text) else ""
    if not digits:
        raise answers.invalid(f"{key} must be a whole number from 1 to {most}", key=key)
    # Not int() alone: it refuses more than 4,300 digits.
    return most if len(digits) > len(str(most)) else min(int(digits), most)


def boolean(given: dict[str, str], key: str) -> bool:
    """Return a boolean, false when it is not given."""
    text = given.get(key, "false")
    if text not in {"true", "false"}:
        raise answers.invalid(f"{key} must be true or false", key=key)
    return text == "true"


def instant_ms(given: dict[str, str], key: str, *, up: bool) -> int | None:
    """Return an instant in milliseconds since the epoch, rounded up or down; None when it is not given."""
    text = given.get(key)
    if not text:
        return None
    try:
        return _to_ms(text, key, up=up)
    except ValueError as error:
        if _PLUS_BECAME_SPACE.search(text):
            raise answers.invalid(
                f"{key}: a + in a query arrives as a space: write %2B before the offset", key=key
            ) from error
        raise answers.invalid(f"{key} must be an ISO 8601 instant such as {_EXAMPLE}", key=key) from error


def to_come_ms(text: str, key: str, *, now_ms: int) -> int:
    """Return an instant to come, in milliseconds since the epoch: ISO 8601, or how long from now (`2h`).

    Raises AnswerError (400), also for one that is not to come.
    """
    try:
        at_ms = now_ms + duration.parse_ms(text)
    except ValueError as error:
        if _NUMBER.fullmatch(text.strip()):
            # ISO 8601 would have 2400 be a year.
            raise answers.invalid(f"{key}: {error}", key=key) from error
        try:
            at_ms = _to_ms(text, key, up=True)
        except ValueError:
            wanted = f"an ISO 8601 instant such as {_EXAMPLE}, or a duration such as 2h"
            raise answers.invalid(f"{key} must be {wanted}", key=key) from error
    if at_ms <= now_ms:
        raise answers.invalid(f"{key} must lie in the future", key=key)
    return at_ms


_IN_HISTORY = tuple(
    status
    for status in Status
    if status not in {Status.STALE_GENERATION, Status.UNREGISTERED, Status.SCHEDULER_NOT_READY}
)


def _one_of(given: dict[str, str], key: str, allowed: tuple[E, ...]) -> E | None:
    text = given.get(key)
    if not text:
        return None
    for value in allowed:
        if value == text:
            return value
    raise answers.invalid(f"{key} must be one of {', '.join(allowed)}", key=key, allowed=list(allowed))


def _run_id(given: dict[str, str]) -> RunId | None:
    text = given.get("runId")
    if not text:
        return None
    found = run_id(text)
    if found is None:
        raise answers.invalid("runId must be a UUID", key="runId")
    return found


def _cursor(given: dict[str, str]) -> str | None:
    cursor = given.get("cursor")
    if cursor and (len(cursor) > MAX_CURSOR_CHARS or not cursor.isascii()):
        raise answers.invalid("cursor is not one that an answer gave out", key="cursor")
    return cursor or None


def _to_ms(text: str, key: str, *, up: bool) -> int:
    """Return an instant in milliseconds since the epoch.

    Raises ValueError for what is no instant, AnswerError (400) for one that no calendar of ours can write.
    """
    try:
        moment = parser.isoparse(text)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole, rest = divmod(moment - _EPOCH, timedelta(milliseconds=1))
    if not _FIRST_MS <= whole < _LAST_MS:
        raise answers.invalid(f"{key} must lie in the years 1 to 9999, UTC", key=key)
    return whole + 1 if up and rest else whole


def _fits_a_file_system(path: str) -> bool:
    try:
        raw = path.encode()
    except UnicodeEncodeError:
        return False
    return len(raw) <= MAX_PATH_BYTES and all(len(name) <= MAX_NAME_BYTES for name in raw.split(b"/"))
