"""In a night in which the clocks change, the sentence says what the change did; times on the wall are "
"understood."""

import pytest

from schedd.fire import Kind, Status
from schedd.insight.verdict import Word
from schedd.timetable.instant import from_slot
from tests.pure.telling_why import Past, line

SPRING = "On 2027-03-28 the clock goes from 02:00 to 03:00"
AUTUMN = "On 2027-10-31 the clock goes back from 03:00 to 02:00"


def ran(at: str) -> list:
    return [line(Status.OK, at=at, started=at, ended=at)]


def test_a_time_that_the_clock_skipped_is_that_of_the_slot_that_was_moved() -> None:
    past = Past(now="2027-03-28T12:00", lines=ran("2027-03-28T03:00"))
    verdict = past.why(wall="2027-03-28T02:30")
    assert verdict.word is Word.RAN_OK
    assert verdict.sentence == (
        "Sun 2027-03-28 02:30 never stood on the clocks of Europe/Berlin; shop/export.sh ran for its slot of "
        f"Sun 2027-03-28 03:00 CEST and ended ok after 0 ms. {SPRING}: its 02:30 runs at 03:00."
    )


def test_the_moved_slot_says_why_it_is_there() -> None:
    past = Past(now="2027-03-28T12:00", lines=ran("2027-03-28T03:00"))
    assert past.why().sentence == (
        "shop/export.sh ran for its slot of Sun 2027-03-28 03:00 CEST and ended ok after 0 ms. "
        f"{SPRING}: its 02:30 runs at 03:00."
    )


def test_a_wildcard_slot_that_the_clock_skipped_was_not_due() -> None:
    past = Past(now="2027-03-28T12:00", expression="*/30 2 * * *")
    verdict = past.why(wall="2027-03-28T02:30")
    assert verdict.word is Word.NOT_DUE
    assert verdict.sentence == (
        "Sun 2027-03-28 02:30 never stood on the clocks of Europe/Berlin; shop/export.sh was not due at "
        "Sun 2027-03-28 03:00 CEST: it is due every 30th minute from 02:00 through 02:59 (Europe/Berlin), "
        f"next to that at Sat 2027-03-27 02:30 CET and Mon 2027-03-29 02:00 CEST. {SPRING}: its 02:00 and "
        f"02:30 "
        "are left out."
    )


def test_a_time_that_came_twice_is_that_of_the_pass_with_a_slot() -> None:
    past = Past(now="2027-10-31T12:00", lines=ran("2027-10-31T02:30+02:00"))
    verdict = past.why(wall="2027-10-31T02:30")
    assert verdict.slot is not None
    assert from_slot(verdict.slot) == "2027-10-31T00:30:00.000Z"


def test_in_the_second_pass_a_fixed_time_is_not_due() -> None:
    past = Past(now="2027-10-31T12:00", expression="30 2,14 * * *", lines=ran("2027-10-31T02:30+02:00"))
    assert past.why("2027-10-31T02:30+01:00").sentence == (
        "shop/export.sh was not due at Sun 2027-10-31 02:30 CET: it is due at 02:30 and 14:30 every day "
        "(Europe/Berlin), next to that at 02:30 CEST (which ended ok) and 14:30."
    )


def test_in_the_second_pass_a_wildcard_runs_again() -> None:
    past = Past(now="2027-10-31T12:00", expression="*/30 2 * * *", lines=ran("2027-10-31T02:30+01:00"))
    assert past.why("2027-10-31T02:30+01:00").sentence == (
        "shop/export.sh ran for its slot of Sun 2027-10-31 02:30 CET and ended ok after 0 ms. "
        f"{AUTUMN}: its 02:00 and 02:30 run twice."
    )


def test_an_hour_away_from_any_slot_of_that_night_nothing_is_said_of_it() -> None:
    past = Past(now="2027-03-28T12:00", expression="30 9 * * *", lines=ran("2027-03-28T09:30"))
    assert past.why().sentence == (
        "shop/export.sh ran for its slot of Sun 2027-03-28 09:30 CEST and ended ok after 0 ms."
    )


@pytest.mark.parametrize("wall", ["2026-11-24T02:30", "2026-11-24T02:30:59"])
def test_a_time_on_the_wall_names_the_slot_of_its_minute(wall: str) -> None:
    verdict = Past().why(wall=wall)
    assert verdict.slot is not None
    assert from_slot(verdict.slot) == "2026-11-24T01:30:00.000Z"


def test_a_time_before_jitter_moved_it_names_the_moved_slot() -> None:
    past = Past(jitter_s=1800)
    moved = past.why().slot
    assert moved is not None
    assert from_slot(moved) != "2026-11-24T01:30:00.000Z"
    assert past.why(wall="2026-11-24T02:30").slot == moved


def test_a_script_of_the_host_start_tells_of_the_last_one() -> None:
    started = line(Status.OK, kind=Kind.STARTUP, started="2026-11-24T07:00", ended="2026-11-24T07:00:02")
    verdict = Past(expression="@reboot", lines=[started]).why()
    assert verdict.word is Word.RAN_OK
    assert verdict.sentence == "shop/export.sh ran for the start of the host and ended ok after 2 s."
