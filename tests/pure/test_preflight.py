"""What becomes of a scan when somebody says which of its scripts would not run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from schedd.schedule import Fault, Inspection, Schedule
from schedd.scripts.catalogue import Scan, compare
from schedd.scripts.directives import Problem
from schedd.scripts.preflight import examined, examined_alone
from tests.pure.making import schedule

BROKEN = Fault("SyntaxError: '(' was never closed", 7, 3)
ABSENT = Fault("@requires cmd:pg_dump: no such program", here=True)
ODD = Fault("could not be checked: it took more than 10 s")


class Oracle:
    """Knows what there is to say."""

    def __init__(self, said: Mapping[str, Inspection]) -> None:
        self.said = said
        self.asked: list[tuple[list[str], bool]] = []

    def examine(self, schedules: Sequence[Schedule], *, every: bool) -> Mapping[str, Inspection]:
        self.asked.append(([each.script for each in schedules], every))
        return self.said


def scan(*scripts: str, **more: object) -> Scan:
    return replace(Scan(schedules=tuple(schedule(script) for script in scripts)), **more)


def test_a_script_with_a_fault_becomes_a_problem_with_its_place() -> None:
    found = examined(scan("a.py", "b.py"), Oracle({"b.py": Inspection((BROKEN,))}))
    assert [each.script for each in found.schedules] == ["a.py"]
    assert found.problems == (Problem("b.py", BROKEN.reason, 7, 3),)


def test_problems_of_the_header_and_of_the_source_stand_in_one_list_by_path() -> None:
    of_header = (Problem("a.py", "bad", 1, 1), Problem("z.py", "bad", 1, 1))
    found = examined(scan("m.py", problems=of_header), Oracle({"m.py": Inspection((BROKEN,))}))
    assert [problem.path for problem in found.problems] == ["a.py", "m.py", "z.py"]


def test_a_doubt_is_a_warning_and_the_script_is_registered() -> None:
    found = examined(scan("a.py"), Oracle({"a.py": Inspection(doubts=(ODD,))}))
    assert (len(found.schedules), found.problems) == (1, ())
    assert found.warnings == (Problem("a.py", ODD.reason),)


def test_what_only_this_host_lacks_is_a_warning_for_another_one() -> None:
    oracle = Oracle({"a.py": Inspection((ABSENT,)), "b.py": Inspection((ABSENT, BROKEN))})
    found = examined(scan("a.py", "b.py"), oracle, elsewhere=True)
    assert [each.script for each in found.schedules] == ["a.py"]
    assert [problem.reason for problem in found.problems] == [BROKEN.reason]
    assert [warning.path for warning in found.warnings] == ["a.py", "b.py"]


@pytest.mark.parametrize(("unread", "every"), [((), True), (("shop",), False)])
def test_what_is_known_of_scripts_that_were_not_seen_is_kept(unread: tuple[str, ...], every: bool) -> None:
    oracle = Oracle({})
    examined(scan("a.py", unread=unread), oracle)
    assert oracle.asked == [(["a.py"], every)]


def test_a_registered_script_that_fails_now_is_stale_with_the_line_of_the_fault() -> None:
    found = examined(scan("a.py"), Oracle({"a.py": Inspection((BROKEN,))}))
    diff = compare({"a.py": schedule("a.py")}, found)
    (kept,) = diff.schedules
    assert (diff.kept, diff.removed, [problem.path for problem in diff.failed]) == (("a.py",), (), ["a.py"])
    assert kept.stale == f"line 7: {BROKEN.reason}"


def test_a_new_script_that_fails_is_not_registered() -> None:
    diff = compare({}, examined(scan("a.py"), Oracle({"a.py": Inspection((BROKEN,))})))
    assert (diff.added, diff.schedules) == ((), ())


def test_a_single_script_is_itself_or_its_problems() -> None:
    one = schedule("a.py")
    assert examined_alone(one, Oracle({})) is one
    assert examined_alone(one, Oracle({"a.py": Inspection(doubts=(ODD,))})) is one
    assert examined_alone(one, Oracle({"a.py": Inspection((BROKEN,))})) == (
        Problem("a.py", BROKEN.reason, 7, 3),
    )
