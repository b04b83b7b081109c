"""Instants as people read them: how far away, and what the clock on the wall shows, always with its zone.

The wall is that of whoever reads (the TZ of the terminal), as in journalctl and `systemctl list-timers`,
so that all lines of one table compare; only `preview` answers in the zone that it was asked about.
"""

from datetime import UTC, datetime, tzinfo

from schedd.timetable.instant import to_ms

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
STEPS = (
    (2 * DAY_MS, DAY_MS, "d"),
    (2 * HOUR_MS, HOUR_MS, "h"),
    (MINUTE_MS, MINUTE_MS, "min"),
    (SECOND_MS, SECOND_MS, "s"),
)
"""From how far on, in which unit. Hours and days begin at two: "100 min" says more than "1 h"."""


def distance(delta_ms: int) -> str:
    """Write how far away something is: `in 4 min`, `12 s ago`, `now`."""
    for least, unit_ms, unit in STEPS:
        if abs(delta_ms) >= least:
            count = abs(delta_ms) // unit_ms
            return f"in {count} {unit}" if delta_ms > 0 else f"{count} {unit} ago"
    return "now"


def wall(at_ms: int, *, now_ms: int, zone: tzinfo | None = None) -> str:
    """Write the time of day with its zone, and the date unless it is today's; None = the reader's zone."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone)
    today = datetime.fromtimestamp(now_ms // 1000, UTC).astimezone(zone).date()
    day = "" if moment.date() == today else f"{moment:%a %Y-%m-%d} "
    return f"{day}{moment:%H:%M:%S %Z}"


def both(instant: str | None, *, now_ms: int) -> str:
    """Write an instant of the API as `in 4 min, 14:05:00 UTC`; a dash when there is none."""
    if instant is None:
        return "-"
    at_ms = to_ms(instant)
    return f"{distance(at_ms - now_ms)}, {wall(at_ms, now_ms=now_ms)}"


def length(duration_ms: int) -> str:
    """Write how long something took."""
    if duration_ms < SECOND_MS:
        return f"{duration_ms} ms"
    if duration_ms < MINUTE_MS:
        return f"{duration_ms // 100 / 10} s"
    if duration_ms < HOUR_MS:
        return f"{duration_ms // MINUTE_MS} min {duration_ms % MINUTE_MS // SECOND_MS} s"
    return f"{duration_ms // HOUR_MS} h {duration_ms % HOUR_MS // MINUTE_MS} min"
