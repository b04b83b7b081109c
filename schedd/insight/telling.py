"""Instants and lengths of time in a sentence: on the wall clock of the schedule's zone, as short as is clear.

The first instant of a sentence carries its date and zone; those that follow on the same day, by the same
offset from UTC, are told by their time alone.
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from schedd.timetable import zone as zones
from schedd.timetable.instant import to_ms
from schedd.timetable.zone import Zone

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_TERMS = 2
"""`3 d 4 h` says enough."""


class Teller:
    """Writes instants for one zone; `anchor_ms` is the instant that the sentence is about."""

    def __init__(self, zone: str, anchor_ms: int) -> None:
        self.zone: Zone = zones.load(zone)
        self._info = ZoneInfo(zone)
        self._anchor = self._moment(anchor_ms)

    def full(self, at_ms: int) -> str:
        """Write `Tue 2026-11-24 02:30 CET`, with seconds where there are any."""
        moment = self._moment(at_ms)
        return f"{moment:%a %Y-%m-%d} {_time(moment)} {moment:%Z}"

    def near(self, at_ms: int) -> str:
        """Write the time of day, and what else is needed to tell it from the anchor's day and offset."""
        moment = self._moment(at_ms)
        same_day = moment.date() == self._anchor.date()
        same_offset = moment.utcoffset() == self._anchor.utcoffset()
        if not same_day:
            return self.full(at_ms)
        return _time(moment) if same_offset else f"{_time(moment)} {moment:%Z}"

    def text(self, text: str) -> str:
        """Return a text with the instants in it (UTC, as the API writes them) told like `near`."""
        return _INSTANT.sub(lambda found: self.near(to_ms(found[0])), text)

    def _moment(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(self._info)


def wall(wall_s: int) -> str:
    """Write what a clock on the wall shows: `Sun 2027-03-28 02:30`."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=wall_s)
    return f"{moment:%a %Y-%m-%d} {_time(moment)}"


def length(duration_ms: int) -> str:
    """Write how long something took: `800 ms`, `1.2 s`, `4 min 10 s`, `3 d 4 h`."""
    if duration_ms < 1000:
        return f"{duration_ms} ms"
    if duration_ms < 60_000:
        return f"{duration_ms / 1000:.1f}".removesuffix(".0") + " s"
    terms: list[str] = []
    rest = duration_ms // 1000
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count and len(terms) < _TERMS:
            terms.append(f"{count} {unit}")
        elif terms:
            break
    return " ".join(terms)


def _time(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
