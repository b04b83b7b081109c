"""Measures and writes bench/RESULTS.md: `python -m bench`, or only some parts: `--only burst,ledger`.

Each part is a module with `rows()`. What a part found is kept as soon as it ends, in the sections that its
rows name, so that breaking off costs one part, and measuring one part anew leaves the others as they were.
"""

import argparse
import importlib
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from bench import results
from bench.row import Row

PARTS = (
    "burst",
    "python_burst",
    "one_fire",
    "spawn_size",
    "starts",
    "idle",
    "wheel",
    "planner",
    "scale",
    "growth",
    "ledger",
    "history",
    "api",
    "events",
    "start_up",
    "page",
)
HEADING = """# Results

Written by `make bench`, one section for each part, and by the longer measurements (`make soak`, `python -m
bench.floods` and others in bench/). Each figure is the median of several runs, with the least and the most of
them; a ratio is to what was measured in the same run, in turns with it: programs in C (bench/floors/), or the
peers (bench/contenders/). Two machines, or one on two days, are worlds apart: believe the ratios.
"""


def main() -> None:
    """Run the measurements that were asked for, show them as they come, and keep them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", metavar="PART,...", default="", help=f"some of: {', '.join(PARTS)}")
    asked = [name for name in parser.parse_args().only.split(",") if name]
    if unknown := sorted(set(asked) - set(PARTS)):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    results.keep(HEADING)
    for name in asked or PARTS:
        run(name)


def run(name: str) -> None:
    """Measure one part."""
    found: list[Row] = []
    for row in importlib.import_module(f"bench.{name}").rows():
        print(
            f"{row.part:12}  {row.what:70}  {row.figure:>14}  {row.least:>10} {row.most:>10}  {row.ratio}",
            flush=True,
        )
        found.append(row)
    for part in dict.fromkeys(row.part for row in found):
        text = table([row for row in found if row.part == part], name)
        results.keep(text, section=part.replace("_", " ").capitalize())


def table(found: Sequence[Row], name: str) -> str:
    """Write the rows of a section, with what they depend on; a column that would be empty is left out."""
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
    full = any(row.least or row.most or row.ratio for row in found)
    columns = ["what", "figure", *(["least", "most", "ratio"] if full else [])]
    cells = ([row.what, row.figure, *([row.least, row.most, row.ratio] if full else [])] for row in found)
    lines = [
        f"`make bench ONLY={name}` on {datetime.now(UTC):%Y-%m-%d}: {machine}.",
        "",
        line(columns),
        f"|{'---|' * len(columns)}",
        *map(line, cells),
    ]
    return "\n".join(lines) + "\n"


def line(cells: Iterable[str]) -> str:
    """Write a line of a table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
