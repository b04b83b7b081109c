"""Rules that repeat, stepped only where somebody looks, against dateutil walking them from their start."""

import itertools
from datetime import UTC, datetime, timedelta

from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from schedd.timetable import recurrence
from schedd.timetable.recurrence import Rule

EPOCH = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
DAY_S = 86_400
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def joined(values: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=3, unique=True).map(lambda found: ",".join(map(str, found)))


def signed(most: int) -> st.SearchStrategy[int]:
    return st.integers(1, most) | st.integers(-most, -1)


NTH = st.builds(
    lambda nth, day: f"{nth}{day}", st.sampled_from(["1", "2", "+3", "-1", "-2"]), st.sampled_from(DAYS)
)
PARTS = {
    "DAILY": {"BYMONTH": st.integers(1, 12), "BYDAY": st.sampled_from(DAYS), "BYMONTHDAY": signed(31)},
    "WEEKLY": {"BYMONTH": st.integers(1, 12), "BYDAY": st.sampled_from(DAYS)},
    "MONTHLY": {
        "BYMONTH": st.integers(1, 12),
        "BYMONTHDAY": signed(31),
        "BYDAY": NTH | st.sampled_from(DAYS),
        "BYSETPOS": signed(4),
    },
    "YEARLY": {
        "BYMONTH": st.integers(1, 12),
        "BYMONTHDAY": signed(31),
        "BYYEARDAY": signed(366),
        "BYWEEKNO": signed(53),
        "BYDAY": st.sampled_from(DAYS),
        "BYSETPOS": signed(4),
    },
}


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(sorted(PARTS)))
    known = PARTS[frequency]
    chosen = draw(st.lists(st.sampled_from(sorted(known)), max_size=2, unique=True))
    if "BYSETPOS" in chosen and len(chosen) == 1:
        chosen = ["BYSETPOS", "BYDAY"]
    parts = [f"FREQ={frequency}", *(f"{name}={draw(joined(known[name]))}" for name in chosen)]
    interval = draw(st.sampled_from([1, 1, 2, 3, 7]))
    parts += [f"INTERVAL={interval}"] if interval > 1 else []
    parts += draw(st.sampled_from([[], [], ["WKST=SU"]]))
    parts += draw(st.sampled_from([[], [], [], ["COUNT=7"], ["UNTIL=20280101"]]))
    return ";".join(parts)


@settings(deadline=None, max_examples=400)
@given(
    rules(),
    st.integers(0, 10_000),
    st.sampled_from([0, 9 * 3600 + 1]),
    st.integers(-400, 4_000),
    st.integers(1, 400),
)
def test_a_rule_is_stepped_anywhere_as_from_its_start(
    text: str, day: int, time_s: int, later: int, days: int
) -> None:
    first = (day + 10_957) * DAY_S + time_s  # from 2000-01-01 on
    begin = first + later * DAY_S + 17
    end = begin + days * DAY_S
    until = 1_830_297_600 + DAY_S - 1  # 2028-01-01
    rule = Rule(first, 3600, recurrence.parse(text, first, lambda _: until))
    start = EPOCH + timedelta(seconds=first)
    oracle = rrulestr(text.replace("UNTIL=20280101", "UNTIL=20280101T235959"), dtstart=start)
    walked = itertools.takewhile(lambda moment: moment < EPOCH + timedelta(seconds=end), oracle)
    theirs = {first, *((moment - EPOCH) // timedelta(seconds=1) for moment in walked)}
    expected = sorted((at, at + 3600) for at in theirs if at < end and at + 3600 > begin)
    assert sorted(rule.spans(begin, end)) == expected


def test_dates_of_its_own_and_dates_left_out_are_exact() -> None:
    first = 20_454 * DAY_S
    weekly = recurrence.parse("FREQ=WEEKLY", first, int)
    rule = Rule(first, DAY_S, weekly, besides=(first + DAY_S,), without=frozenset({first + 7 * DAY_S, first}))
    starts = sorted((start - first) // DAY_S for start, _ in rule.spans(first, first + 22 * DAY_S))
    assert starts == [1, 14, 21]


def test_what_began_before_the_question_and_goes_on_is_found() -> None:
    first = 20_454 * DAY_S
    rule = Rule(first, 10 * DAY_S, recurrence.parse("FREQ=DAILY;INTERVAL=30", first, int))
    assert list(rule.spans(first + 309 * DAY_S, first + 310 * DAY_S)) == [
        (first + 300 * DAY_S, first + 310 * DAY_S)
    ]


def test_an_endless_rule_from_long_ago_costs_what_is_asked_for() -> None:
    first = -20_000 * DAY_S
    rule = Rule(first, DAY_S, recurrence.parse("FREQ=DAILY", first, int))
    steps = list(rule.spans(30_000 * DAY_S, 30_010 * DAY_S))
    assert len(steps) == 10
    begun = recurrence.parse("FREQ=DAILY", first, int)._ahead(
        recurrence._moment(first), recurrence._moment(30_000 * DAY_S)
    )
    assert (recurrence._wall(begun)) // DAY_S >= 29_998
