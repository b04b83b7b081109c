"""Symbolic links in a scripts directory: followed inside it, never out of it, never round in circles."""

from pathlib import Path

import pytest

from schedd.fire import Reason
from schedd.scripts.catalogue import Scan
from tests.machine.scripts_directory import made, names, put, scan, scanner


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    return made(tmp_path)


def test_a_link_to_a_script_inside_is_a_script_of_its_own(scripts):
    put(scripts, "available/a.sh")
    (scripts / "enabled").mkdir()
    (scripts / "enabled/a.sh").symlink_to("../available/a.sh")
    found = scan(scripts)
    assert names(found) == ["available/a.sh", "enabled/a.sh"]
    assert found.problems == found.warnings == ()


def test_a_link_to_a_script_outside_is_unsafe(scripts, tmp_path):
    outside = put(tmp_path, "outside.sh")
    (scripts / "a.sh").symlink_to(outside)
    (problem,) = scan(scripts).problems
    assert str(problem) == (
        f"a.sh: unsafe: links to {outside}, outside the scripts directory: put the file itself here"
    )
    assert problem.cause is Reason.UNSAFE


def test_a_link_to_a_neighbour_with_the_same_beginning_is_outside(scripts, tmp_path):
    (scripts / "a.sh").symlink_to(put(tmp_path, "scripts-old/a.sh"))
    assert [problem.cause for problem in scan(scripts).problems] == [Reason.UNSAFE]


def test_a_link_to_data_outside_is_nobodys_problem(scripts, tmp_path):
    (scripts / "data.csv").symlink_to(put(tmp_path, "data.csv", "a,b\n"))
    assert scan(scripts) == Scan()


def test_a_link_to_a_directory_outside_is_not_followed_and_that_is_said(scripts, tmp_path):
    put(tmp_path, "outside/a.sh")
    (scripts / "out").symlink_to(tmp_path / "outside")
    found = scan(scripts)
    assert (found.schedules, found.problems) == ((), ())
    assert [str(warning) for warning in found.warnings] == [
        f"out: links to {tmp_path}/outside, outside the scripts directory: not followed"
    ]


def test_a_link_to_a_hidden_release_is_followed_under_its_own_name(scripts):
    put(scripts, ".releases/42/cron/a.sh")
    (scripts / "default").symlink_to(".releases/42")
    found = scan(scripts)
    assert names(found) == ["default/cron/a.sh"]
    assert found.schedules[0].path == f"{scripts}/default/cron/a.sh"


def test_files_linked_through_a_hidden_directory_are_found(scripts):
    put(scripts, "..2026_11/a.sh")
    (scripts / "..data").symlink_to("..2026_11")
    (scripts / "a.sh").symlink_to("..data/a.sh")
    assert names(scan(scripts)) == ["a.sh"]


def test_a_link_flipped_to_another_release_is_noticed(scripts):
    put(scripts, ".releases/1/a.sh")
    put(scripts, ".releases/2/a.sh", "# @schedule 9 5 * * *\n")
    (scripts / "live").symlink_to(".releases/1")
    watcher = scanner(scripts)
    watcher.scan()
    (scripts / "next").symlink_to(".releases/2")
    (scripts / "next").replace(scripts / "live")
    assert [schedule.expression for schedule in watcher.scan().schedules] == ["9 5 * * *"]


def test_a_link_to_a_directory_beside_it_does_not_run_its_scripts_twice(scripts):
    put(scripts, "real/a.sh")
    (scripts / "also").symlink_to("real")
    found = scan(scripts)
    assert names(found) == ["real/a.sh"]
    assert [str(warning) for warning in found.warnings] == [
        "also: the same directory as real: its scripts are registered there"
    ]


def test_links_in_a_circle_end(scripts):
    put(scripts, "a/x.sh")
    (scripts / "a/up").symlink_to("..")
    (scripts / "a/self").symlink_to(".")
    (scripts / "one").symlink_to("two")
    (scripts / "two").symlink_to("one")
    found = scan(scripts)
    assert names(found) == ["a/x.sh"]
    assert sorted(warning.path for warning in found.warnings) == ["a/self", "a/up", "one", "two"]


def test_directories_that_all_link_to_each_other_do_not_multiply(scripts):
    for here in "abcdefgh":
        put(scripts, f".{here}/x.sh")
        for there in "abcdefgh":
            (scripts / f".{here}/{there}").symlink_to(f"../.{there}")
    (scripts / "start").symlink_to(".a")
    found = scan(scripts)
    assert len(found.schedules) == 8
    assert names(found)[0] == "start/b/x.sh"


def test_a_link_that_leads_nowhere_is_a_warning(scripts):
    (scripts / "a.sh").symlink_to("gone.sh")
    found = scan(scripts)
    assert found.problems == ()
    assert [str(warning) for warning in found.warnings] == [
        "a.sh: a link that leads nowhere: No such file or directory"
    ]


def test_the_scripts_directory_itself_may_be_a_link(scripts, tmp_path):
    put(scripts, "a.sh")
    (scripts / "b.sh").symlink_to("a.sh")
    (tmp_path / "link").symlink_to("scripts")
    found = scan(tmp_path / "link")
    assert [schedule.path for schedule in found.schedules] == [
        f"{tmp_path}/link/a.sh",
        f"{tmp_path}/link/b.sh",
    ]
