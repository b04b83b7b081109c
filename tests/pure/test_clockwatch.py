"""What is noticed of a clock that jumps, and what is not."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.daemon.clockwatch import ClockWatch, Jump, sentence
from schedd.host.clock import Reading
from schedd.ledger.facts import ClockStep, Suspended
from tests.pure.making import T0_MS

DAY_S = 86_400


class Host:
    """Clocks that go, are slewed, are set and sleep as they are told to; real to the nanosecond inside."""

    def __init__(self) -> None:
        self.wall_s = T0_MS / 1000
        self.awake_s = 12.3
        self.asleep_s = 4.5
        self.watch = ClockWatch(self.reading())

    def reading(self) -> Reading:
        return Reading(int(self.wall_s * 1000), self.awake_s, self.asleep_s)

    def passes(self, seconds: float, *, slewed: float = 0.0, asleep: bool = False) -> None:
        self.wall_s += seconds * (1 + slewed)
        if asleep:
            self.asleep_s += seconds
        else:
            self.awake_s += seconds

    def look(self) -> list[Jump]:
        return self.watch.look(self.reading())


@pytest.fixture
def host() -> Host:
    return Host()


def test_time_that_passes_is_no_jump(host: Host) -> None:
    host.passes(3600)
    assert host.look() == []


@pytest.mark.parametrize("seconds", [1.1, 600, -1.1, -300, -4 * 3600, 20 * 365 * DAY_S])
def test_a_clock_that_is_set_is_a_step_of_that_size_by_the_new_time(host: Host, seconds: float) -> None:
    host.passes(7)
    host.wall_s += seconds
    (step,) = host.look()
    assert isinstance(step, ClockStep)
    assert abs(step.step_ms - seconds * 1000) <= 1
    assert step.at == host.reading().now_ms


@pytest.mark.parametrize("seconds", [0.99, -0.99])
def test_a_step_of_less_than_a_second_is_not_worth_a_word(host: Host, seconds: float) -> None:
    host.wall_s += seconds
    assert host.look() == []


def test_a_jump_is_told_once(host: Host) -> None:
    host.wall_s += 600
    assert host.look()
    host.passes(0.001)
    assert host.look() == []


def test_a_suspend_is_no_step(host: Host) -> None:
    host.passes(3600, asleep=True)
    assert host.look() == [Suspended(at=host.reading().now_ms, duration_ms=3_600_000)]


def test_a_suspend_of_less_than_a_second_is_not_worth_a_word(host: Host) -> None:
    host.passes(0.9, asleep=True)
    assert host.look() == []


def test_a_clock_that_is_found_wrong_after_a_suspend_is_both_the_suspend_first(host: Host) -> None:
    host.passes(3600, asleep=True)
    host.wall_s -= 30
    suspended, step = host.look()
    assert isinstance(suspended, Suspended)
    assert isinstance(step, ClockStep)
    assert suspended.duration_ms == 3_600_000
    assert abs(step.step_ms + 30_000) <= 1


@pytest.mark.parametrize("slewed", [500e-6, -500e-6])
def test_a_clock_that_is_slewed_over_a_long_idle_time_is_no_step(host: Host, slewed: float) -> None:
    host.passes(30 * DAY_S, slewed=slewed)
    assert host.look() == []


def test_a_step_shows_through_a_day_of_slewing(host: Host) -> None:
    host.passes(DAY_S, slewed=-500e-6)
    host.wall_s += 3600
    (step,) = host.look()
    assert isinstance(step, ClockStep)
    assert 3_550_000 < step.step_ms < 3_600_000


@given(
    gaps_s=st.lists(st.floats(0.0001, 40), min_size=1, max_size=200),
    slewed=st.floats(-500e-6, 500e-6),
)
def test_no_drift_and_no_rounding_adds_up(gaps_s: list[float], slewed: float) -> None:
    host = Host()
    for gap_s in itertools.islice(itertools.cycle(gaps_s), 2_000):
        host.passes(gap_s, slewed=slewed)
        assert host.look() == []


@given(
    awake_s=st.floats(0.0001, 40),
    step_s=st.one_of(st.just(0.0), st.floats(2, 1e8), st.floats(-1e8, -2)),
    asleep_s=st.one_of(st.just(0.0), st.floats(2, 1e8)),
)
def test_what_is_told_is_what_happened(awake_s: float, step_s: float, asleep_s: float) -> None:
    host = Host()
    host.passes(awake_s)
    host.passes(asleep_s, asleep=True)
    host.wall_s += step_s
    told = {type(jump): jump for jump in host.look()}
    assert (Suspended in told, ClockStep in told) == (asleep_s != 0, step_s != 0)
    for jump in told.values():
        match jump:
            case Suspended(duration_ms=duration_ms):
                assert abs(duration_ms - asleep_s * 1000) <= 1
            case ClockStep(step_ms=step_ms):
                assert abs(step_ms - step_s * 1000) <= 2


@pytest.mark.parametrize(
    ("jump", "said"),
    [
        (ClockStep(at=1, step_ms=600_000), "the clock was set ahead by 600.0 s"),
        (ClockStep(at=1, step_ms=-4 * 3_600_000 + 49), "the clock was set back by 14,400.0 s"),
        (Suspended(at=1, duration_ms=1_234), "the host was suspended for 1.2 s"),
    ],
)
def test_a_jump_is_said_in_one_sentence(jump: Jump, said: str) -> None:
    assert sentence(jump) == said
