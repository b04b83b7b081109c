"""What the calendar says will come is what it says there was, a day later: fired, missed or disabled."""

from collections import Counter
from pathlib import Path

from schedd.fire import Status
from schedd.insight.load import Coming, Load
from schedd.ledger.tally import Tallies, Tally, Wanted
from schedd.runner.launch import Launch
from schedd.timetable.grid import Grid
from tests.fake_runner import Play
from tests.pure.making import T0_MS, schedule
from tests.shell.simulation import DAY_MS, Simulation

HOUR_MS = 3_600_000
BEGIN = T0_MS // 1000
DAY = Grid(begin=BEGIN, end=BEGIN + 86_400, step_s=3_600)
SCRIPTS = {
    "often.sh": "*/5 * * * *",
    "hourly.sh": "30 * * * *",
    "nightly.sh": "15 1-3,22 * * *",
    "every.sh": "@every 10m",
    "daily.sh": "0 6 * * *",
    "both.sh": "10 * * * * | 40 */2 * * *",
    "twice.sh": "15,45 20 * * * *",
}
UNEVEN = {"both.sh", "twice.sh"}
"""What is missed of these is told in one line, too, and spread as if its slots were evenly apart."""
OFF = "off.sh"
AWAY = range(9, 15)
"""The hours without a daemon."""


def briefly(_: Launch) -> Play:
    return Play(20_000)


def coming() -> dict[str, dict[int, int]]:
    """Return what the calendar says before the first of the slots is due."""
    made = [schedule(script, expression) for script, expression in SCRIPTS.items()]
    made.append(schedule(OFF, "*/10 * * * *"))
    return Load().each([Coming(each.script, each.timetable, BEGIN + 1) for each in made], DAY)


async def a_day(state: Path) -> Tally:
    """Let a daemon live for a day but for `AWAY`; return what the calendar says of it."""
    made = [schedule(script, expression) for script, expression in SCRIPTS.items()]
    made.append(schedule(OFF, "*/10 * * * *", enabled=False))
    # A daemon that comes up within a minute of a slot still fires it: so this one does so a minute before.
    back_ms = AWAY.stop * HOUR_MS - 60_500
    before = Simulation(state, made, briefly, start_ms=T0_MS, seed=1)
    await before.live(AWAY.start * HOUR_MS - 60_500)
    after = Simulation(state, made, briefly, start_ms=T0_MS + back_ms, seed=2)
    await after.live(DAY_MS - back_ms - 500)
    wanted = Wanted(grid=DAY, scripts=frozenset([*SCRIPTS, OFF]))
    return Tallies(str(state / "fires.log")).count(wanted)


async def test_what_was_to_come_is_what_there_was(in_memory: Path) -> None:
    expected = coming()
    tally = await a_day(in_memory)
    for script in expected:
        there_was = together(tally, script)
        assert sum(there_was.values()) == sum(expected[script].values())
        if script in UNEVEN:
            there_was, expected[script] = meanwhile(there_was), meanwhile(expected[script])
        assert there_was == expected[script]
    assert expected["often.sh"][3] == 12


async def test_hours_without_a_daemon_are_hours_of_misses(in_memory: Path) -> None:
    expected = coming()
    tally = await a_day(in_memory)
    for script in SCRIPTS.keys() - UNEVEN:
        away = {hour: count for hour, count in expected[script].items() if hour in AWAY}
        assert tally.missed_by.get(script, {}) == away


async def test_what_is_disabled_counts_where_its_slots_were(in_memory: Path) -> None:
    expected = coming()
    tally = await a_day(in_memory)
    assert set(tally.each[OFF]) == {Status.DISABLED}
    assert tally.each[OFF][Status.DISABLED] == expected[OFF]


def together(tally: Tally, script: str) -> dict[int, int]:
    return dict(sum(map(Counter, tally.each[script].values()), Counter()))


def meanwhile(counts: dict[int, int]) -> dict[int, int]:
    """Leave out the hours without a daemon."""
    return {hour: count for hour, count in counts.items() if hour not in AWAY}
