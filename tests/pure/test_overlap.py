"""What happens to a slot that comes due while its script is still running."""

import pytest

from schedd.fire import Fire, Outcome, Reason, Status
from schedd.planner.actions import Action, Close, Decided, Hold, Start, Stop
from schedd.planner.planner import Planner
from schedd.planner.policy import MAX_QUEUED
from schedd.schedule import Overlap, Schedule
from tests.pure.making import T0_MS, planner, schedule

SCRIPT = "a.sh"
OK = Outcome(status=Status.OK, ended_ms=0)


def running(overlap: Overlap, *, max_runs: int | None = 1) -> tuple[Planner, Fire]:
    """Return a planner whose one script is due every ten seconds, and its first run, in flight."""
    made = planner()
    made.reconcile({SCRIPT: schedule(SCRIPT, overlap=overlap, max_runs=max_runs)}, T0_MS)
    return made, only_start(made.tick(T0_MS + 10_000))


def only_start(actions: list[Action]) -> Fire:
    (start,) = [action for action in actions if isinstance(action, Start)]
    return start.fire


def closes(actions: list[Action]) -> list[tuple[Status, Reason]]:
    return [(action.status, action.reason) for action in actions if isinstance(action, Close)]


def kinds(actions: list[Action]) -> list[type]:
    return [type(action) for action in actions if not isinstance(action, Decided)]


def test_skip_skips_the_slot_and_names_the_run_in_its_way() -> None:
    made, first = running(Overlap.SKIP)
    (close, _) = made.tick(T0_MS + 20_000)
    assert isinstance(close, Close)
    assert (close.status, close.reason) == (Status.SKIPPED_OVERLOAD, Reason.OVERLAP)
    assert first.run_id in close.error


def test_a_queued_slot_starts_when_its_run_ends() -> None:
    made, first = running(Overlap.QUEUE)
    assert kinds(made.tick(T0_MS + 20_000)) == [Hold]
    started = only_start(made.ended(first, OK, T0_MS + 25_000))
    assert started.slot == T0_MS // 1000 + 20


def test_a_newer_slot_supersedes_a_queued_one() -> None:
    made, first = running(Overlap.QUEUE)
    made.tick(T0_MS + 20_000)
    assert closes(made.tick(T0_MS + 30_000)) == [(Status.SKIPPED_OVERLOAD, Reason.SUPERSEDED)]
    assert only_start(made.ended(first, OK, T0_MS + 35_000)).slot == T0_MS // 1000 + 30


def test_queue_all_starts_every_slot_in_order() -> None:
    made, run = running(Overlap.QUEUE_ALL)
    made.tick(T0_MS + 40_000)
    started = []
    for second in (41, 42, 43):
        run = only_start(made.ended(run, OK, T0_MS + second * 1000))
        started.append((run.slot or 0) - T0_MS // 1000)
    assert started == [20, 30, 40]


def test_queue_all_is_bounded() -> None:
    made, _ = running(Overlap.QUEUE_ALL)
    actions: list[Action] = []
    for number in range(2, MAX_QUEUED + 3):
        actions += made.tick(T0_MS + number * 10_000)
    assert closes(actions) == [(Status.SKIPPED_OVERLOAD, Reason.HOLD_FULL)]
    assert made.held_count == MAX_QUEUED


def test_replace_stops_the_run_and_starts_the_slot_when_it_is_gone() -> None:
    made, first = running(Overlap.REPLACE)
    actions = made.tick(T0_MS + 20_000)
    assert [action.run_id for action in actions if isinstance(action, Stop)] == [first.run_id]
    assert kinds(actions) == [Hold, Stop]
    assert only_start(made.ended(first, OK, T0_MS + 21_000)).slot == T0_MS // 1000 + 20


def test_allow_starts_them_side_by_side() -> None:
    made, _ = running(Overlap.ALLOW, max_runs=None)
    only_start(made.tick(T0_MS + 20_000))
    assert made.running_count == 2


def test_a_concurrency_limit_counts_before_the_policy_does() -> None:
    made, _ = running(Overlap.SKIP, max_runs=2)
    only_start(made.tick(T0_MS + 20_000))
    assert closes(made.tick(T0_MS + 30_000)) == [(Status.SKIPPED_OVERLOAD, Reason.OVERLAP)]


@pytest.mark.parametrize("overlap", Overlap)
def test_whatever_the_policy_as_many_run_side_by_side_as_concurrent_says(overlap: Overlap) -> None:
    made, first = running(overlap, max_runs=3)
    for number in (2, 3):
        only_start(made.tick(T0_MS + number * 10_000))
    actions = made.tick(T0_MS + 40_000)
    assert not [action for action in actions if isinstance(action, Start)]
    assert made.running_count == 3
    stopped = [action.run_id for action in actions if isinstance(action, Stop)]
    assert stopped == ([first.run_id] if overlap is Overlap.REPLACE else [])


def test_a_manual_trigger_obeys_the_policy_too() -> None:
    made, _ = running(Overlap.SKIP)
    _, actions = made.trigger(SCRIPT, T0_MS + 11_000)
    assert closes(actions) == [(Status.SKIPPED_OVERLOAD, Reason.OVERLAP)]


def many(count: int, *, max_held: int = 100, overlap: Overlap = Overlap.SKIP) -> Planner:
    made = planner(max_running=2, max_held=max_held)
    made.reconcile({f"s{n}": schedule(f"s{n}", overlap=overlap) for n in range(count)}, T0_MS)
    return made


def test_beyond_the_global_cap_slots_are_held_and_start_in_due_order() -> None:
    made = many(4)
    actions = made.tick(T0_MS + 10_000)
    assert kinds(actions) == [Start, Start, Hold, Hold]
    first = only_start(made.ended(actions[0].fire, OK, T0_MS + 11_000))  # type: ignore[union-attr]
    assert first.script == "s2"


def test_nobody_overtakes_those_who_wait_for_a_place() -> None:
    made = many(3)
    first = made.tick(T0_MS + 10_000)[0]
    assert isinstance(first, Start)
    _, actions = made.trigger("s0", T0_MS + 10_500)
    assert closes(actions) == [(Status.SKIPPED_OVERLOAD, Reason.OVERLAP)]
    assert only_start(made.ended(first.fire, OK, T0_MS + 11_000)).script == "s2"


def test_overload_is_only_when_the_hold_is_full() -> None:
    made = many(5, max_held=2)
    assert closes(made.tick(T0_MS + 10_000)) == [(Status.SKIPPED_OVERLOAD, Reason.OVERLOAD)]


def test_a_run_is_not_stopped_for_a_slot_for_which_there_is_no_room_to_wait() -> None:
    made = many(4, max_held=2, overlap=Overlap.REPLACE)
    made.tick(T0_MS + 10_000)
    actions = made.tick(T0_MS + 20_000)
    assert [action for action in actions if isinstance(action, Stop)] == []
    assert closes(actions).count((Status.SKIPPED_OVERLOAD, Reason.OVERLOAD)) == 2


def test_a_script_never_waits_twice_for_a_place() -> None:
    made = many(3)
    made.tick(T0_MS + 10_000)
    assert closes(made.tick(T0_MS + 20_000)) == [(Status.SKIPPED_OVERLOAD, Reason.OVERLAP)] * 3


def test_a_raised_limit_lets_held_fires_go_at_once() -> None:
    made, _ = running(Overlap.QUEUE)
    made.tick(T0_MS + 20_000)
    wider: dict[str, Schedule] = {SCRIPT: schedule(SCRIPT, overlap=Overlap.QUEUE, max_runs=2, sha256="1")}
    assert only_start(made.reconcile(wider, T0_MS + 21_000)).slot == T0_MS // 1000 + 20


def test_a_removed_script_ends_what_it_held() -> None:
    made, _ = running(Overlap.QUEUE)
    made.tick(T0_MS + 20_000)
    assert closes(made.reconcile({}, T0_MS + 21_000)) == [(Status.LOAD_ERROR, Reason.UNREADABLE)]
    assert made.held_count == 0
