"""One script for its page: its item of the list, and its header as its author wrote it.

The header is the one that is in force, not the one that stands in the file at this moment: a file that was
refused keeps its last good registration, and its page says what that is beside what is wrong with the file.

Rejected: reading the file for each request. It would show what nobody goes by, hold the event loop for a
disk, and hand out whatever somebody has put there since it was checked.
"""

import re
from collections.abc import Iterator

from aiohttp import web

from schedd.schedule import Schedule
from schedd.scripts.directives import read_header
from schedd.web import answers, auth, in_force, query, state
from schedd.web.control import Control
from schedd.web.listing import REDACTED
from schedd.web.types import Answer, ScheduleItem

SCRIPT_KEYS = ("scriptPath",)

_SECRET_NAME = re.compile("pass|secret|token|credential|api_?key|private_?key|access_?key", re.IGNORECASE)
"""What a variable is called whose value is nobody's business. `@env` is no place for one, and still used."""
_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)")
"""The password of `postgres://shop:hunter2@db/orders`."""


class HeaderItem(Answer, frozen=True, kw_only=True):
    """A directive."""

    line: int | None
    name: str
    value: str


class ProblemItem(Answer, frozen=True, kw_only=True):
    """What is wrong with the file as it is now."""

    reason: str
    line: int | None
    column: int | None


class ScriptAnswer(Answer, frozen=True, kw_only=True):
    """`GET /script`."""

    schedule: ScheduleItem
    header: tuple[HeaderItem, ...]
    guarded: bool
    problems: tuple[ProblemItem, ...]
    path: str
    sha256: str


async def one(request: web.Request) -> web.Response:
    """Answer `GET /script`."""
    here, caller = state.of(request), request[state.CALLER]
    given = query.read(request, SCRIPT_KEYS)
    if not given.get("scriptPath"):
        raise answers.invalid("scriptPath is required", key="scriptPath")
    script = query.script(given["scriptPath"], here.control)
    auth.require_script(caller, script)
    view = here.control.schedule(script)
    if view is None:
        raise _unregistered(here.control, script)
    maintenance = in_force.of_all(here.control.pauses())
    schedule = view.schedule
    found = ScriptAnswer(
        schedule=here.listing.made(view, here.control.last_outcome(script), maintenance=maintenance),
        header=tuple(_header(schedule)),
        guarded=schedule.guarded,
        problems=_problems(here.control, script),
        path=schedule.path,
        sha256=schedule.sha256,
    )
    return answers.found(request, found)


def _unregistered(control: Control, script: str) -> answers.AnswerError:
    """Return the 404, with what the last scan had against the script, if it had anything."""
    said = [
        each.reason if each.line is None else f"line {each.line}: {each.reason}"
        for each in _problems(control, script)
    ]
    details: answers.Details | None = {"reason": "; ".join(said)} if said else None
    return answers.AnswerError(404, "script is not registered", details=details)


def _problems(control: Control, script: str) -> tuple[ProblemItem, ...]:
    return tuple(
        ProblemItem(reason=each.reason, line=each.line, column=each.column)
        for each in control.failures()
        if each.path == script
    )


def _header(schedule: Schedule) -> Iterator[HeaderItem]:
    """Yield the directives in the order of the file."""
    directives = read_header(schedule.header.encode()).directives
    known = len(schedule.header_lines) == len(directives)
    for index, directive in enumerate(directives):
        yield HeaderItem(
            line=schedule.header_lines[index] if known else None,
            name=directive.name,
            value=_shown(directive.name, directive.value, schedule.secrets),
        )


def _shown(name: str, value: str, secrets: tuple[str, ...]) -> str:
    if name == "token":
        return REDACTED
    if name == "env":
        variable, equals, _ = value.partition("=")
        if equals and _SECRET_NAME.search(variable):
            return f"{variable}={REDACTED}"
        value = _IN_URL.sub(rf"\1{REDACTED}", value)
    for secret in sorted(secrets, key=len, reverse=True):
        value = value.replace(secret, REDACTED)
    return value
