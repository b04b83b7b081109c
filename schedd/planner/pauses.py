"""Pauses: of one script, or of all. They cover slots, not moments, so that a late wake-up changes nothing."""

from collections.abc import Iterable

from schedd.fire import Reason
from schedd.planner.view import Pause
from schedd.timetable.instant import from_ms


class Pauses:
    """Owns the pauses in force."""

    def __init__(self, pauses: Iterable[Pause] = ()) -> None:
        self._pauses = {pause.script: pause for pause in pauses}

    def __bool__(self) -> bool:
        return bool(self._pauses)

    def all(self) -> tuple[Pause, ...]:
        """Return the pauses, that of all first."""
        return tuple(sorted(self._pauses.values(), key=lambda pause: pause.script or ""))

    def begin(self, pause: Pause) -> None:
        """Put a pause in force, in place of one of the same script."""
        self._pauses[pause.script] = pause

    def end(self, script: str | None) -> bool:
        """End a pause; False if there is none."""
        return self._pauses.pop(script, None) is not None

    def covering(self, script: str, at_ms: int) -> Pause | None:
        """Return the pause that covers this moment: the script's own, else that of all."""
        for key in (script, None):
            pause = self._pauses.get(key)
            if pause is not None and pause.since_ms <= at_ms and not _over(pause, at_ms):
                return pause
        return None

    def over(self, now_ms: int) -> list[Pause]:
        """Take out the pauses that have come to their end."""
        ended = [pause for pause in self._pauses.values() if _over(pause, now_ms)]
        for pause in ended:
            del self._pauses[pause.script]
        return ended

    def next_ms(self) -> int | None:
        """Return when the next pause ends by itself."""
        return min((p.until_ms for p in self._pauses.values() if p.until_ms is not None), default=None)


def reason_of(pause: Pause) -> Reason:
    """Return why a slot under this pause did not run."""
    return Reason.MAINTENANCE if pause.script is None else Reason.PAUSED


def sentence(pause: Pause) -> str:
    """Say who paused what, since when, and why."""
    what = "everything was paused" if pause.script is None else "the script was paused"
    note = f": {pause.note}" if pause.note else ""
    return f"{what} by {pause.by} at {from_ms(pause.since_ms)}{note}"


def _over(pause: Pause, at_ms: int) -> bool:
    return pause.until_ms is not None and pause.until_ms <= at_ms
