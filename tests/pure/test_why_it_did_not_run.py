"""A slot that did not run gets the sentence that a person would want to read, whole."""

import msgspec
import pytest

from schedd.fire import Entry, Fire, Kind, Reason, Status
from schedd.insight.verdict import Word
from schedd.ledger import facts
from schedd.planner.locks import Holder
from schedd.planner.view import LockView
from schedd.schedule import Catchup
from tests.pure.telling_why import SCRIPT, Past, claimed, down, fire, line, ms, run, slot, up

TUE = "2026-11-24T02:30"
MON = "2026-11-23T02:30"
OVERLAP = f"the slot of 2026-11-24T01:20:00.000Z was still running (run {run(7)})"


def test_a_slot_that_was_missed_while_the_daemon_was_stopped() -> None:
    missed = line(Status.ERROR, Reason.MISSED, at=TUE, ended="2026-11-24T08:00", error="schedd was not there")
    past = Past(told=[down("2026-11-23T22:10"), up("2026-11-24T08:00")], lines=[missed])
    assert past.why().word is Word.MISSED
    assert past.why().sentence == (
        "shop/export.sh did not run for its slot of Tue 2026-11-24 02:30 CET: schedd was down from Mon "
        "2026-11-23 22:10 CET to 08:00, and without @catchup it was not made up for."
    )


def test_slots_that_were_missed_after_a_crash_of_the_host() -> None:
    missed = line(
        Status.ERROR,
        Reason.MISSED,
        at=MON,
        to=TUE,
        count=2,
        ended="2026-11-24T08:00",
        error="schedd was not there; the newest slot is caught up",
    )
    came_back = (up("2026-11-24T08:00", boot="b"), ms("2026-11-23T01:00"))
    past = Past(
        registered="2026-11-22T00:00",
        catchup=Catchup.LAST,
        told=[up("2026-11-22T01:00"), came_back],
        lines=[missed],
    )
    assert past.why(MON).sentence == (
        "shop/export.sh did not run for its slot of Mon 2026-11-23 02:30 CET: the host had gone down with "
        "schedd (last heard of at 01:00) and came back at Tue 2026-11-24 08:00 CET, and of what was missed "
        "only newer slots are made up for (@catchup last); it is one of 2 such slots, from 02:30 to Tue "
        "2026-11-24 02:30 CET."
    )


def test_a_slot_that_was_missed_while_the_host_slept() -> None:
    missed = line(Status.ERROR, Reason.MISSED, at=TUE, ended="2026-11-24T07:00", error="schedd was not there")
    slept = facts.Suspended(at=ms("2026-11-24T07:00"), duration_ms=8 * 3_600_000)
    assert Past(told=[slept], lines=[missed]).why().sentence == (
        "shop/export.sh did not run for its slot of Tue 2026-11-24 02:30 CET: the host was suspended from "
        "Mon 2026-11-23 23:00 CET to 07:00, and without @catchup it was not made up for."
    )


def test_a_slot_that_the_clock_was_set_past() -> None:
    missed = line(Status.ERROR, Reason.MISSED, at=TUE, ended="2026-11-24T04:00", error="schedd was not there")
    step = facts.ClockStep(at=ms("2026-11-24T04:00"), step_ms=2 * 3_600_000)
    assert Past(told=[step], lines=[missed]).why().sentence == (
        "shop/export.sh did not run for its slot of Tue 2026-11-24 02:30 CET: the clock was set ahead by 2 "
        "h, from 02:00 to 04:00, and without @catchup it was not made up for."
    )


def test_a_slot_that_was_made_up_for() -> None:
    caught_up = line(
        Status.OK, at=TUE, kind=Kind.CATCHUP, started="2026-11-24T08:00:01", ended="2026-11-24T08:00:02"
    )
    past = Past(
        catchup=Catchup.LAST, told=[down("2026-11-24T01:00"), up("2026-11-24T08:00")], lines=[caught_up]
    )
    assert past.why().word is Word.RAN_OK
    assert past.why().sentence == (
        "shop/export.sh could not run for its slot of Tue 2026-11-24 02:30 CET, since schedd was down from "
        "01:00 to 08:00; it was made up for at 08:00:01 and ended ok after 1 s."
    )


def test_a_slot_that_was_skipped_since_the_run_before_was_in_flight() -> None:
    skipped = line(Status.SKIPPED_OVERLOAD, Reason.OVERLAP, at=TUE, ended=TUE, error=OVERLAP)
    before = line(
        Status.OK, at="2026-11-24T02:20", started="2026-11-24T02:20", ended="2026-11-24T02:41:10", number=7
    )
    verdict = Past(lines=[skipped, before]).why()
    assert verdict.word is Word.SKIPPED_OVERLAP
    assert verdict.sentence == (
        "shop/export.sh was skipped for its slot of Tue 2026-11-24 02:30 CET: its run for the slot of 02:20, "
        f"started at 02:20, ended only at 02:41:10, after 21 min 10 s (run {run(7)})."
    )


def test_a_slot_that_was_skipped_since_a_run_is_in_flight_to_this_moment() -> None:
    skipped = line(Status.SKIPPED_OVERLOAD, Reason.OVERLAP, at=TUE, ended=TUE, error=OVERLAP)
    before = fire("2026-11-24T02:20", number=7)
    past = Past(told=[claimed(before, "2026-11-24T02:20")], lines=[skipped], running=(before,))
    assert past.why().sentence == (
        "shop/export.sh was skipped for its slot of Tue 2026-11-24 02:30 CET: its run for the slot of 02:20, "
        f"started at 02:20 (run {run(7)}), is still in flight."
    )


def test_a_slot_whose_place_in_the_queue_was_taken() -> None:
    error = "the slot of 2026-11-24T01:40:00.000Z took its place in the queue"
    superseded = line(
        Status.SKIPPED_OVERLOAD, Reason.SUPERSEDED, at=TUE, ended="2026-11-24T02:40", error=error
    )
    assert Past(lines=[superseded]).why().word is Word.SUPERSEDED
    assert Past(lines=[superseded]).why().sentence == (
        "shop/export.sh was skipped for its slot of Tue 2026-11-24 02:30 CET: it was waiting for its turn "
        "when the slot of 02:40 took its place in the queue."
    )


@pytest.mark.parametrize(
    ("reason", "error", "word"),
    [
        (Reason.TOO_LATE, "it could not start within its @deadline of 300 s", Word.TOO_LATE),
        (
            Reason.OVERLOAD,
            "10000 fires are waiting already, as many as may wait at once (max_held)",
            Word.OVERLOAD,
        ),
        (Reason.HOLD_FULL, "100 slots of this script are held already (@overlap queue-all)", Word.OVERLOAD),
        (Reason.LOCK, "the lock db was taken by shop/import.sh", Word.LOCKED),
    ],
)
def test_a_slot_that_was_not_let_in(reason: Reason, error: str, word: Word) -> None:
    verdict = Past(lines=[line(Status.SKIPPED_OVERLOAD, reason, at=TUE, ended=TUE, error=error)]).why()
    assert verdict.word is word
    assert verdict.sentence == (
        f"shop/export.sh was skipped for its slot of Tue 2026-11-24 02:30 CET: {error}."
    )


def test_a_slot_in_a_shutdown() -> None:
    skipped = line(
        Status.SKIPPED_OVERLOAD, Reason.DRAINING, at=TUE, ended=TUE, error="schedd was shutting down"
    )
    past = Past(told=[down(f"{TUE}:20"), up("2026-11-24T03:00")], lines=[skipped])
    assert past.why().word is Word.DRAINING
    assert past.why().sentence == (
        "shop/export.sh was skipped for its slot of Tue 2026-11-24 02:30 CET: schedd was shutting down (it "
        "stopped at 02:30:20)."
    )


def test_a_slot_of_a_disabled_script() -> None:
    disabled = line(
        Status.DISABLED, Reason.DISABLED, at=MON, to=TUE, count=2, ended="2026-11-24T03:00", error="disabled"
    )
    past = Past(enabled=False, lines=[disabled])
    assert past.why().word is Word.DISABLED
    assert past.why().sentence == (
        "shop/export.sh did not run for its slot of Tue 2026-11-24 02:30 CET: its header says @enabled "
        "false, since it was registered at Mon 2026-11-23 00:00 CET; it is one of 2 such slots, from Mon "
        "2026-11-23 02:30 CET to 02:30."
    )


def test_a_slot_in_a_stretch_that_is_not_told_yet() -> None:
    stretch = facts.Stretch(
        at=ms(MON),
        run_id=run(9),
        path=SCRIPT,
        expression="30 2 * * *",
        first=slot(MON),
        status=Status.DISABLED,
        reason=Reason.PAUSED,
    )
    paused = facts.Paused(at=ms("2026-11-23T01:00"), by="uid:0", path=SCRIPT, note="moving the database")
    past = Past(told=[paused], stretch=stretch)
    assert past.why().word is Word.PAUSED
    assert past.why().sentence == (
        "shop/export.sh did not run for its slot of Tue 2026-11-24 02:30 CET: it was paused by uid:0 at Mon "
        "2026-11-23 01:00 CET (moving the database), and is still."
    )


def test_a_slot_in_a_maintenance_that_is_over() -> None:
    skipped = line(
        Status.DISABLED, Reason.MAINTENANCE, at=TUE, ended="2026-11-24T03:00", error="everything was paused"
    )
    told = [
        facts.Paused(at=ms("2026-11-24T02:00"), by="deploy", until=ms("2026-11-24T03:00")),
        facts.Resumed(at=ms("2026-11-24T03:00"), by="until"),
    ]
    assert Past(told=[*told], lines=[skipped]).why().sentence == (
        "shop/export.sh did not run for its slot of Tue 2026-11-24 02:30 CET: everything was paused by "
        "deploy at 02:00, until 03:00."
    )


LOCK = (
    "the lock db was taken, since 2026-11-24T01:00:00.000Z "
    f"(run {run(7)}) by the slot of 2026-11-24T01:00:00.000Z of shop/import.py"
)


def locked() -> Entry:
    return line(Status.SKIPPED_OVERLOAD, Reason.LOCK, at=TUE, ended=TUE, error=LOCK)


def holders_run(at: str = "2026-11-24T02:00") -> Entry:
    ran = line(Status.OK, at=at, started=at, ended="2026-11-24T02:41:10", number=7)
    return msgspec.structs.replace(ran, script_path="shop/import.py")


def test_a_slot_whose_lock_was_taken_names_who_had_it_and_until_when() -> None:
    told = Past(lines=[locked(), holders_run()]).why()
    assert told.word is Word.LOCKED
    assert told.sentence == (
        "shop/export.sh was skipped for its slot of Tue 2026-11-24 02:30 CET: the lock db was taken, since "
        f"02:00 (run {run(7)}) by the slot of 02:00 of shop/import.py; it had it until 02:41:10, for 41 min "
        "10 s."
    )
    assert any(evidence.what.startswith("shop/import.py: started") for evidence in told.evidence)


def test_the_run_of_another_script_in_the_same_second_is_not_taken_for_its_own() -> None:
    told = Past(lines=[locked(), holders_run(TUE)]).why()
    assert (told.word, told.run_id) == (Word.LOCKED, run(1))


def test_a_slot_whose_lock_is_still_taken_says_so() -> None:
    holder = Fire(run(7), "shop/import.py", "@daily", Kind.SCHEDULE, slot("2026-11-24T02:00"))
    lock = lock_view(Holder(holder, ms("2026-11-24T02:00")))
    told = Past(now="2026-11-24T02:35", lines=[locked()], seen={"lock": lock}).why(TUE)
    assert told.sentence.endswith("of shop/import.py, which is still in flight.")


def test_a_slot_that_waits_for_a_lock_says_who_has_it() -> None:
    holder = Fire(run(7), "shop/import.py", "@daily", Kind.SCHEDULE, slot("2026-11-24T02:00"))
    waits = fire(TUE)
    seen = {"lock": lock_view(Holder(holder, ms("2026-11-24T02:00"))), "in_line": (waits.run_id,)}
    told = Past(now="2026-11-24T02:35", held=(waits,), seen=seen).why(TUE)
    assert told.word is Word.HELD
    assert told.sentence.endswith(f"the lock db is taken by shop/import.py, since 02:00 (run {run(7)}).")


def lock_view(holder: Holder) -> LockView:
    return LockView(name="db", slots=1, taken=1, holders=(holder,), waiting=0, waiters=())
