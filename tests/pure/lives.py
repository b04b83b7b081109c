"""What the state machine makes a life of schedd of: scripts, what they mean, and how their runs end."""

import functools
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from schedd.fire import Outcome, Reason, Status
from schedd.schedule import Catchup, Lock, Overlap, Retry, Schedule
from schedd.timetable.calendar import Calendar, Event, Weekly
from schedd.timetable.observance import How, Observance
from schedd.timetable.timetable import Timetable
from tests.pure.making import schedule

NAMES = ("a", "b", "c", "d", "e")
DUE = {
    "@every 7s": lambda s: s % 7 == 0,
    "@every 1m": lambda s: s % 60 == 0,
    "* * * * *": lambda s: s % 60 == 0,
    "*/5 * * * *": lambda s: s % 300 == 0,
    "15,45 * * * * *": lambda s: s % 60 in (15, 45),
    "30 * * * *": lambda s: s % 3600 == 1800,
    "*/20 * * * * * | @every 7s": lambda s: s % 20 == 0 or s % 7 == 0,
}
"""Expressions, and what each of them means, said without schedd."""
CLOSED = {
    "quiet.txt": ((300, 1200), (3000, 4200), (7200, 14_400)),
    "quiet.txt, edited": ((700, 2000), (7200, 7201), (40_000, 50_000)),
    "late.txt": ((250, 330), (3500, 3700), (9000, 12_000)),
}
"""Calendars: between which seconds of each day they are closed, UTC."""
ENDS = {
    "ok": Outcome(status=Status.OK, ended_ms=0),
    "exit 1": Outcome(status=Status.ERROR, reason=Reason.EXIT, exit_code=1, ended_ms=0),
    "exit 75": Outcome(status=Status.ERROR, reason=Reason.EXIT, exit_code=75, ended_ms=0),
    "exit 78": Outcome(status=Status.ERROR, reason=Reason.EXIT, exit_code=78, ended_ms=0),
    "timeout": Outcome(status=Status.TIMEOUT, reason=Reason.TIMEOUT, ended_ms=0),
    "stopped": Outcome(status=Status.ERROR, reason=Reason.STOPPED, ended_ms=0),
}


def observing(content: str, how: How) -> Observance:
    hours = [
        Event(name=f"{a}", pattern=Weekly(frozenset(range(7)), a, b), whole_days=False)
        for a, b in CLOSED[content]
    ]
    return Observance(Calendar(content.partition(",")[0], content, tuple(hours)), how)


QUIET, EDITED = observing("quiet.txt", How.SKIP), observing("quiet.txt, edited", How.SKIP)
LATE = observing("late.txt", How.NEXT)


def observed(header: Schedule) -> str:
    """Return which calendar a script observes, and how."""
    return str(header.timetable.observance or "")


def as_edited(header: Schedule, quiet: Observance) -> Schedule:
    """Return a header with its calendar as it is now: of `quiet.txt` there are two editions."""
    if observed(header) != str(quiet):
        return header
    return replace(header, timetable=Timetable.parse(header.expression, "UTC", observance=quiet))


@functools.lru_cache(maxsize=2_000_000)
def is_due(expression: str, how: str, second: int) -> bool:
    """Whether a second is due: by the expression, and with LATE at the end of closed hours, not in them."""
    if how != str(LATE):
        return DUE[expression](second)
    start, end = next(((a, b) for a, b in CLOSED["late.txt"] if a <= second % 86_400 <= b), (0, 0))
    if not end:
        return DUE[expression](second)
    at_end = second % 86_400 == end
    return at_end and any(DUE[expression](s) for s in range(second - (end - start), second + 1))


@dataclass
class Owed:
    """A stretch of time in which a script was registered, and so owes a line for each due second."""

    expression: str
    how: str
    after: int
    until: int | None = None


headers = st.builds(
    schedule,
    script=st.sampled_from(NAMES),
    expression=st.sampled_from(sorted(DUE)),
    enabled=st.booleans(),
    overlap=st.sampled_from(list(Overlap)),
    max_runs=st.sampled_from([1, 1, 2, None]),
    catchup=st.sampled_from([Catchup.NONE, Catchup.LAST, Catchup.ALL]),
    within_s=st.sampled_from([None, 600]),
    deadline_s=st.sampled_from([None, None, 20]),
    retry=st.sampled_from([None, Retry(limit=2, first_ms=5_000, most_ms=60_000)]),
    lock=st.sampled_from([None, None, Lock("x"), Lock("x"), Lock("x", 2), Lock("y", 2)]),
    observance=st.sampled_from([None, None, QUIET, LATE]),
    sha256=st.sampled_from(["0", "1"]),
)
