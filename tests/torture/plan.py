"""What is done, in which order: drawn from the seed alone, so that the same seed does the same again.

The plan knows which files there are and what is paused, since that is its own doing; it knows nothing of the
clock and of what is answered. It has no end; a campaign takes as much of it as there is time for.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.torture import sources
from tests.torture.sources import Source

MOST_SCRIPTS = 34
FEWEST_SCRIPTS = 16


@dataclass(frozen=True)
class Wait:
    """Let things happen."""

    seconds: float


@dataclass(frozen=True)
class Write:
    """Add a script, change one, or break one; schedd learns of it later."""

    source: Source


@dataclass(frozen=True)
class Delete:
    """Take a script away."""

    path: str


@dataclass(frozen=True)
class Reload:
    """Have the directory read again."""


@dataclass(frozen=True)
class Trigger:
    """Run these now, all at once; with `wait` each request waits for the end."""

    paths: tuple[str, ...]
    wait: bool = False


@dataclass(frozen=True)
class Replay:
    """Run the slots of the last seconds again."""

    path: str
    back_s: int
    only: str


@dataclass(frozen=True)
class Pause:
    """Pause a script, or all (None)."""

    path: str | None
    for_s: float | None = None


@dataclass(frozen=True)
class Resume:
    """End a pause."""

    path: str | None


@dataclass(frozen=True)
class Look:
    """Read something that disturbs nobody."""

    path: str


@dataclass(frozen=True)
class StopRun:
    """Stop a run in flight, over the API."""

    which: float


@dataclass(frozen=True)
class KillRuns:
    """kill -9 of some runs in flight, each with this chance; or freeze them."""

    chance: float
    seed: int
    freeze: bool = False


@dataclass(frozen=True)
class Freeze:
    """SIGSTOP the daemon for a while."""

    seconds: float


@dataclass(frozen=True)
class Kill:
    """kill -9 of the daemon, and start it again.

    `meanwhile` is asked for `lead_s` before the kill; with `runs` the runs are killed with it; what a crash
    may do to the files is done by `wreck`; after `away_s` it is started, and killed again that long into each
    of the `starts` before it may stay. With `on_the_second` it falls so long after the next full second, when
    a turn is being written.
    """

    meanwhile: Reload | Trigger | None = None
    lead_s: float = 0.0
    on_the_second: float | None = None
    runs: bool = False
    wreck: str | None = None
    seed: int = 0
    away_s: float = 0.0
    starts: tuple[float, ...] = ()


@dataclass(frozen=True)
class Restart:
    """SIGTERM, and start it again."""

    away_s: float


Action = (
    Wait
    | Write
    | Delete
    | Reload
    | Trigger
    | Replay
    | Pause
    | Resume
    | Look
    | StopRun
    | KillRuns
    | Freeze
    | Kill
    | Restart
)

LOOKS = (
    "/api/v1/exec/schedules/history?limit=1000&includeRotated=true",
    "/api/v1/exec/schedules/history?limit=20",
    "/api/v1/exec/schedules/list",
    "/api/v1/exec/runs",
    "/readyz",
)
WRECKS = (None, None, "half a line", "fires cut", "power loss", "power loss")


class Plan:
    """The files that there are, and the dice."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._files: dict[str, Source] = {}
        self._jitter: dict[str, int] = {}
        self._names = 0
        self._paused: list[str | None] = []
        self.first = tuple(self._population())

    def actions(self) -> Iterator[Action]:
        """Yield one action after the other, for ever."""
        dice = self._dice
        while True:
            yield Wait(dice.choice((0.0, 0.05, 0.2, 0.4, 0.8)) * dice.random() * 2)
            draws = dice.choices([draw for draw, _ in DRAWS], weights=[weight for _, weight in DRAWS])
            yield from draws[0](self)

    # What there is at first.

    def _population(self) -> Iterator[Source]:
        for place, count in ((sources.ONE, 11), (sources.TWO, 3), (sources.MANY, 3)):
            for _ in range(count):
                yield self._new(place)
        for _ in range(6):
            source = self._new(sources.ONE)
            expression, rhythm = sources.BURST
            plain = replace(source.without(["jitter"]), expression=expression, rhythm=rhythm, once_in_s=None)
            yield self._keep(plain)
        yield self._keep(Source("many/python.py", "@every 5s", sources.Rhythm(((5, 0),))))
        yield self._keep(Source("one/at_boot.sh", "@reboot", sources.NEVER))

    def _new(self, place: str) -> Source:
        self._names += 1
        path = f"{place}/{self._names:03}.sh"
        self._jitter[path] = self._dice.choice((1, 1, 1, 1, 4, 9))
        return self._draw(path)

    def _draw(self, path: str) -> Source:
        return self._keep(sources.draw(self._dice, path, jitter_s=self._jitter[path]))

    def _keep(self, source: Source) -> Source:
        self._files[source.path] = source
        return source

    def _some(self, count: int = 1) -> tuple[str, ...]:
        """Some of the scripts that may be changed."""
        return tuple(self._dice.sample(sorted(self._files.keys() & self._jitter.keys()), count))

    # What may come next.

    def edits(self) -> Iterator[Action]:
        """Change some files, and mostly have them read."""
        for _ in range(self._dice.randint(1, 4)):
            yield self._edit()
        if self._dice.random() < 0.6:
            yield Reload()

    def _edit(self) -> Action:
        roll = self._dice.random()
        (path,) = self._some()
        if roll < 0.25 and len(self._files) < MOST_SCRIPTS:
            return Write(self._new(self._dice.choice((sources.ONE, sources.ONE, sources.TWO, sources.MANY))))
        if roll < 0.4 and len(self._files) > FEWEST_SCRIPTS:
            del self._files[path]
            return Delete(path)
        if roll < 0.5:
            return Write(self._keep(replace(self._files[path], broken=True)))
        if roll < 0.65:
            old = self._files[path]
            return Write(self._keep(replace(old, enabled=not old.enabled, broken=False)))
        return Write(self._draw(path))

    def reloads(self) -> Iterator[Action]:
        yield Reload()

    def triggers(self) -> Iterator[Action]:
        yield Trigger(self._some(self._dice.choice((1, 1, 2))), wait=self._dice.random() < 0.3)

    def bursts(self) -> Iterator[Action]:
        """Many at once; and some of them twice."""
        yield Trigger(self._some(12) + self._some(6))

    def replays(self) -> Iterator[Action]:
        only = self._dice.choice(("all", "failed", "missing"))
        yield Replay(self._some()[0], self._dice.randint(2, 15), only)

    def pauses(self) -> Iterator[Action]:
        """Pause one or all, with and without an end of its own; what has none is resumed in the end."""
        path = None if self._dice.random() < 0.25 else self._some()[0]
        for_s = self._dice.uniform(0.5, 4) if self._dice.random() < 0.4 else None
        yield Pause(path, for_s)
        if for_s is None:
            self._paused.append(path)
        if path is None:
            yield Wait(self._dice.uniform(0.3, 2.5))
            yield from self.resumes()

    def resumes(self) -> Iterator[Action]:
        if self._paused:
            yield Resume(self._paused.pop())

    def looks(self) -> Iterator[Action]:
        yield Look(self._dice.choice(LOOKS))

    def stops_of_runs(self) -> Iterator[Action]:
        yield StopRun(self._dice.random())

    def kills_of_runs(self) -> Iterator[Action]:
        yield KillRuns(self._dice.choice((0.3, 1.0)), self._dice.getrandbits(32), self._dice.random() < 0.2)

    def freezes(self) -> Iterator[Action]:
        yield Freeze(self._dice.choice((0.1, 0.7, 1.5, 3.5)) * self._dice.uniform(0.5, 1.5))

    def restarts(self) -> Iterator[Action]:
        yield Restart(self._dice.choice((0.0, 0.5, 2.0)) * self._dice.random())

    def kills(self) -> Iterator[Action]:
        """Kill it, mostly with changed files to find at the start, sometimes in the middle of something."""
        if self._dice.random() < 0.5:
            for _ in range(self._dice.randint(1, 3)):
                yield self._edit()
        roll = self._dice.random()
        meanwhile = Reload() if roll < 0.25 else Trigger(self._some(6)) if roll < 0.4 else None
        again = self._dice.choice((0, 0, 0, 1, 1, 2))
        in_a_turn = meanwhile is None and self._dice.random() < 0.4
        yield Kill(
            meanwhile=meanwhile,
            lead_s=self._dice.uniform(0, 0.06) if meanwhile else 0.0,
            on_the_second=self._dice.uniform(0, 0.004) if in_a_turn else None,
            runs=self._dice.random() < 0.3,
            wreck="power loss" if in_a_turn else self._dice.choice(WRECKS),
            seed=self._dice.getrandbits(32),
            away_s=self._dice.choice((0.0, 0.0, 0.5, 2.5)) * self._dice.random(),
            starts=tuple(self._dice.uniform(0.1, 0.8) for _ in range(again)),
        )


DRAWS: tuple[tuple[Callable[[Plan], Iterator[Action]], float], ...] = (
    (Plan.edits, 16),
    (Plan.reloads, 4),
    (Plan.triggers, 8),
    (Plan.bursts, 3),
    (Plan.replays, 6),
    (Plan.pauses, 5),
    (Plan.resumes, 4),
    (Plan.looks, 8),
    (Plan.stops_of_runs, 4),
    (Plan.kills_of_runs, 6),
    (Plan.freezes, 4),
    (Plan.restarts, 4),
    (Plan.kills, 18),
)
