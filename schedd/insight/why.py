"""Why did it run, or why not? Joins the timetable, the ledger and the fires log into one verdict. Pure.

The timetable alone is not an answer: it does not know that the daemon was down, that the script was
registered a minute later, or that the run before was still in flight. Nor is the log: it does not know that
nothing was due. So a question goes through both, in the order in which things can go wrong: was it there,
was it due, was somebody there, was it let in, did it run, how did it end, was it tried again.
"""

from dataclasses import dataclass

from schedd.fire import Entry
from schedd.insight import account, endings, evidence, outcome
from schedd.insight.account import Account
from schedd.insight.case import Case, Records
from schedd.insight.reasons import Reasons
from schedd.insight.telling import Teller, length, wall
from schedd.insight.verdict import Verdict, Word
from schedd.ledger.annals import Registration
from schedd.planner.view import ScheduleView
from schedd.timetable.instant import Slot, to_ms

SETTLE_MS = 2_000
"""So long a slot may take to be decided when all is well."""

Told = tuple[Word, str]

_OF_THE_DAEMON = frozenset({Word.MISSED, Word.INTERRUPTED, Word.DRAINING, Word.PAUSED, Word.UNKNOWN})
"""What the journal knows of these is what the daemon says of itself."""


def explain(records: Records, *, problem: str | None = None, complete: bool = True) -> Verdict:
    """Answer a question.

    Args:
        records: the question, as `case.locate` made it precise, and what is on record about it.
        problem: why the script was not registered when the directory was last read.
        complete: whether all lines were read that may matter.
    """
    case, view = records.case, records.view
    known, reasons = account.of(records), Reasons(records)
    asking = _Asking(records, problem, known, reasons)
    word, sentence = asking.told()
    run_id = None if word in {Word.NOT_DUE, Word.NOT_REGISTERED} else known.run_id
    return Verdict(
        script=case.script,
        word=word,
        sentence=sentence,
        zone=case.zone,
        evidence=evidence.of(records, known, asking.others()),
        journalctl=evidence.journalctl(case, known, run_id, alone=word in _OF_THE_DAEMON),
        asked_ms=case.asked_ms,
        slot=case.slot,
        before=case.before,
        after=case.after,
        run_id=run_id,
        next=_next(view),
        complete=complete and records.chronicle.complete,
    )


def _next(view: ScheduleView | None) -> Slot | None:
    """Return the next slot that will run, as far as is known: not one within a pause."""
    if view is None:
        return None
    pause = view.pause
    if pause is None:
        return view.next_slots[0] if view.next_slots else None
    if pause.until_ms is None:
        return None
    return next((slot for slot in view.next_slots if slot * 1000 >= pause.until_ms), None)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question on its way to its sentence."""

    records: Records
    problem: str | None
    known: Account
    reasons: Reasons

    @property
    def case(self) -> Case:
        """The question."""
        return self.records.case

    @property
    def teller(self) -> Teller:
        """Writes its instants."""
        return self.records.teller

    def told(self) -> Told:
        """Return the word and the sentence; behind it, what a change of the clock did that night."""
        word, sentence = self._told()
        if self.case.lost_wall_s is not None:
            lost = f"{wall(self.case.lost_wall_s)} never stood on the clocks of {self.case.zone}"
            sentence = f"{lost}; {sentence}"
        sentence = sentence.rstrip(".") + "."
        if self.case.moved:
            sentence += f" {self._moved()}."
        return word, sentence if self.case.change is None else f"{sentence} {self.case.change}"

    def others(self) -> list[Entry]:
        """Return the runs of other slots that have to do with this one: in its way, or in flight then."""
        at_ms, mine = self.case.at_ms, {entry.run_id for entry in self.known.lines}
        found = []
        for entry in self.records.entries:
            begun_ms = account.started_ms(entry)
            if entry.run_id in mine or begun_ms is None:
                continue
            if begun_ms <= at_ms <= to_ms(entry.ts) or entry is self.reasons.in_the_way(self._error()):
                found.append(entry)
        return found

    def _moved(self) -> str:
        """Tell which slots the calendar moved here; the newest, if there are many."""
        slot, why = self.case.moved[-1]
        others = len(self.case.moved) - 1
        count = "" if others == 0 else f", and {others} before it," if others > 1 else ", and one before it,"
        verb = "was" if not others else "were"
        return f"The slot of {self.teller.full(slot * 1000)}{count} {verb} moved there: {why}"

    def _error(self) -> str | None:
        return None if self.known.decided is None else self.known.decided.error

    # In the order in which things can go wrong.

    def _told(self) -> Told:
        case = self.case
        if case.registration is None:
            return Word.NOT_REGISTERED, self._not_registered()
        if case.timetable is None:
            expression = f"{case.registration.expression} in {case.registration.timezone}"
            return (
                Word.UNKNOWN,
                f"{case.script} was registered as {expression}, which cannot be read any more",
            )
        if case.slot is None:
            return self._without_slot(case.registration)
        told = outcome.told(self.records, self.known, self.reasons)
        if told is not None:
            return told
        if case.slot * 1000 > case.now_ms:
            return Word.NOT_YET, self._not_yet()
        return self._nothing_on_record(case.slot)

    def _not_registered(self) -> str:
        case, teller = self.case, self.teller
        told = self.records.chronicle.of(case.script)
        before = [each for each in told if each.since_ms <= case.at_ms]
        after = [each for each in told if each.since_ms > case.at_ms]
        when = "" if case.asked_ms is None else f" at {teller.full(case.at_ms)}"
        verb = "is" if case.asked_ms is None or case.asked_ms >= case.now_ms else "was"
        sentence = f"{case.script} {verb} not registered{when}"
        if before and before[-1].until_ms is not None:
            sentence += f": {self._removed(before[-1].until_ms, full=case.asked_ms is None)}"
        if after:
            joint = ", and came back" if before else ": it was registered"
            sentence += f"{joint} at {teller.near(after[0].since_ms)}"
        if not told and self.problem is None:
            since = teller.full(self.records.chronicle.since_ms)
            sentence += f", nor at any time since {since}, as far back as the ledger was read"
        if self.problem is not None and not after:
            sentence += f"{'; now' if told else ':'} {self.problem}"
        return sentence

    def _removed(self, at_ms: int, *, full: bool) -> str:
        when = self.teller.full(at_ms) if full else self.teller.near(at_ms)
        for life in self.records.chronicle.lives:
            if life.up_ms is not None and abs(life.up_ms - at_ms) <= 1:
                return f"it was gone when schedd came up at {when}"
        return f"it was gone when the scripts directory was read at {when}"

    def _without_slot(self, registration: Registration) -> Told:
        case, timetable = self.case, self.case.timetable
        assert timetable is not None
        if timetable.reboot and (case.asked_ms is None or case.after is None):
            return self._startup()
        if case.asked_ms is None:
            sentence = f"{case.script} was registered at {self.teller.full(registration.since_ms)}"
            if case.after is None:
                return Word.NOT_DUE, f"{sentence} and is never due: {registration.expression} is past"
            first = self.teller.near(case.after * 1000)
            return Word.NOT_YET, f"{sentence} and was not due since; its first slot is {first}"
        return Word.NOT_DUE, self._not_due()

    def _startup(self) -> Told:
        told = outcome.told(self.records, self.known, self.reasons)
        if told is not None:
            return told
        sentence = f"{self.case.script} runs once for each boot of the host, and nothing is on record of one"
        return Word.NOT_DUE, f"{sentence} since it was registered"

    def _not_due(self) -> str:
        case, teller = self.case, self.teller
        assert case.timetable is not None
        words = case.timetable.words()
        future = case.at_ms > case.now_ms
        sentence = f"{case.script} {'will not be' if future else 'was not'} due at {teller.full(case.at_ms)}"
        sentence += f": it is due {words[0].lower()}{words[1:]} ({case.zone})"
        near = [self._neighbour(slot) for slot in (case.before, case.after) if slot is not None]
        if near:
            sentence += f", next to that at {' and '.join(near)}"
        if self.known.manual is not None:
            run = endings.ended(self.known.manual, teller)
            sentence += f"; a run that was started by hand was in flight then and {run}"
        return sentence

    def _neighbour(self, slot: Slot) -> str:
        told = self.teller.near(slot * 1000)
        mine = [entry for entry in self.records.entries if entry.script_path == self.case.script]
        lines = [entry for entry in mine if account.covers(entry, slot)]
        if not lines:
            return told
        newest = max(lines, key=lambda entry: entry.ts)
        return f"{told} (which {endings.briefly(newest)})"

    def _not_yet(self) -> str:
        case, teller = self.case, self.teller
        slot_ms = case.at_ms
        sentence = f"{case.script} is due at {teller.full(slot_ms)}, in {length(slot_ms - case.now_ms)}"
        if self.records.view is None:
            return sentence
        if not self.records.view.schedule.enabled:
            return f"{sentence}, and will not run then: its header says @enabled false"
        closed_by = None if case.timetable is None else case.timetable.closed_by(Slot(slot_ms // 1000))
        if closed_by is not None:
            return f"{sentence}, and will not run then: its calendar is closed, by {closed_by}"
        pause = self.records.view.pause
        if pause is None or (pause.until_ms is not None and pause.until_ms <= slot_ms):
            return sentence
        what = "everything" if pause.script is None else "it"
        until = "" if pause.until_ms is None else f" until {teller.near(pause.until_ms)}"
        since = teller.near(pause.since_ms)
        return f"{sentence}, and will not run then: {what} is paused by {pause.by} since {since}{until}"

    def _nothing_on_record(self, slot: Slot) -> Told:
        """Tell of a slot that was due and has no line: it is being decided, or something is wrong."""
        case, teller = self.case, self.teller
        due = f"{case.script} was due at {teller.full(slot * 1000)}"
        if case.now_ms - slot * 1000 <= SETTLE_MS:
            return Word.NOT_YET, f"{case.script} is due at {teller.full(slot * 1000)}, just now"
        for lost in self.records.chronicle.lost:
            if lost.at >= slot * 1000:
                given_up = f"{lost.lines} that were given up at {teller.near(lost.at)}"
                return Word.UNKNOWN, f"{due}; its line is among the {given_up}, the disk could not be written"
        if slot * 1000 < self.records.chronicle.since_ms:
            return (
                Word.UNKNOWN,
                f"{due}; the ledger tells only what was after {teller.full(self.records.chronicle.since_ms)}",
            )
        away = self.reasons.away()
        if away is not None:
            return Word.MISSED, f"{due} and did not run: {away}"
        return Word.UNKNOWN, f"{due}, and no line that could be read tells what became of it"
