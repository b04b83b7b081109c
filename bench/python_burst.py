"""A thousand Python scripts that are due in the same second, without imports and with seven modules.

Each script writes down when it has imported what it needs. The peers start an interpreter for each; schedd
forks it from one that is there already, with the modules imported (`python_preload`).
"""

import statistics
from collections.abc import Callable, Iterator

from bench.burst import Bursts, compared, turns
from bench.contenders import field
from bench.contenders.contender import Contender
from bench.contenders.this import Schedd
from bench.rounds import Rounds, Seen, pythons
from bench.row import REPEATS, Row

COUNT = 1_000
MODULES = ("argparse", "csv", "datetime", "json", "logging", "pathlib", "subprocess")
FIGURES: dict[str, Callable[[Seen], float]] = {
    "median": lambda seen: statistics.median(seen.late_s),
    "last": lambda seen: seen.late_s[-1],
    "processor time of all for each": lambda seen: seen.used.all_s / COUNT,
}


def rows() -> Iterator[Row]:
    """Measure all contenders that can be had here."""
    there, _ = field.present(field.peers())
    rounds = Rounds()
    for about, modules in (("no imports", ()), (f"{len(MODULES)} modules", MODULES)):
        contenders = [Schedd(preload=modules), *(each for each in field.peers() if each.name in there)]
        yield from measured(rounds, contenders, about, modules)


def measured(
    rounds: Rounds, contenders: list[Contender], about: str, modules: tuple[str, ...]
) -> Iterator[Row]:
    """Let all contenders take turns."""
    bursts: Bursts = {}
    for _ in range(REPEATS):
        for name, seen in turns(rounds, contenders, pythons(modules), COUNT):
            bursts.setdefault(name, []).append(seen)
    for what, figure in FIGURES.items():
        taken = {name: [figure(seen) for seen in each] for name, each in bursts.items()}
        yield from compared("python burst", f"{about}, {what}", taken)
    for name, each in bursts.items():
        if lost := sum(seen.lost for seen in each):
            yield Row("python burst", f"{about}, lost of {COUNT * REPEATS:,}: {name}", f"{lost:,}")
