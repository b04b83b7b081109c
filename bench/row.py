"""One line of the results, and how its figure is taken."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

REPEATS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, and the figure with its unit: the median of some runs, the least and the most."""

    part: str
    """The section of the results that it is in."""

    what: str
    figure: str
    least: str = ""
    most: str = ""
    ratio: str = ""
    """To what was measured in the same run: "1.31 × posix_spawn loop"."""


def quantile(values: Sequence[float], share: float) -> float:
    """Return the least of these values that so many of them do not exceed, between 0 and 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


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
