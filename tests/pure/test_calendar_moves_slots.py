"""Due slots with a calendar are those that a brute-force replay finds, in zones with clock changes."""

import itertools
import re
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schedd.errors import TimetableError
from schedd.timetable.calendar import Weekly
from schedd.timetable.instant import Slot
from schedd.timetable.parts import HORIZON
from schedd.timetable.timetable import Timetable
from tests.pure.calendar_oracle import Oracle, first_shown, wall
from tests.pure.calendars import at, closing, day, hours, made, observed, weekly

NIGHTS = [
    ("Europe/Berlin", date(2027, 3, 28)),
    ("Europe/Berlin", date(2027, 10, 31)),
    ("America/St_Johns", date(2010, 11, 7)),
    ("America/St_Johns", date(2010, 3, 14)),
    ("America/Nuuk", date(2027, 3, 27)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
    ("Antarctica/Troll", date(2027, 3, 28)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("UTC", date(2027, 12, 25)),
]
"""Zones, and days in which or next to which something happens to their clocks."""
EXPRESSIONS = [
    "30 2 * * *",
    "*/15 2 * * *",
    "0 0 * * *",
    "59 23 * * *",
    "17 */5 * * *",
    "0 9 * * 1",
    "0 22 * * 1-5",
    "0 0 1,15 * *",
    "@every 7h",
    "*/20 23,0 * * *",
    "0 12 * * * | @every 90m",
]
ONE_DAY = timedelta(days=1)
PAGE = (Path(__file__).parents[2] / "docs/time-rules.md").read_text()
DOCUMENTED = re.findall(r"^\| `(\S.*?)` \| `(\w+)` \| (\S+) \| (\w{3} .*) \|$", PAGE, re.MULTILINE)


@st.composite
def cases(draw, hows, *, windows=True):
    """A zone, the days about one of its clock changes, and what a calendar closes in them."""
    zone, night = draw(st.sampled_from(NIGHTS))
    first = night - 6 * ONE_DAY
    days = {first + ONE_DAY * n for n in draw(st.sets(st.integers(0, 12)))}
    closed = []
    for _ in range(draw(st.integers(0, 3)) if windows else 0):
        start = datetime.combine(first, datetime.min.time()) + timedelta(minutes=draw(st.integers(0, 17_000)))
        end = start + timedelta(minutes=draw(st.sampled_from([1, 30, 90, 600, 1440, 4000])))
        closed.append((start, end, draw(st.sampled_from([None, None, "UTC", "Asia/Tokyo"]))))
    return zone, first, days, closed, draw(st.sampled_from(hows))


def expected(plain, oracle, begin, end):
    """List the due slots in [begin, end) by moving each slot of a wider stretch."""
    wide = 20 * 86_400
    slots, after = set(), Slot(begin - wide)
    while (chunk := plain.upcoming(after, 500)) and after < end + wide:
        slots |= {oracle.due(slot) for slot in chunk}
        after = chunk[-1]
    return sorted(slot for slot in slots if begin <= slot < end)


def between(timetable, begin, end):
    slots, after = [], Slot(begin - 1)
    while chunk := timetable.upcoming(after, 200):
        slots += [slot for slot in chunk if slot < end]
        if chunk[-1] >= end:
            break
        after = chunk[-1]
    return slots


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(cases(["next", "skip"]), cases(["previous"], windows=False)),
    st.sampled_from(EXPRESSIONS),
    st.sampled_from([0, 0, 0, 3600, 86_400]),
    st.integers(0, 13 * 86_400),
)
def test_due_slots_are_those_of_a_brute_force_replay(case, expression, jitter_s, offset):
    zone, first, days, closed, how = case
    calendar = closing(days, closed)
    options = {"seed": "a.py", "jitter_s": jitter_s}
    timetable = Timetable.parse(expression, zone, observance=observed(calendar, how), **options)
    oracle = Oracle(zone, days, closed, how)
    begin = first_shown(zone, datetime.combine(first, datetime.min.time())) + offset
    end = begin + 4 * 86_400
    theirs = expected(Timetable.parse(expression, zone, **options), oracle, begin, end)
    assert between(timetable, begin, end) == theirs
    for slot in theirs:
        assert (timetable.closed_by(slot) is not None) == oracle.is_closed(slot)
    open_slots = [slot for slot in theirs if not oracle.is_closed(slot)]
    assert timetable.to_run(Slot(begin - 1), len(open_slots)) == open_slots


@settings(deadline=None, max_examples=50)
@given(
    st.one_of(cases(["next", "skip"]), cases(["previous"], windows=False)),
    st.sampled_from(EXPRESSIONS),
    st.integers(0, 13 * 86_400),
    st.data(),
)
def test_every_start_between_two_slots_leads_to_the_second(case, expression, offset, data):
    zone, first, days, closed, how = case
    timetable = Timetable.parse(expression, zone, observance=observed(closing(days, closed), how))
    begin = first_shown(zone, datetime.combine(first, datetime.min.time())) + offset
    slots = timetable.upcoming(Slot(begin), 12)
    steps = list(itertools.accumulate(slots, lambda at, _: timetable.next_after(at)))
    assert slots == steps
    one, other = slots[0], slots[1]
    assert timetable.next_after(Slot(data.draw(st.integers(one, other - 1)))) == other


@settings(deadline=None, max_examples=50)
@given(cases(["next"]), st.sampled_from(EXPRESSIONS))
def test_what_was_moved_knows_where_it_came_from(case, expression):
    zone, first, days, closed, how = case
    timetable = Timetable.parse(expression, zone, observance=observed(closing(days, closed), how))
    plain = timetable.plain
    begin = first_shown(zone, datetime.combine(first, datetime.min.time()))
    for slot in plain.upcoming(Slot(begin), 40):
        landed = timetable.landing(slot)
        assert timetable.next_after(Slot(landed - 1)) == landed
        if landed != slot:
            closed_by = timetable.closures.at(slot)
            assert any(
                timetable.closures.at(origin) is closed_by and origin <= slot
                for origin, _ in timetable.origins(landed)
            )
        for origin, why in timetable.origins(landed):
            assert timetable.landing(origin) == landed != origin
            assert why.startswith("test.txt: ")


CHRISTMAS = [date(2026, 12, 25), date(2026, 12, 26), date(2026, 12, 27)]


def told(timetable, begin, count):
    return [f"{wall(timetable.zone, slot):%a %d %H:%M}" for slot in timetable.upcoming(Slot(begin), count)]


BEFORE_CHRISTMAS = 1_798_066_800  # 2026-12-24T00:00 in Berlin


def test_the_page_on_time_rules_has_examples():
    assert len(DOCUMENTED) > 3


@pytest.mark.parametrize(("expression", "how", "zone", "slots"), DOCUMENTED)
def test_a_slot_of_christmas_becomes_what_the_page_says(expression, how, zone, slots):
    timetable = Timetable.parse(expression, zone, observance=observed(closing(CHRISTMAS), how))
    expected = slots.split(", ")
    run = timetable.to_run(Slot(BEFORE_CHRISTMAS), len(expected))
    assert [f"{wall(zone, slot):%a %d %H:%M}" for slot in run] == expected


def test_slots_of_closed_hours_go_to_their_end_and_are_one():
    freeze = hours(at("2026-12-24T01:00"), at("2026-12-24T05:30"))
    timetable = Timetable.parse("*/30 * * * *", "Europe/Berlin", observance=observed(made(freeze), "next"))
    assert told(timetable, BEFORE_CHRISTMAS, 4) == [
        "Thu 24 00:30",
        "Thu 24 05:30",
        "Thu 24 06:00",
        "Thu 24 06:30",
    ]


def test_hours_that_end_in_a_holiday_lead_to_the_open_day_behind_it():
    eve = hours(at("2026-12-24T18:00"), at("2026-12-25T06:00"))
    calendar = made(eve, *map(day, CHRISTMAS))
    timetable = Timetable.parse("0 20 24 12 *", "Europe/Berlin", observance=observed(calendar, "next"))
    assert told(timetable, BEFORE_CHRISTMAS, 1) == ["Mon 28 00:00"]


@pytest.mark.parametrize("how", ["next", "previous"])
def test_a_slot_that_would_have_to_go_too_far_stays_and_is_closed(how):
    days = [date(2027, 1, 1) + ONE_DAY * n for n in range(300)]
    timetable = Timetable.parse("30 2 * * *", "UTC", observance=observed(closing(days), how))
    begin = 1_798_761_600  # 2027-01-01T00:00Z
    due = [(slot - begin) // 86_400 for slot in between(timetable, begin, begin + 300 * 86_400)]
    assert due == (list(range(200)) if how == "next" else list(range(100, 300)))
    assert all(timetable.closed_by(Slot(begin + d * 86_400 + 9000)) == f"test.txt: {days[d]}" for d in due)
    assert timetable.to_run(Slot(begin), 1) == [begin + 300 * 86_400 + 9000]


@pytest.mark.parametrize("how", ["skip", "next", "previous"])
def test_a_calendar_that_is_always_closed_costs_no_patience(how):
    always = weekly(Weekly(frozenset(range(7))), "always", whole_days=True)
    timetable = Timetable.parse("* * * * * *", "Europe/Berlin", observance=observed(made(always), how))
    assert timetable.upcoming(Slot(1_800_000_000), 2) == [1_800_000_001, 1_800_000_002]
    assert timetable.closed_by(Slot(1_800_000_001)) == "test.txt: always"
    assert timetable.to_run(Slot(1_800_000_000), 1) == []


def test_hours_have_no_last_open_day():
    calendar = made(
        day(date(2026, 12, 25)), hours(at("2026-01-01T00:00"), at("2026-01-01T06:00"), name="freeze")
    )
    with pytest.raises(TimetableError, match=r"test\.txt: freeze closes hours, .*: use skip or next"):
        Timetable.parse("@daily", "UTC", observance=observed(calendar, "previous"))


@settings(deadline=None)
@given(st.sampled_from(["skip", "next", "previous"]), st.integers(-(2**40), 2**40))
@example("next", HORIZON - 1)
@example("previous", -1)
def test_no_question_raises_and_no_slot_is_out_of_bounds(how, after):
    days = [date(1970, 1, 1), date(2199, 12, 31), date(2027, 5, 1), *CHRISTMAS]
    timetable = Timetable.parse("0 */6 * * *", "Europe/Berlin", observance=observed(closing(days), how))
    assert all(max(after, -1) < slot < HORIZON for slot in timetable.upcoming(Slot(after), 3))


def test_timetables_are_equal_if_their_calendars_are():
    one, same, edited = closing(CHRISTMAS), closing(CHRISTMAS), closing(CHRISTMAS[:2])

    def parsed(calendar, how="skip"):
        return Timetable.parse("@daily", "UTC", observance=observed(calendar, how))

    assert parsed(one) == parsed(same)
    assert hash(parsed(one)) == hash(parsed(same))
    assert parsed(one) != parsed(edited)
    assert parsed(one) != parsed(one, "next")
    assert parsed(one) != Timetable.parse("@daily", "UTC")
    assert parsed(one).closures is parsed(same).closures, "all who observe it share the work"
