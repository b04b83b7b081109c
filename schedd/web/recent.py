"""The last outcomes of some scripts, for a glance at many: `GET /recent`."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web

from schedd.insight.recent import Outcome, Recent
from schedd.timetable import instant
from schedd.web import answers, calendar, query, state
from schedd.web.calendar_types import OutcomeItem, RecentAnswer, RecentItem

RECENT_KEYS = ("scriptPath",)


async def recent(request: web.Request) -> web.Response:
    """Answer `GET /recent`. A script without any has none; whether it is registered is not asked."""
    here, caller = state.of(request), request[state.CALLER]
    query.read(request, RECENT_KEYS, several=RECENT_KEYS)
    scripts = calendar.named(request, here.control, caller)
    if not scripts:
        raise answers.invalid("scriptPath is required", key="scriptPath")
    body = await asyncio.to_thread(_written, scripts, await here.control.recent(scripts))
    return answers.found_tagged(request, answers.etag(body), lambda: body)


def _written(scripts: Sequence[str], found: Mapping[str, Recent]) -> bytes:
    """Write the answer: six thousand outcomes are nothing for the loop."""
    items = tuple(
        RecentItem(
            script_path=script,
            usual_ms=found[script].usual_ms,
            outcomes=tuple(map(_item, found[script].outcomes)),
        )
        for script in scripts
    )
    return msgspec.json.encode(RecentAnswer(total=len(items), scripts=items))


def _item(outcome: Outcome) -> OutcomeItem:
    return OutcomeItem(
        ts=instant.from_ms(outcome.ts_ms),
        run_id=outcome.run_id,
        status=outcome.status,
        reason=outcome.reason,
        duration_ms=outcome.duration_ms,
        kind=outcome.kind,
    )
