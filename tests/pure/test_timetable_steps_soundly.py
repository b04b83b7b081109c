"""What must hold of any timetable, whatever it says: hypothesis looks for one that breaks it."""

import itertools
import time

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from schedd.errors import TimetableError
from schedd.timetable.expression import Expression
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable
from schedd.timetable.zone import versions
from tests.pure import oracle

versions()  # from here on the whole process, the oracle too, reads the newer zone data

ZONES = st.sampled_from(
    ["Europe/Berlin", "Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Apia", "America/St_Johns", "UTC"]
)
CHANGES = [at for zone in ("Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia") for at, _ in
           oracle.clock_changes(zone, 1_199_145_600, 1_924_992_000)]  # fmt: skip
INSTANTS = st.one_of(
    st.integers(0, 4_102_444_800),
    st.builds(lambda at, near: at + near, st.sampled_from(CHANGES), st.integers(-8000, 8000)),
)


def field(name):
    low, high = oracle.BOUNDS[name]
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    step = st.integers(1, high).map(lambda size: f"*/{size}")
    terms = st.lists(st.one_of(number.map(str), span), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), step, terms)


CRON = st.tuples(*map(field, ["minute", "hour", "day", "month", "dow"])).map(" ".join)
SIX = st.tuples(*map(field, ["second", "minute", "hour", "day", "month", "dow"])).map(" ".join)
EVERY = st.integers(1, 200_000).map(lambda seconds: f"@every {seconds}s")
AT = st.datetimes().map(lambda moment: f"@at {moment:%Y-%m-%dT%H:%M}")
ONE = st.one_of(CRON, SIX, EVERY, st.just("@reboot"), AT)
EXPRESSIONS = st.one_of(CRON, ONE, st.lists(ONE, min_size=2, max_size=3).map(" | ".join))


def made(expression, zone):
    try:
        return Timetable.parse(expression, zone)
    except TimetableError as refused:
        assume("never fires" not in str(refused) and "@at" not in expression)
        raise


@settings(deadline=None, max_examples=300)
@given(EXPRESSIONS, ZONES, INSTANTS)
@example("30 2 * * *", "Europe/Berlin", 1_806_195_600)
@example("*/5 * * * *", "Europe/Berlin", 1_824_944_400)
def test_slots_rise_strictly_and_a_list_is_repeated_single_steps(expression, zone, after):
    timetable = made(expression, zone)
    slots = timetable.upcoming(Slot(after), 6)
    steps = []
    at = Slot(after)
    while len(steps) < 6 and (slot := timetable.next_after(at)) is not None:
        steps.append(slot)
        at = slot
    assert slots == steps
    assert all(early < late for early, late in itertools.pairwise([after, *slots]))


@settings(deadline=None, max_examples=300)
@given(EXPRESSIONS, ZONES, INSTANTS, st.data())
def test_every_start_between_two_slots_leads_to_the_second(expression, zone, after, data):
    slots = made(expression, zone).upcoming(Slot(after), 2)
    assume(len(slots) == 2)
    start = Slot(data.draw(st.integers(slots[0], slots[1] - 1)))
    assert made(expression, zone).next_after(start) == slots[1]


@settings(deadline=None, max_examples=300)
@given(EXPRESSIONS, ZONES, INSTANTS, st.integers(0, 40_000_000))
def test_a_later_question_never_has_an_earlier_answer(expression, zone, after, later):
    timetable = made(expression, zone)
    never = Slot(2**62)
    early = timetable.next_after(Slot(after)) or never
    late = timetable.next_after(Slot(after + later)) or never
    assert early <= late


@settings(deadline=None, max_examples=150)
@given(st.lists(ONE, min_size=2, max_size=3), ZONES, INSTANTS)
def test_a_union_is_the_merged_slots_of_its_forms(forms, zone, after):
    apart = sorted({slot for form in forms for slot in made(form, zone).upcoming(Slot(after), 12)})
    assert made(" | ".join(forms), zone).upcoming(Slot(after), 12) == apart[:12]


@settings(deadline=None, max_examples=400)
@given(EXPRESSIONS, ZONES, st.integers(-(2**40), 2**40))
def test_an_accepted_expression_never_raises_whatever_it_is_asked(expression, zone, after):
    timetable = made(expression, zone)
    assert all(0 <= slot < 7_258_118_400 for slot in timetable.upcoming(Slot(after), 3))
    assert timetable.words()
    assert isinstance(timetable.warnings(Slot(min(max(after, 0), 4_102_444_800))), tuple)


@settings(deadline=None, max_examples=500)
@given(st.one_of(st.text(max_size=40), st.text("0123456789*/-,#LHRW? @|SUNJAevryat", max_size=30)))
def test_any_text_is_taken_or_refused_with_one_sentence(text):
    refusal = None
    try:
        Timetable.parse(text, "UTC").next_after(Slot(0))
    except TimetableError as refused:
        refusal = str(refused)
    assert refusal is None or (refusal.startswith("Invalid cron expression: ") and refusal.isprintable())


def test_two_walks_over_one_timetable_do_not_disturb_each_other():
    expression = Timetable.parse("*/5 3 * * 1", "UTC").parts[0].expression
    alone = list(itertools.islice(expression.walls(10**9), 20))
    first, second = expression.walls(10**9), expression.walls(10**9)
    entangled = [next(walk) for _ in range(20) for walk in (first, second)]
    assert entangled[::2] == entangled[1::2] == alone


def test_a_day_that_both_day_fields_name_is_one_time():
    walls = Expression.parse("0 0 13 * 5").walls(1_750_000_000)
    assert all(early < late for early, late in itertools.pairwise(itertools.islice(walls, 300)))


def test_a_side_that_no_calendar_satisfies_is_not_searched():
    assert Expression.parse("0 0 30 2 1").sides == ("0 0 * 2 1",)


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 29 2 */7",
        "0 0 */29 2 */7",
        "59 59 23 29 2 */7",
        "* * 29 2 */6",
        "*/59 * 31 12 *",
        "0 0 * 2 1#5",
        "0 0 29 2 1#5",
        "0 0 L 2 L0",
        "0 0 30 2 0",
        "0 0 30,31 2,4 0#5",
        " | ".join(f"{minute} 0 29 2 */{minute + 1}" for minute in range(6)),
        ",".join(map(str, range(60))) + " 1,2,3,4,5,6 1,2,3,4,5 1-11/2 0-5/2",
    ],
)
def test_the_next_slot_of_the_rarest_expressions_takes_under_50_ms(expression):
    def seconds(after):
        began = time.process_time()
        Timetable.parse(expression, "America/St_Johns").next_after(Slot(after))
        return time.process_time() - began

    slowest = max(min(seconds(after) for _ in range(3)) for after in range(0, 4_000_000_000, 250_000_000))
    assert slowest < 0.05
