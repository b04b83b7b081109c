"""Scripts that are not to fire for a while."""

from schedd.fire import Reason, Status
from schedd.planner.actions import Action, Close, Resumed, Start
from schedd.planner.planner import Planner
from schedd.planner.view import Pause
from tests.pure.making import T0_MS, planner, schedule

T0 = T0_MS // 1000


def at(second: int) -> int:
    return T0_MS + second * 1000


def paused(script: str | None = "a", *, until_s: int | None = None, since_s: int = 90) -> Planner:
    """Return a planner of two scripts, due each minute, with a pause from 90 s on."""
    made = planner()
    made.reconcile({name: schedule(name, "@every 1m", max_runs=None) for name in "ab"}, at(0))
    made.tick(at(since_s))
    until_ms = None if until_s is None else at(until_s)
    made.pause(
        Pause(script=script, since_ms=at(since_s), by="ops", note="moving", until_ms=until_ms), at(since_s)
    )
    return made


def started(actions: list[Action]) -> list[tuple[str, int]]:
    return [(a.fire.script, (a.fire.slot or 0) - T0) for a in actions if isinstance(a, Start)]


def closed(actions: list[Action]) -> list[tuple[str, Reason, int, int, int]]:
    closes = [a for a in actions if isinstance(a, Close)]
    return [
        (c.fire.script, c.reason, (c.fire.slot or 0) - T0, (c.last_slot or 0) - T0, c.count or 1)
        for c in closes
    ]


def test_a_paused_script_fires_no_more_and_the_others_do() -> None:
    assert started(paused().tick(at(120))) == [("b", 120)]


def test_resuming_tells_what_was_left_out_in_one_line() -> None:
    made = paused()
    made.tick(at(290))
    actions = made.resume("a", "ops", at(290))
    assert closed(actions) == [("a", Reason.PAUSED, 120, 240, 3)]
    assert started(made.tick(at(300))) == [("a", 300), ("b", 300)]


def test_the_line_says_who_paused_it_and_why() -> None:
    made = paused()
    (close,) = [a for a in made.resume("a", "ops", at(130)) if isinstance(a, Close)]
    assert close.status is Status.DISABLED
    assert "paused by ops" in close.error
    assert "moving" in close.error


def test_maintenance_pauses_all() -> None:
    made = paused(None)
    assert started(made.tick(at(120))) == []
    actions = made.resume(None, "ops", at(130))
    assert closed(actions) == [("a", Reason.MAINTENANCE, 120, 120, 1), ("b", Reason.MAINTENANCE, 120, 120, 1)]


def test_a_pause_ends_by_itself_exactly_at_its_end() -> None:
    made = paused(until_s=240)
    assert made.next_ms() == at(120)
    assert started(made.tick(at(130))) == [("b", 120)]
    assert started(made.tick(at(239))) == [("b", 180)]
    actions = made.tick(at(240))
    assert Resumed("a", "its end") in actions
    assert started(actions) == [("a", 240), ("b", 240)]


def test_a_late_wake_up_does_not_prolong_a_pause() -> None:
    actions = paused(until_s=180).tick(at(230))
    assert ("a", 180) in started(actions)
    assert ("a", Reason.PAUSED, 120, 120, 1) in closed(actions)


def test_a_trigger_of_a_paused_script_must_be_forced() -> None:
    made = paused()
    _, actions = made.trigger("a", at(100))
    assert closed(actions) == [("a", Reason.PAUSED, -T0, -T0, 1)]
    _, actions = made.trigger("a", at(101), force=True)
    assert [a.fire.script for a in actions if isinstance(a, Start)] == ["a"]


def test_a_paused_script_that_is_switched_off_closes_its_line_before_a_crash_can_lose_it() -> None:
    made = paused()
    made.tick(at(190))
    off = {"a": schedule("a", "@every 1m", max_runs=None, enabled=False)}
    assert closed(made.reconcile({**made.schedules(), **off}, at(200))) == [("a", Reason.PAUSED, 120, 180, 2)]


def test_the_view_shows_the_pause_that_counts() -> None:
    made = paused(None, since_s=10)
    made.pause(Pause(script="a", since_ms=at(15), by="ops"), at(15))
    a, b = made.views(at(16))
    assert (a.status, a.pause and a.pause.script) == ("paused", "a")
    assert (b.status, b.pause and b.pause.script) == ("paused", None)
