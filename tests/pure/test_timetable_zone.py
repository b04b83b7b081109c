"""Zones: the offsets are those of the data, no change is overlooked, the newer data rules."""

import struct
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from importlib import resources
from itertools import pairwise, takewhile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedd.errors import TimetableError
from schedd.timetable import zone
from schedd.timetable.expression import Expression
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

NAMES = sorted(zone.names())
PROBE_DAYS = 3
"""How closely the module looks for changes."""


def offset_in_the_data(name, at):
    return int(datetime.fromtimestamp(at, zoneinfo.ZoneInfo(name)).utcoffset().total_seconds())


def moves_in_the_file(name):
    """Read from a compiled zone file (RFC 8536, version 2) when the offset changes, since 1970."""
    data = (Path(str(resources.files("tzdata"))) / "zoneinfo" / name).read_bytes()
    sizes = struct.unpack(">6l", data[20:44])
    start = 44 + sum(count * size for count, size in zip(sizes, (1, 1, 8, 5, 6, 1), strict=True))
    _, _, _, times, kinds, _ = struct.unpack(">6l", data[start + 20 : start + 44])
    body = start + 44
    instants = struct.unpack(f">{times}q", data[body : body + 8 * times])
    indexes = data[body + 8 * times : body + 9 * times]
    offsets = [struct.unpack(">l", data[body + 9 * times + 6 * kind :][:4])[0] for kind in range(kinds)]
    seen = zip(instants, (offsets[index] for index in indexes), strict=True)
    return [
        at
        for (_, old), (at, new) in pairwise([(0, None), *seen])
        if new != old and old is not None and at > 0
    ]


@pytest.mark.parametrize("name", NAMES[::4])
def test_no_two_changes_of_a_zone_are_closer_than_the_probes(name):
    assert all(late - early > 2 * PROBE_DAYS * 86_400 for early, late in pairwise(moves_in_the_file(name)))


@pytest.mark.parametrize(
    "name", ["Africa/Casablanca", "America/Noronha", "Asia/Gaza", "Europe/London", "Pacific/Apia"]
)
def test_every_change_that_the_file_names_is_found(name):
    named = [at for at in moves_in_the_file(name) if at < 2_000_000_000]
    assert [change.at for change in zone.load(name).changes(0, 2_000_000_000)][: len(named)] == named


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(NAMES), st.integers(0, 7_258_118_400))
def test_a_segment_has_the_offset_of_the_data_from_its_first_second_to_its_last(name, at):
    segment = zone.load(name).segment(at)
    assert segment.start <= at < segment.end
    for moment in (segment.start, at, segment.end - 1):
        assert segment.offset == offset_in_the_data(name, moment)


@pytest.mark.parametrize("name", ["Europe/Berlin", "Asia/Gaza", "Antarctica/Casey"])
def test_segments_follow_each_other_without_a_gap(name):
    where = zone.load(name)
    segment = where.segment(0)
    while segment.end < 4_000_000_000:
        following = where.segment(segment.end)
        assert following.start == segment.end
        assert where.segment(segment.end - 1) == segment
        segment = following


def test_what_was_left_out_and_what_is_due_right_after_it_are_one_instant():
    """Berlin, 2027-03-28: 02:30 does not exist, 03:00 follows at once; both are 01:00 UTC."""
    walls = [1_806_201_000, 1_806_202_800, 1_806_206_400]
    told = zone.load("Europe/Berlin").slots(
        lambda after: iter([wall for wall in walls if wall > after]), wildcard=False, after=1_806_190_000
    )
    assert [at - 1_806_195_600 for at in told] == [0, 3600]


class OneChange(tzinfo):
    """A zone whose clock is moved once, by as much and whenever a test likes."""

    def __init__(self, at, before_h, after_h):
        self.at = at
        self.offsets = (timedelta(hours=before_h), timedelta(hours=after_h))

    def fromutc(self, moment):
        late = moment.replace(tzinfo=UTC).timestamp() >= self.at
        return (moment + self.offsets[late]).replace(fold=late)

    def utcoffset(self, moment):
        return self.offsets[moment.fold]


def slots_of(where, expression, after, before, wildcard=False):
    walls = Expression.parse(expression).walls
    return list(takewhile(lambda at: at < before, where.slots(walls, wildcard=wildcard, after=after)))


def test_a_clock_set_back_a_whole_day_holds_nothing_back():
    """As if Samoa returned: 24 hours come again, and so does each job's time of day."""
    at = 1_800_000_000 // 86_400 * 86_400
    where = zone.Zone("Away", OneChange(at, 14, -10), "test")
    assert slots_of(where, "0 12 * * *", at - 86_400, at + 86_400) == [at - 7200, at + 79_200]


def test_a_change_just_before_the_edge_of_what_is_worked_out_at_once_is_not_forgotten():
    edge = 54 * zone._BLOCK_S
    change = edge - 900
    where = zone.Zone("Edge", OneChange(change, 2, 1), "test")
    first_pass = slots_of(where, "0-59/10 0-23 * * *", change - 3600, edge + 7200)
    assert [at for at in first_pass if change <= at < change + 3600] == []
    for start in range(edge - 1200, edge + 1800, 300):
        assert slots_of(where, "0-59/10 0-23 * * *", start, edge + 7200) == [
            at for at in first_pass if at > start
        ]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("europe/berlin", "did you mean 'Europe/Berlin'?"),
        ("Berlin", "did you mean 'Europe/Berlin'?"),
        ("Europe/Berln", "did you mean 'Europe/Berlin'?"),
        ("New York", "did you mean 'America/New_York'?"),
        ("", "write a name like 'Europe/Berlin' or 'UTC'"),
        ("../../etc/passwd", "write a name like"),
        ("/usr/share/zoneinfo/UTC", "Unknown time zone"),
        ("UTC\x00", "Unknown time zone"),
        ("Z" * 100_000, "write a name like"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_nearest_name(name, advice):
    with pytest.raises(TimetableError) as refused:
        Timetable.parse("0 0 * * *", name)
    assert str(refused.value).startswith("Unknown time zone '")
    assert advice in str(refused.value)
    assert len(str(refused.value)) < 150


def test_a_folder_of_zones_is_not_a_zone():
    with pytest.raises(TimetableError, match="Unknown time zone 'Europe'"):
        zone.load("Europe")


def test_vancouver_is_on_the_time_that_only_the_new_data_knows():
    """Since 2026 British Columbia keeps UTC-7 all year; data of 2025 says -8 in winter."""
    assert zone.load("America/Vancouver").segment(1_800_000_000).offset == -7 * 3600


@pytest.fixture
def system_data(tmp_path, monkeypatch):
    """A system copy of the zone data with one zone in it, of a release that the test names."""

    def lay(release):
        (tmp_path / "tzdata.zi").write_text(f"# version {release}\n")
        (tmp_path / "UTC").write_bytes((Path(str(resources.files("tzdata"))) / "zoneinfo/UTC").read_bytes())
        return zone.reload()

    monkeypatch.setenv("PYTHONTZPATH", str(tmp_path))
    yield lay
    monkeypatch.undo()
    zone.reload()


def test_newer_data_of_the_system_rules(system_data):
    found = system_data("2199a")
    assert (found.system, found.used, found.release) == ("2199a", "system", "2199a")
    assert zone.load("UTC").data == "2199a"


def test_older_data_of_the_system_is_passed_over(system_data):
    found = system_data("2001c")
    assert (found.system, found.used, found.release) == ("2001c", "package", found.package)
    assert found.package >= "2026"
    assert zoneinfo.TZPATH == ()


def test_new_data_makes_new_timetables(system_data):
    system_data("2198a")
    before = Timetable.parse("0 0 * * *", "UTC")
    system_data("2198b")
    after = Timetable.parse("0 0 * * *", "UTC")
    assert before != after
    assert before.next_after(Slot(0)) == after.next_after(Slot(0)) == 86_400
