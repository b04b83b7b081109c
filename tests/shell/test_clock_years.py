"""Years of schedules in six zones: the daemon fires what cron would have fired, to the slot.

`SCHEDD_CAMPAIGN=61 pytest -s tests/shell/test_clock_years.py` is ten years of 200 schedules.
"""

import json
import os
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedd.runner.launch import Launch
from tests.fake_runner import Play
from tests.pure import oracle
from tests.pure.making import schedule
from tests.shell import cron_minutes
from tests.shell.simulation import DAY_MS, Simulation
from tests.virtual_loop import run
from tests.whole import checker

CAMPAIGN = int(os.environ.get("SCHEDD_CAMPAIGN", "1"))
DAYS = min(60 * CAMPAIGN, 3653)
SCHEDULES = min(40 * CAMPAIGN, 200)
DAYS_OF_A_LIFE = 60
"""The virtual loop does not go beyond 90; so the daemon is restarted six times a year."""
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Chatham",
)
START_S = checker.seconds("2027-02-20T00:00:00Z")
"""Of the sixty days from here on, five of the six zones change their clocks."""
HEARTBEAT_S = 3600
"""Thirty seconds would be ten million of them in ten years, and most of the time that this takes."""
OFF_MS = 30_500
"""Lives begin and end half a minute after a minute, when nothing is due and nothing runs."""


def draw(dice: random.Random) -> str:
    """An expression as people write it; every other hour is one in which clocks change somewhere."""
    minute, hour = dice.randrange(60), dice.choice([dice.randrange(4), dice.randrange(24)])
    often = (
        f"{minute} * * * *",
        f"*/{dice.choice([20, 30])} {hour}-{min(hour + 4, 23)} * * *",
        f"{minute % 20}-59/20 0-3 * * *",
        f"{minute} */{dice.choice([2, 3, 5])} * * *",
    )
    seldom = (
        f"{minute} {hour} * * *",
        f"{minute} 2 * * *",
        f"*/30 {dice.randrange(4)} * * *",
        f"{minute} {hour} * * {dice.choice(['1-5', '0', '6,7', 'mon'])}",
        f"{minute} {hour} {dice.choice(['1', '13', '31', '1,15', 'L'])} * *",
        f"{minute} {hour} {dice.randrange(1, 29)} * {dice.randrange(7)}",
        f"{minute} {hour} */2 * {dice.choice(['5', '*/2'])}",
        f"{minute} {hour} * * {dice.choice(['5#2', 'L0', '0#1'])}",
        f"{minute} {hour} * 3,4,10,11 *",
    )
    return dice.choice(often if dice.random() < 0.1 else seldom)


class FiresLog:
    """Reads what was added since it was read last; what was rotated away and read is given up."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._read: dict[int, int] = {}

    def new_lines(self) -> Iterator[checker.Line]:
        for path in self._state.glob("fires.log*"):
            with path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                file.seek(self._read.get(inode, 0))
                for line in file:
                    yield json.loads(line)
                self._read[inode] = file.tell()
            if path.name != "fires.log":
                path.unlink()


def quickly(_: Launch) -> Play:
    return Play(10)


async def a_life(state: Path, jobs: dict[str, tuple[str, str]], start_ms: int, days: int) -> None:
    made = [schedule(name, expression, zone=zone) for name, (expression, zone) in jobs.items()]
    simulation = Simulation(state, made, quickly, start_ms=start_ms, seed=start_ms, heartbeat_s=HEARTBEAT_S)
    await simulation.live(days * DAY_MS)


def test_every_slot_of_years_fires_on_its_second_and_no_other(in_memory: Path) -> None:
    dice = random.Random(20_270_220)
    jobs = {f"{number:03}.sh": (draw(dice), ZONES[number % len(ZONES)]) for number in range(SCHEDULES)}
    log = FiresLog(in_memory)
    counts: defaultdict[str, int] = defaultdict(int)
    for day in range(0, DAYS, DAYS_OF_A_LIFE):
        days = min(DAYS_OF_A_LIFE, DAYS - day)
        begin_s = START_S + day * 86_400
        run(a_life(in_memory, jobs, begin_s * 1000 + OFF_MS, days))
        fired: defaultdict[str, list[int]] = defaultdict(list)
        for line in log.new_lines():
            assert (line["status"], line["kind"], line["latenessMs"]) == ("ok", "schedule", 0), line
            fired[line["scriptPath"]].append(checker.seconds(line["slot"]))
        for zone in ZONES:
            here = {name: expression for name, (expression, where) in jobs.items() if where == zone}
            due = cron_minutes.starts(here, zone, begin_s + 60, begin_s + days * 86_400 + 60)
            for name, slots in due.items():
                assert sorted(fired[name]) == slots, (
                    name,
                    jobs[name],
                    sorted(set(fired[name]) ^ set(slots))[:5],
                )
                counts[zone] += len(slots)
    print(f"{DAYS} days, {SCHEDULES} schedules, {sum(counts.values())} slots: {dict(counts)}")
    assert all(counts[zone] > DAYS for zone in ZONES)


@pytest.mark.parametrize("zone", ZONES)
def test_the_walk_for_many_jobs_is_that_of_the_oracle_for_one(zone: str) -> None:
    dice = random.Random(zone)
    jobs = {str(number): draw(dice) for number in range(12)}
    changes = oracle.clock_changes(zone, START_S, START_S + 365 * 86_400)
    begin = (changes[0][0] if changes else START_S) // 60 * 60 - 3600
    many = cron_minutes.starts(jobs, zone, begin, begin + 3 * 86_400)
    assert many == {
        name: [
            at for at in oracle.starts(expression, zone, begin - 86_400, begin + 3 * 86_400) if at >= begin
        ]
        for name, expression in jobs.items()
    }
