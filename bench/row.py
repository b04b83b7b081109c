"""One line of the results, and how a figure is taken."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

REPEATS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, and the figure with its unit."""

    part: str
    what: str
    figure: str


def seconds(work: Callable[[], object], *, repeats: int = REPEATS) -> float:
    """Return the median time that `work` takes, in seconds."""
    return statistics.median(_once(work) for _ in range(repeats))


def _once(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def shown(duration_s: float) -> str:
    """Write a duration with three digits, in the unit that suits it."""
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if duration_s * factor >= 0.9995 or unit == "µs":  # 1 s, not 1e+03 ms
            return f"{duration_s * factor:.3g} {unit}"
    raise AssertionError
