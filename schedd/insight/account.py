"""What is on record about one slot: the line that decided it, later attempts, and what is still in flight."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from schedd.fire import Entry, Fire, Kind, RunId
from schedd.insight.case import Case, Records
from schedd.ledger.annals import Chronicle
from schedd.ledger.facts import Claimed, Held, Stretch
from schedd.timetable.instant import Slot, to_ms

DECIDING = frozenset({Kind.SCHEDULE, Kind.CATCHUP, Kind.STARTUP})
"""The kinds of the one line that each slot gets; retries and replays get lines of their own."""

_NAMED_RUN = re.compile(r"\(run ([0-9a-f-]{36})\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Of one slot; `None` and empty where nothing is on record."""

    decided: Entry | None
    attempts: tuple[Entry, ...]
    """The lines of retries and replays, oldest first."""
    running: Fire | None
    held: Fire | None
    stretch: Stretch | None
    """An open stretch that covers the slot: its line comes when it is closed."""

    manual: Entry | None = None
    """A run that was started by hand and was in flight at the instant that is no slot."""

    @property
    def lines(self) -> tuple[Entry, ...]:
        """All lines of the slot, oldest first."""
        return self.attempts if self.decided is None else (self.decided, *self.attempts)

    @property
    def newest(self) -> Entry | None:
        """The line by which it stands now."""
        return self.lines[-1] if self.lines else None

    @property
    def run_id(self) -> RunId | None:
        """The fire that stands for the slot: the one in flight, else the one whose line is the newest."""
        flying = self.running or self.held
        if flying is not None:
            return flying.run_id
        if self.newest is not None:
            return self.newest.run_id
        return None if self.stretch is None else self.stretch.run_id


def of(records: Records) -> Account:
    """Collect what is on record about the slot of a case; without one, about the last start of the host."""
    case, view = records.case, records.view
    # Another script's run may be among them: the one that had the lock, perhaps for a slot of its own then.
    entries = [entry for entry in records.entries if entry.script_path == case.script]
    mine = [entry for entry in entries if _about(entry, case.slot)]
    mine.sort(key=lambda entry: entry.ts)
    decided = [entry for entry in mine if entry.kind in DECIDING]
    told = {entry.run_id for entry in records.entries}
    past = case.slot is not None and case.slot * 1000 <= case.now_ms
    stretches = [s for s in records.chronicle.stretches if past and s.first <= (case.slot or 0)]
    by_hand = [e for e in entries if case.slot is None and _by_hand(e, case.at_ms)]
    return Account(
        decided=decided[-1] if decided else None,
        attempts=tuple(entry for entry in mine if entry.kind not in DECIDING),
        running=_of_slot(() if view is None else view.running, case),
        held=_of_slot(() if view is None else view.held, case),
        stretch=next((s for s in reversed(stretches) if s.run_id not in told), None),
        manual=by_hand[0] if by_hand else None,
    )


def covers(entry: Entry, slot: Slot) -> bool:
    """Whether a line is about this slot: its own, or one within its span."""
    first = slot_of(entry.slot)
    if first is None:
        return False
    last = slot_of(entry.last_slot)
    return first <= slot <= (first if last is None else last)


def slot_of(text: str | None) -> Slot | None:
    """Read a slot back from a line."""
    return None if text is None else Slot(to_ms(text) // 1000)


def started_ms(entry: Entry) -> int | None:
    """Return when the run of a line started; None if it had none."""
    return None if entry.started_at is None else to_ms(entry.started_at)


def named_run(error: str | None) -> RunId | None:
    """Return the run that the sentence of a line names: the one that was in the way."""
    found = _NAMED_RUN.search(error or "")
    return None if found is None else RunId(found[1])


def without_run(error: str) -> str:
    """Return the sentence of a line without the run that it names."""
    return _NAMED_RUN.sub("", error).rstrip()


def claim_of(chronicle: Chronicle, run_id: RunId) -> Claimed | None:
    """Return the claim of a fire."""
    return next((claim for claim in chronicle.claimed if claim.run_id == run_id), None)


def hold_of(chronicle: Chronicle, run_id: RunId) -> Held | None:
    """Return the fact that a fire had to wait."""
    return next((held for held in chronicle.held if held.run_id == run_id), None)


def _about(entry: Entry, slot: Slot | None) -> bool:
    return entry.kind is Kind.STARTUP if slot is None else covers(entry, slot)


def _by_hand(entry: Entry, at_ms: int) -> bool:
    begun_ms = started_ms(entry)
    return entry.kind is Kind.MANUAL and begun_ms is not None and begun_ms <= at_ms <= to_ms(entry.ts)


def _of_slot(fires: Iterable[Fire], case: Case) -> Fire | None:
    """Return the newest of these fires that is of the slot."""
    mine = [
        fire
        for fire in fires
        if (fire.slot == case.slot and fire.slot is not None)
        or (case.slot is None and fire.kind is Kind.STARTUP)
    ]
    return mine[-1] if mine else None
