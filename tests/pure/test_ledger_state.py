"""What the facts add up to."""

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schedd.fire import Kind, Status
from schedd.ledger import facts
from schedd.ledger.facts import (
    AnyFact,
    Down,
    Lost,
    Paused,
    Reloaded,
    Resumed,
    Unregistered,
    Up,
    Watermark,
)
from schedd.ledger.state import KEY_MS, MAX_BYGONE, MAX_KEYS, State
from schedd.timetable.instant import Slot
from tests.ledger_kit import START_MS, claimed, ended, fire, held, registered, run_id, skipped, stretch

SCRIPTS = ("default/a.py", "default/b.py")
S0 = START_MS // 1000


def fold(*several: AnyFact) -> State:
    state = State()
    for fact in several:
        state.apply(fact)
    return state


def same(one: State, other: State) -> bool:
    return vars(one) == vars(other)


FIRES = st.builds(
    fire,
    st.integers(0, 9),
    script=st.sampled_from(SCRIPTS),
    kind=st.sampled_from([Kind.SCHEDULE, Kind.MANUAL]),
)


def under(key: str, fact: facts.Claimed | facts.Held | facts.Ended) -> AnyFact:
    return msgspec.structs.replace(fact, key=key)


NOTED = st.builds(claimed, FIRES) | st.builds(held, FIRES) | st.builds(skipped, FIRES)
PATHS = st.none() | st.sampled_from(SCRIPTS)
FACTS = st.one_of(
    st.builds(claimed, FIRES),
    st.builds(held, FIRES),
    st.builds(under, st.sampled_from("kl"), NOTED),
    st.builds(Paused, at=st.just(START_MS), by=st.just("x"), path=PATHS, until=st.none() | st.integers(0, 9)),
    st.builds(Resumed, at=st.just(START_MS), by=st.just("x"), path=PATHS),
    st.builds(stretch, FIRES),
    st.builds(ended, FIRES, status=st.sampled_from([Status.OK, Status.ERROR])),
    st.builds(skipped, FIRES, last_slot=st.none() | st.integers(S0, S0 + 999).map(Slot)),
    st.builds(registered, st.sampled_from(SCRIPTS)),
    st.builds(
        facts.Lagging,
        at=st.just(START_MS),
        path=st.sampled_from(SCRIPTS),
        since=st.just(Slot(S0)),
        slots=st.integers(2, 9),
        span_s=st.just(60),
        ran=st.just(1),
        p50_ms=st.just(7),
    ),
    st.builds(facts.KeptUp, at=st.just(START_MS), path=st.sampled_from(SCRIPTS)),
    st.builds(Unregistered, at=st.just(START_MS), path=st.sampled_from(SCRIPTS)),
    st.builds(Watermark, slot=st.integers(S0, S0 + 999).map(Slot)),
    st.builds(Up, at=st.just(START_MS), boot_id=st.sampled_from(["b1", "b2"]), version=st.just("1")),
    st.just(Down(at=1, why="x")),
    st.just(Lost(at=1, lines=2)),
    st.just(Reloaded(at=1, added=1, kept=0, removed=0, failed=0)),
)


@given(before=st.lists(FACTS), after=st.lists(FACTS))
def test_a_checkpoint_through_its_line_is_the_state_itself(
    before: list[AnyFact], after: list[AnyFact]
) -> None:
    state = fold(*before)
    opening = facts.decode(facts.encode(state.checkpoint(START_MS)))
    assert opening is not None
    assert same(fold(opening), state)
    assert same(fold(opening, *after), fold(*before, *after))
    assert same(fold(*after, opening), state)


@given(several=st.lists(FACTS), path=st.sampled_from(['"last":{}', '"registered":[]', "\udcff", "ü"]))
def test_a_checkpoint_made_in_steps_is_the_same(several: list[AnyFact], path: str) -> None:
    several += [claimed(fire(1, script=path)), ended(fire(2, script=path)), registered(path)]
    checkpoint = fold(*several).checkpoint(START_MS)
    assert b"".join(facts.encode_in_steps(checkpoint)) == facts.encode(checkpoint)


@given(several=st.lists(FACTS))
def test_every_fact_comes_back_from_its_line(several: list[AnyFact]) -> None:
    for fact in several:
        assert facts.decode(facts.encode(fact)) == fact


def test_a_claim_is_open_until_it_ends() -> None:
    assert list(fold(claimed(fire(1)), claimed(fire(2)), ended(fire(1))).claimed) == [run_id(2)]


def test_a_held_fire_is_settled_by_its_claim_or_by_its_end() -> None:
    state = fold(held(fire(1)), held(fire(2)), held(fire(3)), claimed(fire(1)), skipped(fire(2)))
    assert list(state.held) == [run_id(3)]
    assert list(state.claimed) == [run_id(1)]


def test_a_stretch_is_closed_by_the_line_with_its_run_id_only() -> None:
    state = fold(stretch(fire(1)), ended(fire(2)))
    assert state.stretches["default/a.py"].run_id == run_id(1)
    state.apply(skipped(fire(1), last_slot=Slot(S0 + 600), count=10))
    assert state.stretches == {}


def test_a_later_registration_replaces_the_former() -> None:
    later = facts.Registered(
        at=START_MS + 5, path="default/a.py", expression="@daily", timezone="UTC", enabled=False, sha256="1"
    )
    state = fold(registered(), registered("default/b.py"), later, Unregistered(at=1, path="default/b.py"))
    assert state.registered == {"default/a.py": later}


def test_the_newest_slot_decided_after_the_watermark_is_known_until_the_next_one() -> None:
    state = fold(
        Watermark(slot=Slot(S0)),
        claimed(fire(1)),
        held(fire(2)),
        skipped(fire(3, script="default/b.py")),
        skipped(fire(4), last_slot=Slot(S0 + 600), count=7),
        claimed(fire(5, kind=Kind.CATCHUP)),
        claimed(fire(6, kind=Kind.MANUAL)),
        claimed(fire(7, kind=Kind.REPLAY)),
    )
    assert state.beyond == {"default/a.py": S0 + 600, "default/b.py": S0 + 180}
    state.apply(Watermark(slot=Slot(S0 + 700)))
    assert state.beyond == {}


def test_an_end_long_after_its_watermark_decides_nothing_anew() -> None:
    assert fold(claimed(fire(1)), Watermark(slot=Slot(S0 + 60)), ended(fire(1))).beyond == {}


def test_what_a_script_is_told_of_its_past_comes_from_runs_only() -> None:
    state = fold(
        ended(fire(1)), ended(fire(3), status=Status.ERROR, error="no"), ended(fire(2)), skipped(fire(9))
    )
    last = state.last["default/a.py"]
    assert (last.status, last.run_id) == (Status.SKIPPED_OVERLOAD, run_id(9))
    assert (last.prev_slot, last.last_ok_slot) == (S0 + 180, S0 + 120)


def test_the_past_of_scripts_that_are_gone_is_bounded() -> None:
    state = fold(registered("default/a.py"), ended(fire(0)))
    for number in range(1, MAX_BYGONE + 50):
        path = f"gone/{number}.py"
        for fact in (registered(path), ended(fire(number, script=path)), Unregistered(at=1, path=path)):
            state.apply(fact)
    assert len(state.last) == MAX_BYGONE + 1
    assert "default/a.py" in state.last
    assert "gone/1.py" not in state.last


def test_an_entry_whose_slot_is_no_instant_is_taken_in() -> None:
    line = facts.encode(ended(fire(1)))
    for odd in (b"", b"odd", b"2026-11-18", b"2026-13-01T00:00:00.000Z"):
        fact = facts.decode(re.sub(rb'"slot":"[^"]*"', b'"slot":"%s"' % odd, line))
        assert fact is not None
        last = fold(fact).last["default/a.py"]
        assert (last.run_id, last.prev_slot) == (run_id(1), None)


def test_a_pause_stands_until_it_is_resumed_and_a_second_one_replaces_it() -> None:
    a = "default/a.py"
    first, second = (Paused(at=at, by="x", path=a) for at in (1, 2))
    of_all = Paused(at=3, by="x")
    assert fold(first, of_all, second).paused == {a: second, None: of_all}
    assert fold(first, of_all, Resumed(at=4, by="x", path=a)).paused == {None: of_all}
    assert fold(first, of_all, Resumed(at=4, by="x")).paused == {a: first}


def test_a_key_stands_for_its_fire_whatever_becomes_of_it() -> None:
    for fact in (claimed(fire(1)), held(fire(1)), skipped(fire(1))):
        for later in ([], [claimed(fire(1))], [claimed(fire(1)), ended(fire(1))]):
            known = fold(under("k", fact), *later).fire_of("k", START_MS)
            assert known is not None
            assert (known.run_id, known.path) == (run_id(1), "default/a.py")
    assert fold(claimed(fire(1))).fire_of("k", START_MS) is None


def test_a_key_is_free_again_after_24_hours() -> None:
    state = fold(under("k", claimed(fire(0))))
    assert state.fire_of("k", START_MS + KEY_MS - 1) is not None
    assert state.fire_of("k", START_MS + KEY_MS) is None
    a_day_later = fire(24 * 60)
    state.apply(under("k", claimed(a_day_later)))
    known = state.fire_of("k", START_MS + KEY_MS)
    assert known is not None
    assert known.run_id == a_day_later.run_id


def test_keys_that_have_had_their_day_are_forgotten_when_another_comes() -> None:
    state = fold(under("old", claimed(fire(0))), under("young", claimed(fire(1))))
    state.apply(under("new", claimed(fire(24 * 60))))
    assert list(state.keys) == ["young", "new"]


def test_the_newest_keys_are_kept_when_there_are_too_many() -> None:
    state = State()
    for number in range(MAX_KEYS + 3):
        state.apply(under(f"k{number}", claimed(fire(number, slot=S0))))
    assert len(state.keys) == MAX_KEYS
    assert next(iter(state.keys)) == "k3"
    assert state.fire_of("k2", START_MS) is None
