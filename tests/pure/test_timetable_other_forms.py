"""Beyond five fields: intervals, single moments, the host's start, unions, `H`, and what makes two equal."""

import itertools
import zlib

import pytest

from schedd.errors import TimetableError
from schedd.timetable.instant import Slot, from_slot, to_ms
from schedd.timetable.timetable import Timetable

NOW = Slot(1_800_000_000)
"""2027-01-15T08:00:00Z"""


def instants(expression, zone="UTC", after=NOW, count=3, seed=""):
    return [
        from_slot(slot)[:19] for slot in Timetable.parse(expression, zone, seed=seed).upcoming(after, count)
    ]


def test_six_fields_have_the_seconds_first():
    assert instants("30 5 9 * * *", count=1) == ["2027-01-15T09:05:30"]


def test_an_interval_counts_from_the_epoch():
    slots = Timetable.parse("@every 1h30m", "Europe/Berlin").upcoming(NOW, 3)
    assert slots == [slot for slot in range(NOW + 1, NOW + 17_000) if slot % 5400 == 0]


def test_an_interval_does_not_notice_a_clock_change():
    before = Slot(to_ms("2027-03-28T00:00:00Z") // 1000)
    slots = Timetable.parse("@every 20m", "Europe/Berlin").upcoming(before, 9)
    assert {late - early for early, late in itertools.pairwise(slots)} == {1200}


@pytest.mark.parametrize("text", ["0s", "500ms", "1500ms", "367d", "1x", "", "-5s"])
def test_an_interval_is_whole_seconds_within_a_year(text):
    with pytest.raises(TimetableError, match="Invalid cron expression: '@every"):
        Timetable.parse(f"@every {text}", "UTC")


@pytest.mark.parametrize(
    ("moment", "zone", "instant"),
    [
        ("2027-01-31T09:00", "Europe/Berlin", "2027-01-31T08:00:00"),
        ("2027-01-31 09:00:05", "Europe/Berlin", "2027-01-31T08:00:05"),
        ("2027-01-31T09:00Z", "Europe/Berlin", "2027-01-31T09:00:00"),
        ("2027-01-31T09:00-03:30", "Europe/Berlin", "2027-01-31T12:30:00"),
        ("2027-03-28T02:30", "Europe/Berlin", "2027-03-28T01:00:00"),
        ("2027-10-31T02:30", "Europe/Berlin", "2027-10-31T00:30:00"),
        ("2027-10-31T02:30+01:00", "Europe/Berlin", "2027-10-31T01:30:00"),
    ],
)
def test_a_moment_comes_once(moment, zone, instant):
    assert instants(f"@at {moment}", zone) == [instant]


def test_a_moment_that_has_passed_is_accepted_and_has_no_next_slot():
    timetable = Timetable.parse("@at 2020-01-01T00:00Z", "UTC")
    assert timetable.next_after(NOW) is None
    assert timetable.upcoming(Slot(0), 5) == [to_ms("2020-01-01T00:00:00Z") // 1000]


@pytest.mark.parametrize(
    ("moment", "zone", "why"),
    [
        ("2011-12-30T10:00", "Pacific/Apia", "does not exist in Pacific/Apia"),
        ("2027-02-29T10:00", "UTC", "is not a moment"),
        ("1969-12-31T23:00", "UTC", "1970-2199"),
        ("2200-01-01T00:00", "UTC", "1970-2199"),
        ("9999-12-31T23:59-12:00", "UTC", "1970-2199"),
        ("0001-01-01T00:00+14:00", "Europe/Berlin", "1970-2199"),
        ("1970-01-01T00:10", "Asia/Kathmandu", "1970-2199"),
        ("2199-12-31T23:00-08:00", "UTC", "1970-2199"),
        ("1", "UTC", "is not a moment"),
        ("2027-01-31", "UTC", "is not a moment"),
        ("2027-01-31T09:00:00.5", "UTC", "is not a moment"),
    ],
)
def test_a_moment_that_never_comes_is_refused(moment, zone, why):
    with pytest.raises(TimetableError, match=why):
        Timetable.parse(f"@at {moment}", zone)


def test_the_start_of_the_host_has_no_slots_of_its_own():
    timetable = Timetable.parse("@reboot", "UTC")
    assert timetable.reboot
    assert timetable.upcoming(NOW, 3) == []
    assert not Timetable.parse("@daily", "UTC").reboot


def test_a_union_merges_its_forms_and_equal_instants_once():
    assert instants("0 9 * * * | @every 1h | @at 2027-01-15T09:30Z | @reboot") == [
        "2027-01-15T09:00:00",
        "2027-01-15T09:30:00",
        "2027-01-15T10:00:00",
    ]
    assert Timetable.parse("0 9 * * *|@reboot", "UTC").reboot


@pytest.mark.parametrize(
    ("field", "shift", "low", "size"),
    [(0, 0, 0, 60), (1, 1, 0, 24), (2, 2, 1, 28), (3, 3, 1, 12), (4, 4, 0, 7)],
)
def test_h_is_a_number_of_the_field_drawn_from_the_path(field, shift, low, size):
    for seed in ("backup.py", "a/b.sh", "ä"):
        drawn = low + (zlib.crc32(seed.encode()) >> shift) % size
        plain = ["0", "0", "*", "*", "*"]
        hashed = [*plain[:field], "H", *plain[field + 1 :]]
        plain[field] = str(drawn)
        assert instants(" ".join(hashed), seed=seed) == instants(" ".join(plain))


def test_h_with_a_step_keeps_the_step_and_draws_the_phase():
    minutes = [slot // 60 % 60 for slot in Timetable.parse("H/15 * * * *", "UTC", seed="x").upcoming(NOW, 4)]
    assert {late - early for early, late in itertools.pairwise(sorted(minutes))} == {15}


@pytest.mark.parametrize("seed", [f"script-{number}.py" for number in range(40)])
def test_h_with_a_range_stays_within_it(seed):
    minutes = {
        slot // 60 % 60 for slot in Timetable.parse("H(10-19) * * * *", "UTC", seed=seed).upcoming(NOW, 3)
    }
    stepped = {
        slot // 60 % 60 for slot in Timetable.parse("H(10-29)/7 * * * *", "UTC", seed=seed).upcoming(NOW, 9)
    }
    assert len(minutes) == 1
    assert minutes < set(range(10, 20))
    assert stepped < set(range(10, 30))
    assert len(stepped) in (2, 3)


@pytest.mark.parametrize("seed", [f"script-{number}.py" for number in range(60)])
def test_a_hashed_day_of_month_comes_in_every_month(seed):
    assert len(instants("0 0 H 2 *", seed=seed, count=2)) == 2


def test_scripts_share_a_timetable_unless_it_has_an_h():
    assert Timetable.parse("0 0 * mar thu", "UTC", seed="a") == Timetable.parse(
        "0 0 * mar thu", "UTC", seed="b"
    )
    assert Timetable.parse("H * * * *", "UTC", seed="a") != Timetable.parse("H * * * *", "UTC", seed="b")
    assert Timetable.parse("0 0 * * * | h * * * *", "UTC", seed="a").seed == "a"
    assert Timetable.parse("@every 1h|@at 2027-01-31T09:00", "UTC", seed="a").seed == ""


def test_timetables_are_equal_by_what_was_written_and_the_zone():
    one = Timetable.parse("0 0 * * *", "UTC")
    assert one == Timetable.parse(" 0 0 * * * ", "UTC")
    assert hash(one) == hash(Timetable.parse("0 0 * * *", "UTC", seed="x"))
    assert one != Timetable.parse("0 0 * * *", "Europe/Berlin")
    assert one != Timetable.parse("0 1 * * *", "UTC")
