"""The last outcomes of each script: thirty at most, in their order, none twice."""

from dataclasses import dataclass
from uuid import UUID

from schedd.fire import Kind, Reason, Status
from schedd.insight.recent import KEPT, MEANWHILE_AT_ONCE, Reading, RecentOutcomes
from schedd.timetable import instant


@dataclass(frozen=True)
class Ended:
    script_path: str
    ts: str
    run_id: str
    status: Status = Status.OK
    reason: Reason | None = None
    duration_ms: int = 10
    kind: Kind = Kind.SCHEDULE


def ended(number: int, script: str = "a.sh", **more: object) -> Ended:
    at = instant.from_ms(1_795_500_000_000 + number)
    return Ended(script, at, str(UUID(int=number)), **more)  # type: ignore[arg-type]


def numbers(recent: RecentOutcomes, script: str = "a.sh") -> list[int]:
    return [UUID(outcome.run_id).int for outcome in recent.of(script).outcomes]


def filled(*newest_first: Ended, recent: RecentOutcomes | None = None) -> RecentOutcomes:
    if recent is None:
        recent = RecentOutcomes()
        recent.begin()
    reading = Reading(iter(newest_first))
    while reading.step(7):
        pass
    recent.fill(reading.rows())
    while not recent.settle():
        assert not recent.filled
    return recent


def test_the_newest_thirty_come_oldest_first() -> None:
    recent = filled(*(ended(number) for number in range(100, 0, -1)))
    assert numbers(recent) == list(range(71, 101))
    recent.note(ended(101))
    assert numbers(recent) == list(range(72, 102))


def test_nothing_of_an_outcome_is_lost() -> None:
    told = ended(
        7, status=Status.ERROR, reason=Reason.OUT_OF_MEMORY, duration_ms=9_000_000_000, kind=Kind.RETRY
    )
    (outcome,) = filled(told).of("a.sh").outcomes
    assert (instant.from_ms(outcome.ts_ms), outcome.run_id) == (told.ts, told.run_id)
    assert (outcome.status, outcome.reason) == (Status.ERROR, Reason.OUT_OF_MEMORY)
    assert (outcome.duration_ms, outcome.kind) == (9_000_000_000, Kind.RETRY)


def test_what_ends_while_the_log_is_read_is_in_it_once() -> None:
    recent = RecentOutcomes()
    recent.note(ended(1))
    recent.begin()
    recent.note(ended(2))
    recent.note(ended(3))
    assert numbers(filled(ended(2), ended(1), recent=recent)) == [1, 2, 3]


def test_what_ends_while_what_has_ended_meanwhile_is_added_comes_behind_it() -> None:
    recent = RecentOutcomes()
    recent.begin()
    for number in range(1, 2 * MEANWHILE_AT_ONCE):
        recent.note(ended(number))
    recent.fill({})
    assert not recent.settle()
    recent.note(ended(2 * MEANWHILE_AT_ONCE))
    assert recent.settle()
    recent.note(ended(2 * MEANWHILE_AT_ONCE + 1))
    newest = 2 * MEANWHILE_AT_ONCE + 1
    assert numbers(recent) == list(range(newest - KEPT + 1, newest + 1))


def test_a_log_is_read_to_its_end_whatever_the_size_of_a_step() -> None:
    for lines in (1, 3, 6, 7):
        reading = Reading(iter([ended(number, f"{number % 2}.sh") for number in range(6, 0, -1)]))
        steps = 1
        while reading.step(lines):
            steps += 1
        assert steps == 6 // lines + 1
        assert list(reading.rows()) == ["1.sh", "0.sh"]


def test_only_good_runs_say_how_long_it_usually_takes() -> None:
    recent = filled(*(ended(n, duration_ms=d) for n, d in ((4, 100), (3, 300), (2, 200))))
    recent.note(ended(5, status=Status.TIMEOUT, reason=Reason.TIMEOUT, duration_ms=9_999))
    assert recent.of("a.sh").usual_ms == 200
    assert recent.of("unknown.sh").usual_ms is None


def test_what_no_daemon_has_written_is_left_out() -> None:
    bad = [Ended("a.sh", "never", str(UUID(int=1))), Ended("a.sh", ended(1).ts, "not-a-uuid")]
    recent = filled(*bad, ended(5))
    recent.note(bad[0])
    assert numbers(recent) == [5]
    assert KEPT == 30
