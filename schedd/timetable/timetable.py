"""A timetable answers one question: which slots come after this one?

It is an expression in a time zone: one form or several joined by `|`, whose slots are merged. What the
planner fires, what a preview shows and what `why` explains is this one function, always.

Timetables are equal if they mean the same: the expression, the zone, the release of the zone data that
they were made with and, only where the expression has an `H`, the script's path. So a hundred thousand
scripts on one expression share one entry of the wheel, and new zone data makes new timetables.
"""

import difflib
import functools
import heapq
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from schedd.errors import TimetableError
from schedd.timetable import zone as zones
from schedd.timetable.expression import Expression, NeverFiresError
from schedd.timetable.instant import Slot
from schedd.timetable.parts import HORIZON, At, Cron, Every, Part, Reboot

MAX_CHARS: Final = 256

NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_HASHED = re.compile(r"(?:^|[\s|])[Hh](?![A-Za-z])")
_PRINTABLE = re.compile(r"[\t\x20-\x7e]*")
_SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class Timetable:
    """An expression in a time zone. Made by `parse`; hashable; never changes."""

    expression: str
    zone: str
    seed: str
    """The script's path if the expression has an `H`, else empty."""
    zone_data: str
    """The release of the zone data, as IANA names it."""
    parts: tuple[Part, ...] = field(compare=False, repr=False)

    @staticmethod
    def parse(expression: str, zone: str, *, seed: str = "") -> "Timetable":
        """Read an expression, as it stands after `@schedule`, and an IANA zone name.

        `seed` is what `H` is drawn from: the script's relative path.

        Raises TimetableError if either cannot be followed, or if the expression never fires.
        """
        text = expression.strip(" \t")
        where = zones.load(zone)
        _check_text(text)
        return _read(text, where, seed if _HASHED.search(text) else "")

    @property
    def reboot(self) -> bool:
        """Also due once for each start of the host."""
        return any(isinstance(part, Reboot) for part in self.parts)

    def next_after(self, after: Slot) -> Slot | None:
        """Return the first slot strictly after `after`, or None if there is none before 2200."""
        return next(self._slots(after), None)

    def upcoming(self, after: Slot, count: int) -> list[Slot]:
        """Return the next `count` slots strictly after `after`, or fewer if they run out.

        One walk: far cheaper than asking `next_after` as often.
        """
        return list(itertools.islice(self._slots(after), max(count, 0)))

    def words(self) -> str:
        """Say it in plain words, without the zone."""
        first, *others = (part.words() for part in self.parts)
        return "; and ".join([first, *(other[0].lower() + other[1:] for other in others)])

    def warnings(self, now: Slot) -> tuple[str, ...]:
        """Return what its author should know, among it what the coming year's clock changes do to it."""
        at = min(max(now, 0), HORIZON)
        return tuple(dict.fromkeys(sentence for part in self.parts for sentence in part.warnings(at)))

    def _slots(self, after: int) -> Iterator[Slot]:
        """Yield the slots strictly after `after`; before 1970 and from 2200 on there are none."""
        streams = [part.slots(min(max(after, -1), HORIZON)) for part in self.parts]
        last = None
        for slot in heapq.merge(*streams) if len(streams) > 1 else streams[0]:
            if slot >= HORIZON:
                return
            if slot != last:
                yield Slot(slot)
            last = slot


@functools.lru_cache(maxsize=4096)
def _read(text: str, zone: zones.Zone, seed: str) -> Timetable:
    """Read a checked text; remembered, since most scripts share few expressions and reading costs 0.1 ms."""
    parts = tuple(_part(piece.strip(" \t"), zone, seed) for piece in text.split("|"))
    return Timetable(text, zone.name, seed, zone.data, parts)


def _check_text(text: str) -> None:
    if not text:
        raise TimetableError("Invalid cron expression: '' is empty, write one like '30 2 * * 1-5'")
    if not _PRINTABLE.fullmatch(text):
        raise _invalid(text, "only printable ASCII characters can stand in it")
    if len(text) > MAX_CHARS:
        raise _invalid(text, f"it has {len(text)} characters, at most {MAX_CHARS} are read")


def _part(text: str, zone: zones.Zone, seed: str) -> Part:
    name, argument = [*text.split(maxsplit=1), "", ""][:2]
    try:
        if name == "@every":
            return Every.parse(argument.strip())
        if name == "@at":
            return At.parse(argument.strip(), zone)
        if text == "@reboot":
            return Reboot()
        return Cron(Expression.parse(_expanded(text), seed=seed), zone)
    except NeverFiresError as why:
        raise TimetableError(f"Invalid cron expression: {_shown(text)} never fires ({why})") from None
    except ValueError as error:
        raise _invalid(text, str(error)) from None


def _expanded(text: str) -> str:
    if not text:
        raise ValueError("nothing stands beside a '|'")
    if not text.startswith("@"):
        return text
    if text in NICKNAMES:
        return NICKNAMES[text]
    name = text.split(maxsplit=1)[0]
    near = difflib.get_close_matches(name.lower(), [*NICKNAMES, "@reboot", "@every", "@at"], 1)
    raise ValueError(
        f"'{text}' is not known, " + (f"did you mean {near[0]}?" if near else "write a cron expression")
    )


def _invalid(text: str, detail: str) -> TimetableError:
    return TimetableError(f"Invalid cron expression: {_shown(text)}" + (f": {detail}" if detail else ""))


def _shown(text: str) -> str:
    shown = text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
    return f"'{shown}'" if _PRINTABLE.fullmatch(text) else ascii(shown)
