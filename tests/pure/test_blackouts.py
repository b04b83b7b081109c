"""Slots that a calendar closes: decided, told on the day, and never run; and what is shown of them."""

from datetime import date

from schedd.fire import Fire, Kind, Outcome, Reason, RunId, Status
from schedd.planner.actions import Action, Close, Decided, Hold, Open, Register, Start
from schedd.planner.past import Past
from schedd.planner.planner import Planner
from schedd.planner.registry import Remembered
from schedd.schedule import Catchup, Retry, Schedule
from schedd.timetable.instant import Slot
from tests.pure.calendars import at, closing, day, hours, made, observed
from tests.pure.making import T0_MS, planner, schedule

T0 = T0_MS // 1000
TODAY = date(2023, 11, 14)
"""The day of T0_MS."""
NOON = made(hours(at("2023-11-14T12:00"), at("2023-11-14T13:00"), name="noon"))


def started(*schedules: Schedule, now_h: float = 0) -> Planner:
    life = planner()
    life.restore(Past(), {each.script: each for each in schedules}, T0_MS + int(now_h * 3_600_000))
    return life


def told(actions: list[Action]) -> list[str]:
    """Return what was decided, without the watermark."""
    found = []
    for action in actions:
        match action:
            case Start(fire=fire) | Hold(fire=fire):
                found.append(f"{type(action).__name__} {fire.kind.value} {_hour(fire.slot)}")
            case Open(fire=fire, reason=reason, error=error):
                found.append(f"Open {_hour(fire.slot)} {reason.value} {error}")
            case Close(fire=fire, reason=reason, error=error, count=count, last_slot=last):
                span = "" if count is None else f" {count} to {_hour(last)}"
                found.append(f"Close {_hour(fire.slot)}{span} {reason.value} {error}"[:60])
            case _:
                assert isinstance(action, Decided | Register)
    return found


def _hour(slot: Slot | None) -> str:
    assert slot is not None
    return f"{(slot - T0) / 3600:g}h"


def pass_hours(planner: Planner, *hours: float) -> list[str]:
    return [line for hour in hours for line in told(planner.tick(T0_MS + int(hour * 3_600_000)))]


def test_a_closed_slot_is_told_at_once_and_by_itself() -> None:
    calendar = closing([TODAY])
    daily = started(schedule("a", "0 2 * * *", observance=observed(calendar, "skip")))
    assert pass_hours(daily, 1, 2) == ["Close 2h blackout test.txt: 2023-11-14"]
    assert pass_hours(daily, 26) == ["Start schedule 26h"]


def test_a_closed_slot_is_disabled_with_the_event_as_its_error() -> None:
    daily = started(schedule("a", "0 2 * * *", observance=observed(closing([TODAY]), "skip")))
    close = next(a for a in daily.tick(T0_MS + 7_200_000) if isinstance(a, Close))
    assert (close.status, close.reason, close.fire.kind) == (Status.DISABLED, Reason.BLACKOUT, Kind.SCHEDULE)
    assert close.error == "test.txt: 2023-11-14"


def test_closed_slots_in_a_row_are_one_line_that_comes_with_the_last() -> None:
    script = schedule("a", "*/15 * * * *", observance=observed(NOON, "skip"))
    often = started(script, now_h=11.9)
    assert pass_hours(often, 12, 12.25, 12.5) == ["Open 12h blackout test.txt: noon"]
    assert pass_hours(often, 12.75) == ["Close 12h 4 to 12.75h blackout test.txt: noon"]
    assert pass_hours(often, 13) == ["Start schedule 13h"]


def test_another_event_is_another_line() -> None:
    calendar = made(day(TODAY, "one"), day(date(2023, 11, 15), "other"))
    often = started(schedule("a", "0 */8 * * *", observance=observed(calendar, "skip")))
    assert pass_hours(often, 8, 16) == [
        "Open 8h blackout test.txt: one",
        "Close 8h 2 to 16h blackout test.txt: one",
    ]
    assert pass_hours(often, 24) == ["Open 24h blackout test.txt: other"]


def test_an_event_of_many_days_has_a_line_for_each_day() -> None:
    long = closing([date(2023, 11, n) for n in range(14, 20)])
    daily = started(schedule("a", "0 2 * * *", observance=observed(long, "skip")))
    lines = [line[:8] for line in pass_hours(daily, 2, 26, 50)]
    assert lines == ["Close 2h", "Close 26", "Close 50"]


def test_what_was_closed_while_nobody_was_there_is_not_missed() -> None:
    often = started(schedule("a", "0 * * * *", observance=observed(NOON, "skip")), now_h=9.5)
    assert [line.split(" schedd")[0] for line in pass_hours(often, 15)] == [
        "Close 10h 2 to 11h missed",
        "Close 12h blackout test.txt: noon",
        "Close 13h 2 to 14h missed",
        "Start schedule 15h",
    ]


def test_what_was_closed_is_not_caught_up() -> None:
    script = schedule("a", "0 * * * *", catchup=Catchup.ALL, observance=observed(NOON, "skip"))
    absent = started(script)
    lines = told(absent.tick(T0_MS + 14 * 3_600_000 + 1_800_000))
    assert [line for line in lines if line.startswith("Hold")] == [
        f"Hold catchup {hour}h" for hour in range(1, 15) if hour != 12
    ]
    assert "Close 12h blackout test.txt: noon" in lines


def test_of_what_was_missed_about_closed_slots_the_newest_may_be_caught_up() -> None:
    script = schedule("a", "0 * * * *", catchup=Catchup.LAST, observance=observed(NOON, "skip"))
    lines = pass_hours(started(script, now_h=9.5), 14.5)
    assert [line.split(" schedd")[0] for line in lines[:4]] == [
        "Close 10h 2 to 11h missed",
        "Close 12h blackout test.txt: noon",
        "Close 13h 1 to 13h missed",
        "Hold catchup 14h",
    ]


def test_the_list_shows_the_slots_that_will_run() -> None:
    often = started(schedule("a", "0 * * * *", observance=observed(NOON, "skip")))
    view = often.view("a", T0_MS)
    assert view is not None
    assert [_hour(slot) for slot in view.next_slots] == ["1h", "2h", "3h", "4h", "5h"]
    often.tick(T0_MS + 11 * 3_600_000)
    view = often.view("a", T0_MS)
    assert view is not None
    assert [_hour(slot) for slot in view.next_slots] == ["13h", "14h", "15h", "16h", "17h"]


def test_a_person_may_run_a_script_on_a_closed_day() -> None:
    daily = started(schedule("a", "0 2 * * *", observance=observed(closing([TODAY]), "skip")))
    _, actions = daily.trigger("a", T0_MS + 1000)
    assert any(isinstance(action, Start) for action in actions)


def test_a_run_of_an_open_slot_is_tried_again_though_it_is_closed_by_then() -> None:
    retry = Retry(limit=1, first_ms=60_000, most_ms=60_000)
    script = schedule("a", "59 11 * * *", retry=retry, observance=observed(NOON, "skip"))
    life = started(script, now_h=11)
    assert pass_hours(life, 11 + 59 / 60) == ["Start schedule 11.9833h"]
    failed = Outcome(status=Status.ERROR, reason=Reason.EXIT, ended_ms=0)
    life.ended(life.running()[0], failed, T0_MS + 43_190_000)
    assert pass_hours(life, 12.1) == ["Start retry 11.9833h"]


def test_a_pause_goes_before_the_calendar() -> None:
    switched_off = schedule("a", "0 2 * * *", enabled=False, observance=observed(closing([TODAY]), "skip"))
    off = started(switched_off)
    assert pass_hours(off, 2)[0].startswith("Open 2h disabled")


def test_an_edited_calendar_is_another_schedule_with_slots_of_its_own() -> None:
    closed = schedule("a", "0 2 * * *", observance=observed(closing([TODAY]), "skip"))
    opened = schedule("a", "0 2 * * *", observance=observed(closing([]), "skip"))
    life = started(closed)
    actions = life.reconcile({"a": opened}, T0_MS + 3_600_000)
    assert [type(a) for a in actions if not isinstance(a, Decided)] == [Register]
    assert pass_hours(life, 2) == ["Start schedule 2h"]


def test_after_a_restart_the_gap_is_settled_with_the_calendar_as_it_is_now() -> None:
    now = schedule("a", "0 * * * *", observance=observed(NOON, "skip"))
    old = Remembered(
        script="a",
        expression="0 * * * *",
        timetable=now.timetable,
        enabled=True,
        sha256="0",
        registered_at_ms=T0_MS,
        calendar_sha256="as it was then",
    )
    life = planner()
    past = Past(watermark=Slot(T0 + 10 * 3600), registered=(old,))
    actions = life.restore(past, {"a": now}, T0_MS + 14 * 3_600_000 + 1_800_000)
    assert [line.split(" schedd")[0] for line in told(actions)] == [
        "Close 11h 1 to 11h missed",
        "Close 12h blackout test.txt: noon",
        "Close 13h 2 to 14h missed",
    ]
    (registered,) = [action for action in actions if isinstance(action, Register)]
    assert registered.registered_at_ms == T0_MS, "the ledger is told of the calendar, and keeps the date"


def test_a_stretch_that_was_open_at_a_crash_is_counted_whole_though_the_calendar_was_edited() -> None:
    opened = schedule("a", "0 * * * *", observance=observed(closing([]), "skip"))
    old = Remembered(
        script="a",
        expression="0 * * * *",
        timetable=opened.timetable,
        enabled=True,
        sha256="0",
        registered_at_ms=T0_MS,
    )
    fire = Fire(RunId("before"), "a", "0 * * * *", Kind.SCHEDULE, Slot(T0 + 2 * 3600))
    stretch = Open(fire, Status.DISABLED, Reason.BLACKOUT, "test.txt: 2023-11-14")
    life = planner()
    past = Past(watermark=Slot(T0 + 5 * 3600), registered=(old,), stretches=(stretch,))
    life.restore(past, {"a": opened}, T0_MS + 5 * 3_600_000 + 1000)
    assert pass_hours(life, 6) == [
        "Close 2h 4 to 5h blackout test.txt: 2023-11-14",
        "Start schedule 6h",
    ]
