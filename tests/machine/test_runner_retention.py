"""What is kept of old runs: by age, by size, never anything that is not schedd's."""

import os
from pathlib import Path

import pytest

from schedd.fire import RunId
from schedd.host.identity import run_ids
from schedd.runner import retention, store

DAY_MS = 86_400_000
NOW_MS = 1_790_000_000_000


def keep(state: Path, *, days_old: float, size: int, ending: str = "log") -> RunId:
    """Leave a file of a run that was made so long ago."""
    run_id = run_ids()(NOW_MS - round(days_old * DAY_MS))
    directory = state / "output" / store.day_of(run_id)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{run_id}.{ending}").write_bytes(b"x" * size)
    return run_id


def minute_of_a_day() -> float:
    return 1 / 1440


def kept(state: Path) -> list[str]:
    return sorted(path.stem for path in (state / "output").rglob("*") if path.is_file())


def prune(
    state: Path, *, keep_days: int = 30, keep_bytes: int = 1000, live: tuple[RunId, ...] = ()
) -> retention.Pruned:
    return retention.prune(str(state), now_ms=NOW_MS, keep_days=keep_days, keep_bytes=keep_bytes, keep=live)


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    keep(tmp_path, days_old=31, size=10)
    young = keep(tmp_path, days_old=29, size=10)
    assert prune(tmp_path) == retention.Pruned(1, 10)
    assert kept(tmp_path) == [young]


def test_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    made = [keep(tmp_path, days_old=days, size=400) for days in (5, 4, 3, 2, 0)]
    assert prune(tmp_path, keep_bytes=1000) == retention.Pruned(3, 1200)
    assert kept(tmp_path) == sorted(made[3:])


def test_within_a_day_the_oldest_go_first_whatever_their_files_are(tmp_path: Path) -> None:
    minute = minute_of_a_day()
    ages = [0.001, 0.9, 0.5, 0.5 + minute / 1000, 0.2, 0.9 + minute]
    made = {age: keep(tmp_path, days_old=age, size=100, ending="log") for age in ages}
    keep(tmp_path, days_old=0.95, size=50, ending="result")
    assert prune(tmp_path, keep_bytes=350) == retention.Pruned(4, 350)
    assert kept(tmp_path) == sorted(made[age] for age in (0.001, 0.2, 0.5))


def test_a_run_that_begins_meanwhile_is_not_touched(tmp_path: Path) -> None:
    begun = keep(tmp_path, days_old=-minute_of_a_day(), size=5000)
    assert prune(tmp_path, keep_bytes=0) == retention.Pruned(0, 0)
    assert kept(tmp_path) == [begun]


def test_what_cannot_be_removed_is_said_once_and_keeps_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for days_old in (41, 42):
        stuck = run_ids()(NOW_MS - days_old * DAY_MS)
        (tmp_path / "output" / store.day_of(stuck) / f"{stuck}.log").mkdir(parents=True)
    keep(tmp_path, days_old=40, size=10)
    assert prune(tmp_path) == retention.Pruned(1, 10)
    assert len(caplog.messages) == 1


def test_results_count_as_well(tmp_path: Path) -> None:
    keep(tmp_path, days_old=2, size=600, ending="result")
    young = keep(tmp_path, days_old=1, size=600)
    prune(tmp_path)
    assert kept(tmp_path) == [young]


def test_runs_in_flight_are_not_touched(tmp_path: Path) -> None:
    live = keep(tmp_path, days_old=40, size=5000)
    assert prune(tmp_path, live=(live,)) == retention.Pruned(0, 0)
    assert kept(tmp_path) == [live]


def test_a_day_without_files_goes_unless_a_run_may_still_write_there(tmp_path: Path) -> None:
    live = run_ids()(NOW_MS - 10 * DAY_MS)
    for run_id in (live, run_ids()(NOW_MS - 20 * DAY_MS), run_ids()(NOW_MS)):
        (tmp_path / "output" / store.day_of(run_id)).mkdir(parents=True)
    prune(tmp_path, live=(live,))
    assert sorted(os.listdir(tmp_path / "output")) == [store.day_of(live), store.day_of(run_ids()(NOW_MS))]


def test_what_is_not_schedds_stays(tmp_path: Path) -> None:
    keep(tmp_path, days_old=40, size=10)
    for name in ("output/2020-01-01/notes.txt", "output/elsewhere/01a20d78-f7b3-721b-bda1-c54fcb6dea4b.log"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    prune(tmp_path, keep_bytes=0)
    assert kept(tmp_path) == ["01a20d78-f7b3-721b-bda1-c54fcb6dea4b", "notes"]


def test_nothing_to_prune_is_fine(tmp_path: Path) -> None:
    assert prune(tmp_path / "nonexistent") == retention.Pruned(0, 0)


@pytest.mark.parametrize("place", ["output", "output/2026-09-20"])
def test_what_cannot_be_read_is_said_and_ends_nothing(
    tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).symlink_to(tmp_path / place)
    assert prune(tmp_path) == retention.Pruned(0, 0)
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert "symbolic links" in caplog.text


def test_a_file_in_the_place_of_the_outputs_is_not_for_pruning_to_tell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "output").write_text("in the way")
    assert prune(tmp_path) == retention.Pruned(0, 0)
    assert caplog.text == ""


def test_a_run_id_is_enough_to_find_its_files(tmp_path: Path) -> None:
    printed = keep(tmp_path, days_old=3, size=10)
    returned = keep(tmp_path, days_old=3, size=10, ending="result")
    assert store.read_output(str(tmp_path), printed) == b"x" * 10
    assert store.read_result(str(tmp_path), printed) is None
    assert store.read_result(str(tmp_path), returned) == "x" * 10


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "x", "01a20d78-f7b3-721b-bda1-c54fcb6dea4b\n"])
def test_what_is_no_run_id_has_no_files(tmp_path: Path, name: str) -> None:
    assert store.read_output(str(tmp_path), name) is None
    assert store.read_result(str(tmp_path), name) is None
