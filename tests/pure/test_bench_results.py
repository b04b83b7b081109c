"""What the measurements make of their figures, and how they write them down."""

import statistics
from datetime import UTC, datetime
from pathlib import Path

from bench import __main__ as bench
from bench import results, rounds, usage
from bench.burst import compared
from bench.row import Row, quantile, shown

DUE = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
DUE_NS = int(DUE.timestamp()) * 1_000_000_000
NOTHING = usage.Usage(0, 0)


def test_a_row_has_its_ratio_beside_it() -> None:
    text = bench.table([Row("p", "a start", "2 ms", "1 ms", "3 ms", "1.31 × the loop")], "p")
    assert "| what | figure | least | most | ratio |" in text
    assert "| a start | 2 ms | 1 ms | 3 ms | 1.31 × the loop |" in text


def test_columns_that_would_be_empty_are_left_out() -> None:
    assert "| what | figure |\n|---|---|\n| a start | 2 ms |" in bench.table(
        [Row("p", "a start", "2 ms")], "p"
    )


def test_measuring_one_part_anew_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    for section, text in (("", "# Results\n"), ("Burst", "old"), ("Ledger", "kept"), ("Burst", "new")):
        results.keep(text, section=section, path=path)
    assert path.read_text() == "# Results\n\n## Burst\n\nnew\n\n## Ledger\n\nkept\n"


def test_schedd_stands_beside_the_floor_and_the_others_beside_schedd() -> None:
    taken = {"schedd": [0.2, 0.4], "cron": [2.0, 2.0]}
    ours, cron = compared("burst", "last", taken, floors=[0.1, 0.1])
    assert ours.ratio.startswith("3.00 × ")
    assert cron.ratio == "7.50 × schedd"


def test_who_was_forgotten_or_started_twice_is_counted() -> None:
    seen = rounds.counted([(0.2, "b"), (0.1, "a"), (0.3, "b")], 4, NOTHING)
    assert (seen.late_s, seen.lost, seen.twice) == ([0.1, 0.2, 0.3], 2, 1)


def test_a_job_that_begins_before_its_instant_is_early_by_that_much() -> None:
    stamps = f"{DUE_NS - 1_000_000} a\n{DUE_NS + 2_000_000} b\n"
    assert rounds.stamped(stamps, DUE) == [(-0.001, "a"), (0.002, "b")]


def test_the_99th_of_a_hundred_is_the_one_that_one_percent_exceed() -> None:
    assert quantile(range(1, 101), 0.99) == 100
    assert quantile([1, 2, 3], 0.5) == statistics.median([1, 2, 3])


def test_durations_are_written_in_the_unit_that_suits_them() -> None:
    assert [shown(each) for each in (1.5, 0.0123, 0.00000042)] == ["1.5 s", "12.3 ms", "0.42 µs"]


def test_what_is_due_in_whole_minutes_is_due_when_one_begins() -> None:
    assert rounds.instant(3, whole_minute=True).second == 0
