"""What a calendar does to slots, by brute force: walk the minutes, look at the wall, move one slot at a time.

It shares no code with schedd, computes no next time, and knows a calendar only as dates and as hours between
two times on a wall.
"""

import functools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
MINUTE_S = 60


def wall(zone: str, at: int) -> datetime:
    return datetime.fromtimestamp(at, ZoneInfo(zone)).replace(tzinfo=None)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time())


@functools.lru_cache(maxsize=100_000)
def first_shown(zone: str, moment: datetime) -> int:
    """Return the first instant at which the clock shows a time, or a later one; whole minutes."""
    begin = int(moment.replace(second=0, tzinfo=UTC).timestamp()) - 26 * 3600
    wanted = moment.replace(second=0)
    at = next(at for at in range(begin, begin + 60 * 3600, MINUTE_S) if wall(zone, at) >= wanted)
    return at + (moment.second if wall(zone, at) == wanted else 0)


@functools.lru_cache(maxsize=10_000)
def exists(zone: str, day: date) -> bool:
    return wall(zone, first_shown(zone, midnight(day))).date() == day


class Oracle:
    """`days` are closed as a whole, `hours` between two times on the wall of a zone (None: of this one)."""

    def __init__(
        self, zone: str, days: set[date], hours: list[tuple[datetime, datetime, str | None]], how: str
    ) -> None:
        self.zone, self.days, self.how = zone, days, how
        self.hours = [(first_shown(on or zone, a), first_shown(on or zone, b)) for a, b, on in hours]

    def is_closed(self, at: int) -> bool:
        return wall(self.zone, at).date() in self.days or any(a <= at < b for a, b in self.hours)

    def due(self, slot: int) -> int:
        """Return where a slot is due."""
        at = slot
        while self.how != "skip" and self.is_closed(at):
            shown = wall(self.zone, at)
            if shown.date() not in self.days:
                midnights = (first_shown(self.zone, midnight(d)) for d in self.days)
                ends = [b for a, b in self.hours if a <= at < b]
                at = min([*ends, *(midnight for midnight in midnights if midnight > at)])
                continue
            step = ONE_DAY if self.how == "next" else -ONE_DAY
            day = shown.date() + step
            while day in self.days or not exists(self.zone, day):
                day += step
                if abs(day - wall(self.zone, slot).date()) > timedelta(days=100):
                    return slot
            last = first_shown(self.zone, midnight(day + ONE_DAY)) - 1
            at = min(first_shown(self.zone, datetime.combine(day, shown.time())), last)
        return at
