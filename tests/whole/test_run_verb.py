"""`schedd run`: what the daemon would do with a script, in the foreground, from a shell of one's own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = "#!/bin/sh\n# @schedule 0 3 * * *\n# @timezone Europe/Berlin\n"
SHELL = {
    "PATH": os.environ["PATH"],
    "HOME": "/nowhere",
    "TZ": "Asia/Tokyo",
    "AWS_SECRET": "hunter2",
    "LANG": "C.UTF-8",
}


class Desk:
    """A person's shell, in a directory with scripts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scripts = root / "scripts"
        self.scripts.mkdir(mode=0o755)
        self.state = root / "state"

    def write(self, text: str, name: str = "prints.sh") -> str:
        path = self.scripts / name
        path.write_text(HEAD + text + "\n")
        path.chmod(0o644)
        return name

    def command(self, *words: str) -> list[str]:
        places = ("--scripts-dir", str(self.scripts), "--state-dir", str(self.state))
        return [sys.executable, "-m", "schedd", "run", *places, *words]

    def run(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            capture_output=True,
            text=True,
            timeout=30,
            env=SHELL,
            cwd=cwd or self.root,
            check=False,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_it_prints_what_the_script_prints_and_how_it_ended_beside(desk: Desk) -> None:
    told = desk.run(desk.write("echo here; echo there >&2; echo '{\"rows\": 2}' > $SCHEDD_RESULT"))
    assert (told.returncode, told.stdout) == (0, "here\nthere\n")
    assert "schedd: ok, after " in told.stderr
    assert 'schedd: result: {"rows":2}' in told.stderr


def test_the_environment_is_the_daemons_and_its_differences_to_the_shells_are_told(desk: Desk) -> None:
    told = desk.run(desk.write('echo "$TZ|${AWS_SECRET-unset}|$SCHEDD_KIND"'))
    assert told.stdout == "Europe/Berlin|unset|manual\n"
    assert "  ~ TZ=Europe/Berlin   (here: Asia/Tokyo)" in told.stderr
    assert "  + SCHEDD_KIND=manual" in told.stderr
    assert "  - AWS_SECRET" in told.stderr


def test_values_that_the_script_does_not_get_are_not_shown(desk: Desk) -> None:
    assert "hunter2" not in desk.run(desk.write(":")).stderr


def test_values_of_an_env_file_are_not_shown(desk: Desk) -> None:
    (desk.scripts / "secrets.env").write_text("PASSWORD=swordfish\n")
    told = desk.run(desk.write('# @env-file secrets.env\necho "$PASSWORD"'))
    assert told.stdout == "swordfish\n"
    assert "PASSWORD=(of its env file)" in told.stderr
    assert "swordfish" not in told.stderr


def test_a_slot_is_read_on_the_clock_of_the_scripts_zone(desk: Desk) -> None:
    told = desk.run("--slot", "2027-01-31 03:00", desk.write('echo "$SCHEDD_SLOT $SCHEDD_KIND"'))
    assert told.stdout == "2027-01-31T03:00:00+01:00 replay\n"
    assert "is no slot" not in told.stderr


def test_a_time_that_is_no_slot_is_run_and_said(desk: Desk) -> None:
    told = desk.run("--slot", "2027-01-31T02:59Z", desk.write("echo ran"))
    assert told.stdout == "ran\n"
    assert "2027-01-31T02:59:00.000Z is no slot of '0 3 * * *'; the next one is 2027-02-01" in told.stderr


def test_what_is_no_time_is_refused(desk: Desk) -> None:
    told = desk.run("--slot", "yesterday", desk.write("echo ran"))
    assert (told.returncode, told.stdout) == (2, "")
    assert "'yesterday' is not an instant" in told.stderr


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("exit 7", 7),
        ("kill -TERM $$", 128 + signal.SIGTERM),
        ("# @timeout 200ms\nsleep 9", 124),
        ("# @expect stdout /fine/\necho bad", 1),
        ("# @expect exit 3\nexit 3", 0),
    ],
)
def test_its_exit_code_tells_how_the_script_ended(desk: Desk, text: str, code: int) -> None:
    assert desk.run(desk.write(text)).returncode == code


def test_what_cannot_be_started_says_why(desk: Desk) -> None:
    path = desk.scripts / "asks_for_more.zig"
    path.write_text("#!/opt/zig/run\n# @schedule 0 3 * * *\n")
    path.chmod(0o644)
    told = desk.run(path.name)
    assert told.returncode != 0
    assert "/opt/zig/run, which does not exist" in told.stderr


def test_a_script_outside_the_scripts_directory_is_run_where_it_is(desk: Desk, tmp_path: Path) -> None:
    elsewhere = tmp_path / "checkout"
    elsewhere.mkdir(mode=0o755)
    script = elsewhere / "new.sh"
    script.write_text(HEAD + "pwd\n")
    script.chmod(0o644)
    assert desk.run("new.sh", cwd=elsewhere).stdout == f"{elsewhere}\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "is neither in"),
        ("#!/bin/sh\necho hello\n", "has no @schedule line"),
        ("# @schedule every blue moon\n", "none.sh:1:13: Invalid cron expression: 'every blue moon'"),
    ],
)
def test_what_is_no_script_is_said_in_a_sentence(desk: Desk, text: str | None, sentence: str) -> None:
    if text is not None:
        (desk.scripts / "none.sh").write_text(text)
        (desk.scripts / "none.sh").chmod(0o644)
    told = desk.run("none.sh")
    assert told.returncode == 1
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr


def test_json_has_the_outcome_on_stdout_and_the_output_on_stderr(desk: Desk) -> None:
    told = desk.run("--json", desk.write("echo here; exit 4"))
    answer = json.loads(told.stdout)
    assert (told.returncode, answer["status"], answer["exitCode"]) == (4, "error", 4)
    assert "AWS_SECRET" in answer["environment"]["absent"]
    assert told.stderr == "here\n"


def test_an_interrupt_stops_the_script_and_says_so(desk: Desk) -> None:
    name = desk.write("trap 'echo tidied; exit 0' TERM; echo ready; sleep 60 & wait")
    with subprocess.Popen(
        desk.command(name), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=SHELL
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert out == "tidied\n"
    assert "schedd: error (stopped), after" in err
    assert "stopped by SIGINT" in err
