"""Whatever way scripts come, go and change, the daemon finds out by itself and ends up right."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.whole.child import Child

WITHIN_S = 20
SCRIPT = "#!/bin/sh\n# @schedule {expression}\nexit 0\n"


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child(tmp_path, settings="watch = true\n")
    made.write("default/there.sh", _text())
    made.start()
    yield made
    made.close()


def _text(expression: str = "@hourly") -> str:
    return SCRIPT.format(expression=expression)


def _listed(child: Child) -> dict[str, str]:
    return {s["scriptRel"]: s["expression"] for s in child.schedules("list")["schedules"]}


def _until(child: Child, fact: Callable[[dict[str, str]], bool]) -> dict[str, str]:
    deadline = time.monotonic() + WITHIN_S
    while True:
        listed = _listed(child)
        if fact(listed):
            return listed
        assert time.monotonic() < deadline, (listed, child.said()[-2000:])
        time.sleep(0.05)


def test_a_new_script_is_registered(child: Child) -> None:
    child.write("default/new.sh", _text())
    _until(child, lambda listed: "default/new.sh" in listed)


def test_a_changed_script_is_registered_anew(child: Child) -> None:
    child.write("default/there.sh", _text("@daily"))
    _until(child, lambda listed: listed["default/there.sh"] == "@daily")


def test_a_removed_script_is_gone(child: Child) -> None:
    (child.scripts / "default/there.sh").unlink()
    _until(child, lambda listed: not listed)


def test_a_script_that_an_editor_replaces_is_registered_anew(child: Child) -> None:
    draft = child.scripts / "default/.there.sh.swp"
    draft.write_text(_text("@daily"))
    draft.rename(child.scripts / "default/there.sh")
    _until(child, lambda listed: listed["default/there.sh"] == "@daily")
    draft.write_text(_text("@weekly"))
    draft.rename(child.scripts / "default/there.sh")
    _until(child, lambda listed: listed["default/there.sh"] == "@weekly")


def test_a_tree_that_appears_at_once_is_found_whole(child: Child, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    for directory in ("a", "a/b", "a/b/c"):
        (ready / directory).mkdir(parents=True, exist_ok=True)
        (ready / directory / "deep.sh").write_text(_text())
    ready.rename(child.scripts / "moved")
    expected = {"moved/a/deep.sh", "moved/a/b/deep.sh", "moved/a/b/c/deep.sh"}
    _until(child, lambda listed: expected <= listed.keys())
    child.write("moved/a/b/c/later.sh", _text())
    _until(child, lambda listed: "moved/a/b/c/later.sh" in listed)


def test_a_directory_that_is_removed_and_made_again_is_still_watched(child: Child) -> None:
    for expression in ("@daily", "@weekly", "@monthly"):
        shutil.rmtree(child.scripts / "default")
        child.write("default/there.sh", _text(expression))
        _until(child, lambda listed, wanted=expression: listed.get("default/there.sh") == wanted)


def test_a_directory_that_is_moved_away_and_replaced_is_still_watched(child: Child) -> None:
    (child.scripts / "default").rename(child.scripts / ".old")
    child.write("default/there.sh", _text("@daily"))
    _until(child, lambda listed: listed.get("default/there.sh") == "@daily")
    child.write("default/there.sh", _text("@weekly"))
    _until(child, lambda listed: listed.get("default/there.sh") == "@weekly")


def test_a_link_that_is_turned_to_another_release_is_followed(child: Child) -> None:
    for release, expression in ((".releases/1", "@daily"), (".releases/2", "@weekly")):
        child.write(f"{release}/app.sh", _text(expression))
    _point(child.scripts / "current", ".releases/1")
    _until(child, lambda listed: listed.get("current/app.sh") == "@daily")
    _point(child.scripts / "current", ".releases/2")
    _until(child, lambda listed: listed.get("current/app.sh") == "@weekly")


def _point(link: Path, target: str) -> None:
    fresh = link.with_name(".fresh")
    fresh.symlink_to(target)
    fresh.rename(link)


def test_a_half_written_script_ends_in_the_state_of_the_whole_one(child: Child) -> None:
    path = child.scripts / "default/there.sh"
    with path.open("w") as file:
        file.write("#!/bin/sh\n# @sched")
        file.flush()
        child.write("default/other.sh", _text())
        _until(child, lambda listed: "default/other.sh" in listed)
        file.write("ule @daily\nexit 0\n")
    _until(child, lambda listed: listed.get("default/there.sh") == "@daily")


def test_a_checkout_of_another_branch_is_followed(child: Child) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(child.scripts))

    def run(*words: str) -> None:
        subprocess.run((*git, *words), check=True, capture_output=True, timeout=30)

    run("init", "-b", "one")
    run("add", ".")
    run("commit", "-m", "one")
    run("checkout", "-b", "two")
    child.write("default/there.sh", _text("@daily"))
    for number in range(50):
        child.write(f"more/{number % 7}/{number}.sh", _text())
    run("add", ".")
    run("commit", "-m", "two")
    _until(child, lambda listed: len(listed) == 51)
    run("checkout", "one")
    _until(child, lambda listed: listed == {"default/there.sh": "@hourly"})
    run("checkout", "two")
    _until(child, lambda listed: len(listed) == 51 and listed["default/there.sh"] == "@daily")


def test_a_mode_that_makes_a_script_unsafe_is_noticed(child: Child) -> None:
    (child.scripts / "default/there.sh").chmod(0o666)
    deadline = time.monotonic() + WITHIN_S
    while child.schedules("list")["schedules"][0]["status"] != "stale":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_ten_thousand_files_at_once_are_one_or_two_reloads(child: Child) -> None:
    for number in range(100):
        (child.scripts / f"many/{number}").mkdir(parents=True)
    for number in range(10_000):
        (child.scripts / f"many/{number % 100}/{number}.sh").write_text(_text())
    deadline = time.monotonic() + 120
    while child.ask("GET", "/readyz")[1]["schedules"] != 10_001:
        assert time.monotonic() < deadline, child.said()[-2000:]
        time.sleep(0.2)
    assert 1 <= child.said().count("reloaded:") <= 12


def test_what_is_no_script_is_not_told_of(child: Child) -> None:
    before = child.said().count("reloaded:")
    (child.scripts / "default/notes.txt").write_text("nothing to see")
    (child.scripts / "default/there.sh.bak").write_text(_text())
    child.write("default/new.sh", _text())
    _until(child, lambda listed: "default/new.sh" in listed)
    os.utime(child.scripts / "default/notes.txt")
    time.sleep(1)
    assert child.said().count("reloaded:") == before + 1


def test_without_watch_nothing_is_looked_at(tmp_path: Path) -> None:
    child = Child(tmp_path, settings="watch = false\n")
    child.write("default/there.sh", _text())
    try:
        child.start()
        child.write("default/new.sh", _text())
        time.sleep(1)
        assert set(_listed(child)) == {"default/there.sh"}
    finally:
        child.close()
