"""The newest slot before an instant, found by a timetable that only steps forward."""

from hypothesis import example, given
from hypothesis import strategies as st

from schedd.insight import slots
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

T0 = 1_795_478_400
EXPRESSIONS = [
    "@every 7s",
    "*/5 * * * *",
    "30 2 * * *",
    "0 0 29 2 *",
    "* * * * * 1-5",
    "0 9 1 1 *",
    "15 2 * * 0",
]


@given(st.sampled_from(EXPRESSIONS), st.integers(-(10**8), 10**8))
@example("0 0 29 2 *", 0)
def test_no_slot_lies_between_the_newest_one_and_the_instant(expression: str, away: int) -> None:
    timetable, at = Timetable.parse(expression, "Europe/Berlin"), T0 + away
    found = slots.latest(timetable, at, after=0)
    assert found is not None
    assert found <= at
    assert timetable.next_after(Slot(found - 1)) == found
    following = timetable.next_after(found)
    assert following is None or following > at


@given(st.sampled_from(EXPRESSIONS), st.integers(1, 10**6))
def test_a_slot_before_the_registration_is_none(expression: str, away: int) -> None:
    timetable = Timetable.parse(expression, "Europe/Berlin")
    first = timetable.next_after(Slot(T0))
    assert first is not None
    assert slots.latest(timetable, first - 1, after=T0) is None
    assert slots.latest(timetable, first, after=T0) == first
    found = slots.latest(timetable, first + away, after=T0)
    assert found is not None
    assert found >= first


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_all_slots_of_a_stretch_come_in_order_across_chunks(begin: int, length: int) -> None:
    timetable = Timetable.parse("@every 3s", "UTC")
    found = list(slots.between(timetable, T0 + begin, T0 + begin + length))
    assert found == [slot for slot in range(T0 + begin + 1, T0 + begin + length + 1) if slot % 3 == 0]
