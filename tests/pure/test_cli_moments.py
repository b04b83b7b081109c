"""Instants and lengths, as people read them."""

from zoneinfo import ZoneInfo

import pytest

from schedd.cli import moments
from schedd.timetable.instant import to_ms

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("delta_ms", "text"),
    [
        (0, "now"),
        (999, "now"),
        (-999, "now"),
        (1_000, "in 1 s"),
        (59_999, "in 59 s"),
        (60_000, "in 1 min"),
        (-7_199_000, "119 min ago"),
        (7_200_000, "in 2 h"),
        (-47 * 3_600_000, "47 h ago"),
        (48 * 3_600_000, "in 2 d"),
        (365 * 86_400_000, "in 365 d"),
    ],
)
def test_a_distance_is_in_the_unit_that_says_most(delta_ms, text):
    assert moments.distance(delta_ms) == text


def test_the_wall_shows_the_zone_and_leaves_out_todays_date():
    now_ms = to_ms("2026-11-24T10:00:00Z")
    assert moments.wall(now_ms + 245_000, now_ms=now_ms, zone=BERLIN) == "11:04:05 CET"


def test_the_wall_shows_the_date_of_another_day():
    now_ms = to_ms("2026-11-24T22:59:59Z")
    assert moments.wall(now_ms + 1_000, now_ms=now_ms, zone=BERLIN) == "Wed 2026-11-25 00:00:00 CET"


def test_the_date_is_that_of_the_wall_and_not_of_utc():
    now_ms = to_ms("2026-11-24T23:30:00Z")
    assert moments.wall(now_ms, now_ms=now_ms, zone=BERLIN) == "00:30:00 CET"


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_250, "1.2 s"),
        (59_990, "59.9 s"),
        (60_000, "1 min 0 s"),
        (3_599_999, "59 min 59 s"),
        (3_600_000, "1 h 0 min"),
        (90_061_000, "25 h 1 min"),
    ],
)
def test_a_length_never_rounds_up_into_the_next_unit(duration_ms, text):
    assert moments.length(duration_ms) == text
