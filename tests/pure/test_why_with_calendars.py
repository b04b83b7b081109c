"""Why, where a calendar has a say: which calendar, which event, and where a slot was moved to."""

from dataclasses import replace
from datetime import date

from schedd.fire import Reason, Status
from schedd.insight import gaps
from schedd.insight.gaps import Only
from schedd.insight.slots import timetable_of
from schedd.insight.verdict import Verdict, Word
from schedd.ledger import facts
from schedd.ledger.annals import Annals, Chronicle
from schedd.timetable.observance import Observance
from tests.pure.calendars import at, day, hours, made, observed
from tests.pure.telling_why import SCRIPT, Past, line, ms

CHRISTMAS = made(*(day(date(2026, 12, n), "Christmas") for n in (25, 26, 27)), file="holidays.ics")
CLOSED = line(
    Status.DISABLED,
    Reason.BLACKOUT,
    at="2026-12-25T02:30",
    ended="2026-12-25T02:30",
    error="holidays.ics: Christmas",
)


def past(how: str = "skip", now: str = "2026-12-29T12:00", **more: object) -> Past:
    return Past(now=now, registered="2026-12-01T00:00", observance=observed(CHRISTMAS, how), **more)  # type: ignore[arg-type]


def told(verdict: Verdict) -> list[str]:
    return [evidence.what for evidence in verdict.evidence]


def test_a_closed_slot_is_told_with_calendar_and_event() -> None:
    verdict = past(lines=[CLOSED]).why("2026-12-25T02:30")
    assert verdict.word is Word.BLACKOUT
    assert verdict.sentence == (
        f"{SCRIPT} did not run for its slot of Fri 2026-12-25 02:30 CET: its calendar was closed then, "
        "by holidays.ics: Christmas."
    )
    assert "registered: 30 2 * * * in Europe/Berlin, @calendar holidays.ics skip" in told(verdict)


def test_a_closed_slot_to_come_will_not_run_and_the_next_is_the_one_that_does() -> None:
    verdict = past(now="2026-12-24T12:00").why("2026-12-25T02:30")
    assert verdict.word is Word.NOT_YET
    assert verdict.sentence.endswith(
        "and will not run then: its calendar is closed, by holidays.ics: Christmas."
    )
    assert verdict.next == ms("2026-12-28T02:30") // 1000


def test_the_time_before_the_move_names_the_moved_slot() -> None:
    ran = line(Status.OK, at="2026-12-28T02:30", started="2026-12-28T02:30", ended="2026-12-28T02:31")
    verdict = past("next", expression="30 2 * * 5", lines=[ran]).why(wall="2026-12-25T02:30")
    assert verdict.word is Word.RAN_OK
    assert verdict.sentence == (
        f"{SCRIPT} ran for its slot of Mon 2026-12-28 02:30 CET and ended ok after 1 min. The slot of Fri "
        "2026-12-25 02:30 CET was moved there: holidays.ics: Christmas."
    )
    assert "moved to Mon 2026-12-28 02:30 CET: holidays.ics: Christmas" in told(verdict)


def test_of_many_slots_that_were_moved_together_the_newest_is_named() -> None:
    ran = line(Status.OK, at="2026-12-28T02:30", started="2026-12-28T02:30", ended="2026-12-28T02:31")
    verdict = past("next", lines=[ran]).why("2026-12-28T02:30")
    assert "The slot of Sun 2026-12-27 02:30 CET, and 2 before it, were moved there" in verdict.sentence
    assert len([what for what in told(verdict) if what.startswith("moved to")]) == 3


def test_a_slot_that_was_moved_back_is_found_by_its_old_time_too() -> None:
    verdict = past("previous", expression="30 2 * * 5", now="2026-12-24T12:00").why("2026-12-25T02:30")
    assert verdict.slot == ms("2026-12-24T02:30") // 1000


def test_an_edited_calendar_and_a_lost_one_are_said_to_be() -> None:
    verdict = past(lines=[CLOSED], edited=True).why("2026-12-25T02:30")
    assert any(
        what.endswith("@calendar holidays.ics skip (which was edited since)") for what in told(verdict)
    )
    chronicle = _chronicle(None)
    timetable = timetable_of(chronicle.registrations[0], chronicle)
    assert timetable is not None
    assert timetable.observance is None


def test_an_open_stretch_says_nothing_of_slots_to_come() -> None:
    noon = made(hours(at("2026-12-24T11:00"), at("2026-12-24T13:00"), name="noon"), file="holidays.ics")
    stretch = facts.Stretch(
        at=ms("2026-12-24T11:00"),
        run_id=CLOSED.run_id,
        path=SCRIPT,
        expression="*/10 * * * *",
        first=ms("2026-12-24T11:00") // 1000,
        status=Status.DISABLED,
        reason=Reason.BLACKOUT,
        error="holidays.ics: noon",
    )
    now = past(now="2026-12-24T12:05", expression="*/10 * * * *", stretch=stretch)
    now.observance = observed(noon, "skip")
    assert now.why("2026-12-24T12:00").word is Word.BLACKOUT
    assert now.why("2026-12-24T14:00").word is Word.NOT_YET


def test_closed_slots_are_gaps_only_for_who_asks_for_all() -> None:
    chronicle = _chronicle(observed(CHRISTMAS, "skip"))
    found = {
        only: gaps.find(
            chronicle,
            [CLOSED],
            since_ms=ms("2026-12-25T00:00"),
            until_ms=ms("2026-12-26T00:00"),
            now_ms=ms("2026-12-29T00:00"),
            only=only,
        ).gaps
        for only in Only
    }
    assert [len(found[only]) for only in (Only.MISSING, Only.FAILED, Only.ALL)] == [0, 0, 1]
    assert found[Only.ALL][0].reason is Reason.BLACKOUT


def test_gaps_are_looked_for_where_slots_were_moved_to() -> None:
    ran = line(Status.OK, at="2026-12-28T02:30", started="2026-12-28T02:30", ended="2026-12-28T02:31")
    found = gaps.find(
        _chronicle(observed(CHRISTMAS, "next")),
        [ran],
        since_ms=ms("2026-12-25T00:00"),
        until_ms=ms("2026-12-29T00:00"),
        now_ms=ms("2026-12-30T00:00"),
        only=Only.ALL,
    )
    assert found.gaps == ()


def _chronicle(observance: Observance | None) -> Chronicle:
    annals = Annals(0)
    annals.take(
        facts.Registered(
            at=ms("2026-12-01T00:00"),
            path=SCRIPT,
            expression="30 2 * * *",
            timezone="Europe/Berlin",
            enabled=True,
            sha256="0",
            calendar=str(observance or "holidays.ics next"),
            calendar_sha256="",
        ),
        None,
    )
    chronicle = annals.chronicle(ms("2026-12-30T00:00"), complete=True)
    assert chronicle.registrations[0].calendar.startswith("holidays.ics")
    return chronicle if observance is None else replace(chronicle, observances={str(observance): observance})
