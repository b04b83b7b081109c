"""Reading the ledger for what was in force: across segments, within a budget, and as far back as it goes."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from schedd.fire import Outcome, Reason, Status, ran
from schedd.ledger import chronicle, facts
from schedd.ledger.annals import Life
from schedd.ledger.facts import AnyFact, Checkpoint, Ended, Registered
from schedd.ledger.ledger import Ledger
from schedd.ledger.state import State
from schedd.timetable.instant import Slot
from tests.ledger_kit import MINUTE_MS, START_MS, claimed, ended, fire, held, registered, stretch

ALWAYS = (0, 1 << 50)


def write(path: Path, told: Iterable[AnyFact], state: State | None = None, at: int = START_MS) -> State:
    """Write a segment that begins with the checkpoint of a state, and fold its facts into the state."""
    state = state or State()
    lines = [*facts.encode_in_steps(state.checkpoint(at))]
    for fact in told:
        state.apply(fact)
        lines.append(facts.encode(fact))
    path.write_bytes(b"".join(lines))
    return state


def read(path: Path, since_ms: int = 0, until_ms: int = 1 << 50, **more: object) -> chronicle.Chronicle:
    return chronicle.read(str(path), since_ms, until_ms, **more)  # type: ignore[arg-type]


def minute(number: int) -> int:
    return START_MS + number * MINUTE_MS


def up(number: int, boot: str = "a") -> facts.Up:
    return facts.Up(at=minute(number), boot_id=boot, version="1")


def down(number: int) -> facts.Down:
    return facts.Down(at=minute(number), why="drained")


def reloaded(number: int) -> facts.Reloaded:
    return facts.Reloaded(at=minute(number), added=0, kept=0, removed=0, failed=0)


def again(old: Registered, **changed: object) -> Registered:
    return facts.msgspec.structs.replace(old, **changed)


def spans(path: Path, script: str | None = None) -> list[tuple[str, bool, int, int | None]]:
    told = read(path, script=script).registrations
    return [
        (
            r.expression,
            r.enabled,
            r.since_ms - START_MS,
            None if r.until_ms is None else r.until_ms - START_MS,
        )
        for r in told
    ]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "ledger.log"


def test_a_registration_is_in_force_until_the_script_is_gone(log: Path) -> None:
    write(log, [registered(), facts.Unregistered(at=minute(5), path="default/a.py")])
    (told,) = read(log).of("default/a.py")
    assert (told.since_ms, told.until_ms, told.removed) == (START_MS, minute(5), True)


def test_a_new_timetable_takes_the_place_of_the_old_one(log: Path) -> None:
    changed = again(registered(), at=minute(3), expression="0 * * * *")
    write(log, [registered(), changed])
    assert spans(log) == [("* * * * *", True, 0, 3 * MINUTE_MS), ("0 * * * *", True, 3 * MINUTE_MS, None)]


def test_a_changed_header_is_in_force_from_the_reload_behind_it(log: Path) -> None:
    disabled = again(registered(), enabled=False)
    write(log, [registered(), disabled, reloaded(4), again(disabled, enabled=True), up(9)])
    assert spans(log) == [
        ("* * * * *", True, 0, 4 * MINUTE_MS),
        ("* * * * *", False, 4 * MINUTE_MS, 9 * MINUTE_MS),
        ("* * * * *", True, 9 * MINUTE_MS, None),
    ]


def test_a_changed_file_with_the_same_header_changes_nothing(log: Path) -> None:
    write(log, [registered(), again(registered(), sha256="1" * 64), reloaded(4)])
    assert spans(log) == [("* * * * *", True, 0, None)]


def test_an_older_segment_is_read_when_the_range_begins_in_it(log: Path) -> None:
    first = Path(f"{log}.1")
    state = write(first, [registered(), up(0), down(5)])
    write(log, [up(20)], state, at=minute(10))
    assert [life.up_ms for life in read(log, minute(1)).lives] == [minute(0), minute(20)]
    assert [life.up_ms for life in read(log, minute(15)).lives] == [None, minute(20)]


def test_a_segment_begins_with_what_was_registered_before_it(log: Path) -> None:
    state = write(Path(f"{log}.1"), [registered("default/b.py"), registered()])
    write(log, [], state, at=minute(10))
    Path(f"{log}.1").unlink()
    told = read(log)
    assert [r.script for r in told.registrations] == ["default/b.py", "default/a.py"]
    assert told.since_ms == minute(10)


def test_a_checkpoint_between_two_segments_registers_nothing_twice(log: Path) -> None:
    state = write(Path(f"{log}.1"), [registered(), up(0)])
    write(log, [reloaded(12)], state, at=minute(10))
    assert spans(log) == [("* * * * *", True, 0, None)]


def test_segments_after_the_range_are_not_read(log: Path) -> None:
    state = write(Path(f"{log}.1"), [registered(), up(0)])
    write(log, [up(20)], state, at=minute(10))
    assert [life.up_ms for life in read(log, 0, minute(5)).lives] == [minute(0)]


def test_what_is_beyond_the_budget_is_left_out_and_said_to_be(log: Path) -> None:
    state = write(Path(f"{log}.1"), [registered(), up(0)])
    write(log, [up(20)], state, at=minute(10))
    told = read(log, minute(0), scan_bytes=1)
    assert (told.complete, told.since_ms) == (False, minute(10))
    assert [r.script for r in told.registrations] == ["default/a.py"]


def test_a_stop_in_order_says_when_and_a_crash_when_it_was_last_heard_of(log: Path) -> None:
    run = fire(7)
    write(log, [up(0), down(5), up(6), claimed(run), facts.Watermark(slot=Slot(minute(7) // 1000)), up(30)])
    assert read(log).lives == (
        Life(up_ms=minute(0), down_ms=minute(5), why="drained", boot_id="a"),
        Life(up_ms=minute(6), down_ms=minute(7), crashed=True, boot_id="a"),
        Life(up_ms=minute(30), boot_id="a"),
    )


def test_what_the_next_daemon_wrote_before_its_up_is_no_sign_of_life_of_the_last(log: Path) -> None:
    run = fire(7)
    cut_off = Outcome(
        status=Status.ERROR, reason=Reason.INTERRUPTED, error="x", started_ms=minute(7), ended_ms=minute(29)
    )
    first_turn = fire(30)
    told = [
        up(6),
        claimed(run),
        Ended(entry=ran(run, cut_off, host="h")),
        claimed(first_turn),
        facts.Watermark(slot=Slot(minute(30) // 1000)),
        up(30),
    ]
    write(log, told)
    assert read(log).lives[0].down_ms == minute(7)


def test_pauses_are_told_with_their_ends(log: Path) -> None:
    told = [
        facts.Paused(at=minute(1), by="uid:0", path="default/a.py", note="why"),
        facts.Paused(at=minute(2), by="deploy", until=minute(9)),
        facts.Resumed(at=minute(3), by="uid:1", path="default/a.py"),
    ]
    write(log, told)
    found = [(p.script, p.by, p.until_ms, p.ended_by) for p in read(log).pauses]
    assert found == [("default/a.py", "uid:0", minute(3), "uid:1"), (None, "deploy", None, None)]


def test_of_one_script_only_its_own_facts_are_kept_and_those_of_all(log: Path) -> None:
    other = fire(2, script="default/b.py")
    paused = [facts.Paused(at=minute(n), by="x", path=path) for n, path in enumerate(["default/b.py", None])]
    told = [
        registered(),
        registered("default/b.py"),
        claimed(fire(1)),
        held(fire(3)),
        claimed(other),
        *paused,
    ]
    write(log, [*told, up(4)])
    found = read(log, script="default/a.py")
    assert [r.script for r in found.registrations] == ["default/a.py"]
    assert [c.path for c in found.claimed] == ["default/a.py"]
    assert [h.path for h in found.held] == ["default/a.py"]
    assert [p.script for p in found.pauses] == [None]
    assert len(found.lives) == 1


@pytest.mark.parametrize(
    "path", ['we"ird/{a}.py', "ünïcode/\\b.py", 'x{"fact":"up"}.py', "tab\tand\nline.py"]
)
def test_a_path_may_hold_whatever_a_file_system_lets_it(log: Path, path: str) -> None:
    state = write(Path(f"{log}.1"), [registered(path), registered(f"{path}x"), up(0)])
    write(log, [facts.Unregistered(at=minute(20), path=path)], state, at=minute(10))
    for since_ms in (0, minute(15)):
        (told,) = read(log, since_ms, script=path).registrations
        assert (told.script, told.until_ms) == (path, minute(20))


def test_an_error_that_looks_like_a_fact_is_none(log: Path) -> None:
    fact = '{"fact":"up","at":1,"bootId":"a","version":"1"}'
    write(log, [ended(fire(1), status=Status.ERROR, error=fact), up(2)])
    assert [life.up_ms for life in read(log).lives] == [minute(2)]


@pytest.mark.parametrize("shift", range(0, 160, 13))
def test_a_fact_is_found_wherever_the_blocks_are_cut(
    log: Path, shift: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chronicle, "BLOCK", 64 + shift)
    told: list[AnyFact] = [registered(f"default/{n}.py") for n in range(20)]
    state = write(Path(f"{log}.1"), [*told, *(up(n) for n in range(10))])
    write(
        log, [again(registered("default/3.py"), at=minute(25), expression="1 1 1 1 1")], state, at=minute(20)
    )
    found = read(log)
    assert len(found.registrations) == 21
    assert len(found.lives) == 10
    assert len(read(log, minute(30)).registrations) == 21


def test_lines_that_are_no_facts_are_passed_over(log: Path) -> None:
    write(log, [registered()])
    with log.open("ab") as file:
        file.write(b'{"fact":"up","at":"soon"}\n\xff\xfe\n{"fact":"up","at":1\n')
        file.write(facts.encode(up(3)))
    assert [life.up_ms for life in read(log).lives] == [minute(3)]


def test_a_ledger_that_is_not_there_tells_nothing(log: Path) -> None:
    told = read(log, 5)
    assert (told.registrations, told.since_ms, told.complete) == ((), 5, True)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS)
    yield ledger
    await ledger.close()


async def test_the_ledger_tells_what_was_written_a_moment_ago(ledger: Ledger) -> None:
    ledger.write([registered(), up(0)], durable=False)
    told = await ledger.chronicle(*ALWAYS)
    assert [r.script for r in told.registrations] == ["default/a.py"]


async def test_the_ledger_tells_only_the_stretches_that_are_open(ledger: Ledger) -> None:
    first, other = fire(1), fire(2, script="default/b.py")
    ledger.write([stretch(first), stretch(other)], durable=False)
    assert len((await ledger.chronicle(*ALWAYS)).stretches) == 2
    assert [s.path for s in (await ledger.chronicle(*ALWAYS, script="default/b.py")).stretches] == [
        "default/b.py"
    ]
    ledger.write([ended(first)], durable=False)
    assert [s.path for s in (await ledger.chronicle(*ALWAYS)).stretches] == ["default/b.py"]


def test_the_head_of_a_checkpoint_is_as_the_reader_expects_it() -> None:
    state = State()
    state.apply(up(1))
    for fold, lived in ((State(), False), (state, True)):
        head = chronicle._HEAD.match(b"".join(facts.encode_in_steps(fold.checkpoint(-5))))
        assert head is not None
        assert (int(head[1]), head[2] != b"null") == (-5, lived)
    assert Checkpoint.__struct_fields__[:2] == ("at", "boot_id")
