"""The daemon's alarm is set when it would ring too late, and only then."""

from schedd.daemon.waking import Waking
from schedd.host.clock import SystemClock


class StoppedClock(SystemClock):
    def __init__(self) -> None:
        self.ms = 1_000_000

    def now_ms(self) -> int:
        return self.ms


class Settings:
    def __init__(self) -> None:
        self.at_ms: list[int] = []

    def set(self, at_ms: int) -> None:
        self.at_ms.append(at_ms)

    def close(self) -> None:
        pass


def made() -> tuple[Waking, Settings, StoppedClock]:
    alarm, clock = Settings(), StoppedClock()
    return Waking(alarm, clock, heartbeat_s=30.0), alarm, clock


def test_it_rings_at_the_next_slot_and_is_not_set_again_for_the_same() -> None:
    waking, alarm, clock = made()
    for _ in range(3):
        waking.by(1_005_000)
        clock.ms += 7
    assert alarm.at_ms == [1_005_000]


def test_what_is_due_sooner_sets_it_again() -> None:
    waking, alarm, _ = made()
    waking.by(1_005_000)
    waking.by(1_002_000)
    assert alarm.at_ms == [1_005_000, 1_002_000]


def test_it_rings_for_a_sign_of_life_however_much_happens_meanwhile() -> None:
    waking, alarm, clock = made()
    for _ in range(1000):
        waking.by(None)
        clock.ms += 29
    assert alarm.at_ms == [1_030_000]


def test_after_a_ring_it_is_set_again_also_to_the_same_instant() -> None:
    waking, alarm, clock = made()
    waking.by(1_005_000)
    clock.ms = 1_004_990
    waking.rang(clock.ms)
    waking.by(1_005_000)
    assert alarm.at_ms == [1_005_000, 1_005_000]


def test_a_clock_that_was_set_back_does_not_put_the_sign_of_life_off() -> None:
    waking, alarm, clock = made()
    waking.by(None)
    clock.ms -= 500_000
    waking.by(None)
    assert alarm.at_ms == [1_030_000, 530_000]


def test_it_tells_how_late_it_rang() -> None:
    waking, _, _ = made()
    waking.by(1_005_000)
    assert waking.rang(1_005_250) == 0.25
