"""What the planner makes of a wall clock that jumps."""

from schedd.fire import Reason
from schedd.planner.actions import Close, Decided, Register, Start
from schedd.planner.gaps import LATE_S
from schedd.planner.planner import REWIND_S
from tests.pure.making import T0_MS, planner, schedule

T0 = T0_MS // 1000


def at(second: int) -> int:
    return T0_MS + second * 1000


def test_a_step_back_of_hours_starts_nothing_until_the_clock_has_caught_up() -> None:
    made = planner()
    made.reconcile({"a": schedule("a", "@every 1m")}, at(0))
    made.tick(at(REWIND_S))
    assert made.tick(at(60)) == []
    assert made.tick(at(REWIND_S)) == []
    assert [type(action) for action in made.tick(at(REWIND_S + 60))][-1] is Decided


def test_a_step_back_by_more_means_that_the_clock_was_wrong_and_counts_anew() -> None:
    made = planner()
    made.reconcile({"a": schedule("a", "@every 1m")}, at(10 * REWIND_S))
    actions = made.tick(at(0))
    assert actions == [Register(schedule("a", "@every 1m"), at(0)), Decided(T0)]
    (start, _) = made.tick(at(60))
    assert isinstance(start, Start)
    assert start.fire.slot == T0 + 60


def test_a_late_wake_up_of_under_a_minute_fires_late() -> None:
    made = planner()
    made.reconcile({"a": schedule("a", "0 * * * *")}, at(0))
    (start, _) = made.tick(at(3600 + LATE_S - 1))
    assert isinstance(start, Start)


def test_a_slot_that_is_a_minute_late_was_missed() -> None:
    made = planner()
    made.reconcile({"a": schedule("a", "0 * * * *")}, at(0))
    (close, _) = made.tick(at(3600 + LATE_S))
    assert isinstance(close, Close)
    assert (close.reason, close.count) == (Reason.MISSED, 1)


def test_what_was_missed_is_written_before_what_fires() -> None:
    made = planner()
    made.reconcile({"a": schedule("a", "@every 1m")}, at(0))
    kinds = [type(action) for action in made.tick(at(600))]
    assert kinds == [Close, Start, Decided]


def test_a_slot_is_late_for_a_minute_and_missed_after_that() -> None:
    assert LATE_S == 60
