"""Everybody who waits for a lock gets their turn, whatever else is scarce, and whatever headers become."""

from schedd.fire import Fire, Kind, Reason, RunId
from schedd.planner.actions import Close, Hold
from schedd.planner.locks import overruled
from schedd.planner.past import Past
from schedd.planner.registry import Remembered
from schedd.schedule import Lock, Overlap, Retry
from schedd.timetable.instant import Slot
from tests.pure.locking import (
    EACH_10_S,
    EACH_MINUTE,
    FAILED,
    OK,
    T0,
    at,
    closes,
    kinds,
    names,
    registered,
    starts,
    taken,
    triggered,
    with_,
    with_lock,
)
from tests.pure.making import T0_MS, planner, schedule

# Whose turn it is.


def test_the_lock_goes_in_due_order_over_all_scripts() -> None:
    made, run = taken(
        with_lock("late", "2 * * * *", overlap=Overlap.QUEUE),
        with_lock("early", "1 * * * *", overlap=Overlap.QUEUE),
    )
    made.tick(at(60))
    made.tick(at(120))
    (second,) = starts(made.ended(run, OK, at(130)))
    assert second.script == "early"
    assert names(made.ended(second, OK, at(140))) == ["late"]


def test_nobody_overtakes_those_who_stand_in_line() -> None:
    two = Lock("db", 2)
    made = registered(
        with_lock("a", "1 * * * *", lock=two),
        with_lock("b", "1 * * * *", lock=two),
        with_lock("c", "2 * * * *", lock=two, overlap=Overlap.QUEUE),
        with_lock("d", "@reboot", lock=two, overlap=Overlap.QUEUE),
    )
    a, b = starts(made.tick(at(60)))
    made.tick(at(120))
    assert names(made.ended(a, OK, at(121))) == ["c"]
    assert starts(triggered(made, "d", 122)[1]) == []
    assert names(made.ended(b, OK, at(123))) == ["d"]


def test_no_slot_of_a_lock_stays_free_while_somebody_waits_for_it() -> None:
    two = Lock("db", 2)
    made = registered(*(with_lock(name, lock=two, overlap=Overlap.QUEUE) for name in "abcde"))
    a, b = starts(made.tick(at(60)))
    made.ended(a, OK, at(61))
    made.ended(b, OK, at(62))
    assert [fire.script for fire in made.running()] == ["c", "d"]


# Together with the other limits.


def test_who_waits_for_the_lock_takes_no_place_from_anybody() -> None:
    holder, waiter = with_lock("holder", "1 * * * *"), with_lock("w", "1 * * * *", overlap=Overlap.QUEUE)
    made = registered(holder, waiter, schedule("c", "2 * * * *"), max_running=2)
    made.tick(at(60))
    assert names(made.tick(at(120))) == ["c"]


def test_who_waits_for_a_place_has_its_turn_with_the_lock() -> None:
    made = registered(schedule("x", "@reboot"), with_lock("a"), with_lock("b", "2 * * * *"), max_running=1)
    (run,) = starts(triggered(made, "x", 1)[1])
    made.tick(at(60))
    (close,) = [
        action for action in made.tick(at(120)) if isinstance(action, Close) and action.fire.script == "b"
    ]
    assert close.reason is Reason.LOCK
    assert "has its turn, and waits for a free place" in close.error
    assert names(made.ended(run, OK, at(130))) == ["a"]


def test_a_waiter_that_is_dropped_lets_the_next_one_go_on() -> None:
    made = registered(
        schedule("x", "@reboot"),
        with_lock("a"),
        with_lock("b", overlap=Overlap.QUEUE),
        max_running=1,
    )
    (run,) = starts(triggered(made, "x", 1)[1])
    made.tick(at(60))
    waits = {fire.script: fire for fire in made.held()}
    made.drop(waits["a"].run_id, "not now")
    assert names(made.ended(run, OK, at(61))) == ["b"]


def test_what_waited_behind_a_slot_that_is_given_up_comes_forward() -> None:
    made, run = taken(with_lock("a", EACH_10_S, overlap=Overlap.QUEUE_ALL))
    made.tick(at(20))
    first = made.held()[0]
    made.drop(first.run_id, "not now")
    (started,) = starts(made.ended(run, OK, at(21)))
    assert started.slot == T0 + 20


def test_a_deadline_counts_while_a_slot_waits_for_the_lock() -> None:
    made, run = taken(with_lock("a", overlap=Overlap.QUEUE, deadline_s=30))
    made.tick(at(60))
    assert closes(made.expire(at(91))) == [("a", Reason.TOO_LATE)]
    assert starts(made.ended(run, OK, at(92))) == []


def test_a_slot_that_is_too_late_when_the_lock_is_free_lets_the_next_one_have_it() -> None:
    made, run = taken(
        with_lock("a", overlap=Overlap.QUEUE, deadline_s=30), with_lock("b", overlap=Overlap.QUEUE)
    )
    made.tick(at(60))
    actions = made.ended(run, OK, at(95))
    assert closes(actions) == [("a", Reason.TOO_LATE)]
    assert names(actions) == ["b"]


def test_a_full_hold_is_full_for_those_who_wait_for_a_lock_too() -> None:
    made = registered(*(with_lock(name, overlap=Overlap.QUEUE) for name in "abc"), max_held=1)
    assert closes(made.tick(at(60))) == [("c", Reason.OVERLOAD)]


def test_a_retry_that_waits_is_not_dropped_because_the_hold_is_full() -> None:
    retry = Retry(limit=1, first_ms=5_000, most_ms=5_000)
    made = registered(
        with_lock("a", "0 * * * *", retry=retry),
        with_lock("b", "@reboot"),
        with_lock("c", "1 * * * *", overlap=Overlap.QUEUE),
        max_held=1,
    )
    (run,) = starts(made.tick(at(3600)))
    made.ended(run, FAILED, at(3601))
    triggered(made, "b", 3602)
    made.tick(at(3660))
    assert {fire.kind for fire in made.held()} == {Kind.RETRY, Kind.SCHEDULE}


def test_what_waited_behind_a_slot_that_was_too_late_at_the_door_comes_forward() -> None:
    made = registered(
        schedule("x", "@reboot"),
        with_lock("a", "30 * * * * *", overlap=Overlap.QUEUE_ALL, deadline_s=70),
        max_running=1,
    )
    (run,) = starts(triggered(made, "x", 1)[1])
    made.tick(at(30))
    made.tick(at(90))
    actions = made.ended(run, OK, at(110))
    assert closes(actions) == [("a", Reason.TOO_LATE)]
    assert [fire.slot for fire in starts(actions)] == [T0 + 90]


def test_a_newer_slot_that_takes_a_turn_at_the_door_takes_the_lock_with_it() -> None:
    made = registered(
        schedule("x", "@reboot"),
        with_lock("a", overlap=Overlap.REPLACE),
        with_lock("b", "2 * * * *"),
        max_running=1,
    )
    (run,) = starts(triggered(made, "x", 1)[1])
    made.tick(at(60))
    assert closes(made.tick(at(120))) == [("a", Reason.SUPERSEDED), ("b", Reason.LOCK)]
    assert [fire.slot for fire in starts(made.ended(run, OK, at(121)))] == [T0 + 120]


def test_a_retry_never_takes_the_place_of_a_newer_slot_that_waits() -> None:
    retry = Retry(limit=1, first_ms=90_000, most_ms=90_000)
    made = registered(with_lock("a", overlap=Overlap.QUEUE, retry=retry), with_lock("b", "@reboot"))
    (run,) = starts(made.tick(at(60)))
    made.ended(run, FAILED, at(61))
    (other,) = starts(triggered(made, "b", 62)[1])
    made.tick(at(120))
    assert closes(made.tick(at(152))) == [("a", Reason.SUPERSEDED)]
    assert [fire.slot for fire in starts(made.ended(other, OK, at(153)))] == [T0 + 120]


# Headers that change.


def test_the_smallest_number_of_slots_counts_and_the_others_are_told() -> None:
    careful, bold = with_lock("careful", lock=Lock("db", 1)), with_lock("bold", lock=Lock("db", 3))
    made = registered(bold, careful)
    assert len(starts(made.tick(at(60)))) == 1
    sentence = "@lock db:3 counts as db:1, as careful has it"
    assert overruled([careful, bold]) == [("bold", sentence)]
    views = {view.schedule.script: view.cautions for view in made.views(at(60))}
    assert views == {"bold": (sentence,), "careful": ()}


def test_scripts_that_agree_are_told_nothing() -> None:
    assert overruled([with_lock("a"), with_lock("b"), schedule("c"), with_lock("d", lock=Lock("x", 9))]) == []


def test_a_lock_that_gets_wider_lets_the_next_ones_go_on() -> None:
    wide = Lock("db", 2)
    made = registered(*(with_lock(name, overlap=Overlap.QUEUE) for name in "abc"))
    made.tick(at(60))
    actions = with_(made, 61, *(with_lock(name, overlap=Overlap.QUEUE, lock=wide) for name in "abc"))
    assert names(actions) == ["b"]


def test_a_lock_that_gets_narrower_lets_nobody_in_until_it_is_free() -> None:
    wide = Lock("db", 2)
    made = registered(*(with_lock(name, overlap=Overlap.QUEUE, lock=wide) for name in "abc"))
    a, b = starts(made.tick(at(60)))
    with_(made, 61, *(with_lock(name, overlap=Overlap.QUEUE) for name in "abc"))
    assert starts(made.ended(a, OK, at(62))) == []
    assert names(made.ended(b, OK, at(63))) == ["c"]


def test_a_run_has_the_lock_that_its_header_names_after_a_reload() -> None:
    made = registered(schedule("a"), with_lock("b", "@reboot"))
    (run,) = starts(made.tick(at(10)))
    with_(made, 11, with_lock("a", EACH_10_S), with_lock("b", "@reboot"))
    assert closes(triggered(made, "b", 12)[1]) == [("b", Reason.LOCK)]
    made.ended(run, OK, at(13))
    assert names(triggered(made, "b", 14)[1]) == ["b"]


def test_a_run_keeps_the_lock_it_was_started_with_when_its_header_drops_it() -> None:
    made, run = taken(with_lock("a"))
    with_(made, 2, schedule("holder", "@reboot"), with_lock("a"))
    assert closes(made.tick(at(60))) == [("a", Reason.LOCK)]
    made.ended(run, OK, at(61))
    assert names(made.tick(at(120))) == ["a"]


def test_a_waiter_whose_header_drops_the_lock_starts_at_once() -> None:
    made, _ = taken(with_lock("a", overlap=Overlap.QUEUE))
    made.tick(at(60))
    actions = with_(made, 61, with_lock("holder", "@reboot"), schedule("a", EACH_MINUTE))
    assert names(actions) == ["a"]


def test_a_holder_that_is_removed_has_the_lock_until_its_run_ends() -> None:
    made, run = taken(with_lock("a", overlap=Overlap.QUEUE))
    with_(made, 2, with_lock("a", overlap=Overlap.QUEUE))
    assert kinds(made.tick(at(60))) == [Hold]
    assert names(made.ended(run, OK, at(61))) == ["a"]


def test_after_a_restart_the_lock_is_free_and_waiters_go_on() -> None:
    a = with_lock("a", overlap=Overlap.QUEUE)
    waited = Fire(RunId("waited"), "a", EACH_MINUTE, Kind.SCHEDULE, Slot(T0 + 60))
    died = Fire(RunId("died"), "holder", "@reboot", Kind.MANUAL, None)
    remembered = Remembered(
        script="a",
        expression=a.expression,
        timetable=a.timetable,
        enabled=True,
        sha256=a.sha256,
        registered_at_ms=T0_MS,
    )
    made = planner()
    past = Past(
        watermark=Slot(T0 + 61), registered=(remembered,), held=((waited, None),), interrupted=(died,)
    )
    actions = made.restore(past, {"a": a, "holder": with_lock("holder", "@reboot")}, at(70))
    assert starts(actions) == [waited]
