"""What Debian's cron would start of many jobs in one zone, minute by minute, over years.

The same walk as that of `tests.pure.oracle`, and the same reading of fields; only that it looks at each
minute once for all jobs. A job is one bit of a number: for each value of each field one number says which
jobs match it, and what is left of them all together starts.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime

from tests.pure import oracle

LEAD_S = 86_400
"""Walked before the begin: cron must have seen a clock change to know that it is in a repeated hour."""
FIELDS = ("minute", "hour", "day", "month", "dow")


def starts(jobs: Mapping[str, str], zone: str, begin: int, end: int) -> dict[str, list[int]]:
    """List for each job (a name and its five fields) the instants from `begin` up to `end`; whole minutes."""
    names = list(jobs)
    texts = [dict(zip(FIELDS, jobs[name].lower().split(), strict=True)) for name in names]
    minutes, hours = _masks("minute", texts), _masks("hour", texts)
    dates = _Dates(texts)
    wildcard = sum(1 << bit for bit, text in enumerate(texts) if "*" in (text["minute"][0], text["hour"][0]))
    fixed = (1 << len(names)) - 1 - wildcard
    found: list[list[int]] = [[] for _ in names]
    # Not the remembered walk: ten years of it would fill the memory.
    for at, wall, runs_wildcard, runs_fixed in oracle.walk.__wrapped__(zone, begin - LEAD_S, end, 60):
        turn = (wildcard if runs_wildcard else 0) | (fixed if runs_fixed else 0)
        started = minutes[wall.minute] & hours[wall.hour] & turn
        if started and at >= begin:
            for bit in _bits(started & dates[wall]):
                if not found[bit] or found[bit][-1] != at:
                    found[bit].append(at)
    return dict(zip(names, found, strict=True))


class _Dates:
    """Which jobs may start on a day, whatever the time."""

    def __init__(self, texts: list[dict[str, str]]) -> None:
        self._members = [
            {field: oracle.members(field, text[field]) for field in ("day", "month", "dow")} for text in texts
        ]
        self._both = [text["day"].startswith("*") or text["dow"].startswith("*") for text in texts]
        self._date: object = None
        self._mask = 0

    def __getitem__(self, wall: datetime) -> int:
        if wall.date() != self._date:
            self._date = wall.date()
            self._mask = sum(1 << bit for bit in range(len(self._members)) if self._matches(bit, wall))
        return self._mask

    def _matches(self, bit: int, wall: datetime) -> bool:
        members = self._members[bit]
        days = (oracle.on_day(wall, members["day"]), oracle.on_weekday(wall, members["dow"]))
        return wall.month in members["month"] and (all(days) if self._both[bit] else any(days))


def _masks(field: str, texts: list[dict[str, str]]) -> defaultdict[int, int]:
    masks: defaultdict[int, int] = defaultdict(int)
    for bit, text in enumerate(texts):
        for value in oracle.members(field, text[field]):
            masks[value] |= 1 << bit
    return masks


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
