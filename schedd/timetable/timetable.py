"""A timetable answers one question: which slots come after this one?

It is an expression in a time zone: one form or several joined by `|`, whose slots are merged. What the
planner fires, what a preview shows and what `why` explains is this one function, always.

Timetables are equal if they mean the same: the expression, the zone, the release of the zone data that
they were made with, the jitter and what it came to, and, only where the expression has an `H`, the script's
path. So a hundred thousand scripts on one expression share one entry of the wheel, those that jitter moved
by the same number of seconds share another, and new zone data makes new timetables.
"""

import difflib
import functools
import heapq
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from schedd.errors import TimetableError
from schedd.timetable import jitter, words
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
_DAY_S = 86_400
_SHARED = 48
"""Hourly slots for a day, and as many as the wheel looks ahead; what comes more often has fewer offsets."""


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
    jitter_s: int = 0
    """Each slot is moved by less than this; 0 = none is moved."""
    offset_s: int = 0
    """What that came to for this script: each slot is moved by so much."""

    @staticmethod
    def parse(expression: str, zone: str, *, seed: str = "", jitter_s: int = 0) -> "Timetable":
        """Read an expression, as it stands after `@schedule`, and an IANA zone name.

        `seed` is what `H` and the jitter are drawn from: the script's relative path.

        Raises TimetableError if one of them cannot be followed, or if the expression never fires.
        """
        text = expression.strip(" \t")
        where = zones.load(zone)
        _check_text(text)
        plain = _read(text, where, seed if _HASHED.search(text) else "")
        if not jitter_s:
            return plain
        return replace(plain, jitter_s=jitter_s, offset_s=jitter.offset_s(seed, jitter_s))

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
        said = "; and ".join([first, *(other[0].lower() + other[1:] for other in others)])
        if not self.jitter_s or all(isinstance(part, Reboot) for part in self.parts):
            return said
        return f"{said} ({words.of_jitter(self.jitter_s, self.offset_s)})"

    def warnings(self, now: Slot) -> tuple[str, ...]:
        """Return what its author should know, among it what the coming year's clock changes do to it."""
        at = min(max(now, 0), HORIZON)
        said = dict.fromkeys(sentence for part in self.parts for sentence in part.warnings(at))
        if said and self.offset_s:
            said[f"@jitter moves each of its slots by another {words.of_length(self.offset_s)}."] = None
        return tuple(said)

    def _slots(self, after: int) -> Iterator[Slot]:
        """Yield the slots strictly after `after`; before 1970 and from 2200 on there are none."""
        start = min(max(after - self.offset_s, -1), HORIZON)
        return self._moved(start) if self.offset_s else self._walk(start)

    def _walk(self, start: int) -> Iterator[Slot]:
        """Yield the slots as the expression has them."""
        streams = [part.slots(start) for part in self.parts]
        last = None
        for slot in heapq.merge(*streams) if len(streams) > 1 else streams[0]:
            if slot >= HORIZON:
                return
            if slot != last:
                yield Slot(slot)
            last = slot

    def _moved(self, start: int) -> Iterator[Slot]:
        """Yield the slots of the same timetable without jitter, moved."""
        near = _near(replace(self, jitter_s=0, offset_s=0), start // _DAY_S)
        for slot in itertools.chain(near, self._walk(max(start, near[-1] if near else start))):
            if slot + self.offset_s >= HORIZON:
                return
            if slot > start:
                yield Slot(slot + self.offset_s)


@functools.lru_cache(maxsize=1024)
def _near(plain: Timetable, day: int) -> tuple[Slot, ...]:
    """Return the first slots from the start of a day on.

    Jitter makes thousands of timetables of one, and all walk the same slots at the same time; 10,000 scripts
    on one expression with a jitter of a day are put on the wheel in 0.1 s like this, and in 5 s without.
    """
    return tuple(plain.upcoming(Slot(day * _DAY_S - 1), _SHARED))


@functools.lru_cache(maxsize=4096)
def _read(text: str, zone: zones.Zone, seed: str) -> Timetable:
    """Read a checked text; remembered, since most scripts share few expressions and reading costs 0.1 ms."""
    pieces = [piece.strip(" \t") for piece in text.split("|")]
    if not all(pieces):
        raise _invalid(text, "nothing stands beside a '|'")
    parts = tuple(_part(piece, zone, seed) for piece in pieces)
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
