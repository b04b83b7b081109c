"""What speaks for an answer: the facts around a slot, each with its instant, in the order of time."""

import shlex
from collections.abc import Iterable, Iterator

from schedd.fire import Entry, Kind, RunId
from schedd.insight.account import Account, claim_of, hold_of, started_ms, without_run
from schedd.insight.case import Case, Records
from schedd.insight.endings import attempt, ended
from schedd.insight.telling import Teller, length
from schedd.insight.verdict import Evidence
from schedd.ledger.annals import Chronicle, Registration
from schedd.timetable.instant import from_ms, to_ms

MAX_EVIDENCE = 50
SPREAD_MS = 3_600_000
"""Reloads and changes of the clock so near to the slot are told."""
LATE_MS = 1_000
"""Less than this is how long a start takes."""
_JOURNAL_MS = 60_000


def of(records: Records, known: Account, others: Iterable[Entry]) -> tuple[Evidence, ...]:
    """Return the evidence; `others` are runs that were in the way, or in flight at the time."""
    case, chronicle, teller = records.case, records.chronicle, records.teller
    told = {
        *_registered(case, chronicle),
        *_lives(case, known, chronicle),
        *_around(case, chronicle),
        *_pauses(case, chronicle),
        *_due(case, teller),
        *_fires(known, records),
        *(_named(fact, entry, case) for entry in others for fact in _run(entry, teller)),
    }
    ordered = sorted(told)
    if len(ordered) > MAX_EVIDENCE:
        ordered = sorted(sorted(ordered, key=lambda e: abs(e.at_ms - case.at_ms))[:MAX_EVIDENCE])
    return tuple(ordered)


def _named(fact: Evidence, entry: Entry, case: Case) -> Evidence:
    """Name the script, if it is another one: its run had the lock."""
    if entry.script_path == case.script:
        return fact
    return Evidence(fact.at_ms, f"{entry.script_path}: {fact.what}")


def journalctl(case: Case, known: Account, run_id: RunId | None, *, alone: bool) -> str:
    """Return the command that shows what the journal has.

    `alone`: what the daemon says of itself matters, not what it says of the script.
    """
    if run_id is not None and not alone:
        return f"journalctl SCHEDD_RUN_ID={run_id}"
    since_ms = case.at_ms - _JOURNAL_MS
    newest = known.newest
    until_ms = max(case.at_ms, to_ms(newest.ts) if newest is not None else case.at_ms) + _JOURNAL_MS
    script = "" if alone else f" {shlex.quote(f'SCHEDD_SCRIPT={case.script}')}"
    return f"journalctl -u schedd{script} --since '{_journal(since_ms)}' --until '{_journal(until_ms)}'"


def _journal(at_ms: int) -> str:
    return f"{from_ms(at_ms)[:19].replace('T', ' ')} UTC"


def _registered(case: Case, chronicle: Chronicle) -> Iterator[Evidence]:
    registration = case.registration
    if registration is None:
        for each in chronicle.of(case.script):
            yield Evidence(each.since_ms, f"registered: {each.expression} in {each.timezone}")
            if each.removed and each.until_ms is not None:
                yield Evidence(each.until_ms, "removed: its file was gone, or refused")
        return
    what = f"registered: {registration.expression} in {registration.timezone}"
    if registration.jitter_s and case.timetable is not None:
        what += f", each slot moved by {length(case.timetable.offset_s * 1000)} (@jitter)"
    if registration.calendar:
        what += f", @calendar {registration.calendar}{_since_then(registration, chronicle)}"
    if registration.since_ms == registration.registered_at_ms:
        if not registration.enabled:
            what += ", with @enabled false"
        yield Evidence(registration.since_ms, what)
        return
    yield Evidence(registration.registered_at_ms, what)
    yield Evidence(
        registration.since_ms, f"@enabled {'true' if registration.enabled else 'false'} from here on"
    )


def _since_then(registration: Registration, chronicle: Chronicle) -> str:
    """Say what became of a calendar: where it is not the one of then, moved slots may be told wrongly."""
    observance = chronicle.observances.get(registration.calendar)
    if observance is None:
        return " (which cannot be read now)"
    return "" if observance.calendar.sha256 == registration.calendar_sha256 else " (which was edited since)"


def _due(case: Case, teller: Teller) -> Iterator[Evidence]:
    if case.slot is not None:
        yield Evidence(case.slot * 1000, "due" if case.slot * 1000 <= case.now_ms else "will be due")
        for slot, closed_by in case.moved:
            yield Evidence(slot * 1000, f"moved to {teller.full(case.slot * 1000)}: {closed_by}")
    if case.change is not None and case.change_at is not None:
        yield Evidence(case.change_at * 1000, case.change)


def _lives(case: Case, known: Account, chronicle: Chronicle) -> Iterator[Evidence]:
    """Yield when the daemon went and came about the time of the question, and when it came last before."""
    newest = known.newest
    until_ms = max(case.at_ms, to_ms(newest.ts) if newest is not None else case.at_ms)
    before: Evidence | None = None
    for life in chronicle.lives:
        if life.up_ms is not None:
            up = Evidence(life.up_ms, "schedd came up")
            if life.up_ms <= case.at_ms:
                before = up
            elif life.up_ms <= until_ms + LATE_MS:
                yield up
        if life.down_ms is None:
            continue
        what = "schedd was last heard of, then it died" if life.crashed else f"schedd stopped ({life.why})"
        if life.down_ms <= case.at_ms:
            before = Evidence(life.down_ms, what)
        elif life.down_ms <= until_ms + LATE_MS:
            yield Evidence(life.down_ms, what)
    if before is not None:
        yield before


def _around(case: Case, chronicle: Chronicle) -> Iterator[Evidence]:
    for step in chronicle.steps:
        if abs(step.at - case.at_ms) <= SPREAD_MS + abs(step.step_ms):
            way = "ahead" if step.step_ms > 0 else "back"
            yield Evidence(step.at, f"the clock was set {way} by {length(abs(step.step_ms))}")
    for suspend in chronicle.suspends:
        if suspend.at - suspend.duration_ms - SPREAD_MS <= case.at_ms <= suspend.at + SPREAD_MS:
            yield Evidence(suspend.at, f"the host woke up, after {length(suspend.duration_ms)}")
    for reload in chronicle.reloads:
        if abs(reload.at - case.at_ms) <= SPREAD_MS:
            yield Evidence(reload.at, "the scripts directory was read again")
    for lost in chronicle.lost:
        if abs(lost.at - case.at_ms) <= SPREAD_MS:
            yield Evidence(
                lost.at, f"{lost.lines} lines of the ledger were lost, the disk could not be written"
            )


def _pauses(case: Case, chronicle: Chronicle) -> Iterator[Evidence]:
    for pause in chronicle.pauses:
        if pause.script not in (None, case.script):
            continue
        until_ms = case.now_ms if pause.until_ms is None else pause.until_ms
        if not pause.since_ms - SPREAD_MS <= case.at_ms <= until_ms + SPREAD_MS:
            continue
        what = "everything" if pause.script is None else "the script"
        note = f": {pause.note}" if pause.note else ""
        yield Evidence(pause.since_ms, f"{what} was paused by {pause.by}{note}")
        if pause.until_ms is not None:
            yield Evidence(pause.until_ms, f"the pause ended (by {pause.ended_by})")


def _fires(known: Account, records: Records) -> Iterator[Evidence]:
    chronicle, teller = records.chronicle, records.teller
    for entry in known.lines:
        yield from _waited(entry.run_id, chronicle, teller)
        yield from _run(entry, teller)
    for fire in filter(None, (known.running, known.held)):
        yield from _waited(fire.run_id, chronicle, teller)
        claim = claim_of(chronicle, fire.run_id)
        if claim is not None:
            yield Evidence(
                claim.at, f"started, attempt {fire.attempt} ({fire.kind.value}, run {fire.run_id})"
            )
    if known.stretch is not None:
        yield Evidence(known.stretch.at, f"from here on each slot ended as {known.stretch.reason.value}")


def _waited(run_id: RunId, chronicle: Chronicle, teller: Teller) -> Iterator[Evidence]:
    held = hold_of(chronicle, run_id)
    if held is not None and held.due is None:
        yield Evidence(held.at, f"held, to wait for its turn ({held.kind.value}, run {run_id})")
    elif held is not None:
        yield Evidence(held.at, f"attempt {held.attempt} set for {teller.near(held.due or 0)} (run {run_id})")


def _run(entry: Entry, teller: Teller) -> Iterator[Evidence]:
    """Yield the start and the end of a run, or the decision that it does not run."""
    begun_ms = started_ms(entry)
    if begun_ms is None:
        reason = "" if entry.reason is None else f"/{entry.reason.value}"
        spans = "" if not entry.count or entry.count == 1 else f", {entry.count} slots"
        error = teller.text(without_run(entry.error or ""))
        what = f"{entry.status.value}{reason}{spans}: {error} (run {entry.run_id})"
        yield Evidence(to_ms(entry.ts), what)
        return
    late_ms = entry.lateness_ms or 0
    on_time = late_ms < LATE_MS or entry.kind is not Kind.SCHEDULE
    late = "" if on_time else f", {length(late_ms)} late"
    yield Evidence(begun_ms, f"started{late} ({entry.kind.value}, run {entry.run_id})")
    told = attempt(entry, teller) if entry.attempt and entry.attempt > 1 else ended(entry, teller)
    yield Evidence(to_ms(entry.ts), f"{told} (run {entry.run_id})")
