"""The checker of the campaigns must be able to fail, in each way."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.whole.checker import FOREVER_MS, Ban, Line, Script, Standing, Stretch, check, prove, read_strictly

T0 = 1_700_000_000


def line(second: int | None, **more: object) -> Line:
    """One line of a script `a`, as it is when a run went well; keys that are None are left out."""
    run_id = f"01890a5d-ac96-774b-bcce-{len(more):04}{second or 0:08}"
    told = {
        "ts": instant((second or 0) + 1),
        "scriptPath": "a",
        "expression": "whatever",
        "runId": run_id,
        "status": "ok",
        "durationMs": 5,
        "kind": "schedule" if second is not None else "manual",
        "slot": None if second is None else instant(second),
        "startedAt": instant(second or 0),
        **more,
    }
    return {key: value for key, value in told.items() if value is not None}


def skipped(second: int, status: str, reason: str, **more: object) -> Line:
    return line(second, status=status, reason=reason, error="why", startedAt=None, **more)


def missed(first: int, last: int, count: int) -> Line:
    return skipped(first, "error", "missed", lastSlot=instant(last), count=count)


def instant(second: int) -> str:
    seconds = T0 + second
    return f"2023-11-14T{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.000Z"


def even(second: int) -> bool:
    return (second - T0) % 2 == 0


def by_threes(second: int) -> bool:
    return (second - T0) % 3 == 0


def checked(*lines: Line) -> dict[str, int]:
    return check(list(lines), {"a": even}, first_s=T0, last_s=T0 + 6)


def stretch(after: int, until: int, *standings: Standing | None) -> Stretch:
    return Stretch((T0 + after) * 1000, (T0 + until) * 1000, standings or (None,))


def complaints(lines: Sequence[Line], *stretches: Stretch, bans: Sequence[Ban] = (), **about: int) -> str:
    return "\n".join(prove(lines, {"a": Script(stretches, **about)}, bans).complaints)


ALL_EVEN = stretch(-1, 6, Standing(even))
WHOLE = (line(0), line(2), line(4), line(6))


def test_what_is_whole_passes() -> None:
    assert checked(line(0), missed(2, 4, 2), line(6)) == {"a": 4}
    assert not complaints(WHOLE, ALL_EVEN)


def test_a_lost_slot_is_found() -> None:
    with pytest.raises(AssertionError, match="lost"):
        checked(line(0), line(2), line(6))


def test_a_slot_told_twice_is_found() -> None:
    with pytest.raises(AssertionError, match="told twice"):
        checked(*WHOLE, line(4, exitCode=0))


def test_a_span_over_a_slot_of_its_own_line_is_found() -> None:
    with pytest.raises(AssertionError, match="told twice"):
        checked(line(0), line(2), missed(2, 6, 3))


def test_a_wrong_count_is_found() -> None:
    with pytest.raises(AssertionError, match="no registration explains"):
        checked(line(0), missed(2, 6, 2))


def test_a_slot_that_was_never_due_is_found() -> None:
    with pytest.raises(AssertionError, match="never due"):
        checked(*WHOLE, line(3))


def test_one_fire_with_two_lines_is_found() -> None:
    with pytest.raises(AssertionError, match="two lines"):
        checked(*WHOLE[:3], line(6, runId=WHOLE[2]["runId"]))


def test_a_line_of_what_was_never_registered_is_found() -> None:
    with pytest.raises(AssertionError, match="never registered"):
        checked(*WHOLE, line(0, scriptPath="b"))


def test_a_catch_up_covers_its_slot_and_a_retry_or_a_replay_does_not() -> None:
    caught_up = (line(0, kind="catchup"), *WHOLE[1:])
    again = (line(2, kind="replay"), line(4, kind="replay", exitCode=0))
    assert not complaints((*caught_up, *again), ALL_EVEN)
    assert "lost" in complaints((*caught_up[:3], line(6, kind="replay")), ALL_EVEN)


def test_while_a_registration_is_uncertain_a_slot_may_be_covered_or_not_but_once() -> None:
    changing = stretch(3, 6, Standing(even), Standing(by_threes))
    known = stretch(-1, 3, Standing(even))
    assert not complaints(WHOLE[:2], known, changing)
    assert not complaints((*WHOLE[:2], line(6)), known, changing)
    assert "told twice" in complaints((*WHOLE, line(6, exitCode=0)), known, changing)
    assert "never due" in complaints((*WHOLE, line(5)), known, changing)


def test_a_span_is_counted_by_the_registration_that_was_in_force() -> None:
    before, after = stretch(-1, 2, Standing(even)), stretch(2, 6, Standing(by_threes))
    assert not complaints((line(0), line(2), missed(3, 6, 2)), before, after)


def test_nothing_may_fire_before_a_registration_or_after_it() -> None:
    gone = stretch(6, FOREVER_MS // 1000 - T0)
    assert "never due" in complaints((*WHOLE, line(8)), ALL_EVEN, gone)
    assert "never due" in complaints((line(-2), *WHOLE), ALL_EVEN)


def test_an_offset_that_nobody_told_must_be_the_same_for_all_slots() -> None:
    every_four = Standing(lambda second: (second - T0) % 4 == 0, jittered=True)
    jittered = stretch(3, 11, every_four)
    assert not complaints((line(7), line(11)), jittered, jitter_s=4)
    assert complaints((line(7), line(10)), jittered, jitter_s=4)


def test_a_run_while_it_was_disabled_or_paused_is_found() -> None:
    off = stretch(-1, 6, Standing(even, enabled=False))
    quiet = [skipped(s, "disabled", "disabled") for s in (0, 2, 4, 6)]
    assert not complaints(quiet, off)
    assert "while it was disabled" in complaints((line(0), *quiet[1:]), off)
    assert "and was not" in complaints(quiet, ALL_EVEN)
    pause = Ban(None, (T0 + 2) * 1000, (T0 + 4) * 1000)
    assert "or paused" in complaints(WHOLE, ALL_EVEN, bans=[pause])
    paused = (*WHOLE[:2], skipped(4, "disabled", "maintenance"), WHOLE[3])
    assert not complaints(paused, ALL_EVEN, bans=[pause])


def test_a_retry_of_what_did_not_fail_or_was_never_due_is_found() -> None:
    failed = line(0, status="error", reason="exit", error="exit code 7", attempt=1)
    again = line(0, kind="retry", attempt=2)
    assert not complaints((failed, *WHOLE[1:], again), ALL_EVEN, tries=2)
    assert "more than 1 times" in complaints((failed, *WHOLE[1:], again), ALL_EVEN, tries=1)
    assert "did not fail" in complaints((*WHOLE, again), ALL_EVEN)
    assert "has no line" in complaints((*WHOLE, line(1, kind="replay")), ALL_EVEN)


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (line(0, status="ok", reason="exit"), "does not go with"),
        (line(0, status="error", reason="overlap", error="why"), "does not go with"),
        (line(0, kind="whim"), "no such kind"),
        (line(0, error="why"), "has an error"),
        (line(0, status="timeout", reason="timeout"), "has an error"),
        (line(0, startedAt=instant(-1)), "before its time"),
        (line(0, startedAt=instant(2)), "ended before it began"),
        (line(0, count=1, lastSlot=instant(0)), "no span"),
    ],
)
def test_a_line_that_contradicts_itself_is_found(bad: Line, complaint: str) -> None:
    assert complaint in complaints((bad, *WHOLE[1:]), ALL_EVEN)


def test_the_files_are_read_oldest_first_and_each_must_be_in_order(tmp_path: Path) -> None:
    for name, second in (("fires.log.10", 0), ("fires.log.9", 2), ("fires.log", 4)):
        (tmp_path / name).write_text(json.dumps(line(second)) + "\n")
    (tmp_path / "fires.log.torn").write_text("rubbish\n")
    lines, wrong = read_strictly(tmp_path)
    assert [told["slot"] for told in lines] == [instant(0), instant(2), instant(4)]
    assert not wrong
    (tmp_path / "fires.log").write_text("".join(json.dumps(line(s)) + "\n" for s in (6, 4)))
    assert "comes after" in read_strictly(tmp_path)[1][0]


@pytest.mark.parametrize(
    "bad",
    [
        "rubbish\n",
        json.dumps({"fact": "lost", "at": 1, "lines": 3}) + "\n",
        json.dumps(line(0, runId="7")) + "\n",
        json.dumps(line(0, slot="2023-11-14 22:13:20")) + "\n",
        json.dumps(line(0)),
    ],
)
def test_a_line_that_cannot_be_read_is_found(tmp_path: Path, bad: str) -> None:
    (tmp_path / "fires.log").write_text(bad)
    assert read_strictly(tmp_path)[1]
