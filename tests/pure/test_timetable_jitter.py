"""Jitter moves every slot of a script by the same whole seconds, which its path alone decides."""

import itertools
import re
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schedd.errors import TimetableError
from schedd.timetable import duration, jitter
from schedd.timetable.instant import Slot
from schedd.timetable.parts import HORIZON
from schedd.timetable.timetable import Timetable

PAGE = (Path(__file__).parents[2] / "docs/time-rules.md").read_text()
DOCUMENTED = re.findall(r"^\| `(\S+)` \| `(.+)` \| `(\w+)` \| (\d\d:\d\d:\d\d) \|$", PAGE, re.MULTILINE)

PATHS = st.text(max_size=30)
JITTERS = st.integers(1, jitter.MAX_S)
INSTANTS = st.integers(0, 4_102_444_800)
ZONES = st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])
EXPRESSIONS = st.sampled_from(
    [
        "* * * * *",
        "*/7 * * * * *",
        "30 2 * * *",
        "0 9-17 * * 1-5",
        "0 0 L * 5#2",
        "0 0 29 2 *",
        "H H * * *",
        "@every 90s",
        "@at 2027-10-31T02:30",
        "@reboot",
        "0 12 * * * | @every 7h | @reboot",
    ]
)


def offset(path: str, most_s: int) -> int:
    return Timetable.parse("0 0 * * *", "UTC", seed=path, jitter_s=most_s).offset_s


@settings(deadline=None, max_examples=300)
@given(EXPRESSIONS, ZONES, PATHS, JITTERS, INSTANTS)
@example("30 2 * * *", "Europe/Berlin", "a", 86_400, 1_806_195_600)
def test_the_slots_are_the_plain_ones_moved_by_the_offset(expression, zone, path, most_s, at):
    plain = Timetable.parse(expression, zone, seed=path)
    moved = Timetable.parse(expression, zone, seed=path, jitter_s=most_s)
    expected = [slot + moved.offset_s for slot in plain.upcoming(Slot(at), 60)]
    assert moved.upcoming(Slot(at + moved.offset_s), 60) == expected
    assert 0 <= moved.offset_s < most_s


@settings(deadline=None, max_examples=300)
@given(EXPRESSIONS, ZONES, PATHS, JITTERS, INSTANTS)
def test_slots_rise_strictly_and_a_list_is_repeated_single_steps(expression, zone, path, most_s, after):
    timetable = Timetable.parse(expression, zone, seed=path, jitter_s=most_s)
    slots = timetable.upcoming(Slot(after), 6)
    steps, at = [], Slot(after)
    while len(steps) < 6 and (slot := timetable.next_after(at)) is not None:
        steps.append(slot)
        at = slot
    assert slots == steps
    assert all(early < late for early, late in itertools.pairwise([after, *slots]))


@settings(deadline=None, max_examples=200)
@given(EXPRESSIONS, ZONES, PATHS, JITTERS, INSTANTS, st.data())
def test_every_start_between_two_slots_leads_to_the_second(expression, zone, path, most_s, after, data):
    timetable = Timetable.parse(expression, zone, seed=path, jitter_s=most_s)
    slots = timetable.upcoming(Slot(after), 2)
    if len(slots) == 2:
        start = data.draw(st.integers(slots[0], slots[1] - 1))
        assert timetable.next_after(Slot(start)) == slots[1]


@settings(deadline=None)
@given(EXPRESSIONS, PATHS, JITTERS, st.integers(-(2**40), 2**40))
def test_no_question_raises_and_no_slot_is_out_of_bounds(expression, path, most_s, after):
    timetable = Timetable.parse(expression, "Europe/Berlin", seed=path, jitter_s=most_s)
    assert all(max(after, -1) < slot < HORIZON for slot in timetable.upcoming(Slot(after), 3))


def test_slots_near_the_ends_of_time_are_moved_too():
    moved = Timetable.parse("@every 1m", "UTC", seed="a", jitter_s=3600)
    assert moved.offset_s > 60
    assert moved.next_after(Slot(-1)) == moved.offset_s
    last = moved.upcoming(Slot(HORIZON - 61), 3)
    assert [slot % 60 for slot in last] == [moved.offset_s % 60]
    assert moved.next_after(last[-1]) is None


@given(PATHS, JITTERS)
def test_the_same_path_is_moved_alike_at_every_reading_whatever_its_expression(path, most_s):
    one = Timetable.parse("0 0 * * *", "UTC", seed=path, jitter_s=most_s)
    again = Timetable.parse("0 0 * * *", "UTC", seed=path, jitter_s=most_s)
    other = Timetable.parse("@every 5m", "Asia/Tokyo", seed=path, jitter_s=most_s)
    assert (one, hash(one)) == (again, hash(again))
    assert one.offset_s == other.offset_s


def test_the_offset_of_a_path_is_a_promise_to_the_next_version():
    assert [offset(path, 300) for path in ("default/cron/backup.py", "a.sh", "ä.sh")] == [244, 158, 209]


def test_the_page_on_time_rules_has_examples():
    assert len(DOCUMENTED) > 3


@pytest.mark.parametrize(("path", "expression", "most", "at"), DOCUMENTED)
def test_a_script_fires_when_the_page_says(path, expression, most, at):
    timetable = Timetable.parse(expression, "UTC", seed=path, jitter_s=duration.parse_ms(most) // 1000)
    assert f"{datetime.fromtimestamp(timetable.next_after(Slot(0)), UTC):%H:%M:%S}" == at


@pytest.mark.parametrize("most_s", [2, 7, 60, 300])
def test_offsets_spread_evenly_over_the_scripts_of_a_directory(most_s):
    scripts = 200 * most_s
    counts = Counter(offset(f"default/cron/job{number}.py", most_s) for number in range(scripts))
    expected = scripts / most_s
    chi_square = sum((counts[second] - expected) ** 2 / expected for second in range(most_s))
    degrees = most_s - 1
    assert len(counts) == most_s
    assert chi_square < degrees + 6 * (2 * degrees) ** 0.5


def test_scripts_without_jitter_and_with_equal_offsets_share_a_spoke_of_the_wheel():
    paths = [f"{number}.py" for number in range(1000)]
    plain = {Timetable.parse("0 5 * * *", "UTC", seed=path) for path in paths}
    moved = {Timetable.parse("0 5 * * *", "UTC", seed=path, jitter_s=60) for path in paths}
    assert len(plain) == 1
    assert len(moved) == 60


def test_another_jitter_is_another_timetable_even_with_the_same_offset():
    path = next(str(n) for n in itertools.count() if offset(str(n), 60) == offset(str(n), 120))
    one, other = (Timetable.parse("0 5 * * *", "UTC", seed=path, jitter_s=most) for most in (60, 120))
    assert one.offset_s == other.offset_s
    assert one != other


def test_the_words_say_how_much_and_how_much_here():
    late = next(str(n) for n in itertools.count() if offset(str(n), 300) == 133)
    sharp = next(str(n) for n in itertools.count() if offset(str(n), 300) == 0)

    def words(path: str, expression: str = "0 5 * * *") -> str:
        return Timetable.parse(expression, "UTC", seed=path, jitter_s=300).words()

    assert words(late) == "At 05:00 every day (up to 5 minutes later, always by 2 minutes 13 seconds)"
    assert words(sharp) == "At 05:00 every day (up to 5 minutes later, here on time)"
    assert words(late, "0 5 * * * | @reboot").endswith(
        "(up to 5 minutes later, always by 2 minutes 13 seconds)"
    )
    assert words(late, "@reboot") == "When the host starts"


def test_warnings_with_times_in_them_say_that_jitter_comes_on_top():
    path = next(str(n) for n in itertools.count() if offset(str(n), 300) == 133)
    noon = Slot(1_795_521_600)
    moved = Timetable.parse("30 2 * * *", "Europe/Berlin", seed=path, jitter_s=300).warnings(noon)
    plain = Timetable.parse("30 2 * * *", "Europe/Berlin").warnings(noon)
    assert moved == (*plain, "@jitter moves each of its slots by another 2 minutes 13 seconds.")
    assert Timetable.parse("30 5 * * *", "Europe/Berlin", seed=path, jitter_s=300).warnings(noon) == ()


@pytest.mark.parametrize("most_s", [-1, jitter.MAX_S + 1, 2**70])
def test_a_jitter_out_of_bounds_is_refused(most_s):
    with pytest.raises(TimetableError, match=f"A jitter of {most_s} s is not within"):
        Timetable.parse("0 5 * * *", "UTC", seed="a", jitter_s=most_s)


@pytest.mark.parametrize("expression", ["0 0 29 2 */7", "0 0 */29 2 */7", "59 59 23 29 2 */7", "* * * * * *"])
def test_the_next_slot_of_the_rarest_and_of_the_densest_takes_no_walk_through_years(expression):
    def seconds(after: int) -> float:
        timetable = Timetable.parse(expression, "America/St_Johns", seed=str(after), jitter_s=86_400)
        began = time.process_time()
        timetable.next_after(Slot(after))
        return time.process_time() - began

    assert max(seconds(after) for after in range(0, 4_000_000_000, 500_000_000)) < 0.5


def test_a_thousand_offsets_of_one_expression_cost_little_more_than_one():
    timetables = [
        Timetable.parse("30 2 * * *", "Europe/Berlin", seed=str(n), jitter_s=86_400) for n in range(1000)
    ]
    began = time.process_time()
    for timetable in timetables:
        timetable.upcoming(Slot(1_795_000_000), 16)
    # Measured: 9 ms, and 540 ms when each walks alone.
    assert time.process_time() - began < 0.1
