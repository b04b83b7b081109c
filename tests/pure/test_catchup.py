"""What becomes of slots that nobody was there to decide."""

from schedd.fire import Fire, Kind, Outcome, Reason, Status
from schedd.planner.actions import Action, Close, Hold, Start
from schedd.planner.backlog import AT_ONCE
from schedd.planner.gaps import MAX_CAUGHT_UP
from schedd.planner.planner import Planner
from schedd.schedule import Catchup, Overlap
from schedd.timetable.instant import Slot
from tests.pure.making import T0_MS, planner, schedule

OK = Outcome(status=Status.OK, ended_ms=0)
T0 = T0_MS // 1000


def at(second: int) -> int:
    return T0_MS + second * 1000


def asleep(until_s: int, catchup: Catchup, *, within_s: int | None = None) -> tuple[Planner, list[Action]]:
    """Return a planner that was away until then, and what it did when it came back."""
    made = planner()
    header = schedule("a", "@every 1m", catchup=catchup, within_s=within_s, overlap=Overlap.QUEUE_ALL)
    made.reconcile({"a": header}, at(0))
    return made, made.tick(at(until_s))


def starts(actions: list[Action]) -> list[Fire]:
    return [action.fire for action in actions if isinstance(action, Start)]


def seconds(fires: list[Fire]) -> list[int]:
    return [(fire.slot or 0) - T0 for fire in fires]


def missed(actions: list[Action]) -> list[tuple[int, int, int]]:
    closes = [action for action in actions if isinstance(action, Close) and action.reason is Reason.MISSED]
    return [((c.fire.slot or 0) - T0, (c.last_slot or 0) - T0, c.count or 1) for c in closes]


def run_all(made: Planner, actions: list[Action], now_s: int) -> list[Fire]:
    """Let everything run to its end, one after the other; return what ran."""
    ran, queue = [], starts(actions)
    while queue:
        fire = queue.pop(0)
        ran.append(fire)
        queue += starts(made.ended(fire, OK, at(now_s)))
    return ran


def test_none_tells_them_in_one_line() -> None:
    _, actions = asleep(630, Catchup.NONE)
    assert missed(actions) == [(60, 540, 9)]
    assert seconds(starts(actions)) == [600]


def test_last_runs_the_newest_and_tells_the_others() -> None:
    made, actions = asleep(630, Catchup.LAST)
    assert missed(actions) == [(60, 480, 8)]
    ran = run_all(made, actions, 631)
    assert [(fire.kind, (fire.slot or 0) - T0) for fire in ran] == [
        (Kind.SCHEDULE, 600),
        (Kind.CATCHUP, 540),
    ]


def test_all_runs_each_of_them_oldest_first() -> None:
    made, actions = asleep(630, Catchup.ALL)
    assert missed(actions) == []
    ran = run_all(made, actions, 631)
    assert seconds([fire for fire in ran if fire.kind is Kind.CATCHUP]) == list(range(60, 541, 60))


def test_within_bounds_how_old_a_slot_may_be() -> None:
    made, actions = asleep(630, Catchup.ALL, within_s=200)
    assert missed(actions) == [(60, 420, 7)]
    assert seconds(run_all(made, actions, 631)) == [600, 480, 540]


def test_never_more_than_a_thousand_of_one_script() -> None:
    made, actions = asleep(60 * 1_500, Catchup.ALL)
    assert missed(actions) == [(60, 60 * 499, 499)]
    assert made.held_count == MAX_CAUGHT_UP


def test_they_start_a_few_at_a_time() -> None:
    made = planner()
    made.reconcile({f"s{n}": schedule(f"s{n}", "0 * * * *", catchup=Catchup.LAST) for n in range(20)}, at(0))
    actions = made.tick(at(4_000))
    assert len(starts(actions)) == AT_ONCE
    assert sum(isinstance(action, Hold) for action in actions) == 20
    assert len(run_all(made, actions, 4_001)) == 20


def test_under_pressure_they_wait() -> None:
    made = planner()
    made.pace(0)
    made.reconcile({"a": schedule("a", "0 * * * *", catchup=Catchup.LAST)}, at(0))
    assert starts(made.tick(at(4_000))) == []
    made.pace(1)
    assert seconds(starts(made.tick(at(4_001)))) == [3_600]


def test_a_script_that_runs_is_not_caught_up_meanwhile() -> None:
    made = planner()
    made.reconcile({"a": schedule("a", "0 * * * *", catchup=Catchup.LAST)}, at(0))
    by_hand, _ = made.trigger("a", at(10))
    assert starts(made.tick(at(4_000))) == []
    assert seconds(starts(made.ended(by_hand, OK, at(4_001)))) == [3_600]


def test_replay_runs_slots_again_but_never_the_same_one_twice_at_once() -> None:
    made = planner()
    made.reconcile({"a": schedule("a", "0 * * * *")}, at(0))
    wanted = [("a", Slot(T0 - 3_600)), ("a", Slot(T0 - 7_200)), ("gone", Slot(T0))]
    first, actions = made.replay(wanted, at(1))
    assert [(fire.kind, (fire.slot or 0) - T0) for fire in first] == [
        (Kind.REPLAY, -3_600),
        (Kind.REPLAY, -7_200),
    ]
    again, _ = made.replay(wanted, at(2))
    assert again == []
    assert len(run_all(made, actions, 3)) == 2
