"""A cron expression, stepped: the only door to croniter.

croniter steps naive wall-clock seconds here and nothing else. Given aware times it fires fixed times twice
in autumn and can loop for ever at a missing day; given Debian's corner spellings it reads them otherwise.
So it gets plain lists of numbers (`fields`) and knows no zone; what a wall time means is `zone`'s affair.

Cron's day rule is settled here as well. Where both days must match, croniter gets both and `day_or=False`;
where either may, the expression becomes two sides, one for each day field, whose times are merged. That
keeps the rule for `L` and `5#2` too, which croniter would not, and a side that no calendar can satisfy
(30 February or any Monday) is dropped, where croniter would search fifty years for it at every step.

An object of croniter is a stateful iterator. One for each side is made when the expression is read (90 to
300 µs) and never stepped; each walk steps a copy (2 µs).
"""

import copy
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from croniter import CroniterBadDateError, croniter

from schedd.timetable import fields
from schedd.timetable.fields import Fields

NO_SUCH_DAY: Final = "no such day comes in 50 years"
"""croniter gives up after fifty years; the rarest day, a 29 February on one weekday, comes within forty."""

_PROBE_FROM = 1_704_067_200.0
"""2024-01-01: where the first match is looked for, in a leap year and long before 2100, which is none."""


class NeverFiresError(Exception):
    """The expression is well formed and no time ever matches it; the message says why."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A cron expression that matches at least one time."""

    fields: Fields
    sides: tuple[str, ...]
    """What croniter was given: one text, or two of which either may match."""
    _templates: tuple["croniter[float]", ...] = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, *, seed: str = "") -> "Expression":
        """Read an expression (see `fields.parse`).

        Raises ValueError if it is malformed, NeverFiresError if no time can match it.
        """
        read = fields.parse(text, seed=seed)
        sides = _sides(read)
        templates = tuple(
            croniter(side, _PROBE_FROM, float, day_or=False, second_at_beginning=True) for side in sides
        )
        expression = cls(read, sides, templates)
        if next(expression.walls(int(_PROBE_FROM)), None) is None:
            raise NeverFiresError(NO_SUCH_DAY)
        return expression

    def walls(self, after: int) -> Iterator[int]:
        """Yield the wall-clock seconds after `after` that match, ascending, until fifty years have none."""
        if len(self._templates) == 1:
            return _steps(self._templates[0], after)
        return _merged([_steps(template, after) for template in self._templates])


def _sides(read: Fields) -> tuple[str, ...]:
    why = fields.impossible_day(read)
    if why and read.both_days:
        raise NeverFiresError(why)
    if read.both_days:
        return (_text(read, read.day.text, read.weekday.text),)
    by_weekday = _text(read, "*", read.weekday.text)
    return (by_weekday,) if why else (_text(read, read.day.text, "*"), by_weekday)


def _text(read: Fields, day: str, weekday: str) -> str:
    second = "" if read.second is None else f"{read.second.text} "
    return f"{second}{read.minute.text} {read.hour.text} {day} {read.month.text} {weekday}"


def _steps(template: "croniter[float]", after: int) -> Iterator[int]:
    walk = copy.copy(template)
    walk.set_current(float(after))
    while True:
        try:
            yield int(walk.get_next())
        except CroniterBadDateError:
            return


def _merged(streams: list[Iterator[int]]) -> Iterator[int]:
    last = None
    for wall in heapq.merge(*streams):
        if wall != last:
            yield wall
        last = wall
