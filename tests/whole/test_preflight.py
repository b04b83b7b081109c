"""Preflight through the API: failed, stale, mended; a dry run says what a reload does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.whole.child import Child

DAILY = "# @schedule 30 2 * * *\n"
GOOD = DAILY + "print('fine')\n"
BROKEN = DAILY + "print(\n"
SCHEDULES = "/api/v1/exec/schedules"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Child]:
    child = Child(tmp_path, settings='python = "/usr/bin/python3"\n')
    yield child
    child.close()


def reload(daemon: Child, *, dry_run: bool = False) -> Any:
    return daemon.schedules("reload", method="POST", body={"dry_run": dry_run})


def listed(daemon: Child, script: str) -> Any:
    return next(each for each in daemon.schedules("list")["schedules"] if each["id"] == script)


def test_a_script_that_breaks_is_stale_until_it_is_mended(daemon: Child) -> None:
    daemon.write("a.py", GOOD)
    daemon.start()
    daemon.write("a.py", BROKEN)
    dry = reload(daemon, dry_run=True)
    real = reload(daemon)
    assert {**dry, "dry_run": False} == real
    (failed,) = real["failed"]
    assert (failed["path"], failed["line"]) == ("a.py", 2)
    assert failed["reason"] == "SyntaxError: '(' was never closed"
    assert real["kept"] == ["a.py"]
    assert listed(daemon, "a.py")["status"] == "stale"
    daemon.write("a.py", GOOD + "\n")
    assert reload(daemon)["failed"] == []
    assert listed(daemon, "a.py")["status"] == "scheduled"


def test_a_stale_script_is_still_stale_after_a_restart(daemon: Child) -> None:
    daemon.write("a.py", GOOD)
    daemon.start()
    daemon.write("a.py", BROKEN)
    reload(daemon)
    daemon.stop()
    daemon.start()
    assert listed(daemon, "a.py")["status"] == "stale"


def test_a_new_script_that_is_broken_can_be_neither_registered_nor_triggered(daemon: Child) -> None:
    daemon.start()
    daemon.write("a.py", BROKEN)
    daemon.write("b.sh", DAILY + "# @requires cmd:no-such\n")
    report = reload(daemon)
    assert (report["added"], [each["path"] for each in report["failed"]]) == ([], ["a.py", "b.sh"])
    status, answer = daemon.ask("POST", f"{SCHEDULES}/trigger", {"scriptPath": "a.py"})
    assert (status, answer["error"]) == (400, "script is not schedulable")
    assert answer["details"]["reason"] == "SyntaxError: '(' was never closed"


def test_what_a_run_requires_is_looked_at_when_it_starts(daemon: Child) -> None:
    there = daemon.scripts.parent / "mounted"
    there.touch()
    daemon.write("a.sh", f"{DAILY}# @requires file:{there}\necho\n")
    daemon.start()
    there.unlink()
    ran = daemon.schedules("trigger", method="POST", body={"scriptPath": "a.sh"})
    assert (ran["triggered"], ran["status"]) == (False, "load_error")
    (line,) = daemon.wait_for_lines(1, scriptPath="a.sh")
    assert (line["reason"], line["error"]) == ("preflight", f"@requires file:{there}: it is not there")
