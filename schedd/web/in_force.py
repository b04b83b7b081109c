"""The pauses in force, as answers show them and as the list reckons with them."""

from collections.abc import Iterable

from schedd.planner.view import Pause
from schedd.timetable import instant
from schedd.timetable.instant import Slot
from schedd.web import types


def item(pause: Pause) -> types.PauseItem:
    """Return a pause as it is answered."""
    return types.PauseItem(
        script_path=pause.script,
        all=pause.script is None,
        since=instant.from_ms(pause.since_ms),
        by=pause.by,
        note=pause.note,
        until=None if pause.until_ms is None else instant.from_ms(pause.until_ms),
    )


def of_all(pauses: Iterable[Pause]) -> Pause | None:
    """Return the pause of all, if it is in force."""
    return next((pause for pause in pauses if pause.script is None), None)


def last_covered(*pauses: Pause | None) -> Slot | None:
    """Return the last second that is covered by any of these pauses; None if there is no last one.

    A pause ends exactly at its `until`: a slot of that very instant fires.
    """
    last = Slot(-1)
    for pause in pauses:
        if pause is not None and pause.until_ms is None:
            return None
        if pause is not None and pause.until_ms is not None:
            last = max(last, Slot((pause.until_ms - 1) // 1000))
    return last
