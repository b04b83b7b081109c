"""Reading a scripts directory: what is found there, what is passed over, and at what price."""

import hashlib
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from schedd.fire import Reason
from schedd.schedule import FileStamp
from schedd.scripts import intake
from schedd.scripts import walk as walk_module
from schedd.scripts.catalogue import Scan
from schedd.scripts.walk import MOST_LEVELS
from tests.machine.scripts_directory import SCRIPT, made, names, put, scan, scanner


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    return made(tmp_path)


def test_scripts_are_found_at_every_level_in_order(scripts):
    for name in ("z.sh", "default/cron/b.sh", "default/cron/a.sh", "default-x/c.sh"):
        put(scripts, name)
    found = scan(scripts)
    assert names(found) == ["default-x/c.sh", "default/cron/a.sh", "default/cron/b.sh", "z.sh"]
    assert found.problems == found.warnings == found.unread == ()


def test_a_schedule_knows_its_file(scripts):
    path = put(scripts, "default/a.sh", SCRIPT + "# padding\n" * 100_000)
    info = path.stat()
    (schedule,) = scan(scripts).schedules
    assert schedule.path == str(path)
    assert schedule.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert schedule.stamp == FileStamp(info.st_ino, info.st_size, info.st_mtime_ns)


def test_an_empty_directory_has_nothing(scripts):
    assert scan(scripts) == Scan()


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.sh",
        ".git/hook.sh",
        "node_modules/x/y.sh",
        "default/__pycache__/x.sh",
        "a.sh~",
        "a.sh.bak",
        ".a.sh.swp",
        "a.sh.swp",
        "a.sh.tmp",
        "a.sh.dpkg-new",
        "a.sh.dpkg-old",
        "a.sh.rpmsave",
        "a.sh.rpmnew",
        "old.bak/a.sh",
    ],
)
def test_leftovers_and_hidden_files_are_passed_over(scripts, name):
    put(scripts, name)
    assert scan(scripts) == Scan()


def test_files_without_a_schedule_are_nobodys_problem(scripts):
    put(scripts, "notes.md", "# @timeout soon\n# @retry 3\n# @timezon x\n")
    put(scripts, "lib.py", "import os\n# @schedule scripts are read by schedd\n")
    put(scripts, "photo.jpg", bytes(range(256)) * 100)
    put(scripts, "empty", "")
    assert scan(scripts) == Scan()


def test_a_misspelt_schedule_is_a_warning_even_though_the_file_is_then_no_script(scripts):
    put(scripts, "a.sh", "# @schedul 0 5 * * *\n# @timezon UTC\n")
    found = scan(scripts)
    assert [str(warning) for warning in found.warnings] == [
        "a.sh:1:3: `@schedul` is not a directive: did you mean `@schedule`?"
    ]


def test_a_schedule_below_the_code_is_a_warning_since_the_file_is_then_no_script(scripts):
    put(scripts, "a.py", '"""Cleans up."""\n# @schedule 0 5 * * *\n')
    found = scan(scripts)
    assert found.schedules == found.problems == ()
    assert [str(warning) for warning in found.warnings] == [
        "a.py:2:3: `@schedule` is not read here, since line 1 is code, which ends the header: move it up"
    ]


@pytest.mark.parametrize(
    ("name", "first"),
    [("a.py", ""), ("a.ts", "/*\n"), ("a", "#!/bin/sh\n"), ("a.sh", "#!/bin/sh\n")],
)
def test_a_script_whose_comments_go_on_beyond_what_is_read_is_a_warning(scripts, name, first):
    put(scripts, name, first + "# pad\n" * 3000 + "# @schedule 0 5 * * *\n")
    found = scan(scripts)
    assert found.schedules == found.problems == ()
    (warning,) = found.warnings
    assert warning.reason.startswith("the header goes on beyond 16 KiB: nothing behind line 27")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("notes.conf", "# pad\n" * 5000),
        ("module.py", "# pad\n" * 5 + "x = 1\n" * 5000),
        ("bundle.js", "/*! (c) */\n" + "let x=1;" * 5000),
        ("oneline.js", "let x=1;" * 5000),
        ("just.py", "# pad\n" * 2000),
    ],
)
def test_a_long_file_that_is_no_script_or_has_its_code_in_sight_is_none(scripts, name, text):
    put(scripts, name, text)
    assert scan(scripts) == Scan()


def test_of_a_huge_file_no_more_is_read_than_a_header(scripts, monkeypatch):
    put(scripts, "a.py", "# pad\n" * 1_700_000)
    sizes: list[int] = []
    read = os.read
    monkeypatch.setattr(os, "read", lambda fd, size: sizes.append(size) or read(fd, size))
    assert len(scan(scripts).warnings) == 1
    assert sum(sizes) <= 2 * (16 * 1024 + 1)


def test_what_a_header_names_and_is_not_there_is_a_warning_until_it_is(scripts):
    put(scripts, "a.sh", "# @schedule 0 5 * * *\n# @env-file a.env\n# @cwd work\n")
    watcher = scanner(scripts)
    for found in (watcher.scan(), watcher.scan()):
        assert names(found) == ["a.sh"]
        assert [str(warning) for warning in found.warnings] == [
            f"a.sh:2:13: @env-file: {scripts}/a.env does not exist: no run can start without it",
            f"a.sh:3:8: @cwd: {scripts}/work does not exist: no run can start without it",
        ]
    put(scripts, "a.env", "A=1\n")
    (scripts / "work").mkdir()
    assert watcher.scan().warnings == ()


def test_directives_that_do_not_go_together_are_a_warning_and_stay_with_the_script(scripts):
    put(scripts, "a.sh", "# @schedule * * * * *\n# @retry 3 every 5m\n# @catchup last within 6h\n")
    watcher = scanner(scripts)
    for found in (watcher.scan(), watcher.scan()):
        assert names(found) == ["a.sh"]
        reason = "@retry waits too long: a new slot comes every minute and takes its place"
        assert [str(warning) for warning in found.warnings] == [f"a.sh:2:10: {reason}"]
        assert found.schedules[0].warnings == (f"line 2: {reason}",)


def test_problems_of_all_files_come_with_their_places_in_order(scripts):
    put(scripts, "b.sh", "# @schedule every blue moon\n# @retry 2\n")
    put(scripts, "a.sh", "\n# @schedule 0 5 * * *\n# @nice cold\n")
    put(scripts, "good.sh")
    found = scan(scripts)
    assert [(problem.path, problem.line, problem.column) for problem in found.problems] == [
        ("a.sh", 3, 9),
        ("b.sh", 1, 13),
        ("b.sh", 2, 10),
    ]
    assert names(found) == ["good.sh"]


def test_a_scan_of_unchanged_files_opens_none_of_them_and_gives_the_same_objects(scripts, monkeypatch):
    put(scripts, "a.sh")
    put(scripts, "b.sh", "# @schedule every blue moon\n")
    put(scripts, "c.sh", "# @schedul x\n")
    put(scripts, "d.py", "import os\n")
    watcher = scanner(scripts)
    first = watcher.scan()
    opened: list[int] = []
    really = os.open

    def note(path: str, flags: int) -> int:
        opened.append(flags & os.O_DIRECTORY)
        return really(path, flags)

    monkeypatch.setattr(os, "open", note)
    second = watcher.scan()
    assert opened == [os.O_DIRECTORY]
    assert second == first
    assert second.schedules[0] is first.schedules[0]


def test_an_edit_is_noticed_and_the_other_scripts_stay_the_same_objects(scripts):
    put(scripts, "a.sh")
    path = put(scripts, "b.sh")
    watcher = scanner(scripts)
    a, b = watcher.scan().schedules
    put(scripts, "b.sh", SCRIPT.replace("0 5", "10 5"))
    new_a, new_b = watcher.scan().schedules
    assert new_a is a
    assert (b.expression, new_b.expression) == ("0 5 * * *", "10 5 * * *")
    path.unlink()
    assert names(watcher.scan()) == ["a.sh"]


def test_an_atomic_replacement_of_equal_size_and_time_is_noticed(scripts):
    path = put(scripts, "a.sh")
    watcher = scanner(scripts)
    watcher.scan()
    info = path.stat()
    put(scripts, "new", SCRIPT.replace("0 5", "9 5"))
    os.utime(scripts / "new", ns=(info.st_atime_ns, info.st_mtime_ns))
    (scripts / "new").replace(path)
    assert [schedule.expression for schedule in watcher.scan().schedules] == ["9 5 * * *"]


def test_a_schedule_directive_taken_away_takes_the_script_away(scripts):
    put(scripts, "a.sh")
    watcher = scanner(scripts)
    watcher.scan()
    put(scripts, "a.sh", "exit 0\n")
    assert watcher.scan() == Scan()


def test_a_missing_directory_is_one_sentence(tmp_path):
    found = scan(tmp_path / "none")
    assert found.unread == (".",)
    assert [str(problem) for problem in found.problems] == [
        f".: the scripts directory {tmp_path}/none does not exist: create it, or set scripts_dir"
    ]
    assert found.problems[0].cause is Reason.UNREADABLE


def test_a_file_in_the_directorys_place_is_one_sentence(scripts):
    scripts.rmdir()
    scripts.write_text("not a directory")
    (problem,) = scan(scripts).problems
    assert problem.reason == f"the scripts directory {scripts} is not a directory: set scripts_dir"


def test_directories_deeper_than_the_limit_are_said_to_be_unread(scripts):
    deep = "/".join("d" * (MOST_LEVELS + 1))
    put(scripts, f"{deep}/a.sh")
    put(scripts, "/".join("e" * MOST_LEVELS) + "/a.sh")
    found = scan(scripts)
    assert found.unread == (deep,)
    assert len(found.schedules) == 1


def test_a_directory_of_too_many_files_was_named_by_mistake(scripts, monkeypatch):
    monkeypatch.setattr(walk_module, "MOST_FILES", 3)
    for name in "abcd":
        put(scripts, f"{name}.sh")
    found = scan(scripts)
    assert found.unread == (".",)
    assert found.problems[0].reason == "holds more than 3 files: is it the right directory?"


@pytest.mark.parametrize(
    "name", [b"two\nlines.sh", b"bell\x07.sh", b"caf\xe9.sh", "line\u2028.sh".encode(), b"d\n/a.sh"]
)
def test_a_name_that_cannot_be_a_key_is_a_problem_and_printable(scripts, name):
    path = os.fsencode(scripts) + b"/" + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(SCRIPT.encode())
    (problem,) = scan(scripts).problems
    assert problem.reason == "the name holds a control character or is not UTF-8: rename the file"
    assert problem.path.isprintable()
    assert problem.path.encode()


def test_names_with_spaces_quotes_and_umlauts_are_fine(scripts):
    put(scripts, "my 'jörb' \"1\" & co;.sh")
    assert names(scan(scripts)) == ["my 'jörb' \"1\" & co;.sh"]


def test_a_script_larger_than_the_limit_is_refused(scripts):
    path = put(scripts, "a.sh")
    os.truncate(path, intake.MOST_BYTES + 1)
    os.truncate(put(scripts, "data.bin", b"x"), intake.MOST_BYTES + 1)
    (problem,) = scan(scripts).problems
    assert str(problem) == "a.sh: larger than 16 MiB: a script of this size is not registered"


def test_fifos_sockets_and_devices_are_never_opened(scripts):
    os.mkfifo(scripts / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(scripts / "socket"))
        (scripts / "device").symlink_to("/dev/zero")
        assert scan(scripts) == Scan()


def test_a_file_that_does_not_hold_still_is_refused_this_time(scripts):
    path = put(scripts, "a.sh", SCRIPT + "#" * 8_000_000)
    done = threading.Event()

    def write_on() -> None:
        while not done.is_set():
            os.utime(path)

    watcher = scanner(scripts)
    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        (problem,) = watcher.scan().problems
    finally:
        done.set()
        writer.join()
    assert str(problem) == "a.sh: was being written while it was read: reload again"
    assert names(watcher.scan()) == ["a.sh"]


def test_ten_thousand_files_that_are_no_scripts_are_a_matter_of_a_moment(scripts):
    first = put(scripts, "0.py", "# @param x\nimport os\n")
    for index in range(1, 10_000):
        os.link(first, f"{scripts}/{index}.py")  # cheaper to make than files, the same to read
    watcher = scanner(scripts)
    start = time.process_time()
    assert watcher.scan() == Scan()
    again = time.process_time()
    assert watcher.scan() == Scan()
    # Measured: 180 ms and 40 ms. The bounds are for a change of the order, on any machine.
    assert again - start < 2.0
    assert time.process_time() - again < 0.5
