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

LATE_S = 60
"""A slot found this late was missed; before that it fires late."""
MAX_CAUGHT_UP = 1_000
"""So many slots of one script are caught up at the most."""


@dataclass(slots=True)
class _Gap:
    registration: Registration
    kept: deque[Slot] = field(default_factory=deque)
    missed: list["_Span"] = field(default_factory=list)
    newest: Slot = Slot(0)
    cuts: deque[Slot] = field(default_factory=deque)
    """Slots between those of the gap that have lines of their own; one is enough where there are many."""

    def miss(self, slot: Slot) -> None:
        is_cut = not self.missed
        while self.cuts and self.cuts[0] < slot:
            is_cut = self.cuts.popleft() > (self.missed[-1].last if self.missed else 0) or is_cut
        if is_cut:
            self.missed.append(_Span(slot, slot))
        else:
            self.missed[-1].last = slot
            self.missed[-1].count += 1


@dataclass(slots=True)
class _Span:
    """Missed slots without another one between them."""

    first: Slot
    last: Slot
    count: int = 1


class Gaps:
    """What was found in this turn, by script."""

    def __init__(self) -> None:
        self._gaps: dict[str, _Gap] = {}

    def __bool__(self) -> bool:
        return bool(self._gaps)

    def add(self, registration: Registration, slot: Slot, now_ms: int) -> None:
        """Count one slot in."""
        gap = self._gaps.setdefault(registration.script, _Gap(registration))
        gap.newest = slot
        most = _most_kept(registration, slot, now_ms)
        if not most:
            gap.miss(slot)
            return
        gap.kept.append(slot)
        if len(gap.kept) > most:
            gap.miss(gap.kept.popleft())

    def cut(self, script: str, slot: Slot) -> None:
        """Note a slot that is told in another line: none of the gap's lines may go on over it."""
        gap = self._gaps.get(script)
        if gap is not None and (not gap.cuts or gap.cuts[-1] < gap.newest):
            gap.cuts.append(slot)

    def close(
        self, now_ms: int, new_run_id: Callable[[int], RunId]
    ) -> Iterator[tuple[list[Close], list[Fire]]]:
        """Give, for each script, the lines of what was missed and the fires to catch up; begin anew."""
        gaps, self._gaps = self._gaps, {}
        for gap in gaps.values():
            script, expression = gap.registration.script, gap.registration.expression
            closes = []
            for span in gap.missed:
                missed = Fire(new_run_id(now_ms), script, expression, Kind.SCHEDULE, span.first)
                closes.append(_missed(missed, span, gap))
            kept = [Fire(new_run_id(now_ms), script, expression, Kind.CATCHUP, slot) for slot in gap.kept]
            yield closes, kept


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


def _missed(fire: Fire, span: _Span, gap: _Gap) -> Close:
    error = "schedd was not there to run it: stopped, suspended, or the clock was set ahead"
    if gap.kept:
        error += f"; {'the newest slot is' if len(gap.kept) == 1 else 'newer slots are'} caught up"
    return Close(
        fire=fire,
        status=Status.ERROR,
        reason=Reason.MISSED,
        error=error,
        last_slot=span.last,
        count=span.count,
    )


def _slot_of(action: Action) -> Slot:
    match action:
        case Start(fire=fire) | Hold(fire=fire) | Close(fire=fire) | Open(fire=fire):
            return fire.slot or Slot(0)
        case _:
            return Slot(0)
