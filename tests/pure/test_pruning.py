"""When old outputs are given up: so often that they do not outgrow their limit, and not oftener."""

import asyncio
from collections.abc import Collection, Coroutine
from dataclasses import dataclass, field
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from schedd.daemon.pruning import AT_MOST_EVERY_S, EVERY_S, SHARE, Pruning
from schedd.fire import RunId
from schedd.host.clock import Clock

LIMIT = 8_000
ALIVE = frozenset({RunId("a")})


@dataclass
class Times:
    """A monotonic clock, and what was written, that tests set."""

    now_s: float = 1000.0
    written: int = 0
    limit: int = LIMIT
    pruned: list[Collection[RunId]] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now_s


def pruning(times: Times) -> Pruning:
    return Pruning(
        clock=cast("Clock", times),
        prune=times.pruned.append,
        written=lambda: times.written,
        limit=lambda: times.limit,
    )


async def _awaited(work: Coroutine[object, object, None]) -> None:
    await work


def due(of: Pruning) -> bool:
    work = of.due(ALIVE)
    if work is None:
        return False
    asyncio.run(_awaited(work))
    return True


def test_the_first_beat_prunes_and_spares_the_runs_in_flight() -> None:
    times = Times()
    assert due(pruning(times))
    assert times.pruned == [ALIVE]


def test_it_is_done_each_hour_though_nothing_is_written() -> None:
    times = Times()
    of = pruning(times)
    due(of)
    times.now_s += EVERY_S - 1
    assert not due(of)
    times.now_s += 1
    assert due(of)


def test_more_than_an_eighth_of_the_limit_is_not_left_until_the_hour_is_over() -> None:
    times = Times()
    of = pruning(times)
    due(of)
    times.now_s += AT_MOST_EVERY_S
    times.written += LIMIT // SHARE
    assert not due(of)
    times.written += 1
    assert due(of)
    assert not due(of)


def test_the_limit_is_that_of_the_last_reload() -> None:
    times = Times()
    of = pruning(times)
    due(of)
    times.now_s += AT_MOST_EVERY_S
    times.written += 100
    assert not due(of)
    times.limit = 100
    assert due(of)


@given(writes=st.lists(st.integers(0, 3 * LIMIT), max_size=60))
def test_whatever_is_written_not_more_than_an_eighth_stays_unlooked_at(writes: list[int]) -> None:
    times = Times()
    of = pruning(times)
    due(of)
    seen = 0
    for size_bytes in writes:
        times.now_s += AT_MOST_EVERY_S
        times.written += size_bytes
        if due(of):
            seen = times.written
        assert times.written - seen <= LIMIT // SHARE
