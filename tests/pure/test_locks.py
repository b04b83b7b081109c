"""`@lock name:slots`: never more runs at once than it has slots; what a fire does that finds it taken."""

import pytest

from schedd.fire import Kind, Reason, Status
from schedd.planner.actions import Close, Hold, Start, Stop
from schedd.planner.view import Awaited
from schedd.schedule import Catchup, Lock, Overlap, Retry
from schedd.timetable.instant import Slot, from_ms, from_slot
from tests.pure.locking import (
    EACH_10_S,
    EACH_MINUTE,
    FAILED,
    OK,
    T0,
    at,
    closes,
    held,
    kinds,
    names,
    registered,
    starts,
    taken,
    triggered,
    with_lock,
)
from tests.pure.making import schedule


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.ALLOW])
def test_a_slot_that_finds_the_lock_taken_is_skipped_and_names_who_has_it(overlap: Overlap) -> None:
    made, run = taken(with_lock("a", overlap=overlap))
    (close, _) = made.tick(at(60))
    assert isinstance(close, Close)
    assert (close.status, close.reason) == (Status.SKIPPED_OVERLOAD, Reason.LOCK)
    since = from_ms(at(1))
    assert (
        close.error == f"the lock db was taken, since {since} (run {run.run_id}) by the manual run of holder"
    )


def test_a_holder_with_a_slot_is_named_by_it() -> None:
    made = registered(with_lock("a"), with_lock("b"))
    (run,) = starts(made.tick(at(60)))
    (close,) = [
        action for action in made.tick(at(120)) if isinstance(action, Close) and action.fire.script == "b"
    ]
    assert f"(run {run.run_id}) by the slot of {from_slot(T0 + 60)} of a" in close.error


def test_the_name_of_a_holder_with_a_long_path_leaves_room_for_its_run() -> None:
    made = registered(with_lock("d/" * 400 + "x", "@reboot"), with_lock("a"))
    (run,) = starts(triggered(made, "d/" * 400 + "x", 1)[1])
    (close, _) = made.tick(at(60))
    assert isinstance(close, Close)
    assert f"(run {run.run_id})" in close.error[:500]


def test_a_manual_trigger_finds_the_lock_taken_like_any_slot() -> None:
    made, _ = taken(with_lock("a"), with_lock("q", overlap=Overlap.QUEUE))
    assert closes(triggered(made, "a", 2)[1]) == [("a", Reason.LOCK)]
    assert kinds(triggered(made, "q", 2)[1]) == [Hold]


def test_a_free_lock_is_in_nobodys_way() -> None:
    made = registered(with_lock("a"), schedule("b", EACH_MINUTE), with_lock("c", lock=Lock("other")))
    assert names(made.tick(at(60))) == ["a", "b", "c"]


def test_a_queued_slot_starts_when_the_lock_is_free() -> None:
    made, run = taken(with_lock("a", overlap=Overlap.QUEUE))
    assert kinds(made.tick(at(60))) == [Hold]
    assert starts(made.ended(run, OK, at(70)))[0].slot == T0 + 60


def test_a_newer_slot_takes_the_turn_of_one_that_waits_for_the_lock() -> None:
    made, run = taken(with_lock("a", overlap=Overlap.QUEUE), with_lock("b", overlap=Overlap.QUEUE))
    made.tick(at(60))
    actions = made.tick(at(120))
    assert closes(actions) == [("a", Reason.SUPERSEDED), ("b", Reason.SUPERSEDED)]
    assert held(made) == [("a", 120), ("b", 120)]
    (first,) = starts(made.ended(run, OK, at(130)))
    assert (first.script, first.slot) == ("a", T0 + 120)


def test_a_script_whose_slots_follow_faster_than_others_run_gets_its_turn_all_the_same() -> None:
    fast = with_lock("fast", EACH_10_S, overlap=Overlap.QUEUE)
    slow = [with_lock(name, overlap=Overlap.QUEUE) for name in ("x", "y")]
    made, run = taken(fast, *slow)
    ran: list[str] = []
    for minute in range(1, 12):
        for ten in range(6):
            made.tick(at(60 * minute + 10 * ten))
        (run,) = starts(made.ended(run, OK, at(60 * minute + 59)))
        ran.append(run.script)
    assert ran.count("fast") >= 3


def test_queue_all_keeps_every_slot_up_to_its_bound() -> None:
    made, run = taken(with_lock("a", EACH_10_S, overlap=Overlap.QUEUE_ALL, max_runs=None))
    for number in range(1, 103):
        actions = made.tick(at(10 * number))
    assert closes(actions) == [("a", Reason.HOLD_FULL)]
    assert len(made.held()) == 100
    assert starts(made.ended(run, OK, at(1_030)))[0].slot == T0 + 10


def test_replace_stops_no_run_of_another_script() -> None:
    made, run = taken(with_lock("a", overlap=Overlap.REPLACE))
    actions = made.tick(at(60))
    assert kinds(actions) == [Hold]
    assert names(made.ended(run, OK, at(61))) == ["a"]


def test_replace_stops_its_own_run_that_has_the_lock() -> None:
    made = registered(with_lock("a", overlap=Overlap.REPLACE, max_runs=5))
    (run,) = starts(made.tick(at(60)))
    actions = made.tick(at(120))
    assert [action.run_id for action in actions if isinstance(action, Stop)] == [run.run_id]
    assert starts(made.ended(run, OK, at(121)))[0].slot == T0 + 120


def test_allow_runs_side_by_side_as_far_as_the_lock_goes() -> None:
    made = registered(with_lock("a", overlap=Overlap.ALLOW, max_runs=None, lock=Lock("db", 2)))
    made.tick(at(60))
    made.tick(at(120))
    assert closes(made.tick(at(180))) == [("a", Reason.LOCK)]


# Who is patient.


def test_a_retry_waits_for_the_lock() -> None:
    retry = Retry(limit=1, first_ms=5_000, most_ms=5_000)
    made = registered(with_lock("a", "0 * * * *", retry=retry), with_lock("b", "@reboot"))
    (run,) = starts(made.tick(at(3600)))
    made.ended(run, FAILED, at(3601))
    (other,) = starts(triggered(made, "b", 3602)[1])
    assert closes(made.tick(at(3610))) == []
    assert [fire.kind for fire in made.held()] == [Kind.RETRY]
    (again,) = starts(made.ended(other, OK, at(3620)))
    assert (again.kind, again.attempt) == (Kind.RETRY, 2)


def test_a_replay_waits_for_the_lock() -> None:
    made, run = taken(with_lock("a", "0 * * * *"))
    made.replay([("a", Slot(T0 - 3600))], at(2))
    assert held(made) == [("a", -3600)]
    assert [fire.kind for fire in starts(made.ended(run, OK, at(3)))] == [Kind.REPLAY]


def test_what_is_caught_up_waits_for_the_lock() -> None:
    made, run = taken(with_lock("a", catchup=Catchup.LAST))
    made.tick(at(3_700))
    assert held(made) == [("a", 3_600)]
    assert [fire.kind for fire in starts(made.ended(run, OK, at(3_701)))] == [Kind.CATCHUP]


def test_of_many_at_the_start_of_the_host_all_run_one_after_the_other() -> None:
    made = registered(*(with_lock(name, "@reboot") for name in "abc"))
    actions = made.startup(at(0))
    assert kinds(actions) == [Start, Hold, Hold]
    run, ran = starts(actions)[0], []
    while run:
        ran.append(run.script)
        run = next(iter(starts(made.ended(run, OK, at(1)))), None)  # type: ignore[assignment]
    assert ran == ["a", "b", "c"]


def test_a_replay_asked_for_twice_while_it_waits_for_the_lock_is_made_once() -> None:
    made, _ = taken(with_lock("a", "0 * * * *"))
    made.replay([("a", Slot(T0 - 3600))], at(2))
    again, _ = made.replay([("a", Slot(T0 - 3600))], at(3))
    assert again == []


def test_of_the_backlog_one_at_a_time_stands_in_line_for_a_lock_and_others_go_on() -> None:
    waiting = [with_lock(name, "0 * * * *") for name in "abcde"]
    made, run = taken(*waiting, schedule("free", "0 * * * *"))
    _, actions = made.replay([(name, Slot(T0 - 3600)) for name in [*"abcde", "free"]], at(2))
    assert names(actions) == ["free"]
    view = made.view("a", at(2))
    assert view is not None
    assert view.lock is not None
    assert view.lock.waiting == 1
    ran = []
    while run:
        run = next(iter(starts(made.ended(run, OK, at(3)))), None)  # type: ignore[assignment]
        ran.append(run.script if run else None)
    assert sorted(ran[:-1]) == list("abcde")  # type: ignore[type-var]


def test_a_backlog_does_not_stand_before_slots_that_wait_longer() -> None:
    made, run = taken(with_lock("a", overlap=Overlap.QUEUE), with_lock("old", "0 * * * *"))
    made.tick(at(60))
    made.replay([("old", Slot(T0 - 3600)), ("old", Slot(T0 - 7200))], at(62))
    assert names(made.ended(run, OK, at(70))) == ["a"]


# What can be seen.


def test_the_view_shows_who_has_the_lock_and_who_waits() -> None:
    made, run = taken(with_lock("a", overlap=Overlap.QUEUE), schedule("free"))
    made.tick(at(60))
    (waits,) = [fire for fire in made.held() if fire.script == "a"]
    view = made.view("a", at(60))
    assert view is not None
    assert view.lock is not None
    assert [(holder.fire, holder.since_ms) for holder in view.lock.holders] == [(run, at(1))]
    assert (view.lock.waiters, view.in_line) == ((waits,), (waits.run_id,))
    free = made.view("free", at(60))
    assert free is not None
    assert free.lock is None


def test_each_held_fire_says_what_it_waits_for() -> None:
    made = registered(
        with_lock("holder", "@reboot"),
        with_lock("lock", EACH_10_S, overlap=Overlap.QUEUE_ALL),
        schedule("behind", EACH_10_S, overlap=Overlap.QUEUE),
        schedule("place", "20 * * * * *"),
        schedule("turn", "0 0 1 1 *"),
        max_running=2,
    )
    (run,) = starts(triggered(made, "holder", 1)[1])
    (own,) = starts(made.tick(at(10)))
    made.tick(at(20))
    made.pace(0)
    made.replay([("turn", Slot(T0))], at(20))
    told = [(fire.script, made.wait(fire)) for fire in made.held()]
    waits = {(script, wait.what, None if wait.fire is None else wait.fire.run_id) for script, wait in told}
    first = next(fire for fire in made.held() if fire.script == "lock")
    assert waits == {
        ("place", Awaited.PLACE, None),
        ("lock", Awaited.LOCK, run.run_id),
        ("behind", Awaited.RUN, own.run_id),
        ("lock", Awaited.RUN, first.run_id),
        ("turn", Awaited.TURN, None),
    }


def test_a_retry_says_that_it_waits_for_its_time() -> None:
    made = registered(schedule("a", retry=Retry(limit=1, first_ms=5_000, most_ms=5_000)))
    (run,) = starts(made.tick(at(10)))
    made.ended(run, FAILED, at(11))
    (retry,) = made.held()
    assert made.wait(retry).what is Awaited.TIME


def test_a_lock_with_a_thousand_waiters_is_shown_short() -> None:
    made, _ = taken(*(with_lock(f"s{n:04}", overlap=Overlap.QUEUE) for n in range(1_000)))
    made.tick(at(60))
    view = made.view("s0000", at(60))
    assert view is not None
    assert view.lock is not None
    assert (view.lock.waiting, len(view.lock.waiters)) == (1_000, 20)
    assert view.lock.waiters[0].script == "s0000"
