"""A timetable answers one question: which slots come after this one?

It is an expression in a time zone: one form or several joined by `|`, whose slots are merged. What the
planner fires, what a preview shows and what `why` explains is this one function, always.

Timetables are equal if they mean the same: the expression, the zone, the release of the zone data that
they were made with, the jitter and what it came to, the calendar as its file was read, and, only where the
expression has an `H`, the script's path. So a hundred thousand scripts on one expression share one entry of
the wheel, those that jitter moved by the same number of seconds share another, and new zone data, or an edit
of a calendar, makes new timetables.

A slot that a calendar closes is still due, unless the calendar moves it: `upcoming` gives what has to be
decided, `closed_by` says what does not run, and `to_run` gives what will.
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
from schedd.timetable import closures, jitter, words
from schedd.timetable import zone as zones
from schedd.timetable.closures import Closures, Piece
from schedd.timetable.expression import Expression, NeverFiresError
from schedd.timetable.instant import Slot
from schedd.timetable.observance import How, Moves, Observance
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
_MOST_CLOSED = 400
"""So many closed times with slots in them, one after the other, are looked beyond for an open one."""


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
    observance: Observance | None = None
    """The calendar that it observes, and how."""
    closures: Closures | None = field(default=None, compare=False, repr=False)
    """That calendar in the zone."""

    @staticmethod
    def parse(
        expression: str, zone: str, *, seed: str = "", jitter_s: int = 0, observance: Observance | None = None
    ) -> "Timetable":
        """Read an expression, as it stands after `@schedule`, and an IANA zone name.

        `seed` is what `H` and the jitter are drawn from: the script's relative path.

        Raises TimetableError if one of them cannot be followed, or if the expression never fires.
        """
        text = expression.strip(" \t")
        where = zones.load(zone)
        made = _read(text, where, seed if _HASHED.search(text) else "")
        if jitter_s:
            made = replace(made, jitter_s=jitter_s, offset_s=jitter.offset_s(seed, jitter_s))
        if observance is None:
            return made
        Timetable.check(observance)
        closed = closures.of(observance.calendar, where)
        return replace(made, observance=observance, closures=closed)

    @staticmethod
    def check(observance: Observance) -> None:
        """Raise TimetableError if the calendar cannot be observed in this way."""
        timed = observance.calendar.timed
        if observance.how is How.PREVIOUS and timed is not None:
            raise TimetableError(
                f"{observance.calendar.sentence(timed)} closes hours, not whole days, and `previous` cannot "
                "move a slot out of those: use skip or next"
            )

    @property
    def reboot(self) -> bool:
        """Also due once for each start of the host."""
        return any(isinstance(part, Reboot) for part in self.parts)

    @property
    def has_slots(self) -> bool:
        """Whether it is ever due, the starts of the host aside."""
        return not all(isinstance(part, Reboot) for part in self.parts)

    @property
    def calendar_sha256(self) -> str:
        """The hash of the calendar that it observes; empty without one."""
        return "" if self.observance is None else self.observance.calendar.sha256

    @property
    def plain(self) -> "Timetable":
        """The same without the calendar."""
        return self if self.observance is None else replace(self, observance=None, closures=None)

    def next_after(self, after: Slot) -> Slot | None:
        """Return the first slot strictly after `after`, or None if there is none before 2200."""
        return next(self._slots(after), None)

    def upcoming(self, after: Slot, count: int) -> list[Slot]:
        """Return the next `count` slots strictly after `after`, or fewer if they run out.

        One walk: far cheaper than asking `next_after` as often.
        """
        return list(itertools.islice(self._slots(after), max(count, 0)))

    def to_run(self, after: Slot, count: int) -> list[Slot]:
        """Return the next `count` slots strictly after `after` that the calendar lets run, or fewer.

        Fewer also when nothing is open for very long: it is not looked for without end.
        """
        if self.closures is None:
            return self.upcoming(after, count)
        found: list[Slot] = []
        walk, closed = self._slots(after), 0
        while len(found) < count and (slot := next(walk, None)) is not None:
            opens = self.closures.open_after(slot)
            if opens == slot:
                found.append(slot)
                continue
            closed += 1
            if opens is None or closed > _MOST_CLOSED:
                break
            walk = self._slots(opens - 1)
        return found

    def closed_by(self, slot: Slot) -> str | None:
        """Return what of the calendar keeps a slot from running: `uk.ics: Boxing Day`; None if it runs."""
        piece = None if self.closures is None else self.closures.at(slot)
        return (
            None if piece is None or self.closures is None else self.closures.calendar.sentence(piece.event)
        )

    def landing(self, slot: Slot) -> Slot:
        """Return where a slot of the `plain` timetable is due: there, or where it is moved to."""
        moves = self._moves()
        return slot if moves is None else Slot(moves.landing(slot))

    def origins(self, slot: Slot) -> list[tuple[Slot, str]]:
        """Return the slots that the calendar moved to this one, each with what closed it; oldest first."""
        moves = self._moves()
        if moves is None or self.closures is None:
            return []
        calendar = self.closures.calendar
        return [
            (Slot(at), calendar.sentence(piece.event)) for at, piece in sorted(moves.origins(slot), key=_at)
        ]

    def words(self) -> str:
        """Say it in plain words, without the zone."""
        first, *others = (part.words() for part in self.parts)
        said = "; and ".join([first, *(other[0].lower() + other[1:] for other in others)])
        if not self.has_slots:
            return said
        if self.jitter_s:
            said += f" ({words.of_jitter(self.jitter_s, self.offset_s)})"
        return said if self.observance is None else f"{said}, {words.of_observance(self.observance)}"

    def warnings(self, now: Slot) -> tuple[str, ...]:
        """Return what its author should know, among it what the coming year's clock changes do to it."""
        at = min(max(now, 0), HORIZON)
        said = dict.fromkeys(sentence for part in self.parts for sentence in part.warnings(at))
        if said and self.offset_s:
            said[f"@jitter moves each of its slots by another {words.of_length(self.offset_s)}."] = None
        return tuple(said)

    def _slots(self, after: int) -> Iterator[Slot]:
        """Yield the slots strictly after `after`; before 1970 and from 2200 on there are none."""
        moves = self._moves()
        if moves is None:
            return self._regular(after)
        moved = moves.slots(min(max(after, -1), HORIZON))
        return (Slot(slot) for slot in itertools.takewhile(lambda slot: slot < HORIZON, moved))

    def _moves(self) -> Moves | None:
        if self.observance is None or self.closures is None or self.observance.how is How.SKIP:
            return None
        return Moves(self.closures, self.observance.how, self._regular)

    def _regular(self, after: int) -> Iterator[Slot]:
        """Yield the slots as they are without a calendar."""
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
        near = _near(replace(self.plain, jitter_s=0, offset_s=0), start // _DAY_S)
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
    """Read a text; remembered, since most scripts share few expressions and reading costs 0.1 ms."""
    _check_text(text)
    pieces = [piece.strip(" \t") for piece in text.split("|")]
    if not all(pieces):
        raise _invalid(text, "nothing stands beside a '|'")
    parts = tuple(_part(piece, zone, seed) for piece in pieces)
    return Timetable(text, zone.name, seed, zone.data, parts)


def _at(found: tuple[int, Piece]) -> int:
    return found[0]


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
    return f"'{shown}'" if text.isascii() and shown.isprintable() else ascii(shown)
