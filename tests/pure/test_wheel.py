"""The wheel gives out each slot of each script once, in order."""

from hypothesis import given
from hypothesis import strategies as st

from schedd.planner.wheel import Wheel
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

START = Slot(1_700_000_000)
PERIODS = (1, 2, 3, 7, 10, 60)


def every(seconds: int) -> Timetable:
    return Timetable.parse(f"@every {seconds}s", "UTC")


def turned(wheel: Wheel, now: int) -> list[tuple[int, list[str]]]:
    return list(wheel.turn(Slot(now)))


def test_scripts_of_one_second_come_in_registration_order() -> None:
    wheel = Wheel()
    for order, (name, period) in enumerate((("b", 10), ("a", 5), ("c", 10))):
        wheel.add(name, every(period), order=order, after=START)
    assert turned(wheel, START + 10) == [
        (START + 5, ["a"]),
        (START + 10, ["b", "a", "c"]),
    ]


def test_a_slot_is_not_given_out_before_its_time() -> None:
    wheel = Wheel()
    wheel.add("a", every(10), order=0, after=START)
    assert turned(wheel, START + 9) == []
    assert wheel.next_slot() == START + 10


def test_a_script_that_joins_late_gets_no_slot_from_before() -> None:
    wheel = Wheel()
    wheel.add("a", every(10), order=0, after=START)
    wheel.add("b", every(10), order=1, after=Slot(START + 15))
    assert turned(wheel, START + 20) == [(START + 10, ["a"]), (START + 20, ["a", "b"])]


def test_a_script_that_joins_from_further_back_gets_its_own_slots_only() -> None:
    wheel = Wheel()
    wheel.add("a", every(10), order=0, after=Slot(START + 15))
    wheel.add("b", every(10), order=1, after=START)
    assert turned(wheel, START + 20) == [(START + 10, ["b"]), (START + 20, ["a", "b"])]


def test_looking_ahead_gives_nothing_out() -> None:
    wheel = Wheel()
    wheel.add("a", every(10), order=0, after=START)
    assert wheel.upcoming("a", 40) == tuple(range(START + 10, START + 401, 10))
    assert turned(wheel, START + 10) == [(START + 10, ["a"])]


def test_a_timetable_that_runs_out_leaves_the_wheel_quiet() -> None:
    wheel = Wheel()
    wheel.add("a", Timetable.parse("@at 2023-11-14T22:13:30Z", "UTC"), order=0, after=START)
    assert turned(wheel, START + 100) == [(START + 10, ["a"])]
    assert wheel.next_slot() is None
    assert wheel.upcoming("a", 5) == ()


def test_scripts_that_come_and_go_leave_nothing_behind() -> None:
    wheel = Wheel()
    for number in range(5_000):
        wheel.add("a", every(1 + number), order=number, after=START)
        wheel.remove("a")
    assert len(wheel) == 0
    assert len(wheel._seconds) + sum(map(len, wheel._due.values())) < 200


steps = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), st.integers(0, 200)),
        st.tuples(st.just("toggle"), st.integers(0, 11)),
    ),
    max_size=40,
)


@given(steps)
def test_every_slot_comes_exactly_once_whoever_joins_or_leaves(plan: list[tuple[str, int]]) -> None:
    wheel, now, joined = Wheel(), int(START), {}
    got: dict[str, list[int]] = {}
    expected: dict[str, list[int]] = {}
    for order, (what, number) in enumerate(plan):
        if what == "toggle":
            name, period = f"s{number}", PERIODS[number % len(PERIODS)]
            if name in joined:
                wheel.remove(name)
                del joined[name]
            else:
                wheel.add(name, every(period), order=order, after=Slot(now))
                joined[name] = period
            continue
        for slot, names in wheel.turn(Slot(now + number)):
            for name in names:
                got.setdefault(name, []).append(slot)
        for name, period in joined.items():
            expected.setdefault(name, []).extend(
                s for s in range(now + 1, now + number + 1) if s % period == 0
            )
        now += number
    assert {n: s for n, s in got.items() if s} == {n: s for n, s in expected.items() if s}
