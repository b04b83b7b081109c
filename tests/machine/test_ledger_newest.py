"""The newest lines of the fires log: the last one first, across its files, and no further than was said."""

from pathlib import Path

import pytest

from schedd.ledger import newest
from schedd.timetable import instant

BEGIN_MS = 1_795_500_000_000


def line(number: int) -> str:
    return (
        f'{{"ts":"{instant.from_ms(BEGIN_MS + number)}","scriptPath":"a.sh","expression":"* * * * *",'
        f'"runId":"{number}","status":"ok","durationMs":1,"kind":"schedule"}}\n'
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two files: 0 to 99 in the older one, 100 to 149 in the current one."""
    path = tmp_path / "fires.log"
    Path(f"{path}.1").write_text("".join(map(line, range(100))))
    path.write_text("".join(map(line, range(100, 150))))
    return path


def numbers(path: Path, **bound: int) -> list[int]:
    return [int(found.run_id) for found in newest.read(str(path), **bound)]


def test_the_last_line_comes_first_and_older_files_behind(log: Path) -> None:
    assert numbers(log) == list(range(149, -1, -1))


def test_what_lies_behind_the_bound_is_left_alone(log: Path) -> None:
    size = log.stat().st_size
    assert numbers(log, scan_bytes=size) == list(range(149, 99, -1))
    assert numbers(log, scan_bytes=0) == []


def test_what_is_no_entry_and_half_a_line_are_passed_over(log: Path) -> None:
    log.write_text("garbage\n" + line(100) + '{"fact":"lost"}\n' + line(101) + line(102)[:50])
    assert numbers(log) == [101, 100, *range(99, -1, -1)]


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert numbers(tmp_path / "fires.log") == []
