"""Scripts that somebody else may change, and files that this user may not read."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from schedd.fire import Reason
from schedd.scripts import trust
from schedd.scripts.catalogue import Scan
from schedd.scripts.registration import Defaults
from schedd.scripts.scan import Scanner
from tests.machine.scripts_directory import made, put, scan, scanner

STRANGER = 54321


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    return made(tmp_path)


def as_somebody_else(act: Callable[[], str]) -> str:
    """Run `act`, whom modes stop, and return what it returns: for root, in a child that is not root."""
    if os.geteuid() != 0:
        return act()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(STRANGER, STRANGER, STRANGER)
            os.setresuid(STRANGER, STRANGER, STRANGER)
            os.write(writing, act().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said


def info(*, mode: int = 0o644, uid: int = 0, gid: int = 0) -> os.stat_result:
    return os.stat_result((stat.S_IFREG | mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "gid", "whom", "remedy"),
    [
        (0o666, 0, "everybody", "o-w"),
        (0o602, 0, "everybody", "o-w"),
        (0o777, STRANGER, "everybody", "go-w"),
        (0o664, STRANGER, f"its group (gid {STRANGER})", "g-w"),
    ],
)
def test_what_others_may_write_is_unsafe_and_the_remedy_is_named(mode, gid, whom, remedy):
    assert trust.fault("/srv/a.sh", info(mode=mode, gid=gid), frozenset({0})) == (
        f"unsafe: /srv/a.sh is writable by {whom} (mode {mode:04o}): chmod {remedy} /srv/a.sh"
    )


@pytest.mark.parametrize("uid", [0, STRANGER])
def test_a_users_private_group_may_write(uid):
    assert trust.fault("/srv/a.sh", info(mode=0o664, uid=uid, gid=uid), frozenset({0, STRANGER})) is None


def test_what_a_stranger_owns_is_unsafe():
    assert trust.fault("/srv/a.sh", info(uid=STRANGER), frozenset({0, 1000})) == (
        f"unsafe: /srv/a.sh belongs to uid {STRANGER}, neither root nor the user that schedd runs as: "
        "chown root /srv/a.sh"
    )


def test_the_remedy_can_be_pasted_into_a_shell():
    assert trust.fault("/srv/it's mine.sh", info(mode=0o666), frozenset({0})).endswith(
        "chmod o-w '/srv/it'\"'\"'s mine.sh'"
    )


def test_a_script_that_everybody_may_write_is_refused_as_unsafe(scripts):
    path = put(scripts, "a.sh")
    path.chmod(0o666)
    (problem,) = scan(scripts).problems
    assert problem.reason == f"unsafe: {path} is writable by everybody (mode 0666): chmod o-w {path}"
    assert (problem.path, problem.cause) == ("a.sh", Reason.UNSAFE)


def test_a_strangers_script_is_refused_as_unsafe(scripts):
    path = put(scripts, "a.sh")
    if os.geteuid() == 0:
        os.chown(path, STRANGER, -1)
    (problem,) = Scanner(str(scripts), defaults=Defaults(), trusted_uids=()).scan().problems
    assert f"belongs to uid {path.stat().st_uid}, neither root" in problem.reason
    assert problem.cause is Reason.UNSAFE


@pytest.mark.parametrize("directory", ["", "default", "default/cron"])
def test_a_directory_above_that_everybody_may_write_makes_its_scripts_unsafe(scripts, directory):
    put(scripts, "default/cron/a.sh")
    put(scripts, "default/cron/data.txt", "no script")
    put(scripts, "other/b.sh")
    culprit = scripts / directory
    culprit.chmod(0o777)
    found = scan(scripts)
    assert "default/cron/a.sh" in [problem.path for problem in found.problems]
    assert {problem.reason.split(" is ")[0] for problem in found.problems} == {f"unsafe: {culprit}"}
    assert len(found.problems) + len(found.schedules) == 2
    assert len(found.problems) == (1 if directory else 2)


def test_directories_above_the_scripts_directory_are_not_looked_at(scripts, tmp_path):
    put(scripts, "a.sh")
    tmp_path.chmod(0o777)
    assert len(scan(scripts).schedules) == 1


def test_a_link_is_as_safe_as_what_it_leads_to(scripts):
    put(scripts, ".pool/deep/a.sh")
    (scripts / "a.sh").symlink_to(".pool/deep/a.sh")
    (scripts / "dir").symlink_to(".pool/deep")
    assert len(scan(scripts).schedules) == 2
    (scripts / ".pool").chmod(0o777)
    found = scan(scripts)
    assert [problem.path for problem in found.problems] == ["a.sh", "dir/a.sh"]
    assert {problem.cause for problem in found.problems} == {Reason.UNSAFE}


def test_unsafe_files_that_are_no_scripts_are_nobodys_problem(scripts):
    put(scripts, "data.txt", "x").chmod(0o666)
    assert scan(scripts) == Scan()


def test_a_chmod_is_noticed_both_ways_though_the_file_is_unchanged(scripts):
    path = put(scripts, "a.sh")
    watcher = scanner(scripts)
    (before,) = watcher.scan().schedules
    path.chmod(0o666)
    assert [problem.cause for problem in watcher.scan().problems] == [Reason.UNSAFE]
    path.chmod(0o644)
    assert watcher.scan().schedules[0] is before


def test_the_other_problems_of_an_unsafe_script_are_not_kept_back(scripts):
    put(scripts, "a.sh", "# @schedule every blue moon\n").chmod(0o666)
    assert [problem.cause for problem in scan(scripts).problems] == [Reason.UNSAFE, Reason.PREFLIGHT]


def open_up(directory: Path) -> None:
    for above in (directory, *directory.parents):
        if above == Path("/tmp"):
            break
        above.chmod(0o755)


def test_a_script_that_cannot_be_read_is_a_problem(scripts):
    open_up(scripts)
    put(scripts, "a.sh").chmod(0)
    put(scripts, "b.sh").chmod(0o644)

    def act() -> str:
        found = scan(scripts)
        return f"{len(found.schedules)} {found.problems[0]} {found.problems[0].cause}"

    assert as_somebody_else(act) == "1 a.sh: cannot be read: Permission denied unreadable"


def test_a_directory_that_cannot_be_read_is_a_problem_and_named_as_unread(scripts):
    open_up(scripts)
    put(scripts, "shut/a.sh")
    put(scripts, "b.sh").chmod(0o644)
    (scripts / "shut").chmod(0)

    def act() -> str:
        found = scan(scripts)
        return f"{len(found.schedules)} {found.unread} {found.problems[0]}"

    assert as_somebody_else(act) == "1 ('shut',) shut: cannot be read: Permission denied"
    (scripts / "shut").chmod(0o755)


def test_a_scripts_directory_that_cannot_be_read_keeps_nobody_from_answering(scripts):
    open_up(scripts)
    scripts.chmod(0)

    def act() -> str:
        found = scan(scripts)
        return f"{found.unread} {found.problems[0]}"

    assert as_somebody_else(act) == "('.',) .: cannot be read: Permission denied"
    scripts.chmod(0o755)
