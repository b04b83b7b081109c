"""The checker of the campaigns must be able to fail."""

import pytest

from schedd.timetable.instant import from_slot
from tests.whole.checker import Line, check

T0 = 1_700_000_000


def line(second: int, **more: object) -> Line:
    return {"scriptPath": "a", "slot": instant(second), "runId": f"id-{second}", **more}


def instant(second: int) -> str:
    return from_slot(T0 + second)


def checked(*lines: Line) -> dict[str, int]:
    return check(list(lines), {"a": lambda s: (s - T0) % 2 == 0}, first_s=T0, last_s=T0 + 6)


def test_what_is_whole_passes() -> None:
    assert checked(line(0), line(2, lastSlot=instant(4), count=2), line(6)) == {"a": 4}


def test_a_lost_slot_is_found() -> None:
    with pytest.raises(AssertionError, match="lost"):
        checked(line(0), line(2), line(6))


def test_a_slot_told_twice_is_found() -> None:
    with pytest.raises(AssertionError, match="told twice"):
        checked(line(0), line(2), line(4), line(6), line(4, runId="another"))


def test_a_span_over_a_slot_of_its_own_line_is_found() -> None:
    with pytest.raises(AssertionError, match="told twice"):
        checked(line(0), line(2), line(2, lastSlot=instant(6), count=3, runId="another"))


def test_a_wrong_count_is_found() -> None:
    with pytest.raises(AssertionError):
        checked(line(0), line(2, lastSlot=instant(6), count=2))


def test_a_slot_that_was_never_due_is_found() -> None:
    with pytest.raises(AssertionError, match="never due"):
        checked(line(0), line(2), line(3), line(4), line(6))


def test_one_fire_with_two_lines_is_found() -> None:
    with pytest.raises(AssertionError, match="two lines"):
        checked(line(0), line(2), line(4), line(6, runId="id-4"))
