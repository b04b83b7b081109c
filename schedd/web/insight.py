"""What the record means: why a script did or did not run, and the slots that are without an `ok`."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web
from dateutil import parser

from schedd.fire import Fire
from schedd.insight import inquiry
from schedd.insight.case import Asked
from schedd.insight.gaps import Gap, Gaps, Only
from schedd.insight.verdict import Verdict, Word
from schedd.timetable.instant import Slot, from_ms, from_slot
from schedd.web import answers, audit, auth, body, query, schedules, state
from schedd.web.auth import Caller
from schedd.web.control import Control
from schedd.web.insight_types import (
    EvidenceItem,
    GapItem,
    GapsAnswer,
    ReplayAnswer,
    ReplayItem,
    ReplayRequest,
    WhyAnswer,
)

WHY_KEYS = ("scriptPath", "at")
GAPS_KEYS = ("since", "until", "scriptPath", "only")
LOOK_BACK_MS = 86_400_000
"""Where gaps are looked for when no `since` is given."""
MAX_GAPS = 2_000
"""More would take longer to write than a slot may be late for it."""
MAX_REPLAYED = 1_000
"""So many slots are queued by one request, oldest first: `max_held` is ten times that."""

_HAS_OFFSET = re.compile(r"(Z|[+-]\d\d(:?\d\d)?)$", re.IGNORECASE)
_WALL = re.compile(r"\d{4}-?\d\d-?\d\d[T ]\d\d(:?\d\d(:?\d\d(\.\d{1,6})?)?)?", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1971, 2198
"""A timetable has slots from 1970 to 2199, and an answer looks a little around."""
_FIRST_MS = int(datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()) * 1000
_LAST_MS = int(datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp()) * 1000


async def why(request: web.Request) -> web.Response:
    """Answer `GET /why`."""
    here, caller = state.of(request), request[state.CALLER]
    given = query.read(request, WHY_KEYS)
    if not given.get("scriptPath"):
        raise answers.invalid("scriptPath is required", key="scriptPath")
    script = query.script(given["scriptPath"], here.control)
    auth.require_script(caller, script)
    asked = _asked(given)
    verdict = await inquiry.ask_why(here.control, script, asked, problem=_problem(here.control, script))
    reasons = here.control.health().reasons
    if verdict.word is Word.UNKNOWN and reasons:
        told = f"{verdict.sentence.removesuffix('.')}; it may not be on the disk yet: {'; '.join(reasons)}."
        verdict = replace(verdict, sentence=told)
    return answers.found(request, _verdict(verdict))


async def gaps(request: web.Request) -> web.Response:
    """Answer `GET /gaps`."""
    here, caller = state.of(request), request[state.CALLER]
    given = query.read(request, GAPS_KEYS)
    now_ms = here.control.now_ms()
    since_ms = query.instant_ms(given, "since", up=True)
    until_ms = query.instant_ms(given, "until", up=True)
    script = query.script(given["scriptPath"], here.control) if given.get("scriptPath") else None
    only = _only(given.get("only") or Only.ALL)
    found = await _gaps(
        here.control,
        caller,
        since_ms=now_ms - LOOK_BACK_MS if since_ms is None else since_ms,
        until_ms=now_ms if until_ms is None else until_ms,
        script=script,
        only=only,
    )
    answer = GapsAnswer(
        since=from_ms(found.since_ms),
        until=from_ms(found.until_ms),
        only=only,
        total=sum(len(gap.slots) for gap in found.gaps),
        gaps=tuple(_gap(gap) for gap in found.gaps[:MAX_GAPS]),
        truncated=not found.complete or len(found.gaps) > MAX_GAPS,
    )
    return answers.found(request, answer)


async def replay(request: web.Request) -> web.Response:
    """Answer `POST /replay`: queue a fire for each slot that is a gap, or say which they are."""
    here, caller = state.of(request), request[state.CALLER]
    wanted = await body.read(request, ReplayRequest)
    given = {"since": wanted.since, "until": wanted.until or ""}
    since_ms = query.instant_ms(given, "since", up=True)
    assert since_ms is not None, "it is required"
    until_ms = query.instant_ms(given, "until", up=True)
    only, control = _only(wanted.only), here.control
    if not wanted.dry_run:
        schedules.admit_work(here)
    found = await _gaps(
        control,
        caller,
        since_ms=since_ms,
        until_ms=control.now_ms() if until_ms is None else until_ms,
        script=query.script(wanted.script_path, control) if wanted.script_path else None,
        only=only,
    )
    pairs = await asyncio.to_thread(found.oldest, MAX_REPLAYED)
    made: Sequence[Fire] = [] if wanted.dry_run or not pairs else await control.replay(pairs, by=caller.name)
    if made:
        audit.tell(caller, f"replays {len(made)} slots since {from_ms(found.since_ms)} ({only})")
    return answers.done(
        ReplayAnswer(
            dry_run=wanted.dry_run,
            since=from_ms(found.since_ms),
            until=from_ms(found.until_ms),
            only=only,
            total=found.replayable,
            queued=len(made),
            slots=_replayed(pairs, made),
            truncated=not found.complete or found.replayable > MAX_REPLAYED,
        )
    )


async def _gaps(
    control: Control, caller: Caller, *, since_ms: int, until_ms: int, script: str | None, only: Only
) -> Gaps:
    if script is not None:
        auth.require_script(caller, script)
    if since_ms >= until_ms:
        raise answers.invalid("since must lie before until, and not in the future", key="since")
    flying = [run.fire for run in control.runs()]
    return await inquiry.find_gaps(
        control,
        since_ms=max(0, since_ms),
        until_ms=until_ms,
        script=script,
        only=only,
        sees=caller.sees,
        pending=frozenset((fire.script, fire.slot) for fire in flying if fire.slot is not None),
    )


def _asked(given: dict[str, str]) -> Asked:
    """Return what is asked about: an instant, or without an offset what the script's wall clock shows."""
    text = given.get("at", "")
    if not text:
        return Asked()
    if _HAS_OFFSET.search(text[10:]) or not _WALL.fullmatch(text):
        at_ms = query.instant_ms(given, "at", up=False)
        assert at_ms is not None, "the text is not empty"
        if not _FIRST_MS <= at_ms < _LAST_MS:
            raise _out_of_range()
        return Asked(at_ms=at_ms)
    try:
        wall = parser.isoparse(text.replace(" ", "T")).replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise answers.invalid(
            "at must be an ISO 8601 instant, or a time such as 2026-01-31T09:00 on the script's wall clock",
            key="at",
        ) from error
    wall_s = int(wall.timestamp())
    if not _FIRST_MS <= wall_s * 1000 < _LAST_MS:
        raise _out_of_range()
    return Asked(wall_s=wall_s)


def _out_of_range() -> answers.AnswerError:
    return answers.invalid(f"at must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}", key="at")


def _only(text: str) -> Only:
    try:
        return Only(text)
    except ValueError as error:
        raise answers.invalid(
            f"only must be one of {', '.join(Only)}", key="only", allowed=list(Only)
        ) from error


def _problem(control: Control, script: str) -> str | None:
    """Return why the last scan refused a script."""
    told = [each for each in control.failures() if each.path == script]
    said = [each.reason if each.line is None else f"line {each.line}: {each.reason}" for each in told]
    return "; ".join(said) or None


def _verdict(verdict: Verdict) -> WhyAnswer:
    return WhyAnswer(
        script_path=verdict.script,
        asked=None if verdict.asked_ms is None else from_ms(verdict.asked_ms),
        verdict=verdict.word,
        sentence=verdict.sentence,
        timezone=verdict.zone,
        slot=_slot(verdict.slot),
        before=_slot(verdict.before),
        after=_slot(verdict.after),
        run_id=verdict.run_id,
        next=_slot(verdict.next),
        evidence=tuple(EvidenceItem(at=from_ms(each.at_ms), what=each.what) for each in verdict.evidence),
        journalctl=verdict.journalctl,
        complete=verdict.complete,
    )


def _slot(slot: Slot | None) -> str | None:
    return None if slot is None else from_slot(slot)


def _gap(gap: Gap) -> GapItem:
    return GapItem(
        script_path=gap.script,
        slot=from_slot(gap.slots[0]),
        last_slot=from_slot(gap.slots[-1]),
        count=len(gap.slots),
        status=gap.status,
        reason=gap.reason,
        run_ids=gap.run_ids,
    )


def _replayed(pairs: list[tuple[str, Slot]], made: Sequence[Fire]) -> tuple[ReplayItem, ...]:
    ids = {(fire.script, fire.slot): fire.run_id for fire in made}
    return tuple(
        ReplayItem(script_path=script, slot=from_slot(slot), run_id=ids.get((script, slot)))
        for script, slot in pairs
    )
