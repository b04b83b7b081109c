"""A stretch of time cut into equal steps: what slots and fires are counted by.

Whole seconds since the epoch, as slots are. The last step is shorter when the stretch is not a whole number
of them: nothing at or after `end` is in it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """[begin, end) in steps of `step_s`; `begin` < `end`."""

    begin: int
    end: int
    step_s: int

    def __len__(self) -> int:
        """Return the number of steps."""
        return max(0, -((self.begin - self.end) // self.step_s))

    def index(self, at: int) -> int:
        """Return the step that an instant of the stretch is in."""
        return (at - self.begin) // self.step_s

    def edges(self, begin: int, end: int) -> list[int]:
        """Return the bounds of the steps within [begin, end), which lies in here, with both its ends."""
        first = self.begin + (self.index(begin) + 1) * self.step_s
        return [begin, *range(first, end, self.step_s), end]
