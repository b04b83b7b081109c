"""What speaks for an answer: facts in the order of time, the command for the journal, and what comes next."""

from dataclasses import replace

from schedd.fire import Reason, Status
from schedd.ledger import facts
from schedd.planner.view import Pause
from schedd.timetable.instant import from_ms, from_slot
from tests.pure.telling_why import SCRIPT, Past, claimed, down, fire, held, line, ms, run, up

TUE = "2026-11-24T02:30"


def told(past: Past, at: str | None = None) -> list[tuple[str, str]]:
    return [(from_ms(fact.at_ms)[11:19], fact.what) for fact in past.why(at).evidence]


def test_the_evidence_is_what_happened_in_the_order_of_time() -> None:
    past = Past(
        told=[held(fire(TUE), TUE), claimed(fire(TUE), f"{TUE}:14")],
        lines=[line(Status.OK, at=TUE, started=f"{TUE}:14", ended=f"{TUE}:15")],
    )
    assert told(past) == [
        ("23:00:00", "registered: 30 2 * * * in Europe/Berlin"),
        ("23:00:00", "schedd came up"),
        ("01:30:00", "due"),
        ("01:30:00", f"held, to wait for its turn (schedule, run {run(1)})"),
        ("01:30:14", f"started, 14 s late (schedule, run {run(1)})"),
        ("01:30:15", f"ended ok after 1 s (run {run(1)})"),
    ]


def test_the_run_that_was_in_the_way_is_part_of_it() -> None:
    error = f"the slot of 2026-11-24T01:20:00.000Z was still running (run {run(7)})"
    skipped = line(Status.SKIPPED_OVERLOAD, Reason.OVERLAP, at=TUE, ended=TUE, error=error)
    before = line(
        Status.OK, at="2026-11-24T02:20", started="2026-11-24T02:20", ended="2026-11-24T02:41", number=7
    )
    assert told(Past(lines=[skipped, before]))[2:] == [
        ("01:20:00", f"started (schedule, run {run(7)})"),
        ("01:30:00", "due"),
        ("01:30:00", f"skipped_overload/overlap: the slot of 02:20 was still running (run {run(1)})"),
        ("01:41:00", f"ended ok after 21 min (run {run(7)})"),
    ]


def test_an_absence_is_told_with_both_its_ends() -> None:
    missed = line(Status.ERROR, Reason.MISSED, at=TUE, ended="2026-11-24T08:00", error="not there")
    past = Past(told=[down("2026-11-24T01:00"), up("2026-11-24T08:00")], lines=[missed])
    assert ("00:00:00", "schedd stopped (drained)") in told(past)
    assert ("07:00:00", "schedd came up") in told(past)


def test_a_change_of_the_header_is_told_when_it_came_into_force() -> None:
    past = Past(enabled=False)
    enabled = facts.Registered(
        at=ms(past.registered),
        path=SCRIPT,
        expression="30 2 * * *",
        timezone="Europe/Berlin",
        enabled=True,
        sha256="1",
    )
    reloaded = facts.Reloaded(at=ms("2026-11-23T12:00"), added=0, kept=1, removed=0, failed=0)
    past.told = [enabled, reloaded]
    assert ("11:00:00", "@enabled true from here on") in told(past)


def test_a_run_is_found_in_the_journal_by_its_id() -> None:
    past = Past(lines=[line(Status.OK, at=TUE, started=TUE, ended=f"{TUE}:01")])
    assert past.why().journalctl == f"journalctl SCHEDD_RUN_ID={run(1)}"


def test_what_the_daemon_did_is_found_by_time() -> None:
    missed = line(Status.ERROR, Reason.MISSED, at=TUE, ended="2026-11-24T08:00", error="not there")
    past = Past(told=[down("2026-11-24T01:00"), up("2026-11-24T08:00")], lines=[missed])
    assert past.why().journalctl == (
        "journalctl -u schedd --since '2026-11-24 01:29:00 UTC' --until '2026-11-24 07:01:00 UTC'"
    )


def test_a_script_that_was_not_due_is_found_by_its_name() -> None:
    assert Past().why("2026-11-24T10:07").journalctl == (
        "journalctl -u schedd SCHEDD_SCRIPT=shop/export.sh --since '2026-11-24 09:06:00 UTC' "
        "--until '2026-11-24 09:08:00 UTC'"
    )


def test_the_slots_around_and_the_next_one_are_named() -> None:
    verdict = Past(now="2026-11-26T12:00").why("2026-11-25T02:30")
    named = (verdict.before, verdict.slot, verdict.after, verdict.next)
    assert [from_slot(slot or 0)[:10] for slot in named] == [
        "2026-11-24",
        "2026-11-25",
        "2026-11-26",
        "2026-11-27",
    ]


def test_a_slot_within_a_pause_is_not_the_next_one() -> None:
    pause = Pause(script=SCRIPT, since_ms=ms(TUE), by="x", until_ms=ms("2026-11-25T06:00"))
    assert from_slot(Past(pause=pause).why().next or 0) == "2026-11-26T01:30:00.000Z"
    assert Past(pause=replace(pause, until_ms=None)).why().next is None


def test_a_flood_of_facts_is_cut_to_those_next_to_the_slot() -> None:
    reloads = [
        facts.Reloaded(at=ms(TUE) - 1800_000 + n * 1000, added=0, kept=1, removed=0, failed=0)
        for n in range(3600)
    ]
    evidence = Past(told=list(reloads)).why().evidence
    assert len(evidence) == 50
    assert all(abs(fact.at_ms - ms(TUE)) <= 30_000 for fact in evidence)
