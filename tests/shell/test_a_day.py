"""A day of 500 schedules, in seconds: nothing is lost, and the same day twice is the same to the byte."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from schedd.fire import Reason, Status
from schedd.runner.launch import Launch
from schedd.schedule import Overlap, Schedule
from tests.fake_runner import Play
from tests.pure.making import T0_MS, schedule
from tests.shell.simulation import DAY_MS, Simulation
from tests.virtual_loop import run
from tests.whole import checker

SCHEDULES = 500
FAILS = {"status": Status.ERROR, "reason": Reason.EXIT, "error": "exit code 1", "exit_code": 1}
FORMS: tuple[tuple[str, Callable[[int], bool]], ...] = (
    ("*/5 * * * *", lambda s: s % 300 == 0),
    ("*/15 * * * *", lambda s: s % 900 == 0),
    ("7 * * * *", lambda s: s % 3600 == 420),
    ("30 2 * * *", lambda s: s % 86_400 == 9_000),
    ("0 */6 * * *", lambda s: s % 21_600 == 0),
    ("*/10 8-17 * * *", lambda s: s % 600 == 0 and 8 <= s // 3600 % 24 <= 17),
    ("@every 13m", lambda s: s % 780 == 0),
    ("@hourly", lambda s: s % 3600 == 0),
    ("0 30 4 * * *", lambda s: s % 86_400 == 16_200),
    ("0 3 * * * | 45 12 * * *", lambda s: s % 86_400 in (10_800, 45_900)),
)
"""Expressions in UTC, and what they mean, said without schedd."""


def a_team_of_scripts() -> tuple[list[Schedule], dict[str, Callable[[int], bool]]]:
    dice = random.Random(7)
    made, due = [], {}
    for number in range(SCHEDULES):
        expression, is_due = dice.choice(FORMS)
        name = f"team{number % 7}/{number:03}.py"
        overlap = dice.choice([Overlap.SKIP, Overlap.SKIP, Overlap.QUEUE, Overlap.QUEUE_ALL, Overlap.REPLACE])
        made.append(schedule(name, expression, overlap=overlap, enabled=dice.random() > 0.05))
        due[name] = is_due
    return made, due


def by_name(launch: Launch) -> Play:
    """Some scripts fail, and some take longer than their interval, now and then."""
    dice = random.Random(f"{launch.fire.script} {launch.fire.slot}")
    duration_ms = 20 * 60_000 if dice.random() < 0.02 else dice.randrange(5, 90_000)
    return Play(duration_ms, FAILS if dice.random() < 0.1 else {})


async def a_day(state: Path) -> None:
    schedules, _ = a_team_of_scripts()
    simulation = Simulation(state, schedules, by_name, start_ms=T0_MS, seed=1, max_running=100)
    await simulation.live(DAY_MS)


def fires_log(state: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(state.glob("fires.log*")))


def test_a_day_of_500_schedules_has_exactly_the_lines_that_were_due(in_memory: Path) -> None:
    run(a_day(in_memory))
    lines = checker.read(in_memory)
    _, due = a_team_of_scripts()
    first_s = T0_MS // 1000 + 1
    counts = checker.check(lines, due, first_s=first_s, last_s=first_s + 86_399)
    seconds = range(first_s, first_s + 86_400)
    expected = {name: sum(map(is_due, seconds)) for name, is_due in due.items()}
    assert counts == expected
    seen = Counter(line.get("reason") for line in lines)
    assert {"overlap", "superseded", "stopped", "disabled"} <= seen.keys(), "the day was too quiet"


def test_the_same_day_twice_is_the_same_to_the_byte(in_memory: Path) -> None:
    for day in ("first", "second"):
        (in_memory / day).mkdir()
        run(a_day(in_memory / day))
    first = fires_log(in_memory / "first")
    assert first.count(b"\n") > 10_000
    assert first == fires_log(in_memory / "second")
