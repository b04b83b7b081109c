"""How long it takes to hold 100,000 schedules, and to say what is due in a second in which many are."""

from collections.abc import Iterator
from itertools import count

from bench.row import Row, seconds, shown
from schedd.planner.wheel import Wheel
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

SCRIPTS = 100_000
NOON = Slot(1_800_014_400)


def rows() -> Iterator[Row]:
    """Measure a wheel with as many timetables as people make up, and one on which all is due at once."""
    varied = [Timetable.parse(f"{number % 60} {number // 60} * * *", "UTC") for number in range(500)]
    yield Row(
        "wheel", "load 100,000 schedules, 500 timetables", shown(seconds(lambda: filled(varied), repeats=3))
    )

    every_minute = [Timetable.parse("* * * * *", "UTC")]
    wheel, minutes = filled(every_minute), count(1)
    turned = seconds(lambda: turn(wheel, Slot(NOON + 60 * next(minutes))))
    yield Row("wheel", "one turn in which 100,000 schedules are due", shown(turned))
    yield Row("wheel", "the same, for one of them", shown(turned / SCRIPTS))


def filled(timetables: list[Timetable]) -> Wheel:
    """Return a wheel with all scripts on it, as after the daemon's start."""
    wheel = Wheel()
    for number in range(SCRIPTS):
        wheel.add(f"default/{number}.sh", timetables[number % len(timetables)], order=number, after=NOON)
    return wheel


def turn(wheel: Wheel, now: Slot) -> int:
    """Turn the wheel and count what was due."""
    due = sum(len(scripts) for _, scripts in wheel.turn(now))
    assert due == SCRIPTS
    return due
