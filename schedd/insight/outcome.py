"""What became of a slot that is on record: the word and the sentence."""

from schedd.fire import Entry, Fire, Kind, Status
from schedd.insight import absence, endings
from schedd.insight.account import Account, claim_of, hold_of, started_ms
from schedd.insight.case import Records
from schedd.insight.endings import word_of
from schedd.insight.evidence import LATE_MS
from schedd.insight.reasons import Reasons
from schedd.insight.telling import length
from schedd.insight.verdict import Word

_NAMED_ATTEMPTS = 2
"""More attempts than these are counted, and the last one is told."""


def told(records: Records, known: Account, reasons: Reasons) -> tuple[Word, str] | None:
    """Return what became of the slot; None if nothing is on record."""
    telling = _Telling(records, known, reasons)
    if known.decided is not None or known.attempts:
        return telling.over()
    if known.running is not None:
        return Word.RUNNING, telling.running(known.running)
    if known.held is not None:
        return Word.HELD, telling.held(known.held)
    if known.stretch is not None:
        word = word_of(known.stretch.status, known.stretch.reason)
        clause = reasons.clause(known.stretch.reason, known.stretch.error)
        return word, f"{records.case.script} did not run for {telling.slot()}: {clause}"
    return None


class _Telling:
    """Puts one sentence together."""

    def __init__(self, records: Records, known: Account, reasons: Reasons) -> None:
        self._case = records.case
        self._chronicle = records.chronicle
        self._view = records.view
        self._teller = records.teller
        self._known = known
        self._reasons = reasons

    def slot(self) -> str:
        """Name the slot."""
        if self._case.slot is None:
            return "the start of the host"
        return f"its slot of {self._teller.full(self._case.slot * 1000)}"

    def over(self) -> tuple[Word, str]:
        """Tell a slot that has a line, and what came after it."""
        known = self._known
        first = known.decided or known.attempts[0]
        word, sentence = word_of(first.status, first.reason), self._first(first)
        later = known.attempts if known.decided is not None else known.attempts[1:]
        if later:
            sentence += f"; {self._later(later)}"
            word = word_of(later[-1].status, later[-1].reason)
            if any(entry.status is Status.OK for entry in (first, *later)):
                word = Word.RAN_OK
        if known.running is not None:
            attempt = self._attempt(known.running)
            return Word.RUNNING, f"{sentence}; {attempt} is running{self._since(known.running)}"
        if known.held is not None:
            return Word.RETRYING, f"{sentence}; {self._coming(known.held)}"
        return word, sentence

    def running(self, fire: Fire) -> str:
        """Tell a slot that is in flight."""
        if fire.kind is Kind.CATCHUP:
            away = self._reasons.away()
            since = "" if away is None else f", since {away}"
            return (
                f"{self._case.script} could not run for {self.slot()}{since}; it runs now{self._since(fire)}"
            )
        return f"{self._case.script} is running for {self.slot()}{self._since(fire)}"

    def held(self, fire: Fire) -> str:
        """Tell a slot that waits."""
        ahead = [] if self._view is None else [f for f in self._view.running if f.run_id != fire.run_id]
        waits = f"{self._case.script} waits to run for {self.slot()}"
        for_lock = self._reasons.waits(fire)
        if for_lock is not None:
            return f"{waits}: {for_lock}"
        if ahead:
            return f"{waits}: {self._reasons.fire(ahead[0])}, is still in flight"
        if fire.kind is Kind.CATCHUP:
            return f"{waits}: it is made up for, and such fires are started a few at a time"
        return f"{waits}: as many runs are in flight as may be (max_running)"

    def _first(self, entry: Entry) -> str:
        script = self._case.script
        word = word_of(entry.status, entry.reason)
        if word is Word.INTERRUPTED:
            return self._interrupted(entry)
        if entry.started_at is None:
            verb = "could not be started" if word is Word.NOT_STARTED else "did not run"
            verb = "was skipped" if entry.status is Status.SKIPPED_OVERLOAD else verb
            clause = self._reasons.clause(entry.reason, entry.error or entry.status.value)
            return f"{script} {verb} for {self.slot()}: {clause}{self._span(entry)}"
        end = endings.ended(entry, self._teller)
        if entry.kind is Kind.CATCHUP:
            away = self._reasons.away()
            since = "" if away is None else f", since {away}"
            at = self._teller.text(entry.started_at)
            return f"{script} could not run for {self.slot()}{since}; it was made up for at {at} and {end}"
        if entry.kind in (Kind.RETRY, Kind.REPLAY):
            return f"{script} was run again for {self.slot()}: {endings.attempt(entry, self._teller)}"
        return f"{script} ran for {self.slot()}{self._late(entry)} and {end}"

    def _late(self, entry: Entry) -> str:
        late_ms = entry.lateness_ms or 0
        if late_ms < LATE_MS:
            return ""
        late = f", {length(late_ms)} late"
        if hold_of(self._chronicle, entry.run_id) is not None:
            return f"{late} because it had to wait for its turn,"
        away = self._reasons.away()
        return f"{late}," if away is None else f"{late} since {away},"

    def _interrupted(self, entry: Entry) -> str:
        begun_ms = started_ms(entry) or self._case.at_ms
        sentence = f"{self._case.script} was running for {self.slot()}"
        crash = absence.crash_after(self._chronicle, begun_ms)
        error = entry.error or ""
        outlived = "; its process had outlived schedd and was stopped" if "outlived" in error else ""
        if crash is None:
            return f"{sentence} when it was cut off: {self._teller.text(error)}"
        life, following = crash
        who = "the host went down" if error.startswith("the host") else "schedd died"
        seen_ms = life.down_ms
        heard = "" if seen_ms is None else f" (last heard of at {self._teller.near(seen_ms)})"
        assert following.up_ms is not None
        back = self._teller.near(following.up_ms)
        return f"{sentence} when {who}{heard}, and was cut off; schedd came back at {back}{outlived}"

    def _span(self, entry: Entry) -> str:
        if not entry.count or entry.count == 1 or entry.slot is None or entry.last_slot is None:
            return ""
        first, last = self._teller.text(entry.slot), self._teller.text(entry.last_slot)
        return f"; it is one of {entry.count} such slots, from {first} to {last}"

    def _later(self, entries: tuple[Entry, ...]) -> str:
        if len(entries) <= _NAMED_ATTEMPTS:
            return "; ".join(endings.attempt(entry, self._teller) for entry in entries)
        last = endings.attempt(entries[-1], self._teller)
        return f"{len(entries) - 1} more attempts did not end ok either; {last}"

    def _attempt(self, fire: Fire) -> str:
        return f"attempt {fire.attempt}" if fire.kind is Kind.RETRY else f"a {fire.kind.value}"

    def _coming(self, fire: Fire) -> str:
        held = hold_of(self._chronicle, fire.run_id)
        if held is None or held.due is None or held.due <= self._case.now_ms:
            return f"{self._attempt(fire)} waits for its turn"
        return f"{self._attempt(fire)} is due at {self._teller.near(held.due)}"

    def _since(self, fire: Fire) -> str:
        claim = claim_of(self._chronicle, fire.run_id)
        if claim is None:
            return ""
        taken = length(max(0, self._case.now_ms - claim.at))
        return f", since {self._teller.near(claim.at)} ({taken})"
