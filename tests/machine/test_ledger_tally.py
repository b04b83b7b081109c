"""Counting the fires log: every line once, also when the file grows, turns over or is edited."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.fire import Status
from schedd.ledger.tally import Tallies, Wanted
from schedd.timetable import instant
from schedd.timetable.grid import Grid
from schedd.timetable.instant import Slot

BEGIN = 1_795_500_000
GRID = Grid(begin=BEGIN, end=BEGIN + 1_000, step_s=100)
NAMES = ("a.sh", 'we"ird\\.sh', "ünï.sh")


def line(at_s: float, script: str = "a.sh", status: str = "ok", count: int | None = None) -> str:
    more = "" if count is None else f',"count":{count}'
    name = script.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'{{"ts":"{instant.from_ms(int(at_s * 1000))}","scriptPath":"{name}","expression":"* * * * *",'
        f'"runId":"r","status":"{status}","durationMs":1,"kind":"schedule"{more}}}\n'
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "fires.log"


def counted(
    tallies: Tallies, *, grid: Grid = GRID, sees: Callable[[str], bool] | None = None
) -> dict[str, dict[int, int]]:
    return {str(s): dict(c) for s, c in tallies.count(Wanted(grid=grid, sees=sees)).together.items()}


def written(path: Path, lines: Iterable[str]) -> None:
    with path.open("a") as file:
        file.writelines(lines)


def test_every_line_counts_where_its_ts_lies(log: Path) -> None:
    places = [(n * 37 % 1_300 - 100, NAMES[n % 3], "error" if n % 5 == 0 else "ok") for n in range(600)]
    written(log, (line(BEGIN + at, name, status) for at, name, status in sorted(places)))
    inside = Counter((status, at // 100) for at, _, status in places if 0 <= at < 1_000)
    found = counted(Tallies(str(log)))
    assert {(s, i): n for s, by in found.items() for i, n in by.items()} == inside


def test_scripts_are_counted_each(log: Path) -> None:
    written(log, (line(BEGIN + n, NAMES[n % 3]) for n in range(300)))
    tally = Tallies(str(log)).count(Wanted(grid=GRID, scripts=frozenset(NAMES[1:])))
    assert set(tally.each) == set(NAMES[1:])
    assert tally.each[NAMES[1]][Status.OK] == {0: 33, 1: 34, 2: 33}
    assert sum(tally.together[Status.OK].values()) == 200


def test_what_a_caller_may_not_see_is_not_counted(log: Path) -> None:
    written(log, (line(BEGIN + n, NAMES[n % 3]) for n in range(300)))
    assert counted(Tallies(str(log)), sees=lambda name: name == "a.sh") == {"ok": {0: 34, 1: 33, 2: 33}}


def span(
    first: int, last: int, count: int, told: int, *, status: str = "error", reason: str = "missed"
) -> str:
    """Return a line of several slots, in seconds from the beginning."""
    begun, ended = (instant.from_slot(Slot(BEGIN + slot)) for slot in (first, last))
    slots = f'"slot":"{begun}","lastSlot":"{ended}"'
    return line(BEGIN + told, status=status, count=count).replace("}", f',"reason":"{reason}",{slots}}}')


def test_a_line_of_many_slots_is_spread_over_them(log: Path) -> None:
    written(log, [span(-120, 239, 360, 5_000, status="disabled", reason="paused")])
    wanted = {"disabled": {0: 100, 1: 100, 2: 40}}
    assert counted(Tallies(str(log))) == wanted
    assert counted(Tallies(str(log)), sees=lambda _: True) == wanted


def test_misses_are_errors_and_counted_once_more(log: Path) -> None:
    one = line(BEGIN + 900, status="error").replace(
        "}", f',"reason":"missed","slot":"{instant.from_slot(Slot(BEGIN))}"}}'
    )
    written(log, [line(BEGIN + 120, status="error"), one, span(100, 400, 4, 950)])
    tallies = Tallies(str(log))
    tally = tallies.count(Wanted(grid=GRID, scripts=frozenset({"a.sh"})))
    assert tally.together == {Status.ERROR: {0: 1, 1: 2, 2: 1, 3: 1, 4: 1}}
    assert tally.missed == tally.missed_by["a.sh"] == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1}
    assert tallies.count(Wanted(grid=GRID, status=Status.OK)).missed == {}


@given(
    first=st.integers(-1_500, 1_500),
    interval=st.integers(1, 700),
    count=st.integers(2, 400),
    step_s=st.integers(1, 400),
)
def test_slots_that_are_evenly_apart_count_exactly_where_they_are(
    tmp_path_factory: pytest.TempPathFactory, first: int, interval: int, count: int, step_s: int
) -> None:
    log = tmp_path_factory.mktemp("log") / "fires.log"
    slots = [first + n * interval for n in range(count)]
    written(log, [span(first, slots[-1], count, 300_000)])
    grid = Grid(begin=BEGIN, end=BEGIN + 1_000, step_s=step_s)
    wanted = Counter(slot // step_s for slot in slots if 0 <= slot < 1_000)
    assert counted(Tallies(str(log)), grid=grid) == ({"error": wanted} if wanted else {})


def test_a_line_of_many_slots_in_a_later_file_is_found(log: Path) -> None:
    written(Path(f"{log}.1"), [line(BEGIN + 1)])
    written(log, [line(BEGIN + 7_000), span(500, 599, 100, 8_000)])
    assert counted(Tallies(str(log))) == {"ok": {0: 1}, "error": {5: 100}}


def test_what_is_written_later_is_counted_once(log: Path) -> None:
    tallies = Tallies(str(log))
    assert counted(tallies) == {}
    for n in range(5):
        written(log, [line(BEGIN + n)])
        assert counted(tallies) == {"ok": {0: n + 1}}


def test_half_a_line_counts_when_it_is_whole(log: Path) -> None:
    whole = line(BEGIN)
    written(log, [whole, whole[:40]])
    tallies = Tallies(str(log))
    assert counted(tallies) == {"ok": {0: 1}}
    written(log, [whole[40:]])
    assert counted(tallies) == {"ok": {0: 2}}


def test_a_file_that_turns_over_is_not_counted_twice(log: Path) -> None:
    tallies = Tallies(str(log))
    written(log, [line(BEGIN)])
    assert counted(tallies) == {"ok": {0: 1}}
    os.rename(log, f"{log}.1")
    written(log, [line(BEGIN + 100)])
    assert counted(tallies) == {"ok": {0: 1, 1: 1}}
    os.remove(f"{log}.1")
    assert counted(tallies) == {"ok": {1: 1}}


def test_a_file_that_was_edited_is_read_anew(log: Path) -> None:
    tallies = Tallies(str(log))
    written(log, [line(BEGIN), line(BEGIN + 100)])
    assert counted(tallies) == {"ok": {0: 1, 1: 1}}
    log.write_text(line(BEGIN + 300))
    assert counted(tallies) == {"ok": {3: 1}}


def test_lines_out_of_order_are_counted_all_the_same(log: Path) -> None:
    written(log, [line(BEGIN + 500), line(BEGIN + 100), line(BEGIN + 300), line(BEGIN + 101)])
    tallies = Tallies(str(log))
    assert counted(tallies) == {"ok": {1: 2, 3: 1, 5: 1}}
    written(log, [line(BEGIN + 200)])
    assert counted(tallies) == {"ok": {1: 2, 2: 1, 3: 1, 5: 1}}


def test_what_is_no_entry_is_passed_over(log: Path) -> None:
    log.write_bytes(
        b'garbage\n\xff\xfe\n{"fact":"lost","at":1,"lines":2}\n'
        + line(BEGIN).encode()
        + b'{"ts":"never","scriptPath":"a","status":"ok"}\n{"ts":"1800-01-01T00:00:00.000Z","scriptPath":"a",'
        b'"status":"ok"}\n' + b"x" * 3_000_000 + b"\n" + line(BEGIN + 1).encode()
    )
    assert counted(Tallies(str(log))) == {"ok": {0: 2}}


def test_memory_is_bounded_and_the_answer_is_the_same(log: Path) -> None:
    for number in (3, 2, 1):
        written(Path(f"{log}.{number}"), [line(BEGIN + (3 - number) * 100 + n) for n in range(50)])
    written(log, [line(BEGIN + 300 + n) for n in range(50)])
    wanted = {"ok": {0: 50, 1: 50, 2: 50, 3: 50}}
    tallies = Tallies(str(log), most_lines=120)
    assert counted(tallies) == wanted
    assert tallies.kept_lines == 100
    assert counted(tallies) == wanted
