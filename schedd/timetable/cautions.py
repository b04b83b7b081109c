"""What the author of a timetable should know: sentences for the list, the preview and `check`.

Only what surprises is said: slots that a coming clock change leaves out, moves or doubles, steps that are
uneven, a sixth field that may have been meant otherwise. A fixed-time job that simply runs once in the
night of a change gets no sentence.
"""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from schedd.timetable.expression import Expression
from schedd.timetable.fields import DAY, HOUR, MINUTE, SECOND, Fields, Values
from schedd.timetable.zone import Change, Zone

AHEAD_S: Final = 366 * 86_400
"""How far ahead clock changes are looked for: every zone that changes regularly does so within a year."""

_NAMED = 3
"""How many times of day a sentence names before it counts the rest."""

_COUNTED = 100
"""How many it counts: every second of three hours is 10,800, and nobody needs to know exactly."""

_NEARBY_S = 3 * 86_400


def of_fields(read: Fields) -> Iterator[str]:
    """Yield a sentence for each field that probably does not do what it seems to."""
    if read.second is not None and len(read.second.numbers) > 1:
        yield (
            f"Six fields have the seconds first: this runs {len(read.second.numbers)} times in each minute "
            "that matches."
        )
    for values in filter(None, (read.second, read.minute, read.hour, read.day)):
        if values.step is not None:
            yield from _of_step(values, values.step)


def of_changes(expression: Expression, zone: Zone, now: int) -> Iterator[str]:
    """Yield a sentence for each clock change in the coming year that leaves out, moves or doubles slots."""
    for change in zone.changes(now, now + AHEAD_S):
        sentence = of_change(expression, change)
        if sentence is not None:
            yield sentence


def of_change(expression: Expression, change: Change) -> str | None:
    """Say what a clock change does to the slots that it catches; None if nothing that needs saying."""
    read = expression.fields
    all_hours = len(read.hour.numbers) == len(HOUR.whole)
    if read.wildcard and all_hours:
        return None
    low, high = sorted((change.left, change.reached))
    walls = itertools.takewhile(lambda wall: wall < high, expression.walls(low - 1))
    caught = list(itertools.islice(walls, _COUNTED))
    fate = _fate(change, wildcard=read.wildcard, all_hours=all_hours, many=len(caught) > 1)
    if not caught or fate is None:
        return None
    return f"{_told(change)}: its {_times(caught, seconds=read.second is not None)} {fate}."


def of_moment(wall: int, zone: Zone, now: int) -> Iterator[str]:
    """Yield a sentence if a wall time does not exist in the zone, or comes twice."""
    for change in zone.changes(max(now, wall - _NEARBY_S), wall + _NEARBY_S):
        if change.left <= wall < change.reached:
            yield f"{_told(change)}: {_clock(wall)} does not exist, it runs at {_clock(change.reached)}."
        elif change.reached <= wall < change.left:
            yield f"{_told(change)}: {_clock(wall)} comes twice, it runs the first time."


def _of_step(values: Values, step: int) -> Iterator[str]:
    field = values.field
    size = len(field.whole)
    if step >= size:
        yield f"'*/{step}' in the {field.name} field matches {field.low} only."
    elif field is DAY and step > 1:
        yield f"'*/{step}' in the day of month field starts again on the 1st of each month."
    elif size % step:
        unit, longer = {SECOND: ("s", "minute"), MINUTE: ("m", "hour"), HOUR: ("h", "day")}[field]
        last = size - values.numbers[-1]
        plural = "" if last == 1 else "s"
        yield (
            f"'*/{step}' in the {field.name} field starts again each {longer}, its last step is {last} "
            f"{field.name}{plural}; '@every {step}{unit}' is even."
        )


def _fate(change: Change, *, wildcard: bool, all_hours: bool, many: bool) -> str | None:
    """Say what becomes of the slots that a change caught; None if nothing that needs saying."""
    if change.reached > change.left:
        if wildcard or not change.makes_up:
            return "are left out" if many else "is left out"
        return f"{'run as one' if many else 'runs'} at {_clock(change.reached)}"
    if wildcard or not change.holds_back:
        return "run twice" if many else "runs twice"
    if not all_hours:
        return None
    return f"{'run' if many else 'runs'} the first time only; write * for the hour to follow elapsed time"


def _told(change: Change) -> str:
    left, reached = _moment(change.left), _moment(change.reached)
    verb = "goes back" if change.reached < change.left else "goes"
    if left.date() == reached.date():
        return f"On {left:%Y-%m-%d} the clock {verb} from {left:%H:%M} to {reached:%H:%M}"
    return f"The clock {verb} from {left:%Y-%m-%d %H:%M} to {reached:%Y-%m-%d %H:%M}"


def _times(walls: list[int], *, seconds: bool) -> str:
    shown = [f"{_moment(wall):%H:%M:%S}" if seconds else _clock(wall) for wall in walls[:_NAMED]]
    rest = len(walls) - len(shown)
    if rest:
        more = f"{rest} more" if len(walls) < _COUNTED else "many more"
        return f"{', '.join(shown)} and {more}"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _clock(wall: int) -> str:
    return f"{_moment(wall):%H:%M}"


def _moment(wall: int) -> datetime:
    return datetime.fromtimestamp(wall, UTC)
