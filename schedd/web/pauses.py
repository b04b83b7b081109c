"""Pausing and resuming: one script, or all of them (maintenance).

All are never meant by accident: a request names a script or says `all: true`, and a token for some scripts
cannot say it. Both acts want `admin`, since they outlive whoever asked, and a pause that nobody knows of is a
backup that nobody makes. A pause of all and one of a script stand side by side: to end one leaves the other.
"""

import re

from aiohttp import web

from schedd.web import answers, audit, auth, body, in_force, query, state, types
from schedd.web.answers import AnswerError

MAX_NOTE_CHARS = 500

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


async def pause(request: web.Request) -> web.Response:
    """Answer `POST /pause`; it replaces a pause of the same script, or of all, that is in force."""
    here, caller = state.of(request), request[state.CALLER]
    wanted = await body.read(request, types.PauseRequest)
    script = _target(request, wanted)
    note, until_ms = _note(wanted.note), None
    if wanted.until is not None:
        until_ms = query.to_come_ms(wanted.until, "until", now_ms=here.control.now_ms())
    made = await here.control.pause(script, note=note, until_ms=until_ms, by=caller.name)
    told = in_force.item(made)
    audit.tell(caller, f"pauses {_named(script)}{_details(told)}", script=script)
    return answers.done(told)


async def resume(request: web.Request) -> web.Response:
    """Answer `POST /resume`; to resume what is not paused is no error, since it is then as it was wanted."""
    here, caller = state.of(request), request[state.CALLER]
    wanted = await body.read(request, types.ResumeRequest)
    script = _target(request, wanted)
    resumed = await here.control.resume(script, by=caller.name)
    if resumed:
        audit.tell(caller, f"resumes {_named(script)}", script=script)
    elif script is not None and here.control.schedule(script) is None:
        raise answers.not_found("script is not registered")
    left = in_force.of_all(here.control.pauses())
    return answers.done(
        types.ResumeAnswer(
            resumed=resumed,
            script_path=script,
            all=script is None,
            pause=None if left is None else in_force.item(left),
        )
    )


async def list_all(request: web.Request) -> web.Response:
    """Answer `GET /pauses`. That of all is shown to everybody: it is one of whatever they see."""
    query.read(request)
    caller = request[state.CALLER]
    pauses = state.of(request).control.pauses()
    seen = tuple(in_force.item(p) for p in pauses if p.script is None or caller.sees(p.script))
    return answers.found(request, types.PausesAnswer(total=len(seen), pauses=seen))


def _target(request: web.Request, wanted: types.PauseRequest | types.ResumeRequest) -> str | None:
    """Return the script that is meant, None for all.

    Raises AnswerError (400, 403), RefusedError for a path outside the scripts directory.
    """
    caller, path = request[state.CALLER], (wanted.script_path or "")
    if not path.strip() and not wanted.all:
        raise answers.invalid("scriptPath is required, or all: true", key="scriptPath")
    if path.strip() and wanted.all:
        raise answers.invalid("scriptPath and all exclude each other: give one", key="scriptPath")
    if not wanted.all:
        script = query.script(path, state.of(request).control)
        auth.require_script(caller, script)
        return script
    if caller.limited:
        raise AnswerError(
            403, f"the token {caller.name} is for some scripts only, a pause of all is for every script"
        )
    return None


def _note(text: str | None) -> str | None:
    """Return a note for one line of a table; a blank one is none. Raises AnswerError (400)."""
    note = (text or "").strip()
    if len(note) > MAX_NOTE_CHARS or _CONTROL.search(note):
        raise answers.invalid(f"note must be one line of at most {MAX_NOTE_CHARS} characters", key="note")
    return note or None


def _named(script: str | None) -> str:
    return "all scripts" if script is None else script


def _details(told: types.PauseItem) -> str:
    until = "" if told.until is None else f" until {told.until}"
    return until if told.note is None else f"{until}: {told.note}"
