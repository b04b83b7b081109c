"""When some files are named, only those are read: if that is enough, and not at all if it may not be."""

import os

import pytest

from schedd.schedule import Schedule
from tests.machine.scripts_directory import SCRIPT, put, scanner


@pytest.fixture
def scripts(tmp_path):
    directory = tmp_path / "scripts"
    directory.mkdir(mode=0o755)
    return directory


@pytest.fixture
def known(scripts):
    """A scanner that has seen a good script and a file that is none."""
    put(scripts, "good.sh", SCRIPT)
    put(scripts, "data.csv", "1;2;3\n")
    made = scanner(scripts)
    made.scan()
    return made


def test_an_edited_script_is_what_a_scan_would_find(scripts, known):
    put(scripts, "good.sh", SCRIPT.replace("@schedule", "@label edited\n# @schedule"))
    found = known.look(["good.sh"])
    assert isinstance(found["good.sh"], Schedule)
    assert (found["good.sh"].label, [found["good.sh"]]) == ("edited", list(known.scan().schedules))


def test_a_new_script_is_found(scripts, known):
    put(scripts, "new.sh", SCRIPT)
    assert known.look(["new.sh"])["new.sh"] in known.scan().schedules


def test_a_file_without_a_schedule_is_none(scripts, known):
    put(scripts, "data.csv", "4;5;6\n")
    assert known.look(["data.csv"]) == {"data.csv": None}


def test_a_file_that_came_and_went_is_nothing(known):
    assert known.look(["4913"]) == {}


@pytest.mark.parametrize(
    "text", [SCRIPT.replace("@schedule ", "@schedule x "), "#!/bin/sh\n# @schedul 0 0 * * *\n"], ids=str
)
def test_what_is_wrong_or_odd_wants_a_scan(scripts, known, text):
    put(scripts, "good.sh", text)
    assert known.look(["good.sh"]) is None


def test_so_does_what_was_wrong_before(scripts, known):
    put(scripts, "good.sh", SCRIPT.replace("@schedule ", "@schedule x "))
    known.scan()
    put(scripts, "good.sh", SCRIPT)
    assert known.look(["good.sh"]) is None


def test_so_does_a_script_that_is_gone(scripts, known):
    (scripts / "good.sh").unlink()
    assert known.look(["good.sh"]) is None


def test_so_does_a_directory(scripts, known):
    (scripts / "team").mkdir()
    assert known.look(["team"]) is None


def test_so_does_anything_where_there_are_links(scripts, known):
    (scripts / "alias.sh").symlink_to("good.sh")
    known.scan()
    assert known.look(["good.sh"]) is None


def test_so_does_a_file_with_two_names(scripts, known):
    os.link(scripts / "good.sh", scripts / "twin.sh")
    assert known.look(["good.sh"]) is None
