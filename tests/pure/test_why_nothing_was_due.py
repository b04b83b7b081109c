"""Where there was no slot, or nothing is on record, the sentence says so, and what is there instead."""

from schedd.fire import Kind, Status
from schedd.insight.verdict import Word
from schedd.ledger import facts
from schedd.planner.view import Pause
from tests.pure.telling_why import SCRIPT, Past, line, ms

TUE = "2026-11-24T02:30"


def test_an_instant_at_which_nothing_was_due() -> None:
    lines = [line(Status.OK, at=TUE, started=TUE, ended=f"{TUE}:01")]
    verdict = Past(lines=lines).why("2026-11-24T10:07")
    assert (verdict.word, verdict.run_id) == (Word.NOT_DUE, None)
    assert verdict.sentence == (
        "shop/export.sh was not due at Tue 2026-11-24 10:07 CET: it is due at 02:30 every day "
        "(Europe/Berlin), next to that at 02:30 (which ended ok) and Wed 2026-11-25 02:30 CET."
    )


def test_a_run_by_hand_at_an_instant_that_is_no_slot() -> None:
    by_hand = line(
        Status.OK, kind=Kind.MANUAL, started="2026-11-24T10:06", ended="2026-11-24T10:08", number=3
    )
    assert Past(lines=[by_hand]).why("2026-11-24T10:07").sentence == (
        "shop/export.sh was not due at Tue 2026-11-24 10:07 CET: it is due at 02:30 every day "
        "(Europe/Berlin), next to that at 02:30 and Wed 2026-11-25 02:30 CET; a run that was started by hand "
        "was in flight then and ended ok after 2 min."
    )


def test_a_slot_to_come() -> None:
    assert Past().why("2026-11-25T02:30").word is Word.NOT_YET
    assert Past().why("2026-11-25T02:30").sentence == (
        "shop/export.sh is due at Wed 2026-11-25 02:30 CET, in 14 h 30 min."
    )


def test_a_slot_to_come_during_a_pause() -> None:
    pause = Pause(script=None, since_ms=ms("2026-11-24T09:00"), by="uid:0")
    assert Past(pause=pause).why("2026-11-25T02:30").sentence == (
        "shop/export.sh is due at Wed 2026-11-25 02:30 CET, in 14 h 30 min, and will not run then: "
        "everything is paused by uid:0 since Tue 2026-11-24 09:00 CET."
    )


def test_a_script_that_was_registered_and_not_due_since() -> None:
    assert Past(registered="2026-11-24T09:00").why().sentence == (
        "shop/export.sh was registered at Tue 2026-11-24 09:00 CET and was not due since; its first slot is "
        "Wed 2026-11-25 02:30 CET."
    )


def test_an_instant_before_the_script_was_registered() -> None:
    verdict = Past(registered="2026-11-24T09:00").why(TUE)
    assert verdict.word is Word.NOT_REGISTERED
    assert verdict.sentence == (
        "shop/export.sh was not registered at Tue 2026-11-24 02:30 CET: it was registered at 09:00."
    )


def test_a_script_that_was_removed() -> None:
    removed = facts.Unregistered(at=ms("2026-11-24T01:15"), path=SCRIPT)
    reloaded = facts.Reloaded(at=ms("2026-11-24T01:15"), added=0, kept=0, removed=1, failed=0)
    past = Past(told=[removed, reloaded], gone=True)
    assert past.why(TUE).sentence == (
        "shop/export.sh was not registered at Tue 2026-11-24 02:30 CET: it was gone when the scripts "
        "directory was read at 01:15."
    )
    assert past.why().sentence == (
        "shop/export.sh is not registered: it was gone when the scripts directory was read at Tue 2026-11-24 "
        "01:15 CET."
    )


def test_a_script_that_is_refused() -> None:
    past = Past(never=True, problem="line 2: Invalid cron expression: 'every blue moon'")
    assert past.why().word is Word.NOT_REGISTERED
    assert past.why().sentence == (
        "shop/export.sh is not registered: line 2: Invalid cron expression: 'every blue moon'."
    )


def test_a_slot_that_is_being_decided() -> None:
    assert (
        Past(now=f"{TUE}:01").why().sentence == "shop/export.sh is due at Tue 2026-11-24 02:30 CET, just now."
    )


def test_a_slot_whose_line_was_lost() -> None:
    lost = facts.Lost(at=ms("2026-11-24T03:00"), lines=12)
    assert Past(told=[lost]).why().word is Word.UNKNOWN
    assert Past(told=[lost]).why().sentence == (
        "shop/export.sh was due at Tue 2026-11-24 02:30 CET; its line is among the 12 that were given up at "
        "03:00, the disk could not be written."
    )


def test_a_slot_that_no_line_tells_of() -> None:
    assert Past().why().sentence == (
        "shop/export.sh was due at Tue 2026-11-24 02:30 CET, and no line that could be read tells what "
        "became of it."
    )
