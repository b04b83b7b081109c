"""What a calendar does to the coming slots, in sentences: for whoever wonders at a gap in a preview."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from schedd.timetable.calendar import DAY_S
from schedd.timetable.closures import Closures, Piece
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

MOST_SAID: Final = 5
MOST_LOOKED_AT: Final = 60
"""So many closed pieces: each costs a step of the expression."""
_AROUND_S = 14 * DAY_S
"""So far from the slots that are shown lies what is moved to them, in most cases."""
_FIRST_LOOK_S = 366 * DAY_S


def of(timetable: Timetable, after: Slot, fires: Sequence[Slot]) -> tuple[str, ...]:
    """Return what became of closed slots about those that will run, `fires`: the next ones after `after`."""
    if timetable.closures is None:
        return ()
    sentences = _sentences(timetable, timetable.closures, after, fires[-1] if fires else None)
    said: list[str] = []
    for sentence in sentences:
        if len(said) == MOST_SAID:
            said.append("And more of the like.")
            break
        said.append(sentence)
    if not fires and timetable.next_after(after) is not None:
        file = timetable.closures.calendar.file
        said.insert(0, f"None of its next slots runs: {file} closes each of them.")
    return tuple(said)


def _sentences(timetable: Timetable, closures: Closures, after: Slot, last: Slot | None) -> Iterator[str]:
    end = after + _FIRST_LOOK_S if last is None else last
    pieces = closures.between(max(after - _AROUND_S, 0), end + _AROUND_S)
    for count, piece in enumerate(pieces):
        if count == MOST_LOOKED_AT:
            return
        slots = [slot for slot in timetable.plain.upcoming(Slot(piece.start - 1), 2) if slot < piece.end]
        if not slots:
            continue
        landing = timetable.landing(slots[0])
        if after < landing <= end:
            yield _sentence(closures, piece, slots, landing)


def _sentence(closures: Closures, piece: Piece, slots: list[Slot], landing: Slot) -> str:
    why = closures.calendar.sentence(piece.event)
    what = _told(closures, slots[0])
    if len(slots) > 1:
        what = f"What is due on {what.rpartition(' ')[0]}" if piece.whole else f"What is due from {what} on"
    if landing == slots[0]:
        return f"{what} is left out ({why})."
    to = _told(closures, landing)
    if len(slots) > 1 and piece.whole:
        to = to.rpartition(" ")[0]
    return f"{what} is moved to {to} ({why})."


def _told(closures: Closures, slot: Slot) -> str:
    moment = datetime.fromtimestamp(closures.local(slot), UTC)
    return f"{moment:%a %Y-%m-%d %H:%M:%S}" if moment.second else f"{moment:%a %Y-%m-%d %H:%M}"
