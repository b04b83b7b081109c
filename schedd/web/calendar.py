"""How much there was and how much is to come, by the step: `GET /calendar`.

All is counted and written in threads, one answer after the other. What has been answered carries a weak tag
that leaves out `now`, so a client that asks again in a quiet minute gets a 304.

Of two hundred scripts it may be a million numbers, so each script is written and forgotten by itself, and
they are sent in pieces: what encodes, joins, frees or sends them all at once keeps the loop waiting for so
long, in whatever thread it is.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import hdrs, web

from schedd.fire import Status
from schedd.insight.load import Counts, Load, TooManyError
from schedd.ledger.tally import Tally, Wanted
from schedd.planner.view import Pause
from schedd.schedule import Schedule
from schedd.timetable import duration, instant
from schedd.timetable.grid import Grid
from schedd.timetable.parts import HORIZON
from schedd.web import answers, auth, coming, query, state
from schedd.web.calendar_types import CalendarAnswer, Pairs, ScriptCounts
from schedd.web.control import Control

CALENDAR_KEYS = ("from", "to", "step", "scriptPath", "by", "status")
MOST_STEPS = 2_000
MOST_SCRIPTS = 200
STEP_S = 3_600
DEFAULT_SPAN_S = 86_400
"""Before and after now, when the request says nothing."""
MAX_STEP_S = 366 * 86_400
PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked for, and what there is just now."""

    grid: Grid
    scripts: tuple[str, ...]
    by_script: bool
    schedules: Sequence[Schedule]
    pauses: Sequence[Pause]
    sees: Callable[[str], bool]
    now_ms: int


async def calendar(request: web.Request) -> web.Response:
    """Answer `GET /calendar`."""
    here, caller = state.of(request), request[state.CALLER]
    given = query.read(request, CALENDAR_KEYS, several=("scriptPath",))
    now_ms = here.control.now_ms()
    grid = _grid(given, now_ms // 1000)
    status = query.status(given)
    scripts = named(request, here.control, caller)
    by_script = _by_script(given, scripts)
    wanted = Wanted(
        grid=grid,
        scripts=frozenset(scripts) if scripts else None,
        sees=caller.sees if caller.limited else None,
        status=status,
    )
    asked = _Asked(
        grid=grid,
        scripts=scripts,
        by_script=by_script,
        schedules=here.control.schedules_of(scripts),
        pauses=here.control.pauses(),
        sees=caller.sees,
        now_ms=now_ms,
    )
    async with here.counting:
        tally = await here.control.tally(wanted)
        try:
            tag, pieces = await asyncio.to_thread(_written, asked, tally, here.load)
        except TooManyError as error:
            raise answers.invalid(
                "there are too many slots to walk in this stretch: ask for a shorter one", key="to"
            ) from error
    response = answers.found_tagged(request, tag, lambda: b"".join(pieces[:1]))
    response.headers[hdrs.ETAG] = f'W/"{tag}"'
    if len(pieces) > 1 and response.status == HTTPStatus.OK:
        response.headers[hdrs.CONTENT_LENGTH] = str(sum(map(len, pieces)))
        response.body = _sent(pieces)
    return response


async def _sent(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces, and let the loop turn after each: a client that reads as fast takes none of them up."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


def named(
    request: web.Request, control: Control, caller: auth.Caller, *, most: int = MOST_SCRIPTS
) -> tuple[str, ...]:
    """Return the scripts that a query names, each once.

    Raises AnswerError: 400 for too many, 403 for one that the caller may not know of, 404 for a path that no
    script can have. Raises RefusedError for one that is outside.
    """
    paths = [path for path in request.query.getall("scriptPath", []) if path]
    if len(paths) > most:
        raise answers.invalid(f"scriptPath may be given at most {most} times", key="scriptPath")
    scripts = tuple(dict.fromkeys(query.script(path, control) for path in paths))
    for script in scripts:
        auth.require_script(caller, script)
    return scripts


def _grid(given: Mapping[str, str], now_s: int) -> Grid:
    step_s = _step_s(given.get("step", ""))
    begin = second(given, "from", up=False)
    end = second(given, "to", up=True)
    if begin is None:
        begin = max(0, (now_s if end is None else min(end, now_s)) - DEFAULT_SPAN_S)
    if end is None:
        end = min(HORIZON, max(begin, now_s) + DEFAULT_SPAN_S)
    if begin >= end:
        raise answers.invalid("from must be before to", key="from")
    grid = Grid(begin=begin, end=end, step_s=step_s)
    if len(grid) > MOST_STEPS:
        sentence = f"from, to and step make {len(grid)} steps, at most {MOST_STEPS} are answered"
        raise answers.invalid(f"{sentence}: ask for longer steps or a shorter stretch", key="step")
    return grid


def second(given: Mapping[str, str], key: str, *, up: bool) -> int | None:
    """Return an instant of the query in whole seconds."""
    at_ms = query.instant_ms(dict(given), key, up=up)
    if at_ms is None:
        return None
    at_s = -(-at_ms // 1000) if up else at_ms // 1000
    if not 0 <= at_s <= HORIZON:
        raise answers.invalid(f"{key} must lie in the years 1970 to 2199, UTC", key=key)
    return at_s


def _step_s(text: str) -> int:
    """Return the step: seconds, or a duration."""
    if not text:
        return STEP_S
    whole = text.isascii() and text.isdigit()
    try:
        step_ms = duration.parse_ms(f"{text}s" if whole else text)
    except ValueError as error:
        raise answers.invalid(
            "step must be a number of seconds, or a duration such as 5m", key="step"
        ) from error
    if step_ms % 1000 or not 1 <= step_ms // 1000 <= MAX_STEP_S:
        raise answers.invalid("step must be a whole number of seconds, from 1s to 366d", key="step")
    return step_ms // 1000


def _by_script(given: Mapping[str, str], scripts: Sequence[str]) -> bool:
    by = given.get("by", "")
    if by not in {"", "script"}:
        raise answers.invalid("by must be script, or left away", key="by")
    if by and not scripts:
        raise answers.invalid("by=script needs scriptPath: say which scripts", key="scriptPath")
    return bool(by)


def _dense(counts: Mapping[int, int], grid: Grid) -> list[int]:
    row = [0] * len(grid)
    for index, count in counts.items():
        row[index] = count
    return row


def _written(asked: _Asked, tally: Tally, load: Load) -> tuple[str, list[bytes]]:
    """Count the slots to come and write the answer in pieces; return its tag with it. Raises TooManyError."""
    grid = asked.grid
    each: dict[str, Counts] = {}
    found = coming.of(asked.schedules, asked.pauses, asked.sees, now_ms=asked.now_ms)
    if asked.scripts:
        each = load.each(found, grid)
        slots = _sum(each, grid)
    else:
        slots = load.together(found, grid)
    scripts = list(_joined(_of_each(asked.scripts, each, tally))) if asked.by_script else []
    answer = CalendarAnswer(
        from_=instant.from_slot(grid.begin),
        to=instant.from_slot(grid.end),
        step_ms=grid.step_s * 1000,
        now="",
        slots=tuple(slots),
        fires={status: tuple(_dense(counts, grid)) for status, counts in sorted(tally.together.items())},
        missed=tuple(_dense(tally.missed, grid)),
    )
    _forget(each, tally.each, tally.missed_by)
    tags = [answers.etag(piece).encode() for piece in scripts]
    tag = answers.etag(b"".join([msgspec.json.encode(answer), *tags]))
    body = msgspec.json.encode(msgspec.structs.replace(answer, now=instant.from_ms(asked.now_ms)))
    return tag, [body[:-1] + b',"scripts":[', *scripts, b"]}"] if asked.by_script else [body]


def _joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what stands between the brackets of a list, in pieces that are not too small."""
    waiting: list[bytes] = []
    size, comma = 0, b""
    for part in parts:
        waiting += (comma, part)
        size, comma = size + len(part), b","
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _forget(*tables: dict[str, Any]) -> None:
    """Free the counts of one script after the other."""
    for table in tables:
        while table:
            table.popitem()


def _sum(each: Mapping[str, Counts], grid: Grid) -> list[int]:
    row = [0] * len(grid)
    for counts in each.values():
        for index, count in counts.items():
            row[index] += count
    return row


def _of_each(scripts: Sequence[str], slots: dict[str, Counts], tally: Tally) -> Iterator[bytes]:
    """Write the counts of each script that was asked for, in that order, and forget them."""
    for script in scripts:
        yield msgspec.json.encode(
            ScriptCounts(
                script_path=script,
                slots=_pairs(slots.pop(script, {})),
                fires=_fires(tally.each.pop(script, {})),
                missed=_pairs(tally.missed_by.pop(script, {})),
            )
        )


def _fires(by: Mapping[Status, Mapping[int, int]]) -> dict[Status, Pairs]:
    return {status: _pairs(counts) for status, counts in sorted(by.items())}


def _pairs(counts: Mapping[int, int]) -> Pairs:
    return tuple(sorted(counts.items()))
