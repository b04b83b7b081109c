"""Which slots were due, by the registrations that were in force then, and by the engine that fires."""

import itertools
from collections.abc import Iterator

from schedd.errors import TimetableError
from schedd.ledger.annals import Chronicle, Registration
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

CHUNK = 512
_WINDOWS_S = (60, 3_600, 86_400, 32 * 86_400, 366 * 86_400, 41 * 366 * 86_400)
"""How far back a slot is looked for; the rarest, a 29 February on one weekday, comes within forty years."""


def timetable_of(registration: Registration, chronicle: Chronicle) -> Timetable | None:
    """Return what was registered as it would be read now; None if it cannot be (a zone that is gone).

    A calendar is taken as it is now, and left out if there is none of its name any more.
    """
    try:
        return Timetable.parse(
            registration.expression,
            registration.timezone,
            seed=registration.script,
            jitter_s=registration.jitter_s,
            observance=chronicle.observances.get(registration.calendar),
        )
    except TimetableError:
        return None


def latest(timetable: Timetable, at: int, *, after: int) -> Slot | None:
    """Return the newest slot at or before `at` and strictly after `after`; None if there is none.

    A timetable only steps forward: a window is widened until it holds a slot, then halved until nothing lies
    between the slot and `at`; some forty steps.
    """
    for window_s in _WINDOWS_S:
        start = max(at - window_s, after)
        found = timetable.next_after(Slot(start))
        if found is not None and found <= at:
            return _last_between(timetable, found, at)
        if start == after:
            return None
    return None


def between(timetable: Timetable, after: int, until: int) -> Iterator[Slot]:
    """Yield the slots strictly after `after` and up to `until`, a chunk at a time."""
    slots = timetable.upcoming(Slot(after), CHUNK)
    while slots:
        yield from itertools.takewhile(lambda slot: slot <= until, slots)
        if slots[-1] > until or len(slots) < CHUNK:
            return
        slots = timetable.upcoming(slots[-1], CHUNK)


def due(registration: Registration, timetable: Timetable, since: int, until: int) -> Iterator[Slot]:
    """Yield the slots in [since, until), in seconds, that were due while the registration was in force."""
    first = max(since - 1, registration.registered_at_ms // 1000, registration.since_ms // 1000)
    last = until - 1
    if registration.until_ms is not None:
        last = min(last, registration.until_ms // 1000)
    return between(timetable, first, last)


def _last_between(timetable: Timetable, low: Slot, high: int) -> Slot:
    while low < high:
        middle = (low + high) // 2
        found = timetable.next_after(Slot(middle))
        if found is not None and found <= high:
            low = found
        else:
            high = middle
            nearer = timetable.next_after(low)
            if nearer is None or nearer > high:
                return low
    return low
