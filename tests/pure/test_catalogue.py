"""What a reload would change: the registered schedules against what a scan found."""

from dataclasses import replace

import pytest

from schedd.schedule import Catchup, FileStamp, Overlap, Retry, Schedule
from schedd.scripts.catalogue import Placement, Scan, compare, placement
from schedd.scripts.directives import Problem
from schedd.timetable.timetable import Timetable

HOURLY = Timetable.parse("0 * * * *", "UTC")


def schedule(script: str, **fields: object) -> Schedule:
    plain = Schedule(
        script=script,
        path=f"/srv/{script}",
        expression="0 * * * *",
        timezone="UTC",
        timetable=HOURLY,
        sha256="00",
        stamp=FileStamp(1, 2, 3),
    )
    return replace(plain, **fields)


def registered(*schedules: Schedule) -> dict[str, Schedule]:
    return {each.script: each for each in schedules}


def test_a_first_scan_adds_everything_in_order():
    a, b = schedule("a.py"), schedule("b.py")
    diff = compare({}, Scan(schedules=(b, a)))
    assert (diff.added, diff.kept, diff.removed, diff.changed, diff.failed) == (
        ("a.py", "b.py"),
        (),
        (),
        (),
        (),
    )
    assert diff.schedules == (a, b)


def test_what_did_not_change_is_kept_as_the_same_object():
    a = schedule("a.py")
    diff = compare(registered(a), Scan(schedules=(a,)))
    assert (diff.kept, diff.changed) == (("a.py",), ())
    assert diff.schedules[0] is a


def test_what_is_gone_is_removed():
    diff = compare(registered(schedule("a.py"), schedule("b.py")), Scan(schedules=(schedule("b.py"),)))
    assert (diff.kept, diff.removed) == (("b.py",), ("a.py",))
    assert [each.script for each in diff.schedules] == ["b.py"]


@pytest.mark.parametrize(
    "fields",
    [
        {"expression": "5 * * * *"},
        {"timezone": "Europe/Berlin"},
        {"timeout_ms": 5},
        {"enabled": False},
        {"overlap": Overlap.QUEUE},
        {"max_runs": None},
        {"catchup": Catchup.LAST},
        {"catchup_within_ms": 60_000},
        {"deadline_ms": 1000},
        {"retry": Retry(limit=1, first_ms=1000, most_ms=1000)},
        {"timetable": Timetable.parse("0 * * * *", "UTC", seed="a.py", jitter_s=60)},
        {"secrets": ("x",)},
        {"description": "x"},
        {"env": (("A", "b"),)},
        {"nice": 5},
    ],
)
def test_a_changed_directive_is_a_change(fields):
    new = schedule("a.py", **fields)
    diff = compare(registered(schedule("a.py")), Scan(schedules=(new,)))
    assert (diff.kept, diff.changed) == (("a.py",), ("a.py",))
    assert diff.schedules == (new,)


def test_new_zone_data_is_no_change_of_a_directive():
    new = schedule("a.py", timetable=replace(HOURLY, zone_data="2099z"))
    diff = compare(registered(schedule("a.py")), Scan(schedules=(new,)))
    assert (diff.kept, diff.changed) == (("a.py",), ())
    assert diff.schedules == (new,)


def test_an_edit_below_the_header_is_registered_but_is_no_change():
    new = schedule("a.py", sha256="ff", stamp=FileStamp(9, 9, 9))
    diff = compare(registered(schedule("a.py")), Scan(schedules=(new,)))
    assert (diff.kept, diff.changed) == (("a.py",), ())
    assert diff.schedules[0] is new


def test_a_script_that_fails_now_keeps_its_last_good_registration():
    problem = Problem("a.py", "Invalid cron expression: 'x'", 2, 13)
    diff = compare(registered(schedule("a.py")), Scan(problems=(problem,)))
    assert (diff.kept, diff.removed, diff.changed, diff.failed) == (("a.py",), (), (), (problem,))
    assert diff.schedules == (schedule("a.py", stale="line 2: Invalid cron expression: 'x'"),)


def test_the_first_of_several_problems_is_why_it_is_stale():
    problems = (Problem("a.py", "first", 1, 1), Problem("a.py", "second", 2, 1))
    diff = compare(registered(schedule("a.py")), Scan(problems=problems))
    assert diff.schedules[0].stale == "line 1: first"
    assert diff.failed == problems


def test_a_script_that_goes_on_failing_stays_the_same_object():
    stale = schedule("a.py", stale="unsafe")
    diff = compare(registered(stale), Scan(problems=(Problem("a.py", "unsafe"),)))
    assert diff.schedules[0] is stale


def test_a_script_that_is_mended_is_no_longer_stale():
    diff = compare(registered(schedule("a.py", stale="x")), Scan(schedules=(schedule("a.py"),)))
    assert diff.schedules[0].stale is None
    assert diff.changed == ()


def test_a_script_that_never_was_registered_only_fails():
    problem = Problem("a.py", "unsafe")
    diff = compare({}, Scan(problems=(problem,)))
    assert (diff.added, diff.kept, diff.failed, diff.schedules) == ((), (), (problem,), ())


def test_a_directory_that_cannot_be_read_keeps_everything_below_it():
    scan = Scan(problems=(Problem("a", "cannot be read: I/O error"),), unread=("a",))
    before = registered(schedule("a/b/x.py"), schedule("a/y.py"), schedule("ab.py"), schedule("a.py"))
    diff = compare(before, scan)
    assert diff.kept == ("a/b/x.py", "a/y.py")
    assert diff.removed == ("a.py", "ab.py")
    assert {each.stale for each in diff.schedules} == {"cannot be read: I/O error"}


def test_a_scripts_directory_that_cannot_be_read_keeps_everything():
    scan = Scan(problems=(Problem(".", "the scripts directory /srv does not exist"),), unread=(".",))
    diff = compare(registered(schedule("a.py"), schedule("b/c.py")), scan)
    assert (diff.kept, diff.removed) == (("a.py", "b/c.py"), ())
    assert diff.failed == scan.problems


def test_a_script_found_beside_what_could_not_be_read_is_not_stale():
    scan = Scan(
        schedules=(schedule("a.py"),),
        problems=(Problem(".", "holds more than 1000000 files"),),
        unread=(".",),
    )
    diff = compare(registered(schedule("a.py"), schedule("b.py")), scan)
    assert [each.stale for each in diff.schedules] == [None, "holds more than 1000000 files"]


def test_warnings_pass_through():
    warning = Problem("a.py", "odd", 1, 1)
    assert compare({}, Scan(warnings=(warning,))).warnings == (warning,)


@pytest.mark.parametrize(
    ("script", "place", "key"),
    [
        ("job.py", Placement("default", None), "default:job.py"),
        ("shop/job.py", Placement("shop", None), "shop:shop/job.py"),
        ("default/cron/job.py", Placement("default", "cron"), "default:default/cron/job.py"),
        ("shop/a/b/job.py", Placement("shop", "a"), "shop:shop/a/b/job.py"),
    ],
)
def test_where_a_script_stands(script, place, key):
    assert placement(script) == place
    assert schedule(script).vm_cache_key == key
