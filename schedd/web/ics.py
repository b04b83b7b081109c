"""The slots to come as a feed for calendar programs: `GET /calendar.ics` (RFC 5545).

An event for each slot that will fire, as the list's `nextFires` have them, the next ones first and at most
`MOST_EVENTS`. Its UID is made of the script and the slot, so a program that fetches the feed again knows it.
It takes no time (DTSTART without DTEND is an instant) and does not make anybody busy.

Calendar programs cannot send a bearer token; this route takes the token as the password of Basic too, with
any user name. No other does (`auth`).
"""

import asyncio
import hashlib
import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from aiohttp import hdrs, web

from schedd.planner.view import Pause
from schedd.schedule import Schedule
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable
from schedd.web import answers, calendar, coming, listing, query, state

ICS_KEYS = ("from", "to", "scriptPath", "tag")
MEDIA = "text/calendar"
MOST_EVENTS = 2_000
DEFAULT_SPAN_S = 30 * 86_400
MAX_SPAN_S = 400 * 86_400

_BATCH = 10
_OCTETS = 75
"""Of a line, without its end (RFC 5545, 3.1)."""
_ESCAPES = str.maketrans({"\\": r"\\", ";": r"\;", ",": r"\,", "\n": r"\n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is asked for, and what there is just now; instants in seconds, but `now_ms`."""

    schedules: Sequence[Schedule]
    pauses: Sequence[Pause]
    sees: Callable[[str], bool]
    tag: str
    begin: int
    end: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class _Told:
    """What all events of a schedule say."""

    digest: str
    lines: tuple[str, ...]

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """Read a schedule."""
        told = listing.described(schedule)
        said = f"{schedule.timetable.words()} ({schedule.timetable.zone})\n{schedule.script}"
        description = said if told.description is None else f"{told.description}\n{said}"
        lines = [f"SUMMARY:{escaped(told.name)}", f"DESCRIPTION:{escaped(description)}"]
        if told.tags:
            lines.append("CATEGORIES:" + ",".join(map(escaped, told.tags)))
        script = schedule.script.encode("utf-8", "surrogateescape")
        return cls(hashlib.blake2b(script, digest_size=12).hexdigest(), tuple(lines))

    def event(self, slot: Slot) -> Iterator[str]:
        """Yield the lines of one event."""
        at = f"{datetime.fromtimestamp(slot, UTC):%Y%m%dT%H%M%SZ}"
        yield "BEGIN:VEVENT"
        yield f"UID:{self.digest}-{slot}@schedd"
        # Nothing is known of when the slot was made; an instant that moves would make each fetch a change.
        yield f"DTSTAMP:{at}"
        yield f"DTSTART:{at}"
        yield from self.lines
        yield "TRANSP:TRANSPARENT"
        yield "END:VEVENT"


async def feed(request: web.Request) -> web.Response:
    """Answer `GET /calendar.ics`."""
    here, caller = state.of(request), request[state.CALLER]
    given = query.read(request, ICS_KEYS, several=("scriptPath",))
    begin, end = _stretch(given, here.control.now_ms() // 1000)
    scripts = calendar.named(request, here.control, caller)
    wanted = _Wanted(
        schedules=here.control.schedules_of(scripts),
        pauses=here.control.pauses(),
        sees=caller.sees,
        tag=given.get("tag", ""),
        begin=begin,
        end=end,
        now_ms=here.control.now_ms(),
    )
    body = await asyncio.to_thread(_written, wanted)
    marker = answers.etag(body)
    response = web.Response(status=304) if answers.has(request, marker) else _calendar(body)
    response.headers[hdrs.ETAG] = f'"{marker}"'
    response.headers[hdrs.CACHE_CONTROL] = "private, no-cache"
    return response


def _calendar(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=MEDIA, charset="utf-8")


def _stretch(given: Mapping[str, str], now_s: int) -> tuple[int, int]:
    begin = calendar.second(given, "from", up=False)
    end = calendar.second(given, "to", up=True)
    begin = now_s if begin is None else begin
    end = begin + DEFAULT_SPAN_S if end is None else end
    if begin >= end:
        raise answers.invalid("from must be before to", key="from")
    if end - begin > MAX_SPAN_S:
        raise answers.invalid(f"from and to may be {MAX_SPAN_S // 86_400} days apart at most", key="to")
    return begin, end


def _written(wanted: _Wanted) -> bytes:
    chosen = [s for s in wanted.schedules if not wanted.tag or wanted.tag in listing.described(s).tags]
    by_script = {schedule.script: schedule for schedule in chosen}
    told: dict[str, _Told] = {}
    alike: dict[tuple[Timetable, int], list[str]] = {}
    for each in coming.of(chosen, wanted.pauses, wanted.sees, now_ms=wanted.now_ms):
        alike.setdefault((each.timetable, max(wanted.begin, each.start)), []).append(each.script)
    streams = [_slots(*times, wanted.end, sorted(scripts)) for times, scripts in alike.items()]
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//schedd//slots to come//EN", "X-WR-CALNAME:schedd"]
    for slot, script in itertools.islice(heapq.merge(*streams), MOST_EVENTS):
        if script not in told:
            told[script] = _Told.of(by_script[script])
        lines += told[script].event(slot)
    lines.append("END:VCALENDAR")
    return "".join(map(folded, lines)).encode("utf-8", "replace")


def _slots(timetable: Timetable, begin: int, end: int, scripts: list[str]) -> Iterator[tuple[Slot, str]]:
    """Yield the slots in [begin, end) of schedules that have the same, few ahead: most are never wanted."""
    after, count = Slot(begin - 1), 1
    while True:
        slots = timetable.to_run(after, count)
        yield from ((slot, script) for slot in slots if slot < end for script in scripts)
        if len(slots) < count or slots[-1] >= end:
            return
        after, count = slots[-1], _BATCH


def escaped(text: str) -> str:
    """Return a text as a value: what means something to the format escaped, what it forbids left out."""
    plain = "".join(c for c in text.replace("\r\n", "\n") if c in "\n\t" or (c >= " " and c != "\x7f"))
    return plain.translate(_ESCAPES)


def folded(line: str) -> str:
    """Return a content line with its end, folded after 75 octets and never within a character."""
    parts, room, part = [], _OCTETS, ""
    for character in line:
        size = len(character.encode("utf-8", "replace"))
        if size > room:
            parts.append(part)
            part, room = " ", _OCTETS - 1
        part += character
        room -= size
    return "\r\n".join([*parts, part]) + "\r\n"
