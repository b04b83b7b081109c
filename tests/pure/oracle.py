"""What Debian's cron would do, by brute force: walk the real time, look at the wall clock, compare.

This is the main loop of cron 3.0pl1 replayed over a zone's wall clock. It has no opinion of its own and
shares no code with schedd: it never computes a next time, it only asks of each minute in turn whether a job
starts in it. Walked with a unit of one second it is the same machine for six fields.
"""

import calendar
import functools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

BOUNDS = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "dow": (0, 7),
}
NAMES = {
    "month": ["_", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "dow": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}


@functools.lru_cache(maxsize=64)
def walk(zone, begin, end, unit):
    """List what cron's loop does from `begin` to `end`: (instant, wall time, wildcard jobs?, fixed ones?)."""
    info = ZoneInfo(zone)

    def wall_clock(at):
        return (at + int(datetime.fromtimestamp(at, info).utcoffset().total_seconds())) // unit

    limit = 3 * 3600 // unit
    virtual = wall_clock(begin - unit)
    looks = []
    for at in range(begin, end, unit):
        now = wall_clock(at)
        moved = now - virtual
        if 1 < moved <= limit:
            looks.append((at, now, True, False))
            looks += [(at, skipped, False, True) for skipped in range(virtual + 1, now + 1)]
            virtual = now
        elif -limit < moved <= 0:
            looks.append((at, now, True, False))
        else:
            looks.append((at, now, True, True))
            virtual = now
    return [(at, datetime.fromtimestamp(wall * unit, UTC), wild, fixed) for at, wall, wild, fixed in looks]


def starts(expression, zone, begin, end):
    """List the instants from `begin` up to `end` at which cron would start a job."""
    texts = expression.lower().split()
    unit = 1 if len(texts) == 6 else 60
    fields = dict(zip(BOUNDS if unit == 1 else list(BOUNDS)[1:], texts, strict=True))
    second, minute, hour, day, month, dow = (members(name, fields.get(name, "0")) for name in BOUNDS)
    wildcard = any(fields.get(name, "0").startswith("*") for name in ("second", "minute", "hour"))
    combine = all if fields["day"].startswith("*") or fields["dow"].startswith("*") else any
    found = {
        at
        for at, wall, wild, fixed in walk(zone, begin, end, unit)
        if (wild if wildcard else fixed)
        and wall.minute in minute
        and wall.hour in hour
        and wall.month in month
        and wall.second in second
        and combine((on_day(wall, day), on_weekday(wall, dow)))
    }
    return sorted(found)


def clock_changes(zone, begin, end):
    """List the instants at which the wall clock is moved, as (instant, seconds it is moved by)."""
    info = ZoneInfo(zone)

    def offset(at):
        return int(datetime.fromtimestamp(at, info).utcoffset().total_seconds())

    found = []
    for probe in range(begin, end, 43_200):
        low, high = probe, probe + 43_200
        moved = offset(high) - offset(low)
        while moved and high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) != offset(high) else (low, middle)
        if moved:
            found.append((high, moved))
    return found


def members(name, text):
    """Return what a field matches: numbers, and day forms as they are written."""
    low, high = BOUNDS[name]
    values = set()
    for term in text.split(","):
        span, _, step = term.partition("/")
        ends = [NAMES[name].index(word) if word in NAMES.get(name, ()) else word for word in span.split("-")]
        if "#" in term or str(ends[0]).startswith("l"):
            values.add(term)
        elif span == "*":
            values.update(range(low, high + 1, int(step or 1)))
        else:
            values.update(range(int(ends[0]), int(ends[-1]) + 1, int(step or 1)))
    return values


def on_day(wall, day):
    last = calendar.monthrange(wall.year, wall.month)[1]
    return wall.day in day or ("l" in day and wall.day == last)


def on_weekday(wall, dow):
    number = wall.isoweekday() % 7
    last = calendar.monthrange(wall.year, wall.month)[1]
    return bool(
        {number, number or 7, f"{number}#{(wall.day + 6) // 7}"} & dow
        or (wall.day + 7 > last and f"l{number}" in dow)
    )
