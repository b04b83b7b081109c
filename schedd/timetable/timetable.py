"""A timetable answers one question: which slots come after this one?"""

from dataclasses import dataclass

from schedd.timetable.instant import Slot


@dataclass(frozen=True, slots=True)
class Timetable:
    """An expression in a time zone."""

    expression: str
    zone: str
    seed: str = ""

    def next_after(self, after: Slot) -> Slot | None:
        """Return the first slot strictly after `after`."""
        return after
