"""Reading a single script, for a trigger that comes before the next reload."""

import os
from pathlib import Path

import pytest

from schedd.fire import Reason
from schedd.schedule import Schedule
from schedd.scripts.scan import Scanner
from tests.machine import scripts_directory
from tests.machine.scripts_directory import made, put


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    return made(tmp_path)


@pytest.fixture
def scanner(scripts: Path) -> Scanner:
    return scripts_directory.scanner(scripts)


def test_a_script_is_read_as_a_scan_would_read_it(scripts, scanner):
    put(scripts, "default/cron/a.sh")
    schedule = scanner.read("default/cron/a.sh")
    assert isinstance(schedule, Schedule)
    assert schedule is scanner.scan().schedules[0]


def test_a_script_that_was_scanned_is_the_same_object(scripts, scanner):
    put(scripts, "a.sh")
    (schedule,) = scanner.scan().schedules
    assert scanner.read("a.sh") is schedule


def test_a_file_without_a_schedule_is_none(scripts, scanner):
    put(scripts, "a.sh", "echo\n")
    assert scanner.read("a.sh") is None


def test_a_script_with_problems_gives_all_of_them(scripts, scanner):
    put(scripts, "a.sh", "# @schedule x\n# @retry 1\n")
    (scripts / "a.sh").chmod(0o666)
    problems = scanner.read("a.sh")
    assert [problem.cause for problem in problems] == [Reason.UNSAFE, Reason.PREFLIGHT, Reason.PREFLIGHT]


def test_a_script_below_an_unsafe_directory_is_unsafe(scripts, scanner):
    put(scripts, "default/cron/a.sh")
    (scripts / "default").chmod(0o777)
    (problem,) = scanner.read("default/cron/a.sh")
    assert problem.reason.startswith(f"unsafe: {scripts}/default is writable by everybody")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("none.sh", "there is no such file"),
        ("default/cron/", "there is no such file"),
        ("/etc/passwd", "there is no such file"),
        ("../outside.sh", "there is no such file"),
        ("default/../a.sh", "there is no such file"),
        ("./a.sh", "there is no such file"),
        ("default//a.sh", "there is no such file"),
        ("", "there is no such file"),
        ("a.sh/b", "there is no such file"),
        ("a\0.sh", "there is no such file"),
        ("\ud800.sh", "there is no such file"),
        ("dangling.sh", "there is no such file"),
        (".hidden.sh", "passed over because of its name: hidden, installed or left over"),
        ("a.sh~", "passed over because of its name: hidden, installed or left over"),
        ("default", "not a file"),
        ("fifo", "not a file"),
        ("linked-directory", "not a file"),
        ("x" * 300, "cannot be read: File name too long"),
        ("x/" * 3000 + "y", "there is no such file"),
    ],
)
def test_what_a_scan_would_not_come_to_is_a_problem(scripts, scanner, script, reason):
    put(scripts.parent, "outside.sh")
    for name in ("a.sh", ".hidden.sh", "a.sh~", "default/cron/b.sh"):
        put(scripts, name)
    os.mkfifo(scripts / "fifo")
    (scripts / "dangling.sh").symlink_to("gone")
    (scripts / "linked-directory").symlink_to("default")
    (problem,) = scanner.read(script)
    assert problem.reason == reason
    assert problem.path.encode().decode().isprintable()


def test_a_script_behind_a_link_out_of_the_directory_is_unsafe(scripts, scanner, tmp_path):
    put(tmp_path, "outside/a.sh")
    (scripts / "out").symlink_to(tmp_path / "outside")
    (problem,) = scanner.read("out/a.sh")
    assert problem.cause is Reason.UNSAFE


def test_a_link_to_a_script_outside_is_unsafe(scripts, scanner, tmp_path):
    put(tmp_path, "a.sh")
    (scripts / "a.sh").symlink_to(tmp_path / "a.sh")
    (problem,) = scanner.read("a.sh")
    assert problem.cause is Reason.UNSAFE


def test_a_second_way_to_a_script_names_the_first(scripts, scanner):
    put(scripts, "default/cron/a.sh")
    (scripts / "also").symlink_to("default")
    (problem,) = scanner.read("also/cron/a.sh")
    assert problem.reason == "a link leads here: the script is registered as default/cron/a.sh"


def test_a_script_of_a_hidden_release_is_read_through_its_link(scripts, scanner):
    put(scripts, ".releases/42/a.sh")
    (scripts / "live").symlink_to(".releases/42")
    assert scanner.read("live/a.sh") is scanner.scan().schedules[0]
