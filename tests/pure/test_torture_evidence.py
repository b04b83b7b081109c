"""What a campaign knows for certain, and what it holds against the runs."""

from dataclasses import replace

from tests.torture import runs
from tests.torture.registry import Registry
from tests.torture.runs import Note
from tests.torture.sources import Rhythm, Source
from tests.whole.checker import Line, Stretch

ODD = Source("one/a.sh", "1-59/2 * * * * *", Rhythm(((2, 1),)))
EVEN = replace(ODD, expression="@every 2s", rhythm=Rhythm(((2, 0),)))
SLOT = "2023-11-14T22:13:20.000Z"
SLOT_S = 1_700_000_000


def known(registry: Registry) -> list[tuple[int, int, int]]:
    """From when, until when, and in how many ways it may have stood."""
    return [(s.after_ms, s.until_ms, len(s.standings)) for s in stretches(registry)[:-1]]


def stretches(registry: Registry) -> list[Stretch]:
    return list(registry.scripts()[ODD.path].stretches)


def once_registered() -> Registry:
    registry = Registry()
    registry.wrote(ODD)
    registry.asked(100)
    registry.answered(200)
    return registry


def test_a_reload_is_uncertain_from_its_question_to_its_answer() -> None:
    registry = once_registered()
    registry.wrote(EVEN)
    registry.asked(300)
    registry.answered(350)
    assert known(registry) == [(0, 100, 1), (100, 200, 2), (200, 300, 1), (300, 350, 2)]
    last = stretches(registry)[-1].standings[0]
    assert last is not None
    assert last.due is EVEN.rhythm


def test_a_reload_of_what_has_not_changed_is_no_doubt() -> None:
    registry = once_registered()
    registry.asked(300)
    registry.answered(350)
    assert known(registry) == [(0, 100, 1), (100, 200, 2)]


def test_a_reload_without_an_answer_is_uncertain_until_the_next_start() -> None:
    registry = once_registered()
    registry.wrote(EVEN)
    registry.asked(300)
    registry.deleted(ODD.path)
    registry.asked(400)
    registry.answered(500)
    assert known(registry)[2:] == [(200, 300, 1), (300, 400, 2), (400, 500, 3)]
    assert stretches(registry)[-1].standings == (None,)


def test_a_broken_file_changes_nothing() -> None:
    registry = once_registered()
    registry.wrote(replace(ODD, broken=True))
    registry.asked(300)
    registry.answered(350)
    assert known(registry) == [(0, 100, 1), (100, 200, 2)]
    assert registry.standings(ODD.path) != (None,)


def test_a_pause_counts_from_its_answer_to_the_question_that_may_end_it() -> None:
    registry = once_registered()
    registry.paused(None, 1000, None)
    registry.resumed(None, 3000)
    registry.paused(ODD.path, 4000, 5000)
    registry.resumed(ODD.path, 9000)
    assert [(ban.script, ban.after_ms, ban.until_ms) for ban in registry.bans()] == [
        (None, 1000, 3000),
        (ODD.path, 4000, 4999),
    ]


def note(what: str, run_id: str, at_s: float, seen: str = "alone") -> Note:
    return Note(what, run_id, ODD.path, 1, at_s, seen)


def told(run_id: str, **more: object) -> Line:
    line = {"runId": run_id, "scriptPath": ODD.path, "status": "ok", "slot": SLOT, "startedAt": SLOT, **more}
    return {key: value for key, value in line.items() if value is not None}


def against(lines: list[Line], *notes: Note, at_once: int | None = 1) -> str:
    seen, odd = runs.of(notes)
    return "\n".join([*odd, *runs.prove(seen, lines, {ODD.path: at_once})])


WELL = (note("begin", "r", SLOT_S + 0.1), note("end", "r", SLOT_S + 0.5, "0"))


def test_a_run_that_is_told_as_it_was_is_fine() -> None:
    assert not against([told("r", exitCode=0)], *WELL)


def test_a_run_without_a_line_is_found() -> None:
    assert "has no line" in against([], *WELL)


def test_a_line_that_denies_the_run_is_found() -> None:
    denial = told("r", startedAt=None, status="skipped_overload", reason="overlap")
    assert "does not say so" in against([denial], *WELL)
    assert "exited with 0" in against([told("r", exitCode=3, status="error")], *WELL)


def test_ok_without_an_end_is_found() -> None:
    assert "did not come to its end" in against([told("r")], WELL[0])
    assert "did not come to its end" in against([told("r")])


def test_a_run_before_its_time_is_found() -> None:
    assert "before its time" in against([told("r")], note("begin", "r", SLOT_S - 0.1), WELL[1])


def test_a_fire_that_ran_twice_is_found() -> None:
    assert "began twice" in against([told("r")], *WELL, WELL[0])


def test_two_runs_at_once_are_found() -> None:
    other = (note("begin", "s", SLOT_S + 0.2), note("end", "s", SLOT_S + 0.6, "0"))
    lines = [told("r"), told("s")]
    assert "2 runs were alive" in against(lines, *WELL, *other)
    assert not against(lines, *WELL, *other, at_once=2)
    assert not against(lines, *WELL, *other, at_once=None)


def test_the_lock_tells_of_a_run_whose_end_nobody_saw() -> None:
    clash = note("begin", "s", SLOT_S + 0.2, "clash")
    assert "another one was alive" in against([told("r"), told("s", status="error")], *WELL, clash)
