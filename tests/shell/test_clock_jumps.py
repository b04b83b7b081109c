"""What the daemon makes of a clock that is set, and of a host that sleeps: on record, and no slot lost."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schedd.runner.launch import Launch
from schedd.schedule import Catchup, Schedule
from tests.fake_runner import Play
from tests.pure.making import T0_MS, schedule
from tests.shell.simulation import Simulation
from tests.whole import checker

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
REWIND_MS = 3 * HOUR_MS
SCRIPT = "a.sh"
CAMPAIGN = int(os.environ.get("SCHEDD_CAMPAIGN", "1"))
BETWEEN_RUNS_S = 0.5
"""Slots are whole seconds and runs short: half a second after a slot nothing runs."""


def quickly(_: Launch) -> Play:
    return Play(10)


def jumps(state: Path) -> list[tuple[str, int]]:
    """What the ledger knows of the clock, in order: (fact, ms)."""
    told = []
    for line in (state / "ledger.log").read_bytes().splitlines():
        fact: dict[str, Any] = json.loads(line)
        if fact["fact"] in ("clock", "suspend"):
            told.append((fact["fact"], fact.get("stepMs", fact.get("durationMs"))))
    return told


def fired_minutes(state: Path) -> list[int]:
    return [
        (checker.seconds(line["slot"]) - T0_MS // 1000) // 60
        for line in checker.read(state)
        if line["status"] == "ok"
    ]


def simulate(state: Path, *made: Schedule) -> Simulation:
    return Simulation(state, made or [schedule(SCRIPT, "* * * * *")], quickly, start_ms=T0_MS)


async def test_a_suspend_is_on_record_and_what_it_covered_is_missed(in_memory: Path) -> None:
    simulation = simulate(in_memory)
    asleep = simulation.clock.suspend
    await simulation.live(
        20 * MINUTE_MS, lambda: simulation.loop.call_later(600 + BETWEEN_RUNS_S, asleep, HOUR_MS)
    )
    assert jumps(in_memory) == [("suspend", HOUR_MS)]
    (missed,) = [line for line in checker.read(in_memory) if line.get("reason") == "missed"]
    assert missed["count"] == 59
    assert fired_minutes(in_memory) == [*range(1, 11), *range(70, 81)]


async def test_a_nap_makes_one_slot_late_and_none_missed(in_memory: Path) -> None:
    simulation = simulate(in_memory)
    asleep = simulation.clock.suspend
    await simulation.live(
        5 * MINUTE_MS, lambda: simulation.loop.call_later(100 + BETWEEN_RUNS_S, asleep, 50_000)
    )
    assert jumps(in_memory) == [("suspend", 50_000)]
    lines = checker.read(in_memory)
    assert fired_minutes(in_memory) == [1, 2, 3, 4, 5]
    assert [line["latenessMs"] for line in lines] == [0, 30_500, 0, 0, 0]


@pytest.mark.parametrize("step_ms", [HOUR_MS, 1_001, -1_001, -5 * MINUTE_MS, -4 * HOUR_MS])
async def test_a_step_is_on_record_with_its_size(in_memory: Path, step_ms: int) -> None:
    simulation = simulate(in_memory)
    await simulation.live(
        20 * MINUTE_MS, lambda: simulation.loop.call_later(600.7, simulation.clock.step, step_ms)
    )
    assert jumps(in_memory) == [("clock", step_ms)]


async def test_a_quiet_day_has_no_jumps(in_memory: Path) -> None:
    await simulate(in_memory, schedule(SCRIPT, "0 12 * * *")).live(24 * HOUR_MS)
    assert jumps(in_memory) == []


async def test_a_larger_step_back_lets_slots_fire_again_from_the_new_time_on(in_memory: Path) -> None:
    simulation = simulate(in_memory)
    await simulation.live(
        20 * MINUTE_MS,
        lambda: simulation.loop.call_later(600 + BETWEEN_RUNS_S, simulation.clock.step, -4 * HOUR_MS),
    )
    assert fired_minutes(in_memory) == [*range(1, 11), *range(-229, -219)]


DUE: dict[str, Callable[[int], bool]] = {
    "* * * * *": lambda s: s % 60 == 0,
    "*/5 * * * *": lambda s: s % 300 == 0,
    "@every 7s": lambda s: s % 7 == 0,
    "15,45 * * * * *": lambda s: s % 60 in (15, 45),
    "30 */2 * * *": lambda s: s % 7200 == 1800,
}


@pytest.mark.parametrize("seed", range(2 * CAMPAIGN))
async def test_no_slot_is_lost_or_doubled_by_a_clock_that_jumps_all_day(in_memory: Path, seed: int) -> None:
    dice = random.Random(seed)
    made = {
        f"{number}.sh": (expression, catchup)
        for number, (expression, catchup) in enumerate((e, c) for e in DUE for c in Catchup)
    }
    simulation = simulate(in_memory, *(schedule(n, e, catchup=c) for n, (e, c) in made.items()))
    clock, loop = simulation.clock, simulation.loop
    done: list[tuple[str, int]] = []
    latest_ms = T0_MS

    def jump() -> None:
        nonlocal latest_ms
        latest_ms = max(latest_ms, clock.now_ms())
        by_ms = 1000 * dice.choice([dice.randrange(2, 100), dice.randrange(2, 3600)])
        back_ms = min(by_ms, clock.now_ms() - latest_ms + REWIND_MS)
        kind = dice.choice(["ahead", "back", "back", "suspend"])
        if kind == "suspend":
            clock.suspend(by_ms)
            done.append(("suspend", by_ms))
        elif kind == "ahead" or back_ms < 2000:
            clock.step(by_ms)
            done.append(("clock", by_ms))
        else:
            clock.step(-back_ms)
            done.append(("clock", -back_ms))
        loop.call_later(dice.randrange(60, 1500), jump)

    await simulation.live(8 * HOUR_MS, lambda: loop.call_later(60 + BETWEEN_RUNS_S, jump))
    latest_s = max(latest_ms, clock.now_ms()) // 1000
    assert jumps(in_memory) == done
    assert len(done) > 20
    lines, complaints = checker.read_strictly(in_memory)
    assert not complaints
    due = {name: DUE[expression] for name, (expression, _) in made.items()}
    checker.check(lines, due, first_s=T0_MS // 1000 + 1, last_s=latest_s)
