"""Calendars as other programs write them: iCalendar files (RFC 5545), of which the events count.

An event closes what it covers: whole days where its start is a DATE, else from DTSTART to DTEND, on the clock
that it names (UTC, TZID, or none: that of each script). Whether people are shown as busy (TRANSP) is of no
account, since published holidays are mostly `transparent`. An event that is cancelled closes nothing, and one
that replaces an occurrence of another (RECURRENCE-ID) takes it away there.

Written by hand: what is needed of the format is lines, parameters and five kinds of values, and whoever runs
the file's name and line in a problem has to have kept them. Time zones are those of IANA, whatever a file
defines under their names (VTIMEZONE): rules of its own are how old files come to be an hour wrong.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from schedd.errors import TimetableError
from schedd.scripts.calendars.faults import (
    FIRST_YEAR,
    LAST_YEAR,
    MOST_EVENTS,
    MOST_RULES,
    CalendarError,
    shown,
)
from schedd.timetable import recurrence
from schedd.timetable import zone as zones
from schedd.timetable.calendar import DAY_S, Event, wall_of
from schedd.timetable.recurrence import Rule
from schedd.timetable.zone import Zone

UTC: Final = "UTC"
MOST_DATES: Final = 10_000
"""RDATE and EXDATE of one event."""

_VALUE = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z)?)?", re.ASCII)
_DURATION = re.compile(
    r"\+?P(?:(\d+)W|(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)", re.ASCII | re.IGNORECASE
)
_MOST_DURATION_S = 366 * DAY_S
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=("[^"]*"|[^";:,]*(?:,[^";:,]*)*)')
_NAME = re.compile(r"[A-Za-z0-9-]+")
_OURS = frozenset(
    (
        "DTSTART",
        "DTEND",
        "DURATION",
        "RRULE",
        "RDATE",
        "EXDATE",
        "EXRULE",
        "RECURRENCE-ID",
        "STATUS",
        "SUMMARY",
        "UID",
    )
)
_REPEATABLE = frozenset(("RDATE", "EXDATE"))


@dataclass(frozen=True, slots=True)
class _Line:
    """One property, unfolded."""

    number: int
    name: str
    parameters: dict[str, str]
    value: str


@dataclass(frozen=True, slots=True)
class _Time:
    """A DATE or a DATE-TIME: wall seconds on a clock."""

    wall: int
    whole: bool
    zone: str | None
    """None = a whole day, or the clock of whoever asks."""


@dataclass(slots=True)
class _Draft:
    """The lines of one VEVENT."""

    number: int
    lines: dict[str, list[_Line]] = field(default_factory=dict)

    def one(self, name: str) -> _Line | None:
        found = self.lines.get(name)
        return None if found is None else found[0]

    def text(self, name: str) -> str:
        line = self.one(name)
        return "" if line is None else line.value.strip()


@dataclass(frozen=True, slots=True)
class _Made:
    """An event, and what it replaces."""

    uid: str
    replaces: _Time | None
    start: _Time
    event: Event | None
    """None when it is cancelled."""


def read(text: str) -> tuple[Event, ...]:
    """Return the events of a file. Raises CalendarError, with the line, for the first that is wrong."""
    made: list[_Made] = []
    rules = 0
    for draft in _drafts(text):
        try:
            made.append(_made(draft))
        except CalendarError:
            raise
        except ValueError as error:
            raise CalendarError(str(error), draft.number) from None
        rules += "RRULE" in draft.lines
        if len(made) > MOST_EVENTS or rules > MOST_RULES:
            reason = f"a calendar has at most {MOST_EVENTS} events, and {MOST_RULES} that repeat"
            raise CalendarError(reason, draft.number)
    return tuple(_with_replacements(made))


# Lines.


def _drafts(text: str) -> Iterator[_Draft]:
    """Yield the events; what stands in other components, or in those of an event (VALARM), is passed over."""
    inside: list[str] = []
    draft: _Draft | None = None
    line = None
    for line in _lines(text):
        value = line.value.strip().upper()
        if line.name == "BEGIN":
            if not inside and value != "VCALENDAR":
                raise CalendarError("an iCalendar file begins with BEGIN:VCALENDAR", line.number)
            inside.append(value)
            if value == "VEVENT" and len(inside) == 2:
                draft = _Draft(line.number)
        elif not inside:
            raise CalendarError("an iCalendar file begins with BEGIN:VCALENDAR", line.number)
        elif line.name == "END":
            if inside.pop() != value:
                raise CalendarError(f"END:{shown(value)} does not end what was begun last", line.number)
            if draft is not None and len(inside) == 1:
                yield draft
                draft = None
        elif draft is not None and len(inside) == 2 and line.name in _OURS:
            there = draft.lines.setdefault(line.name, [])
            if there and line.name not in _REPEATABLE:
                raise CalendarError(f"{line.name} stands twice in this event", line.number)
            there.append(line)
    if line is None:
        raise CalendarError("there is nothing in it: an iCalendar file begins with BEGIN:VCALENDAR")
    if inside:
        raise CalendarError(f"the file ends within {inside[-1]}: it is cut off")


def _lines(text: str) -> Iterator[_Line]:
    """Yield the properties of a file, each put together from its folded lines."""
    number, begun, whole = 0, 0, ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r")
        if line[:1] in {" ", "\t"}:
            whole += line[1:]
            continue
        if whole.strip():
            yield _line(whole, begun)
        begun, whole = number, line
    if whole.strip():
        yield _line(whole, begun)


def _line(text: str, number: int) -> _Line:
    name = _NAME.match(text)
    if name is None:
        raise CalendarError(f"'{shown(text)}' is not a property of an iCalendar file", number)
    at, parameters = name.end(), {}
    while (parameter := _PARAMETER.match(text, at)) is not None:
        parameters[parameter[1].upper()] = parameter[2].strip('"')
        at = parameter.end()
    if text[at : at + 1] != ":":
        raise CalendarError(f"'{shown(text)}' is not a property of an iCalendar file", number)
    return _Line(number, name[0].upper(), parameters, text[at + 1 :])


# Events.


def _made(draft: _Draft) -> _Made:
    start_line = draft.one("DTSTART")
    if start_line is None:
        raise CalendarError("this event has no DTSTART", draft.number)
    start = _time(start_line)
    replaced = draft.one("RECURRENCE-ID")
    if replaced is not None and "RANGE" in replaced.parameters:
        raise CalendarError("a RECURRENCE-ID for all later occurrences is not supported", replaced.number)
    rule = Rule(
        first=start.wall,
        length=_length(draft, start),
        recurrence=_recurrence(draft, start),
        besides=tuple(_times(draft, "RDATE", start)),
        without=frozenset(_times(draft, "EXDATE", start)),
    )
    day = date.fromordinal(date(1970, 1, 1).toordinal() + start.wall // DAY_S)
    name = shown(_unescaped(draft.text("SUMMARY"))) or day.isoformat()
    event = Event(name=name, pattern=rule, whole_days=start.whole, zone=start.zone)
    return _Made(
        uid=draft.text("UID"),
        replaces=None if replaced is None else _time(replaced),
        start=start,
        event=None if draft.text("STATUS").upper() == "CANCELLED" else event,
    )


def _with_replacements(made: list[_Made]) -> Iterator[Event]:
    """Yield the events, those that repeat without what others replace of them."""
    replaced: dict[str, list[_Time]] = {}
    for each in made:
        if each.replaces is not None and each.uid:
            replaced.setdefault(each.uid, []).append(each.replaces)
    for each in made:
        if each.event is None:
            continue
        gone = replaced.get(each.uid, []) if each.replaces is None else []
        pattern = each.event.pattern
        if gone and isinstance(pattern, Rule):
            starts = {start for time in gone for start in _starts_of(time, each.start)}
            yield replace(each.event, pattern=replace(pattern, without=pattern.without | starts))
        else:
            yield each.event


def _length(draft: _Draft, start: _Time) -> int:
    end_line, duration_line = draft.one("DTEND"), draft.one("DURATION")
    if end_line is not None and duration_line is not None:
        raise CalendarError("an event has DTEND or DURATION, not both", duration_line.number)
    if duration_line is not None:
        return _duration(duration_line, start)
    if end_line is None:
        return DAY_S if start.whole else 0
    end = _time(end_line)
    if end.whole is not start.whole:
        raise CalendarError("DTEND and DTSTART are not both a DATE or both a DATE-TIME", end_line.number)
    length = _on_clock_of(end, start).wall - start.wall
    if length < 0:
        raise CalendarError("DTEND is before DTSTART", end_line.number)
    # A whole-day event that ends on the day of its start is of that day: some programs write it so.
    return max(length, DAY_S) if start.whole else length


def _duration(line: _Line, start: _Time) -> int:
    match = _DURATION.fullmatch(line.value.strip())
    if match is None or not any(match.groups()) or len(line.value) > 30:
        raise CalendarError(f"DURATION:{shown(line.value)} is not understood", line.number)
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    length = (weeks * 7 + days) * DAY_S + hours * 3600 + minutes * 60 + seconds
    if length > _MOST_DURATION_S:
        raise CalendarError(f"DURATION:{shown(line.value)} is longer than a year", line.number)
    if start.whole and length % DAY_S:
        raise CalendarError("an event of whole days has a DURATION of whole days", line.number)
    return length


def _recurrence(draft: _Draft, start: _Time) -> recurrence.Recurrence | None:
    excluding, line = draft.one("EXRULE"), draft.one("RRULE")
    if excluding is not None:
        raise CalendarError("EXRULE is not supported: write EXDATE", excluding.number)
    if line is None:
        return None

    def until(text: str) -> int:
        time = _parsed(text, start.zone)
        return time.wall + DAY_S - 1 if time.whole else _on_clock_of(time, start).wall

    try:
        return recurrence.parse(line.value, start.wall, until)
    except ValueError as error:
        raise CalendarError(str(error), line.number) from None


def _times(draft: _Draft, name: str, start: _Time) -> Iterator[int]:
    """Yield the starts that an RDATE or EXDATE names."""
    count = 0
    for line in draft.lines.get(name, ()):
        for value in line.value.split(","):
            count += 1
            if count > MOST_DATES:
                raise CalendarError(f"more than {MOST_DATES} values of {name}", line.number)
            if name == "RDATE" and "/" in value:
                raise CalendarError("an RDATE of periods is not supported: write events", line.number)
            time = _time(replace(line, value=value))
            if name == "RDATE" and time.whole is not start.whole:
                raise CalendarError("RDATE and DTSTART are not both a DATE or both a DATE-TIME", line.number)
            yield from _starts_of(time, start)


def _starts_of(time: _Time, start: _Time) -> Iterator[int]:
    """Yield the wall second of a start on the clock of an event; of a mere day, that at the event's hour."""
    if time.whole and not start.whole:
        yield time.wall + start.wall % DAY_S
    elif start.whole:
        yield time.wall - time.wall % DAY_S
    else:
        yield _on_clock_of(time, start).wall


# Values.


def _time(line: _Line) -> _Time:
    tzid = line.parameters.get("TZID")
    try:
        zone = None if tzid is None else _zone_name(tzid)
        return _parsed(line.value, zone)
    except ValueError as error:
        raise CalendarError(f"{line.name}: {error}", line.number) from None


def _parsed(text: str, zone: str | None) -> _Time:
    match = _VALUE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{shown(text)}' is not a date or a time, such as 20261225 or 20261225T090000Z")
    year, month, day, *rest = match.groups()
    try:
        midnight = wall_of(date(int(year), int(month), int(day)))
    except ValueError as error:
        raise ValueError(f"'{text.strip()}' is not a date ({error})") from None
    if not FIRST_YEAR <= int(year) <= LAST_YEAR:
        raise ValueError(f"'{text.strip()}' is not within {FIRST_YEAR}-{LAST_YEAR}")
    hour, minute, second, is_utc = rest
    if hour is None:
        return _Time(midnight, whole=True, zone=None)
    if int(hour) > 23 or int(minute) > 59 or int(second) > 60:
        raise ValueError(f"'{text.strip()}' is not a time of day")
    seconds = int(hour) * 3600 + int(minute) * 60 + min(int(second), 59)
    return _Time(midnight + seconds, whole=False, zone=UTC if is_utc else zone)


def _zone_name(tzid: str) -> str:
    """Return the IANA name in a TZID; some programs write a path before it."""
    known = zones.names()
    parts = tzid.strip("/").split("/")
    for index in range(len(parts)):
        name = "/".join(parts[index:])
        if name in known:
            return name
    raise ValueError(f"the TZID '{shown(tzid)}' is not a time zone of IANA's, such as Europe/Berlin")


def _on_clock_of(time: _Time, other: _Time) -> _Time:
    """Return the same instant on the clock of another time; a time on nobody's clock stays as it is."""
    if time.zone == other.zone or time.zone is None or other.zone is None or time.whole:
        return time
    instant = _loaded(time.zone).reach(time.wall)
    return replace(time, wall=instant + _loaded(other.zone).segment(instant).offset, zone=other.zone)


def _loaded(name: str) -> Zone:
    try:
        return zones.load(name)
    except TimetableError as error:
        raise ValueError(str(error)) from None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: " " if found[1] in "nN" else found[1], text)
