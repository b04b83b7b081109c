"""Why a slot did not run: a clause for each reason, with who, since when and how long.

The line in the fires log has a sentence of its own, written when nobody knew yet how the story would end.
Here it is told from the end: the run that was in the way has ended, the daemon is back, the pause is over.
"""

from schedd.fire import Entry, Fire, Reason
from schedd.insight import absence
from schedd.insight.account import claim_of, named_run, slot_of, started_ms
from schedd.insight.case import Records
from schedd.insight.telling import length
from schedd.ledger.annals import Pausing
from schedd.schedule import Catchup
from schedd.timetable.instant import Slot, to_ms


class Reasons:
    """Finds the clauses for one case."""

    def __init__(self, records: Records) -> None:
        self._case = records.case
        self._chronicle = records.chronicle
        self._view = records.view
        self._entries = records.entries
        self._teller = records.teller

    def clause(self, reason: Reason | None, error: str) -> str:
        """Return why the slot did not run, as a clause that may follow a colon."""
        match reason:
            case Reason.MISSED:
                return self._missed(error)
            case Reason.OVERLAP:
                return self._overlap(error)
            case Reason.LOCK:
                return self._lock(error)
            case Reason.SUPERSEDED:
                return f"it was waiting for its turn when {self._teller.text(error)}"
            case Reason.DRAINING:
                return self._draining()
            case Reason.DISABLED:
                return self._disabled()
            case Reason.PAUSED | Reason.MAINTENANCE:
                return self._paused(reason, error)
            case Reason.BLACKOUT:
                return f"its calendar was closed then, by {error}"
            case _:
                return self._teller.text(error)

    def away(self) -> str | None:
        """Return why nobody was there at the slot, as a clause that may follow `since`."""
        found = absence.find(self._chronicle, self._case.at_ms, self._teller)
        return None if found is None else found.words

    def in_the_way(self, error: str | None) -> Entry | None:
        """Return the line of the run that a sentence names."""
        run_id = named_run(error)
        return next((entry for entry in self._entries if entry.run_id == run_id), None)

    def fire(self, fire: Fire) -> str:
        """Name a run in flight, and say since when it is."""
        claim = claim_of(self._chronicle, fire.run_id)
        since = "" if claim is None else f" at {self._teller.near(claim.at)}"
        return f"{self._run_of(fire.slot, fire.kind.value)}, started{since} (run {fire.run_id})"

    def _missed(self, error: str) -> str:
        clause = self.away()
        if clause is None:
            # The planner knows more than was found: a fire that was held when the daemon stopped, for one.
            clause = self._teller.text(error)
        policy = Catchup.NONE if self._view is None else self._view.schedule.catchup
        if self._view is not None and policy is Catchup.NONE:
            clause += ", and without @catchup it was not made up for"
        elif "caught up" in error:
            clause += f", and of what was missed only newer slots are made up for (@catchup {policy.value})"
        return clause

    def _overlap(self, error: str) -> str:
        entry = self.in_the_way(error)
        if entry is not None:
            begun_ms, ended_ms = started_ms(entry), to_ms(entry.ts)
            run = self._run_of(slot_of(entry.slot), entry.kind.value)
            since = "" if begun_ms is None else f", started at {self._teller.near(begun_ms)}"
            until = f"ended only at {self._teller.near(ended_ms)}, after {length(entry.duration_ms)}"
            return f"{run}{since}, {until} (run {entry.run_id})"
        run_id = named_run(error)
        for fire in () if self._view is None else self._view.running:
            if fire.run_id == run_id:
                return f"{self.fire(fire)}, is still in flight"
        return self._teller.text(error)

    def _lock(self, error: str) -> str:
        """Tell whose run had the lock, and until when."""
        clause = self._teller.text(error)
        entry = self.in_the_way(error)
        if entry is not None:
            until = self._teller.near(to_ms(entry.ts))
            return f"{clause}; it had it until {until}, for {length(entry.duration_ms)}"
        run_id = named_run(error)
        lock = None if self._view is None else self._view.lock
        if lock is not None and any(holder.fire.run_id == run_id for holder in lock.holders):
            return f"{clause}, which is still in flight"
        return clause

    def waits(self, fire: Fire) -> str | None:
        """Return whose run has the lock that a fire waits for, as a clause; None if it waits for none."""
        lock = None if self._view is None else self._view.lock
        if lock is None or self._view is None or fire.run_id not in self._view.in_line:
            return None
        clause = f"the lock {lock.name} is taken"
        if lock.holders:
            first = lock.holders[0]
            since = "" if first.since_ms is None else f", since {self._teller.near(first.since_ms)}"
            clause += f" by {first.fire.script}{since} (run {first.fire.run_id})"
        return clause

    def _draining(self) -> str:
        at_ms = self._case.at_ms
        for life in self._chronicle.lives:
            if life.down_ms is not None and not life.crashed and life.down_ms >= at_ms:
                return f"schedd was shutting down (it stopped at {self._teller.near(life.down_ms)})"
        return "schedd was shutting down"

    def _disabled(self) -> str:
        clause = "its header says @enabled false"
        registration = self._case.registration
        if registration is None or registration.enabled:
            return clause
        since = self._teller.near(registration.since_ms)
        if registration.since_ms == registration.registered_at_ms:
            since = f"it was registered at {since}"
        if registration.until_ms is None:
            return f"{clause}, since {since}"
        return f"{clause}, since {since} and until {self._teller.near(registration.until_ms)}"

    def _paused(self, reason: Reason, error: str) -> str:
        pause = self._pause(None if reason is Reason.MAINTENANCE else self._case.script)
        if pause is None:
            return self._teller.text(error)
        what = "everything" if pause.script is None else "it"
        clause = f"{what} was paused by {pause.by} at {self._teller.near(pause.since_ms)}"
        if pause.note:
            clause += f" ({pause.note})"
        if pause.until_ms is not None:
            return f"{clause}, until {self._teller.near(pause.until_ms)}"
        if pause.planned_end_ms is not None:
            return f"{clause}, and is until {self._teller.near(pause.planned_end_ms)}"
        return f"{clause}, and is still"

    def _pause(self, script: str | None) -> Pausing | None:
        at_ms = self._case.at_ms
        for pause in reversed(self._chronicle.pauses):
            begun = pause.since_ms // 1000 * 1000 <= at_ms
            over = pause.until_ms is not None and pause.until_ms < at_ms
            if pause.script == script and begun and not over:
                return pause
        return None

    def _run_of(self, slot: Slot | None, kind: str) -> str:
        if slot is None:
            return f"its {kind} run"
        return f"its run for the slot of {self._teller.near(slot * 1000)}"
