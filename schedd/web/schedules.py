"""The four endpoints that the contract fixes, and the preview beside them.

What a token limited to some scripts does not see is left out of lists; naming such a script is a 403.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web

from schedd.errors import TimetableError
from schedd.fire import Entry, Reason, Status
from schedd.ledger.history import Page, Query
from schedd.timetable import effects, instant
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable
from schedd.web import answers, audit, auth, body, listing, query, repeats, runs, shortcut, state, types
from schedd.web.control import Control, Failure, Phase, Ticket

MAX_PAGES = 20
"""How many pages of the log are searched for the scripts of a limited token before it must ask again."""

PREVIEW_KEYS = ("expression", "timezone", "calendar", "from", "count")
PREVIEW_COUNT = 5
MAX_PREVIEW_COUNT = 1_000
PREVIEW_BATCH = 20
BEFORE_ALL_SLOTS = -1
"""The last second before 1970: a preview from earlier begins here, and says so."""

_DID_NOT_RUN = (Reason.SPAWN, Reason.MISSED)


async def list_all(request: web.Request) -> web.Response:
    """Answer `GET /list`."""
    query.read(request)
    here, caller = state.of(request), request[state.CALLER]
    encoded = await here.listing.encode(here.control, caller)
    shortcut.remember(request)
    return answers.found_tagged(request, encoded.tag, encoded.body)


async def history(request: web.Request) -> web.Response:
    """Answer `GET /history`."""
    here, caller = state.of(request), request[state.CALLER]
    wanted = query.history(query.read(request, query.HISTORY_KEYS), here.control)
    if wanted.script is not None:
        auth.require_script(caller, wanted.script)
    page = await _visible_page(here.control, wanted, caller)
    found = types.HistoryAnswer(
        total=len(page.entries),
        limit=wanted.limit,
        include_rotated=wanted.include_rotated,
        entries=page.entries,
        truncated=page.truncated,
        cursor=msgspec.UNSET if page.cursor is None else page.cursor,
        bad_lines=page.bad or msgspec.UNSET,
    )
    return answers.found(request, found)


async def reload(request: web.Request) -> web.Response:
    """Answer `POST /reload`. It goes on when the client hangs up."""
    here, caller = state.of(request), request[state.CALLER]
    if caller.limited:
        raise answers.AnswerError(
            403, f"the token {caller.name} is for some scripts only, a reload is for all"
        )
    wanted = await body.read(request, types.ReloadRequest)
    admit_work(here)
    if not wanted.dry_run:
        audit.tell(caller, "reloads")
    report = await asyncio.shield(asyncio.ensure_future(here.control.reload(dry_run=wanted.dry_run)))
    return answers.done(
        types.ReloadAnswer(
            dry_run=report.dry_run,
            added=report.added,
            kept=report.kept,
            removed=report.removed,
            failed=tuple(_failure(failure) for failure in report.failed),
            changed=report.changed,
            warnings=tuple(_failure(warning) for warning in report.warnings),
        )
    )


async def refused(request: web.Request) -> web.Response:
    """Answer `GET /refused`: what was wrong with files when the directory was last read."""
    query.read(request)
    here, caller = state.of(request), request[state.CALLER]
    seen = [failure for failure in here.control.failures() if caller.sees(failure.path)]
    registered = {each.script for each in here.control.schedules_of([each.path for each in seen])}
    failed = tuple(
        types.RefusedItem(
            path=each.path,
            reason=each.reason,
            line=each.line,
            column=each.column,
            stale=each.path in registered,
        )
        for each in seen
    )
    return answers.found(request, types.RefusedAnswer(total=len(failed), failed=failed))


async def trigger(request: web.Request) -> web.Response:
    """Answer `POST /trigger`: when the fire is over, or at once with `wait: false`."""
    here, caller = state.of(request), request[state.CALLER]
    wanted = await body.read(request, types.TriggerRequest)
    key = repeats.key_of(caller, request.headers.get("Idempotency-Key"))
    script = query.script(wanted.script_path, here.control)
    auth.require_script(caller, script)
    # Whether work is taken is not asked here: a repeat of a fire that there is already always gets it.
    ticket = await here.control.trigger(script, force=wanted.force, by=caller.name, key=key)
    if not wanted.wait:
        return _accepted(ticket)
    return answers.done(answer_of(await _end_of(here.control, ticket)))


async def preview(request: web.Request) -> web.Response:
    """Answer `GET /preview`."""
    given = query.read(request, PREVIEW_KEYS)
    expression = given.get("expression", "")
    if not expression.strip():
        raise answers.invalid("expression is required", key="expression")
    from_ms = query.instant_ms(given, "from", up=False)
    from_s = (state.of(request).control.now_ms() if from_ms is None else from_ms) // 1000
    after = Slot(max(from_s, BEFORE_ALL_SLOTS))
    count = query.number(given, "count", default=PREVIEW_COUNT, most=MAX_PREVIEW_COUNT)
    observed = given.get("calendar")
    observance = await state.of(request).control.observance(observed) if observed else None
    try:
        timetable = Timetable.parse(expression, given.get("timezone") or "UTC", observance=observance)
    except TimetableError as error:
        raise answers.invalid(str(error)) from error
    fires = [slot async for slot in _to_run(timetable, after, count)]
    closed = await asyncio.to_thread(effects.of, timetable, after, fires) if observance else ()
    found = types.PreviewAnswer(
        expression=timetable.expression,
        timezone=timetable.zone,
        from_=instant.from_slot(after),
        count=count,
        calendar=listing.calendar_item(observance),
        fires=tuple(instant.from_slot(slot) for slot in fires),
        words=timetable.words(),
        warnings=(*timetable.warnings(after), *closed),
    )
    return answers.found(request, found)


def answer_of(entry: Entry) -> types.TriggerAnswer:
    """Return the contract's answer for a fire that is over."""
    return types.TriggerAnswer(
        triggered=triggered(entry.status, entry.reason),
        script_path=entry.script_path,
        run_id=entry.run_id,
        status=entry.status,
        duration_ms=entry.duration_ms,
        error=entry.error,
        reason=entry.reason,
        return_preview=entry.return_preview,
    )


def triggered(status: Status, reason: Reason | None) -> bool:
    """Return whether a fire that ended so had a run of its own."""
    if status is Status.ERROR:
        return reason not in _DID_NOT_RUN
    return status in {Status.OK, Status.TIMEOUT}


def admit_work(here: state.State) -> None:
    """Raise AnswerError (503) unless the daemon takes new work."""
    if here.closing.is_set() or here.control.health().phase is not Phase.RUNNING:
        raise answers.unavailable()


async def _to_run(timetable: Timetable, after: Slot, count: int) -> AsyncIterator[Slot]:
    """Yield the next slots that run, a few at a time: a thousand at once would hold the loop for 90 ms."""
    while count > 0:
        wanted = min(count, PREVIEW_BATCH)
        if timetable.observance is None:
            slots = timetable.to_run(after, wanted)
        else:
            slots = await asyncio.to_thread(timetable.to_run, after, wanted)
        for slot in slots:
            yield slot
        if len(slots) < PREVIEW_BATCH:
            return
        count, after = count - len(slots), slots[-1]
        await asyncio.sleep(0)


async def _visible_page(control: Control, wanted: Query, caller: auth.Caller) -> Page:
    """Return a page of what the caller may see; for a limited token it is gathered from several pages.

    Each asks only for as many entries as are still wanted, so the last page's cursor is exact.
    """
    if not caller.limited:
        return await _page(control, wanted)
    seen: list[Entry] = []
    for _ in range(MAX_PAGES):
        page = await _page(control, replace(wanted, limit=wanted.limit - len(seen)))
        seen.extend(entry for entry in page.entries if caller.sees(entry.script_path))
        if page.cursor is None or len(seen) == wanted.limit:
            return Page(tuple(seen), page.truncated, page.cursor)
        wanted = replace(wanted, cursor=page.cursor)
    return Page(tuple(seen), truncated=True, cursor=wanted.cursor)


async def _page(control: Control, wanted: Query) -> Page:
    try:
        return await control.history(wanted)
    except ValueError as error:
        if wanted.cursor is None:
            raise
        raise answers.invalid(str(error), key="cursor") from error


async def _end_of(control: Control, ticket: Ticket) -> Entry:
    """Wait for the end of a fire, which does not depend on who waits."""
    if ticket.done is None:
        entry = await runs.find_entry(control, ticket.run_id)
        if entry is None:
            raise answers.AnswerError(409, "the line of the fire under this Idempotency-Key is gone")
        return entry
    try:
        return await asyncio.shield(ticket.done)
    except asyncio.CancelledError:
        if ticket.done.cancelled():
            raise answers.unavailable("scheduler unavailable") from None
        raise


def _accepted(ticket: Ticket) -> web.Response:
    return answers.done(
        types.AcceptedAnswer(accepted=True, script_path=ticket.script, run_id=ticket.run_id),
        status=HTTPStatus.ACCEPTED,
        headers={hdrs.LOCATION: f"/api/v1/exec/runs/{ticket.run_id}"},
    )


def _failure(failure: Failure) -> types.FailureItem:
    return types.FailureItem(
        path=failure.path, reason=failure.reason, line=failure.line, column=failure.column
    )
