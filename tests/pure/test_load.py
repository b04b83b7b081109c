"""Counting slots without walking them gives what a walk gives, in every zone, form, calendar and step."""

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedd.insight import load
from schedd.insight.load import Coming, Load, TooManyError
from schedd.timetable.grid import Grid
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable
from tests.pure import oracle
from tests.pure.calendars import at, closing, observed

ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Tokyo"]
CRON = [
    "* * * * *",
    "*/7 * * * *",
    "30 2 * * *",
    "0 3 * * 1-5",
    "15,45 1-3 * * *",
    "0 0 1 * *",
    "0 12 13 * 5",
    "0 9 * * 1#2",
    "59 23 L * *",
    "*/20 */5 10 * * *",
    "5 30 1-4 * * *",
    "30 2 29 2 *",
]
FORMS = [*CRON, "@every 7m", "@every 25h", "@at 2026-10-25T02:30", "0 2 * * * | 30 2 * * *", "@reboot"]
DAY_S = 86_400
TURNS = [1_774_742_400, 1_792_886_400, 1_774_846_800, 1_771_113_600, 1_775_318_400]
"""Days on which clocks change in some of them: spring and autumn in Europe, in Morocco, on Lord Howe."""
CLOSED = closing(
    [date(2026, 10, 24) + timedelta(days=n) for n in (0, 1, 5)],
    [(at("2026-03-29T01:00"), at("2026-03-29T04:30"), None)],
)


def walked(timetable: Timetable, grid: Grid, start: int) -> Counter[int]:
    """Count by walking from slot to slot."""
    found: Counter[int] = Counter()
    after = Slot(max(start, grid.begin) - 1)
    while slots := timetable.to_run(after, 500):
        for slot in slots:
            if slot >= grid.end:
                return found
            found[grid.index(slot)] += 1
        after = slots[-1]
    return found


@st.composite
def stretches(draw: st.DrawFn) -> Grid:
    begin = draw(st.sampled_from(TURNS)) + draw(st.integers(-2 * DAY_S, 2 * DAY_S))
    step_s = draw(st.sampled_from([1, 60, 300, 3600, DAY_S, 7 * DAY_S]) | st.integers(1, 2 * DAY_S))
    length = draw(st.integers(1, min(400 * step_s, 4 * DAY_S)))
    return Grid(begin=begin, end=begin + length, step_s=step_s)


@st.composite
def timetables(draw: st.DrawFn) -> Timetable:
    how = draw(st.sampled_from([None, None, "skip", "next"]))
    return Timetable.parse(
        draw(st.sampled_from(FORMS)),
        draw(st.sampled_from(ZONES)),
        seed=draw(st.sampled_from(["a.py", "b.py"])),
        jitter_s=draw(st.sampled_from([0, 0, 45, 3600])),
        observance=None if how is None else observed(CLOSED, how),
    )


@given(timetables(), stretches(), st.integers(-DAY_S, DAY_S))
def test_a_script_has_as_many_slots_in_each_step_as_a_walk_finds(
    timetable: Timetable, grid: Grid, later: int
) -> None:
    start = grid.begin + later
    found = Load().each([Coming("a.py", timetable, start)], grid)
    assert found["a.py"] == walked(timetable, grid, start)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("expression", ["30 2 * * *", "15,45 1-3 * * *", "*/20 * * * *"])
def test_nights_in_which_the_clock_is_set_count_as_they_are_walked(expression: str, zone: str) -> None:
    timetable = Timetable.parse(expression, zone)
    for day in TURNS:
        grid = Grid(begin=day - DAY_S, end=day + 2 * DAY_S, step_s=1_800)
        found = Load().each([Coming("a.py", timetable, grid.begin)], grid)
        assert found["a.py"] == walked(timetable, grid, grid.begin)


@given(st.sampled_from(CRON[:-1]), st.sampled_from(ZONES), st.sampled_from(TURNS), st.integers(60, 7200))
def test_debians_cron_starts_as_many_in_each_step(expression: str, zone: str, day: int, step_s: int) -> None:
    if any(sign in expression for sign in "#L") or len(expression.split()) == 6:
        expression = "*/10 1-3 * * *"
    grid = Grid(begin=day - DAY_S, end=day + DAY_S, step_s=step_s)
    # Cron has its clock to get used to before the stretch begins.
    started = oracle.starts(expression, zone, grid.begin - DAY_S, grid.end)
    wanted = Counter(grid.index(slot) for slot in started if slot >= grid.begin)
    coming = Coming("a.py", Timetable.parse(expression, zone), grid.begin)
    assert Load().each([coming], grid)["a.py"] == wanted


@settings(max_examples=40)
@given(st.lists(timetables(), max_size=4), stretches(), st.integers(-DAY_S, DAY_S))
def test_all_together_are_the_sum_of_each_without_its_jitter(
    several: list[Timetable], grid: Grid, later: int
) -> None:
    schedules = [Coming(f"{n}.py", each, grid.begin + later) for n, each in enumerate(several)]
    wanted: Counter[int] = Counter()
    for each in schedules:
        parted = len(each.timetable.parts) > 1 or each.timetable.observance is not None
        plain = Timetable.parse(each.timetable.expression, each.timetable.zone)
        wanted += walked(each.timetable if parted else plain, grid, each.start)
    found = Load().together(schedules, grid)
    assert found == [wanted[index] for index in range(len(grid))]


def test_what_was_asked_before_changes_no_answer() -> None:
    known, grid = Load(), Grid(begin=TURNS[0], end=TURNS[0] + 30 * DAY_S, step_s=3600)
    for expression in ("0 3 * * 1-5", "30 4 * * 1-5", "0 3 * * *"):
        coming = [Coming("a.py", Timetable.parse(expression, "Europe/Berlin"), grid.begin)]
        assert known.each(coming, grid) == Load().each(coming, grid)
        assert known.together(coming, grid) == Load().together(coming, grid)


def test_ten_thousand_minutely_schedules_are_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MOST_WALKED", 0)
    minutely = Timetable.parse("* * * * *", "UTC")
    grid = Grid(begin=TURNS[0], end=TURNS[0] + 30 * DAY_S, step_s=3600)
    assert (
        Load().together([Coming(f"{n}", minutely, grid.begin) for n in range(10_000)], grid)
        == [600_000] * 720
    )


def test_more_than_one_answer_may_walk_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MOST_WALKED", 2_000)
    seconds = Timetable.parse("* * * * * * | @every 2s", "UTC")
    grid = Grid(begin=TURNS[0], end=TURNS[0] + 30 * DAY_S, step_s=3600)
    with pytest.raises(TooManyError):
        Load().each([Coming("a.py", seconds, grid.begin)], grid)


def test_a_schedule_that_begins_after_the_stretch_has_no_slots_in_it() -> None:
    grid = Grid(begin=TURNS[0], end=TURNS[0] + DAY_S, step_s=3600)
    coming = [Coming("a.py", Timetable.parse("* * * * *", "UTC"), grid.end)]
    assert Load().together(coming, grid) == [0] * 24
    assert Load().each(coming, grid) == {"a.py": {}}
