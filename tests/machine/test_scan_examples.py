"""The scripts that schedd ships: they register without a word of complaint, and do what they say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from schedd.schedule import Schedule
from schedd.scripts.catalogue import Scan
from schedd.scripts.registration import Defaults
from schedd.scripts.scan import Scanner

EXAMPLES = Path(__file__).parents[2] / "etc/scripts"
MINUTE_S = 60


@pytest.fixture(scope="module")
def found() -> Scan:
    owners = {os.geteuid(), EXAMPLES.stat().st_uid}
    return Scanner(str(EXAMPLES), defaults=Defaults(), trusted_uids=owners).scan()


@pytest.fixture(scope="module")
def examples(found: Scan) -> dict[str, Schedule]:
    return {schedule.script: schedule for schedule in found.schedules}


def run(schedule: Schedule, tmp_path: Path) -> tuple[int, object]:
    result = tmp_path / "result"
    told = {"SCHEDD_STATE_DIR": str(tmp_path), "SCHEDD_RESULT": str(result), "SCHEDD_KIND": "manual"}
    environment = {"PATH": os.environ["PATH"], **dict(schedule.env), **told}
    done = subprocess.run(
        ["sh", schedule.path], env=environment, capture_output=True, timeout=10, check=False
    )
    return done.returncode, json.loads(result.read_text()) if result.exists() else None


def test_nothing_is_wrong_with_any_of_them(found):
    assert [str(problem) for problem in found.problems + found.warnings] == []


def test_every_file_is_a_script_that_says_what_it_is_for(examples):
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*") if path.is_file()}
    assert set(examples) == files
    assert all(schedule.description for schedule in examples.values())
    assert all(0 < schedule.timeout_ms <= MINUTE_S * 1000 for schedule in examples.values())


def test_every_language_has_one(examples):
    assert {Path(script).suffix for script in examples} == {".py", ".sh", ".js", ".ts"}


@pytest.mark.parametrize("now", [1_795_521_600, 1_795_521_659])
def test_the_first_fire_comes_within_a_minute(examples, now):
    nexts = [schedule.timetable.next_after(now) for schedule in examples.values()]
    assert min(nexts) - now <= 20
    assert sum(slot - now <= MINUTE_S for slot in nexts) >= 3


def test_the_heartbeat_returns_how_the_machine_is_and_counts(examples, tmp_path):
    program = (
        "import runpy,sys,json; main = runpy.run_path(sys.argv[1])['main']; main(); print(json.dumps(main()))"
    )
    command = [sys.executable, "-I", "-c", program, examples["default/cron/heartbeat.py"].path]
    environment = {"SCHEDD_STATE_DIR": str(tmp_path)}
    output = subprocess.run(command, env=environment, capture_output=True, timeout=10, check=True).stdout
    result = json.loads(output.splitlines()[-1])
    assert result["beats"] == 2
    assert result["freeMemoryMiB"] > 0


def test_the_disk_space_is_a_result(examples, tmp_path):
    code, result = run(examples["default/cron/disk-space.sh"], tmp_path)
    assert code == 0
    assert set(result) == {"totalMiB", "usedMiB", "freeMiB", "percent"}
    assert 0 <= result["percent"] <= 100


def test_the_one_that_fails_on_purpose_exits_with_7_and_says_so(examples, tmp_path):
    schedule = examples["default/demo/fails-on-purpose.sh"]
    assert run(schedule, tmp_path) == (7, None)
    assert "Exits with 7" in schedule.description


def test_the_guarded_one_asks_for_force(examples, tmp_path):
    schedule = examples["default/demo/needs-force.sh"]
    assert schedule.guarded
    assert run(schedule, tmp_path) == (0, "done")


def test_the_slow_one_takes_no_longer_than_it_says(examples):
    schedule = examples["default/demo/takes-20-seconds.py"]
    seconds = int(re.search(r"^SECONDS = (\d+)$", Path(schedule.path).read_text(), re.MULTILINE)[1])
    assert f"{seconds} seconds" in schedule.description
    assert seconds * 1000 < schedule.timeout_ms
