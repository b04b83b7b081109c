"""The soak (`make soak`) runs, and it sees what it is there for: a slot lost or doubled, and growth."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import results
from bench.soak.report import Quiet, Report, slope_per_hour
from bench.soak.slots import Follower, Slots
from schedd.timetable.instant import from_slot
from schedd.timetable.timetable import Timetable
from tests.whole.systemd_lab import ROOT

SECONDS, DEADLINE_S = 15, 60
SCRIPT = "a.sh"
START_S = 1_000


def line(slot: int, **more: Any) -> dict[str, Any]:
    return {"scriptPath": SCRIPT, "kind": "schedule", "slot": from_slot(slot), **more}


@pytest.fixture
def slots() -> Slots:
    """One script, due every 10 s after 1,000 s."""
    return Slots({SCRIPT: Timetable.parse("@every 10s", "UTC")}, START_S)


def soak(base: Path, seconds: int, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run one with all its files in `base`."""
    return subprocess.run(
        [sys.executable, "-m", "bench.soak", "--seconds", str(seconds), "--rate", "20"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
        env={**os.environ, "TMPDIR": str(base), **env},
    )


def test_a_short_soak_loses_no_slot_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = soak(tmp_path, SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "slots, each with exactly one line" in done.stdout
    assert "zombies 0 → 0" in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_daemon_that_does_not_live_fails_the_soak_with_what_it_said(tmp_path: Path) -> None:
    done = soak(tmp_path, 5, SCHEDD_FIRES_KEEP="-1")
    assert done.returncode == 1
    assert "broken off: " in done.stdout
    assert "fires_keep" in done.stdout
    assert not done.stderr


def test_slots_that_are_told_once_are_no_matter_in_which_order(slots: Slots) -> None:
    for slot in (1_020, 1_010, 1_030):
        slots.take(line(slot))
    assert slots.lost(1_039) == 0
    assert slots.told == 3
    assert not slots.complaints


def test_a_slot_without_a_line_is_lost_though_later_ones_have_theirs(slots: Slots) -> None:
    slots.take(line(1_010))
    slots.take(line(1_030))
    assert slots.lost(1_030) == 1
    assert slots.complaints == ["a.sh: slot 1020 has no line"]


@pytest.mark.parametrize("between", [(), (1_020,)])
def test_a_second_line_of_a_slot_is_noticed_however_late(slots: Slots, between: tuple[int, ...]) -> None:
    for slot in (1_010, *between, 1_010):
        slots.take(line(slot))
    assert slots.complaints == ["a.sh: slot 1010 has two lines"]


def test_a_span_stands_for_as_many_slots_as_it_says(slots: Slots) -> None:
    slots.take(line(1_010, lastSlot=from_slot(1_030), count=3))
    assert slots.lost(1_030) == 0
    slots.take(line(1_040, lastSlot=from_slot(1_060), count=2))
    assert "3 slots were due where a line tells of others" in slots.complaints[0]


def test_a_line_for_a_slot_that_never_was_is_noticed(slots: Slots) -> None:
    slots.take(line(1_015))
    assert "0 slots were due where a line tells of others" in slots.complaints[0]


def test_a_retry_is_no_second_line(slots: Slots) -> None:
    slots.take(line(1_010))
    slots.take({**line(1_010), "kind": "retry"})
    assert not slots.complaints


def test_lines_are_read_across_several_rotations_at_once(tmp_path: Path) -> None:
    log, follower = tmp_path / "fires.log", Follower(tmp_path)
    log.write_text('{"n":1}\n{"n"')
    assert list(follower.news()) == [{"n": 1}]
    with log.open("a") as file:
        file.write(":2}\n")
    log.rename(tmp_path / "fires.log.2")
    (tmp_path / "fires.log.1").write_text('{"n":3}\n')
    log.write_text('{"n":4}\n')
    assert [each["n"] for each in follower.news()] == [2, 3, 4]
    follower.close()


def test_a_log_that_was_cut_off_before_it_was_read_is_an_error(tmp_path: Path) -> None:
    log, follower = tmp_path / "fires.log", Follower(tmp_path)
    log.write_text('{"n":1}\n')
    assert list(follower.news()) == [{"n": 1}]
    log.unlink()
    log.write_text('{"n":3}\n')
    with pytest.raises(AssertionError, match="faster than it was read"):
        list(follower.news())
    follower.close()


def test_a_descriptor_that_stays_is_a_complaint_and_one_that_went_is_none() -> None:
    report = Report(seconds=60, scripts=1, interval_s=10)
    report.first_quiet, report.last_quiet = Quiet(20, 3, 0), Quiet(21, 2, 0)
    report.judge()
    assert report.complaints == ["descriptors grew from 20 to 21 with nothing running"]


def test_growth_is_told_as_what_an_hour_adds() -> None:
    assert slope_per_hour([(0.0, 50.0), (1_800.0, 51.0), (3_600.0, 52.0)]) == pytest.approx(2.0)


def test_a_section_of_the_results_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    path.write_text("# Results\n\nold table\n\n## Soak\n\nold rows\n\n## Other\n\nstays\n")
    results.keep("new rows", section="Soak", path=path)
    results.keep("# Results\n\nnew table\n", path=path)
    assert path.read_text() == "# Results\n\nnew table\n\n## Soak\n\nnew rows\n\n## Other\n\nstays\n"
