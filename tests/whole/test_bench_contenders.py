"""The contenders of the measurements that need no packages: a burst of a few jobs, and what is seen of it."""

import pytest

from bench.contenders.contender import Contender
from bench.contenders.this import Schedd
from bench.contenders.timers import Timers
from bench.rounds import Rounds, programs, stamped_floor

FEW = 5
EVER_S = 2.0


@pytest.mark.parametrize("contender", [Schedd(), Timers()], ids=lambda contender: contender.name)
def test_each_job_of_a_burst_is_seen_to_begin_once(contender: Contender) -> None:
    seen = Rounds().one(contender, programs, FEW)
    assert (len(seen.late_s), seen.lost, seen.twice) == (FEW, 0, 0)
    assert 0 <= seen.late_s[0] <= seen.late_s[-1] < EVER_S


def test_the_loop_in_c_starts_as_many() -> None:
    late_s = stamped_floor(FEW)
    assert len(late_s) == FEW
    assert late_s[0] >= 0
