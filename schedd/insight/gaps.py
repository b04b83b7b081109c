"""Slots without an `ok`: what the registrations in force say was due, less what ended well. Pure.

The fires log alone would do if it were perfect, since each due slot has a line in it. It is joined with the
timetables all the same: a gap that nothing is on record about is the one that matters most.

A slot is filled by an `ok` of any fire for it: its own, a catch-up, a retry, a replay. A run that was started
by hand has no slot and fills none. What is still in flight, held or about to be decided is no gap yet.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from schedd.fire import Entry, Reason, RunId, Status
from schedd.insight import account, slots
from schedd.ledger.annals import Chronicle, Registration
from schedd.timetable.instant import Slot, from_ms
from schedd.timetable.timetable import Timetable

MAX_SLOTS = 100_000
"""So many due slots are looked at for one answer: half a second of stepping."""
SETTLE_S = 2
"""A slot as young as this may not be decided yet."""


class Only(StrEnum):
    """Which gaps are wanted."""

    MISSING = "missing"
    """Nobody was there to decide, or nothing is on record."""
    FAILED = "failed"
    """It ran, or was to run, and ended as an error or a timeout."""
    ALL = "all"
    """These, and what was decided not to run: skipped, disabled, paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One slot, or several in a row that ended in one line (or in none)."""

    script: str
    slots: tuple[Slot, ...]
    status: Status | None
    """How it stands by its newest line; None = nothing is on record."""
    reason: Reason | None
    run_ids: tuple[RunId, ...]
    """All fires for it, oldest first."""
    registered: bool
    """The script is registered still, so that the slots can be replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """The gaps in [since, until), by slot and then by script."""

    since_ms: int
    """Later than was asked for where the records do not reach back so far."""
    until_ms: int
    gaps: tuple[Gap, ...]
    complete: bool
    """False when there may be more: too many slots, or too many lines, to look at all."""

    @property
    def replayable(self) -> int:
        """How many slots may be replayed."""
        return sum(len(gap.slots) for gap in self.gaps if gap.registered)

    def oldest(self, count: int) -> list[tuple[str, Slot]]:
        """Return the oldest (script, slot) pairs that may be replayed, by slot and then by script."""
        there = ((gap.script, slot) for gap in self.gaps if gap.registered for slot in gap.slots)
        return heapq.nsmallest(count, there, key=lambda pair: (pair[1], pair[0]))


def find(
    chronicle: Chronicle,
    lines: Iterable[Entry],
    *,
    since_ms: int,
    until_ms: int,
    now_ms: int,
    only: Only,
    script: str | None = None,
    sees: Callable[[str], bool] = lambda _: True,
    pending: frozenset[tuple[str, Slot]] = frozenset(),
    complete: bool = True,
    max_slots: int = MAX_SLOTS,
) -> Gaps:
    """Return the gaps in [since, until), whole seconds.

    `lines`: those of the range, and what came later for its slots. `pending`: slots of fires in flight.
    """
    since_ms = max(since_ms, chronicle.since_ms)
    since, until = -(-since_ms // 1000), -(-min(until_ms, now_ms + 1) // 1000)
    told, due = _Lines(lines, chronicle), _Due(chronicle, since, until, max_slots)
    by_slot: dict[Slot, list[Gap]] = {}
    by_script = _by_script(chronicle, lambda name: script in (None, name) and sees(name))
    for name in sorted(by_script):
        registrations = by_script[name]
        rows: list[_Row] = []
        for slot in (slot for registration in registrations for slot in due.of(registration)):
            if (name, slot) in pending:
                continue
            lines_of = told.of(name, slot)
            if lines_of is None or (not lines_of and slot > now_ms // 1000 - SETTLE_S):
                continue
            row = _Row(lines_of)
            if not rows or not row.goes_on(rows[-1]):
                rows.append(row)
            rows[-1].slots.append(slot)
        for row in rows:
            gap = row.gap(name, registered=registrations[-1].until_ms is None)
            if _wanted(gap, only):
                by_slot.setdefault(gap.slots[0], []).append(gap)
    return Gaps(
        since_ms=since_ms,
        until_ms=until_ms,
        gaps=tuple(gap for slot in sorted(by_slot) for gap in by_slot[slot]),
        complete=complete and chronicle.complete and not due.cut,
    )


def _by_script(chronicle: Chronicle, wanted: Callable[[str], bool]) -> dict[str, list[Registration]]:
    """Return the registrations of each script, oldest first; no large sort, which would hold all threads."""
    found: dict[str, list[Registration]] = {}
    for each in chronicle.registrations:
        if each.script in found or wanted(each.script):
            found.setdefault(each.script, []).append(each)
    return found


class _Due:
    """Steps timetables, each stretch of each only once, until there are too many slots."""

    def __init__(self, chronicle: Chronicle, since: int, until: int, max_slots: int) -> None:
        self._chronicle = chronicle
        self._since = since
        self._until = until
        self._known: dict[tuple[Timetable, int, int | None], tuple[Slot, ...]] = {}
        self._left = max_slots
        self.cut = False
        """There were too many."""

    def of(self, registration: Registration) -> Iterator[Slot]:
        """Yield the slots of a registration, as long as any may be looked at."""
        timetable = slots.timetable_of(registration, self._chronicle)
        if timetable is None:
            return
        begun = max(self._since - 1, registration.since_ms // 1000)
        ended = registration.until_ms
        key = (timetable, begun, None if ended is None else min(ended // 1000, self._until))
        if key not in self._known:
            self._known[key] = tuple(self._stepped(registration, timetable))
        for slot in self._known[key]:
            if self._left <= 0:
                self.cut = True
                return
            self._left -= 1
            yield slot

    def _stepped(self, registration: Registration, timetable: Timetable) -> Iterator[Slot]:
        for count, slot in enumerate(slots.due(registration, timetable, self._since, self._until)):
            if count > self._left:
                return
            yield slot


@dataclass(frozen=True, slots=True)
class _Span:
    """A line, or an open stretch, that is about many slots."""

    first: Slot
    last: Slot | None
    ts: str
    run_id: RunId
    status: Status
    reason: Reason | None


class _Lines:
    """The lines of each script, by the slots that they are about."""

    def __init__(self, lines: Iterable[Entry], chronicle: Chronicle) -> None:
        self._of_slots: dict[tuple[str, Slot], list[_Span]] = {}
        self._spans: dict[str, list[_Span]] = {}
        told: set[RunId] = set()
        for entry in lines:
            slot, last = account.slot_of(entry.slot), account.slot_of(entry.last_slot)
            if slot is None:
                continue
            told.add(entry.run_id)
            line = _Span(slot, last or slot, entry.ts, entry.run_id, entry.status, entry.reason)
            if line.first == line.last:
                self._of_slots.setdefault((entry.script_path, slot), []).append(line)
            else:
                self._spans.setdefault(entry.script_path, []).append(line)
        for each in chronicle.stretches:
            if each.run_id not in told:
                stretch = _Span(each.first, None, from_ms(each.at), each.run_id, each.status, each.reason)
                self._spans.setdefault(each.path, []).append(stretch)

    def of(self, script: str, slot: Slot) -> list[_Span] | None:
        """Return the lines of a slot, oldest first; None when one of them is an `ok`."""
        found = list(self._of_slots.get((script, slot), ()))
        if any(line.status is Status.OK for line in found):
            return None
        found += [
            span
            for span in self._spans.get(script, ())
            if span.first <= slot and (span.last is None or slot <= span.last)
        ]
        return sorted(found, key=lambda line: line.ts)


class _Row:
    """Slots of one script, in a row, that stand by the same lines."""

    def __init__(self, lines: list[_Span]) -> None:
        newest = lines[-1] if lines else None
        self.status = None if newest is None else newest.status
        self.reason = None if newest is None else newest.reason
        self.run_ids = tuple(line.run_id for line in lines)
        self.slots: list[Slot] = []

    def goes_on(self, last: "_Row") -> bool:
        """Whether this is more of the same."""
        return (last.status, last.run_ids) == (self.status, self.run_ids)

    def gap(self, script: str, *, registered: bool) -> Gap:
        """Return what was found."""
        return Gap(
            script=script,
            slots=tuple(self.slots),
            status=self.status,
            reason=self.reason,
            run_ids=self.run_ids,
            registered=registered,
        )


def _wanted(gap: Gap, only: Only) -> bool:
    missed = gap.status is None or gap.reason is Reason.MISSED
    match only:
        case Only.MISSING:
            return missed
        case Only.FAILED:
            return not missed and gap.status in (Status.ERROR, Status.TIMEOUT)
        case Only.ALL:
            return True
