"""Planners with scripts that share a lock, and what they do, told shortly: what the tests of locks share."""

from typing import Any

from schedd.fire import Fire, Outcome, Reason, Status
from schedd.planner.actions import Action, Close, Decided, Start
from schedd.planner.planner import Planner
from schedd.schedule import Lock, Schedule
from tests.pure.making import T0_MS, planner, schedule

T0 = T0_MS // 1000
OK = Outcome(status=Status.OK, ended_ms=0)
FAILED = Outcome(status=Status.ERROR, reason=Reason.EXIT, exit_code=1, ended_ms=0)
DB = Lock("db")
EACH_10_S, EACH_MINUTE = "@every 10s", "* * * * *"


def at(second: float) -> int:
    return T0_MS + round(second * 1000)


def with_lock(script: str, expression: str = EACH_MINUTE, *, lock: Lock = DB, **more: Any) -> Schedule:
    return schedule(script, expression, lock=lock, **more)


def registered(*schedules: Schedule, max_running: int = 256, max_held: int = 10_000) -> Planner:
    made = planner(max_running=max_running, max_held=max_held)
    made.reconcile({each.script: each for each in schedules}, T0_MS)
    return made


def starts(actions: list[Action]) -> list[Fire]:
    return [action.fire for action in actions if isinstance(action, Start)]


def names(actions: list[Action]) -> list[str]:
    """Return the scripts that were started."""
    return [fire.script for fire in starts(actions)]


def closes(actions: list[Action]) -> list[tuple[str, Reason]]:
    return [(action.fire.script, action.reason) for action in actions if isinstance(action, Close)]


def kinds(actions: list[Action]) -> list[type]:
    return [type(action) for action in actions if not isinstance(action, Decided)]


def held(made: Planner) -> list[tuple[str, int | None]]:
    """Return what waits, with its slot in seconds from the start."""
    return [(fire.script, None if fire.slot is None else fire.slot - T0) for fire in made.held()]


def triggered(made: Planner, script: str, second: float) -> tuple[Fire, list[Action]]:
    return made.trigger(script, at(second))


def taken(*schedules: Schedule) -> tuple[Planner, Fire]:
    """Return a planner in which somebody has started `holder`, and so has the lock."""
    made = registered(with_lock("holder", "@reboot"), *schedules)
    (run,) = starts(triggered(made, "holder", 1)[1])
    return made, run


def with_(made: Planner, second: float, *schedules: Schedule) -> list[Action]:
    return made.reconcile({each.script: each for each in schedules}, at(second))
