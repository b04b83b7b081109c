"""A row of what was measured some times, with what was measured beside it each time."""

import statistics
from collections.abc import Callable, Sequence

from bench.row import Row, shown


def row_of(
    part: str,
    what: str,
    values: Sequence[float],
    *,
    unit: Callable[[float], str] = shown,
    beside: Sequence[float] = (),
    named: str = "",
) -> Row:
    """Return the row of some runs: of durations in seconds, unless `unit` writes something else.

    `beside` are the values, run by run, of what it is compared with, which has a name. The ratio is the
    median of those of the runs, since each had its own weather.
    """
    ratios = [value / other for value, other in zip(values, beside, strict=True)] if beside else []
    ratio = f"{statistics.median(ratios):.2f} \N{MULTIPLICATION SIGN} {named}" if ratios else ""
    return Row(part, what, unit(statistics.median(values)), unit(min(values)), unit(max(values)), ratio)
