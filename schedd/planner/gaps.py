"""The slots of one turn that nobody was there to decide: missed, or kept to be caught up.

Slots of a script come in time order, and what is given up is always the oldest: so its line comes first, and
a write that is torn behind it loses nothing.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from schedd.fire import Fire, Kind, Reason, RunId, Status
from schedd.planner.actions import Action, Close, Hold, Open, Start
from schedd.planner.registry import Registration
from schedd.schedule import Catchup
from schedd.timetable.instant import Slot

MAX_CAUGHT_UP = 1_000
"""So many slots of one script are caught up at the most."""


@dataclass(slots=True)
class _Gap:
    registration: Registration
    kept: deque[Slot] = field(default_factory=deque)
    first: Slot | None = None
    last: Slot | None = None
    missed: int = 0

    def miss(self, slot: Slot) -> None:
        self.first = slot if self.first is None else self.first
        self.last = slot
        self.missed += 1


class Gaps:
    """What was found in this turn, by script."""

    def __init__(self) -> None:
        self._gaps: dict[str, _Gap] = {}

    def add(self, registration: Registration, slot: Slot, now_ms: int) -> None:
        """Count one slot in."""
        gap = self._gaps.setdefault(registration.script, _Gap(registration))
        most = _most_kept(registration, slot, now_ms)
        if not most:
            gap.miss(slot)
            return
        gap.kept.append(slot)
        if len(gap.kept) > most:
            gap.miss(gap.kept.popleft())

    def close(
        self, now_ms: int, new_run_id: Callable[[int], RunId]
    ) -> Iterator[tuple[Close | None, list[Fire]]]:
        """Give, for each script, the line of what was missed and the fires to catch up; begin anew."""
        gaps, self._gaps = self._gaps, {}
        for gap in gaps.values():
            script, expression = gap.registration.script, gap.registration.expression
            close = None
            if gap.first is not None:
                missed = Fire(new_run_id(now_ms), script, expression, Kind.SCHEDULE, gap.first)
                close = _missed(missed, gap)
            kept = [Fire(new_run_id(now_ms), script, expression, Kind.CATCHUP, slot) for slot in gap.kept]
            yield close, kept


def by_slot(found: list[Action], decided: list[Action]) -> list[Action]:
    """Put what was found of the past between what was decided, so that the slots of a script are in order.

    A write that is torn then loses the newer part, which is decided again, never an older one alone.
    """
    keyed: list[tuple[Slot, int, Action]] = [(_slot_of(action), 0, action) for action in found]
    newest = Slot(0)
    for action in decided:
        newest = max(newest, _slot_of(action))
        keyed.append((newest, 1, action))
    return [action for _, _, action in sorted(keyed, key=lambda item: item[:2])]


def _most_kept(registration: Registration, slot: Slot, now_ms: int) -> int:
    schedule = registration.schedule
    if schedule is None or schedule.catchup is Catchup.NONE:
        return 0
    within_ms = schedule.catchup_within_ms
    if within_ms is not None and now_ms - slot * 1000 > within_ms:
        return 0
    return 1 if schedule.catchup is Catchup.LAST else MAX_CAUGHT_UP


def _missed(fire: Fire, gap: _Gap) -> Close:
    error = "schedd was not there to run it: stopped, suspended, or the clock was set ahead"
    if gap.kept:
        error += f"; {'the newest slot is' if len(gap.kept) == 1 else 'newer slots are'} caught up"
    return Close(
        fire=fire,
        status=Status.ERROR,
        reason=Reason.MISSED,
        error=error,
        last_slot=gap.last,
        count=gap.missed,
    )


def _slot_of(action: Action) -> Slot:
    match action:
        case Start(fire=fire) | Hold(fire=fire) | Close(fire=fire) | Open(fire=fire):
            return fire.slot or Slot(0)
        case _:
            return Slot(0)
