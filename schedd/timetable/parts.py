"""The forms that a timetable is made of: a cron expression, an interval, one moment, the host's start.

Each answers the same three questions: which slots come after this one, how do people say it, and what
should its author know about the coming clock changes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from dateutil import parser as dates

from schedd.timetable import cautions, duration, words
from schedd.timetable.expression import Expression
from schedd.timetable.zone import Zone

HORIZON: Final = 7_258_118_400
"""2200-01-01: no slot is looked for from here on."""

MAX_EVERY_DAYS: Final = 366

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII)
_NEARBY_S = 3 * 86_400
"""Further from a wall time than any zone's offset and any clock change can put its instant."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The times of a cron expression on the zone's wall clock."""

    expression: Expression
    zone: Zone = field(compare=False)

    def slots(self, after: int) -> Iterator[int]:
        """Yield the slots strictly after `after`, ascending."""
        return self.zone.slots(self.expression.walls, wildcard=self.expression.fields.wildcard, after=after)

    def words(self) -> str:
        """Say it in plain words."""
        return words.of_cron(self.expression)

    def warnings(self, now: int) -> Iterator[str]:
        """Yield what its author should know."""
        yield from cautions.of_fields(self.expression.fields)
        yield from cautions.of_changes(self.expression, self.zone, now)


@dataclass(frozen=True, slots=True)
class Every:
    """Every so many seconds, counted from the epoch, so that a restart changes nothing."""

    interval_s: int

    @classmethod
    def parse(cls, text: str) -> "Every":
        """Read the duration after `@every`; raises ValueError with what is wrong."""
        interval_ms = duration.parse_ms(text)
        if interval_ms < 1000 or interval_ms % 1000:
            raise ValueError(f"'{text}' is not a number of whole seconds, the shortest interval is 1s")
        if interval_ms > MAX_EVERY_DAYS * duration.UNIT_MS["d"]:
            raise ValueError(f"'{text}' is longer than {MAX_EVERY_DAYS} days")
        return cls(interval_ms // 1000)

    def slots(self, after: int) -> Iterator[int]:
        """Yield the slots strictly after `after`, ascending, without end."""
        slot = after - after % self.interval_s
        while True:
            slot += self.interval_s
            yield slot

    def words(self) -> str:
        """Say it in plain words."""
        return words.of_interval(self.interval_s)

    def warnings(self, now: int) -> Iterator[str]:
        """Yield nothing: elapsed time does not know clock changes."""
        del now
        return iter(())


@dataclass(frozen=True, slots=True)
class At:
    """Once: at an instant, or when the zone's wall clock first shows a time."""

    wall: int
    """Seconds on the wall clock of `zone`, or UTC where that is None."""
    zone: Zone | None = field(compare=False)

    @classmethod
    def parse(cls, text: str, zone: Zone) -> "At":
        """Read the ISO 8601 moment after `@at`; raises ValueError with what is wrong."""
        if not _MOMENT.fullmatch(text):
            raise ValueError(f"'{text}' is not a moment, write it like 2027-01-31T09:00 or 2027-01-31T09:00Z")
        try:
            moment = dates.isoparse(text)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"'{text}' is not a moment ({error})") from None
        if not 1970 <= moment.year < 2200:
            raise ValueError(f"'{text}' is not within 1970-2199")
        offset = moment.utcoffset()
        wall = int(moment.replace(tzinfo=UTC).timestamp())
        at = cls(wall, zone) if offset is None else cls(wall - int(offset.total_seconds()), None)
        instant = next(at.slots(at.wall - _NEARBY_S), None)
        if instant is None:
            raise ValueError(f"'{text}' does not exist in {zone.name}, the clock was set past it")
        if not 0 <= instant < HORIZON:
            raise ValueError(f"'{text}' is not within 1970-2199, UTC")
        return at

    def slots(self, after: int) -> Iterator[int]:
        """Yield its instant if that is after `after`."""
        if self.zone is None:
            instants: Iterator[int] = iter((self.wall,))
        else:
            instants = self.zone.slots(self._walls, wildcard=False, after=self.wall - _NEARBY_S)
        return (instant for instant in instants if instant > after)

    def words(self) -> str:
        """Say it in plain words."""
        moment = datetime.fromtimestamp(self.wall, UTC)
        return f"Once, at {moment:%Y-%m-%d %H:%M:%S} {'UTC' if self.zone is None else self.zone.name}"

    def warnings(self, now: int) -> Iterator[str]:
        """Yield a sentence if the wall time falls into a clock change."""
        if self.zone is not None:
            yield from cautions.of_moment(self.wall, self.zone, now)

    def _walls(self, after: int) -> Iterator[int]:
        return iter((self.wall,) if self.wall > after else ())


@dataclass(frozen=True, slots=True)
class Reboot:
    """Once for each start of the host; it has no slots of its own."""

    def slots(self, after: int) -> Iterator[int]:
        """Yield nothing."""
        del after
        return iter(())

    def words(self) -> str:
        """Say it in plain words."""
        return "When the host starts"

    def warnings(self, now: int) -> Iterator[str]:
        """Yield nothing."""
        del now
        return iter(())


Part = Cron | Every | At | Reboot
