"""A thousand and ten thousand jobs that are due in the same second: schedd, its peers, and a loop in C.

Each job is a static program that writes down when it began and ends. The contenders take turns, so that each
has had the machine's good and bad minutes. `last` is when the last job began: until then somebody waits.
What it has cost is counted from before the instant until all is quiet again; copies of itself that a
scheduler makes for each job (cron) count with the job.

/bin/true is started by schedd and the loop only: when it began, only they can tell, schedd by its log. The
holds of the event loop are of these bursts.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.beside import row_of
from bench.contenders import field
from bench.contenders.contender import Contender
from bench.contenders.this import Schedd, figures
from bench.rounds import LOGGED, Jobs, Rounds, Seen, floor, nothings, programs, stamped_floor
from bench.row import REPEATS, Row, quantile

SIZES = {1_000: REPEATS, 10_000: 3}
"""How many are due, and how often that is measured."""

LOOP = "posix_spawn loop in C"
P99 = 0.99
FIGURES: dict[str, Callable[[list[float]], float]] = {
    "median": statistics.median,
    "p99": lambda late_s: quantile(late_s, P99),
    "last": lambda late_s: late_s[-1],
}
COSTS: dict[str, Callable[[Seen], float]] = {
    "processor time of the scheduler for each": lambda seen: seen.used.own_s,
    "processor time of scheduler and job": lambda seen: seen.used.all_s,
}


Bursts = dict[str, list[Seen]]
"""Of each contender, by its name."""


def rows() -> Iterator[Row]:
    """Measure all contenders that can be had here."""
    there, absent = field.present([Schedd(), *field.peers()])
    yield from (Row("burst", f"{name} could not be had", why) for name, why in absent.items())
    yield from (Row("burst", f"version of {name}", version) for name, version in there.items())
    contenders = [each for each in [Schedd(), *field.peers()] if each.name in there]
    rounds = Rounds()
    for count, repeats in SIZES.items():
        yield from measured(rounds, contenders, count, repeats)
        yield from of_true(rounds, count, repeats)


def measured(rounds: Rounds, contenders: list[Contender], count: int, repeats: int) -> Iterator[Row]:
    """Let the loop in C and all contenders take turns with static programs."""
    part = f"burst of {count:,}"
    loop: list[list[float]] = []
    bursts: Bursts = {}
    for _ in range(repeats):
        loop.append(stamped_floor(count))
        for name, seen in turns(rounds, contenders, programs, count):
            bursts.setdefault(name, []).append(seen)
    for what, figure in FIGURES.items():
        floors = [figure(late_s) for late_s in loop]
        yield row_of(part, f"{what}: {LOOP}", floors)
        taken = {name: [figure(seen.late_s) for seen in each] for name, each in bursts.items()}
        yield from compared(part, what, taken, floors=floors)
    for what, cost in COSTS.items():
        spent = {name: [cost(seen) / count for seen in each] for name, each in bursts.items()}
        yield from compared(part, what, spent)
    for name, each in bursts.items():
        lost, twice = sum(seen.lost for seen in each), sum(seen.twice for seen in each)
        yield Row(part, f"lost, started twice, of {count * repeats:,}: {name}", f"{lost:,}, {twice:,}")


def turns(rounds: Rounds, contenders: list[Contender], jobs: Jobs, count: int) -> Iterator[tuple[str, Seen]]:
    """Let each contender have one burst."""
    for each in contenders:
        yield each.name, rounds.one(each, jobs, count)


def compared(
    part: str, what: str, taken: dict[str, list[float]], *, floors: Sequence[float] = ()
) -> Iterator[Row]:
    """Return a row for each: schedd beside the floor, if there is one, and the others beside schedd."""
    ours = taken[Schedd.name]
    for name, each in taken.items():
        if name == Schedd.name:
            yield row_of(part, f"{what}: {name}", each, beside=floors, named=LOOP)
        else:
            yield row_of(part, f"{what}: {name}", each, beside=ours if all(ours) else (), named=Schedd.name)


def of_true(rounds: Rounds, count: int, repeats: int) -> Iterator[Row]:
    """Let schedd and the loop start /bin/true, and watch schedd's event loop meanwhile."""
    part, name = f"burst of {count:,}", Schedd.name
    bursts: list[Seen] = []
    loop: list[float] = []
    held: list[dict[str, float]] = []

    def look(place: Path) -> None:
        held.append(figures(place))

    for _ in range(repeats):
        bursts.append(rounds.one(Schedd(watched=True), nothings, count, begun=LOGGED, look=look))
        loop.append(floor("/bin/true", count=count)[-2])
    last_s = [seen.late_s[-1] for seen in bursts]
    yield row_of(part, f"last, /bin/true: {LOOP}", loop)
    yield row_of(part, f"last, /bin/true: {name}", last_s, beside=loop, named=LOOP)
    for what, cost in COSTS.items():
        yield row_of(part, f"{what}, /bin/true: {name}", [cost(seen) / count for seen in bursts])
    yield row_of(part, f"longest hold of the event loop: {name}", [each["hold_s"] for each in held])
    yield row_of(part, f"the same, processor time: {name}", [each["hold_cpu_s"] for each in held])
