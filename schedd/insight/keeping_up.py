"""How a schedule gets along whose runs outlast its interval, in words."""

from schedd.insight.telling import Teller, length
from schedd.planner.view import Pace
from schedd.schedule import Schedule


def sentence(pace: Pace, schedule: Schedule) -> str:
    """Say how often it is due, and how often it really runs."""
    since = Teller(schedule.timezone, pace.since * 1000).full(pace.since * 1000)
    due = f"every {length(pace.interval_s * 1000)}"
    really = f"really {pace.ran_per_day} a day (of {pace.slots_per_day}) since {since}"
    return f"its runs outlast its interval: {due}, {really}, p50 {length(pace.p50_ms)}"
