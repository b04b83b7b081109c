"""Durations, exact to the millisecond or refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.timetable.duration import parse_ms

SIZES = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", 90_000),
        ("1h30m", 5_400_000),
        ("250ms", 250),
        ("1.5h", 5_400_000),
        (".5s", 500),
        ("0.1h", 360_000),
        ("1d", 86_400_000),
        ("1m500ms", 60_500),
        ("1s1ms", 1001),
        ("0s", 0),
        (" 5m ", 300_000),
    ],
)
def test_a_duration_is_read(text, ms):
    assert parse_ms(text) == ms


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("90", "has no unit, write 90s"),
        ("1.5", "has no unit"),
        ("", "is not a duration"),
        ("s", "is not a duration"),
        ("5 m", "is not a duration"),
        ("5M", "is not a duration"),
        ("5min", "is not a duration"),
        ("-5s", "is not a duration"),
        ("1.s", "is not a duration"),
        ("1..5s", "is not a duration"),
        ("1h30", "is not a duration"),
        ("٣s", "is not a duration"),
        ("1s\n2m", "is not a duration"),
        ("0.5ms", "finer than a millisecond"),
        ("0.0001s", "finer than a millisecond"),
        ("3661d", "longer than 3660 days"),
        ("9" * 31 + "d", "longer than 3660 days"),
        ("1s" * 100_000, "is not a duration"),
    ],
)
def test_anything_else_is_refused_with_one_sentence(text, why):
    with pytest.raises(ValueError, match=why) as refused:
        parse_ms(text)
    assert len(str(refused.value)) < 120


@given(st.lists(st.tuples(st.integers(0, 900), st.sampled_from(list(SIZES))), min_size=1, max_size=4))
def test_terms_add_up(terms):
    text = "".join(f"{count}{unit}" for count, unit in terms)
    assert parse_ms(text) == sum(count * SIZES[unit] for count, unit in terms)


@given(st.integers(0, 10**7), st.sampled_from(["s", "m", "h"]))
def test_a_decimal_is_exact_or_refused(thousandths, unit):
    text = f"{thousandths // 1000}.{thousandths % 1000:03d}{unit}"
    exact = Fraction(thousandths, 1000) * SIZES[unit]
    assert exact.denominator != 1 or parse_ms(text) == exact
