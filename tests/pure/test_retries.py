"""Which failures are tried again, when, and what ends that."""

import pytest

from schedd.fire import Fire, Kind, Outcome, Reason, Status
from schedd.planner.actions import Action, Close, Hold, Start
from schedd.planner.planner import Planner
from schedd.planner.retries import ASKED
from schedd.schedule import Retry
from tests.pure.making import T0_MS, planner, schedule

T0 = T0_MS // 1000
TWICE = Retry(limit=2, first_ms=30_000, most_ms=30_000)
BACKOFF = Retry(limit=5, first_ms=10_000, most_ms=60_000)


def at(second: float) -> int:
    return T0_MS + int(second * 1000)


def failed(code: int = 1, reason: Reason = Reason.EXIT) -> Outcome:
    return Outcome(status=Status.ERROR, reason=reason, exit_code=code, ended_ms=0)


def first_run(retry: Retry | None) -> tuple[Planner, Fire]:
    made = planner()
    made.reconcile({"a": schedule("a", "0 * * * *", retry=retry)}, at(0))
    return made, only_start(made.tick(at(3_600)))


def only_start(actions: list[Action]) -> Fire:
    (start,) = [action for action in actions if isinstance(action, Start)]
    return start.fire


def waits_until(actions: list[Action]) -> list[float]:
    return [(action.due_ms or 0) / 1000 - T0 for action in actions if isinstance(action, Hold)]


def test_a_failed_fire_is_tried_again_after_its_delay_with_the_same_slot() -> None:
    made, first = first_run(TWICE)
    assert waits_until(made.ended(first, failed(), at(3_605))) == [3_635]
    assert not any(isinstance(action, Start) for action in made.tick(at(3_634.9)))
    again = only_start(made.tick(at(3_635)))
    assert (again.kind, again.slot, again.attempt) == (Kind.RETRY, first.slot, 2)


def test_the_alarm_is_set_for_the_retry() -> None:
    made, first = first_run(TWICE)
    made.ended(first, failed(), at(3_605.5))
    assert made.next_ms() == at(3_635.5)


def test_it_is_given_up_after_so_many_tries() -> None:
    made, fire = first_run(TWICE)
    for second in (3_700, 3_800):
        made.ended(fire, failed(), at(second))
        fire = only_start(made.tick(at(second + 30)))
    assert made.ended(fire, failed(), at(3_900)) == []


def test_backoff_doubles_up_to_its_limit() -> None:
    assert [BACKOFF.delay_ms(attempt) for attempt in range(1, 6)] == [10_000, 20_000, 40_000, 60_000, 60_000]


def test_success_ends_it() -> None:
    made, first = first_run(TWICE)
    assert made.ended(first, Outcome(status=Status.OK, ended_ms=0), at(3_605)) == []


def test_exit_75_asks_for_a_retry_that_the_header_does_not_offer() -> None:
    made, first = first_run(None)
    assert waits_until(made.ended(first, failed(75), at(3_600))) == [3_600 + ASKED.first_ms / 1000]


def test_exit_78_forbids_what_the_header_offers() -> None:
    made, first = first_run(TWICE)
    assert made.ended(first, failed(78), at(3_605)) == []


@pytest.mark.parametrize("reason", [Reason.STOPPED, Reason.UNEXPECTED])
def test_what_a_person_has_stopped_stays_stopped(reason: Reason) -> None:
    made, first = first_run(TWICE)
    actions = made.ended(first, failed(0, reason), at(3_605))
    assert bool(actions) is (reason is Reason.UNEXPECTED)


def test_a_timeout_is_a_failure_too() -> None:
    made, first = first_run(TWICE)
    late = Outcome(status=Status.TIMEOUT, reason=Reason.TIMEOUT, ended_ms=0)
    assert waits_until(made.ended(first, late, at(3_605))) == [3_635]


def test_what_was_triggered_by_hand_is_not_tried_again() -> None:
    made = planner()
    made.reconcile({"a": schedule("a", "0 * * * *", retry=TWICE)}, at(0))
    by_hand, _ = made.trigger("a", at(5))
    assert made.ended(by_hand, failed(), at(6)) == []


def test_a_newer_slot_that_starts_takes_the_place_of_a_retry() -> None:
    made = planner()
    slow = Retry(limit=3, first_ms=7_200_000, most_ms=7_200_000)
    made.reconcile({"a": schedule("a", "0 * * * *", retry=slow)}, at(0))
    made.ended(only_start(made.tick(at(3_600))), failed(), at(3_605))
    actions = made.tick(at(7_200))
    assert [a.reason for a in actions if isinstance(a, Close)] == [Reason.SUPERSEDED]
    assert made.held_count == 0


def test_a_slot_that_could_not_start_within_its_deadline_is_too_late() -> None:
    made = planner()
    made.reconcile({"a": schedule("a", "0 * * * *", deadline_s=10)}, at(0))
    (close, _) = made.tick(at(3_611))
    assert isinstance(close, Close)
    assert (close.status, close.reason) == (Status.SKIPPED_OVERLOAD, Reason.TOO_LATE)


def test_what_waits_for_longer_than_its_deadline_is_given_up() -> None:
    made = planner(max_running=1)
    made.reconcile({"a": schedule("a", "0 * * * *"), "b": schedule("b", "0 * * * *", deadline_s=10)}, at(0))
    made.tick(at(3_600))
    assert made.expire(at(3_609)) == []
    assert [a.reason for a in made.expire(at(3_611)) if isinstance(a, Close)] == [Reason.TOO_LATE]
