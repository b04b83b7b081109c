"""One run: that it is in flight, how it ended, what it printed, and stopping it.

A run that a limited token may not see does not exist for it: 404, not 403, since an id says nothing.
"""

import asyncio
import re
from dataclasses import replace
from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web

from schedd.fire import Entry, RunId
from schedd.ledger.history import Query
from schedd.web import answers, audit, body, in_flight, live, query, state, types
from schedd.web.answers import AnswerError
from schedd.web.control import Control, RunView

OUTPUT_KEYS = ("follow", "format")

MAX_LISTED = 1_000
"""Fires in one answer: after a long absence as many may wait for each script, and the list is polled."""

MAX_PAGES = 64
"""Stretches of the log that are searched for one run."""

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_NULL = msgspec.Raw(b"null")


async def list_all(request: web.Request) -> web.Response:
    """Answer `GET /runs`."""
    query.read(request)
    caller = request[state.CALLER]
    seen = [view for view in state.of(request).control.runs() if caller.sees(view.fire.script)]
    runs = tuple(in_flight.item(view) for view in seen[:MAX_LISTED])
    return answers.found(request, types.RunsAnswer(total=len(seen), runs=runs))


async def one(request: web.Request) -> web.Response:
    """Answer `GET /runs/{runId}`."""
    query.read(request)
    found = await _find(request)
    if isinstance(found, Entry):
        result = await state.of(request).control.result(found.run_id)
        return answers.found(request, _ended(found, result))
    return answers.found(request, _in_flight(found))


async def output(request: web.Request) -> web.StreamResponse:
    """Answer `GET /runs/{runId}/output`: what there is, a range of it, or all of it as it comes."""
    given = query.read(request, OUTPUT_KEYS)
    follow, events = query.boolean(given, "follow"), _as_events(given, request)
    found = await _find(request)
    here = state.of(request)
    run_id = found.run_id if isinstance(found, Entry) else found.fire.run_id
    if follow and events:
        return await live.events(request, here, await _with_end(request, found))
    if follow and isinstance(found, RunView):
        return await live.text(request, here, run_id)
    return _text(request, await here.control.output(run_id) or b"")


def _as_events(given: dict[str, str], request: web.Request) -> bool:
    """Return whether lines are wanted as events. Raises AnswerError (400)."""
    wanted = given.get("format") or ("sse" if live.wants_events(request) else "text")
    if wanted not in ("text", "sse"):
        raise answers.invalid("format must be text or sse", key="format", allowed=["text", "sse"])
    if given.get("format") == "sse" and given.get("follow") != "true":
        raise answers.invalid("format=sse goes with follow=true", key="format")
    return wanted == "sse"


async def _with_end(
    request: web.Request, found: RunView | Entry
) -> "tuple[RunId, asyncio.Future[Entry]] | Entry":
    """Return a run with what gets its line, or the line if it has just ended. Raises AnswerError (404)."""
    if isinstance(found, RunView):
        run_id, control = found.fire.run_id, state.of(request).control
        done = control.end_of(run_id)
        if done is not None:
            return run_id, done
        entry = await find_entry(control, run_id)
        if entry is None:
            raise answers.not_found("run not found")
        return entry
    return found


async def stop(request: web.Request) -> web.Response:
    """Answer `POST /runs/{runId}/stop`. Allowed while draining: it is what a person in a hurry wants then."""
    await body.read(request, types.StopRequest)
    found, caller = await _find(request), request[state.CALLER]
    if isinstance(found, RunView):
        run_id = found.fire.run_id
        if await state.of(request).control.stop(run_id, by=caller.name):
            audit.tell(caller, f"stops run {run_id} of {found.fire.script}", fire=found.fire)
            return answers.done(types.StopAnswer(run_id=run_id, stopping=True))
    raise answers.AnswerError(409, "the run is over")


async def _find(request: web.Request) -> RunView | Entry:
    """Return the run of the path, in flight or ended. Raises AnswerError (404)."""
    control, caller = state.of(request).control, request[state.CALLER]
    run_id = query.run_id(request.match_info["runId"])
    if run_id is not None:
        for view in control.runs():
            if view.fire.run_id == run_id and caller.sees(view.fire.script):
                return view
        entry = await find_entry(control, run_id)
        if entry is not None and caller.sees(entry.script_path):
            return entry
    raise answers.not_found("run not found")


async def find_entry(control: Control, run_id: RunId) -> Entry | None:
    """Return the line of a run; one answer searches a stretch of the log and may find nothing yet."""
    wanted = Query(run_id=run_id, limit=1, include_rotated=True)
    for _ in range(MAX_PAGES):
        page = await control.history(wanted)
        if page.entries:
            return page.entries[0]
        if page.cursor is None:
            return None
        wanted = replace(wanted, cursor=page.cursor)
    return None


def _in_flight(view: RunView) -> types.RunAnswer:
    return types.RunAnswer(**msgspec.structs.asdict(in_flight.item(view)), entry=None, result=_NULL)


def _ended(entry: Entry, result: str | None) -> types.RunAnswer:
    return types.RunAnswer(
        run_id=entry.run_id,
        state="ended",
        script_path=entry.script_path,
        expression=entry.expression,
        kind=entry.kind,
        slot=entry.slot,
        attempt=entry.attempt or 1,
        due=None,
        waits_for=None,
        started_at=entry.started_at,
        pid=None,
        timeout_ms=None,
        entry=entry,
        result=_raw(result),
    )


def _raw(result: str | None) -> msgspec.Raw:
    """Return a result as JSON; one that was cut short becomes a text, so that the answer stays JSON."""
    if result is None:
        return _NULL
    try:
        return msgspec.json.decode(result, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.Raw(msgspec.json.encode(result))


def _text(request: web.Request, whole: bytes) -> web.Response:
    """Answer with a text, the range of it that is asked for, or 304."""
    tag = answers.etag(whole)
    wanted = _range(request, tag, len(whole))
    headers = {
        hdrs.ETAG: f'"{tag}"',
        hdrs.ACCEPT_RANGES: "bytes",
        hdrs.CACHE_CONTROL: "private, no-cache",
        hdrs.CONTENT_TYPE: live.TEXT,
    }
    if answers.has(request, tag):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    if wanted is None:
        return web.Response(body=whole, headers=headers)
    headers[hdrs.CONTENT_RANGE] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(whole)}"
    return web.Response(
        status=HTTPStatus.PARTIAL_CONTENT, body=whole[wanted.start : wanted.stop], headers=headers
    )


def _range(request: web.Request, tag: str, size: int) -> range | None:
    """Return the one range that is asked for; None = the whole (also for several, or of another version).

    Raises AnswerError (416) for a range that begins behind the end.
    """
    asked = _RANGE.fullmatch(request.headers.get(hdrs.RANGE, ""))
    if asked is None or request.headers.get(hdrs.IF_RANGE, f'"{tag}"') != f'"{tag}"':
        return None
    first, last = asked.groups()
    if first:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    elif last:
        start, stop = max(size - int(last), 0), size
    else:
        return None
    if start >= stop:
        raise AnswerError(
            416,
            f"the output has {size} bytes: the range begins behind its end",
            headers={hdrs.CONTENT_RANGE: f"bytes */{size}"},
        )
    return range(start, stop)
