"""A schedule whose runs outlast its interval is told of, from when on, how badly, and until when."""

from collections.abc import Callable
from typing import Any

import pytest

from schedd.daemon import record
from schedd.fire import Fire, Outcome, Reason, Status
from schedd.insight import keeping_up
from schedd.ledger import facts
from schedd.ledger.state import State
from schedd.planner.actions import Action, Close, KeptUp, Lagging, Start
from schedd.planner.planner import Planner
from schedd.planner.view import Pace
from schedd.schedule import Lock, Overlap, Schedule
from schedd.timetable.instant import Slot
from tests.pure.making import T0_MS, planner, schedule

T0 = T0_MS // 1000
SCRIPT, OTHER = "slow.sh", "other.sh"
EACH_10_MIN = "*/10 * * * *"
MIN = 60


class Life:
    """A planner whose runs take as long as `takes_s` says, minute by minute."""

    def __init__(self, *schedules: Schedule, takes_s: Callable[[Fire], float], made: Planner | None = None):
        self.planner = planner() if made is None else made
        self.schedules = {each.script: each for each in schedules}
        self.takes_s = takes_s
        self.now = T0
        self.flying: dict[Fire, float] = {}
        self.told: list[tuple[int, Lagging | KeptUp]] = []
        """With the minute in which it was told."""
        self.closed: list[Close] = []
        self.do(self.planner.reconcile(self.schedules, T0_MS))

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Start(fire=fire):
                    self.flying[fire] = self.now + self.takes_s(fire)
                case Lagging() | KeptUp():
                    self.told.append(((self.now - T0) // MIN, action))
                case Close():
                    self.closed.append(action)
                case _:
                    pass

    def pass_minutes(self, minutes: int) -> None:
        for _ in range(minutes):
            self.now += MIN
            for fire, until in list(self.flying.items()):
                if until <= self.now:
                    self.end(fire)
            self.do(self.planner.tick(self.now * 1000))

    def end(self, fire: Fire, outcome: Outcome | None = None) -> None:
        del self.flying[fire]
        took_ms = round(self.takes_s(fire) * 1000)
        ended = outcome or Outcome(status=Status.OK, ended_ms=0, duration_ms=took_ms)
        self.do(self.planner.ended(fire, ended, self.now * 1000))

    @property
    def pace(self) -> Pace | None:
        view = self.planner.view(SCRIPT, self.now * 1000)
        assert view is not None
        return view.pace

    def kinds(self) -> list[type]:
        return [type(told) for _, told in self.told]


def minutes(count: float) -> Callable[[Fire], float]:
    return lambda _: count * MIN


def slow(**more: Any) -> Schedule:
    return schedule(SCRIPT, EACH_10_MIN, **more)


def test_runs_that_outlast_their_interval_are_told_with_what_they_really_do() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(24 * 60)
    pace = life.pace
    assert pace is not None
    assert (pace.slots_per_day, pace.ran_per_day, pace.p50_ms) == (144, 48, 27 * MIN * 1000)
    assert pace.since == T0 + 10 * MIN
    assert life.planner.lagging() == {SCRIPT: pace}
    told = "every 10 min, really 48 a day (of 144) since Tue 2023-11-14 00:10 UTC, p50 27 min"
    assert keeping_up.sentence(pace, slow()) == f"its runs outlast its interval: {told}"


def test_it_is_told_once_and_not_each_time() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(3 * 24 * 60)
    begun = [told for _, told in life.told if isinstance(told, Lagging) and told.begins]
    assert len(begun) == 1
    assert len(life.told) <= 8
    assert KeptUp not in life.kinds()


def test_runs_that_end_in_time_are_not_told_of() -> None:
    life = Life(slow(), takes_s=minutes(9))
    life.pass_minutes(24 * 60)
    assert (life.told, life.pace) == ([], None)


def test_one_long_run_in_a_night_is_bad_luck() -> None:
    long_ago = T0 + 60 * MIN
    life = Life(slow(), takes_s=lambda fire: 90 * MIN if fire.slot == long_ago else 60)
    life.pass_minutes(24 * 60)
    assert life.told == []
    assert len(life.closed) == 8


def test_one_run_in_five_that_is_slow_is_not_told_of() -> None:
    life = Life(slow(), takes_s=lambda fire: 15 * MIN if (fire.slot or 0) // 600 % 6 == 0 else 60)
    life.pass_minutes(2 * 24 * 60)
    assert life.closed
    assert life.told == []


def test_it_ends_when_the_runs_are_short_again_and_only_once() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(6 * 60)
    life.takes_s = minutes(1)
    life.pass_minutes(6 * 60)
    assert life.kinds()[0] is Lagging
    assert life.kinds().count(KeptUp) == 1
    assert life.kinds()[-1] is KeptUp
    assert life.pace is None


def test_it_does_not_flap_between_slow_and_quick_runs() -> None:
    slow_ones = (True, True, False, True, False)
    life = Life(slow(), takes_s=lambda fire: 15 * MIN if slow_ones[(fire.slot or 0) // 600 % 5] else 60)
    life.pass_minutes(7 * 24 * 60)
    assert life.kinds().count(KeptUp) <= 1


def test_a_run_that_does_not_end_at_all_is_told_of_while_it_lasts() -> None:
    life = Life(slow(), takes_s=minutes(10_000))
    life.pass_minutes(24 * 60)
    pace = life.pace
    assert pace is not None
    assert (pace.slots_per_day, pace.ran, pace.p50_ms) == (144, 1, (24 * 60 - 10) * MIN * 1000)


@pytest.mark.parametrize("overlap", [Overlap.QUEUE, Overlap.QUEUE_ALL, Overlap.SKIP])
def test_slots_that_were_held_behind_its_own_run_count_as_well(overlap: Overlap) -> None:
    life = Life(slow(overlap=overlap), takes_s=minutes(12))
    life.pass_minutes(24 * 60)
    assert life.pace is not None


def test_runs_that_could_not_be_started_say_nothing() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(6 * 60)
    for _ in range(100):
        life.pass_minutes(1)
        for fire in list(life.flying):
            life.end(fire, Outcome(status=Status.ERROR, reason=Reason.SPAWN, ended_ms=0))
    assert life.pace is not None
    assert life.pace.p50_ms == 27 * MIN * 1000


def test_runs_that_the_next_slot_replaces_did_not_run() -> None:
    life = Life(slow(overlap=Overlap.REPLACE), takes_s=minutes(27))
    for _ in range(30):
        life.pass_minutes(10)
        stopped = Outcome(status=Status.ERROR, reason=Reason.STOPPED, ended_ms=0, duration_ms=600_000)
        for fire in list(life.flying):
            if fire.slot is not None and fire.slot < life.now:
                life.end(fire, stopped)
    pace = life.pace
    assert pace is not None
    assert pace.ran <= 1
    assert pace.slots >= 20


def test_side_by_side_it_keeps_up_as_long_as_it_may_run_often_enough() -> None:
    life = Life(slow(overlap=Overlap.ALLOW, max_runs=3), takes_s=minutes(27))
    life.pass_minutes(24 * 60)
    assert life.told == []


def test_side_by_side_but_not_often_enough_it_lags() -> None:
    life = Life(slow(overlap=Overlap.ALLOW, max_runs=2), takes_s=minutes(27))
    life.pass_minutes(24 * 60)
    pace = life.pace
    assert pace is not None
    assert pace.slots_per_day == 144
    assert 90 <= pace.ran_per_day <= 100


def test_slots_lost_to_the_lock_of_another_script_are_not_its_own_fault() -> None:
    lock = Lock("db")
    other = schedule(OTHER, "1-59/10 * * * *", lock=lock)
    life = Life(slow(lock=lock), other, takes_s=lambda fire: 30 * MIN if fire.script == OTHER else 5 * MIN)
    life.pass_minutes(24 * 60)
    assert sum(close.reason is Reason.LOCK for close in life.closed if close.fire.script == SCRIPT) > 20
    assert life.pace is None


def test_slots_lost_to_a_full_house_are_not_its_own_fault() -> None:
    other = schedule(OTHER, "9-59/10 * * * *")
    life = Life(
        slow(),
        other,
        takes_s=lambda fire: 35 * MIN if fire.script == OTHER else MIN,
        made=planner(max_running=1),
    )
    life.pass_minutes(24 * 60)
    assert any(close.reason is Reason.OVERLAP for close in life.closed if close.fire.script == SCRIPT)
    assert life.pace is None


def test_a_manual_trigger_that_finds_a_run_in_flight_is_no_slot() -> None:
    life = Life(slow(), takes_s=minutes(9))
    for _ in range(20):
        life.pass_minutes(10)
        life.pass_minutes(5)
        life.do(life.planner.trigger(SCRIPT, life.now * 1000)[1])
        life.pass_minutes(5)
    assert life.pace is None or life.pace.slots < 10


def test_another_timetable_begins_anew() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(6 * 60)
    wide = schedule(SCRIPT, "0 * * * *")
    life.do(life.planner.reconcile({SCRIPT: wide}, life.now * 1000))
    assert life.kinds()[-1] is KeptUp
    life.pass_minutes(24 * 60)
    assert life.pace is None


def test_a_script_that_is_removed_is_forgotten() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(6 * 60)
    life.do(life.planner.reconcile({}, life.now * 1000))
    assert life.kinds()[-1] is KeptUp
    assert life.planner.lagging() == {}


def restarted(life: Life, actions: list[Action], *schedules: Schedule) -> Life:
    """Return what comes after these actions and a day's absence: by the ledger's state, through a checkpoint.

    `schedules` are what is there then, if it is not what was there before.
    """
    state = State()
    for each in life.schedules.values():
        state.apply(
            facts.Registered(
                at=T0_MS,
                path=each.script,
                expression=each.expression,
                timezone="UTC",
                enabled=True,
                sha256="0",
            )
        )
    for action in actions:
        fact = record.fact_of(action, now_ms=life.now * 1000, host="here")
        assert fact is not None
        state.apply(fact)
    state.apply(facts.Watermark(slot=Slot(life.now)))
    checkpoint = facts.decode(facts.encode(state.checkpoint(life.now * 1000)))
    assert checkpoint is not None
    kept = State()
    kept.apply(checkpoint)
    after = Life(takes_s=life.takes_s)
    after.planner, after.now = planner(), life.now + (24 * 60 + 5) * MIN
    after.schedules = {each.script: each for each in schedules} or life.schedules
    after.do(after.planner.restore(record.past_of(kept), after.schedules, after.now * 1000))
    return after


def test_it_is_known_after_a_crash_and_the_absence_does_not_count() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(24 * 60)
    after = restarted(life, [told for _, told in life.told])
    pace = after.pace
    assert pace is not None
    assert (pace.since, pace.slots_per_day) == (T0 + 10 * MIN, 144)
    after.pass_minutes(6 * 60)
    pace = after.pace
    assert pace is not None
    assert pace.slots_per_day == 144
    assert 47 <= pace.ran_per_day <= 49
    assert not [told for _, told in after.told if isinstance(told, Lagging) and told.begins]


def test_after_an_orderly_stop_the_numbers_are_those_of_the_stop() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(24 * 60)
    before = life.pace
    assert restarted(life, life.planner.finish(life.now * 1000)).pace == before


def test_it_ends_after_a_restart_as_it_would_have_before() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(24 * 60)
    after = restarted(life, [told for _, told in life.told])
    after.takes_s = minutes(1)
    after.pass_minutes(2 * 60)
    assert after.pace is None
    assert after.kinds()[-1] is KeptUp


def test_a_script_with_another_timetable_after_a_restart_is_another_one() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(24 * 60)
    after = restarted(life, [told for _, told in life.told], schedule(SCRIPT, "0 * * * *"))
    assert after.kinds() == [KeptUp]
    assert after.pace is None


def test_the_clock_set_back_by_hours_spoils_no_number() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(24 * 60)
    life.now -= 12 * 60 * MIN
    life.flying = dict.fromkeys(life.flying, life.now + 27 * MIN)
    life.do(life.planner.tick(life.now * 1000))
    life.pass_minutes(24 * 60)
    pace = life.pace
    assert pace is not None
    assert pace.slots_per_day == 144


def test_nothing_is_kept_of_a_script_that_keeps_up_again() -> None:
    life = Life(slow(), takes_s=minutes(27))
    life.pass_minutes(6 * 60)
    life.takes_s = minutes(1)
    life.pass_minutes(6 * 60)
    assert not life.planner._admission.cadence._records


@pytest.mark.parametrize(("slots", "span_s", "ran", "p50_ms"), [(2, 0, 0, 0), (1, 1, 5, 1), (0, 0, 0, 0)])
def test_odd_numbers_in_a_ledger_still_make_a_sentence(
    slots: int, span_s: int, ran: int, p50_ms: int
) -> None:
    pace = Pace(since=Slot(0), slots=slots, span_s=span_s, ran=ran, p50_ms=p50_ms)
    assert keeping_up.sentence(pace, slow()).startswith("its runs outlast its interval: every ")
