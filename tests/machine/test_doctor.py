"""`schedd doctor`: each thing that can be wrong is found, with its mend."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.machine.cli import Shell


class Host:
    """A host with directories of its own, and what the doctor says of it."""

    def __init__(self, root: Path, shell: Shell) -> None:
        self.scripts = root / "scripts"
        self.state = root / "state"
        self.settings = root / "schedd.toml"
        self.scripts.mkdir(mode=0o755)
        self.state.mkdir(mode=0o750)
        self.settings.write_text(f'socket = "{root}/api.sock"\n')
        self._shell = shell

    def write(self, name: str, text: str) -> None:
        (self.scripts / name).write_text(text)
        (self.scripts / name).chmod(0o644)

    def asked(self) -> tuple[int, list[dict[str, Any]]]:
        places = ("--scripts-dir", str(self.scripts), "--state-dir", str(self.state))
        told = self._shell.run("doctor", "--json", *places, "--config", str(self.settings))
        return told.code, json.loads(told.out)

    def found(self, subject: str) -> list[dict[str, Any]]:
        return [finding for finding in self.asked()[1] if finding["subject"] == subject]


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(tmp_path, Shell(capsys))


def test_a_daemon_that_does_not_answer_is_bad_and_says_how_to_start_it(host: Host) -> None:
    code, found = host.asked()
    assert code == 1
    assert (found[0]["subject"], found[0]["level"]) == ("daemon", "bad")
    assert "systemctl start schedd" in found[0]["mend"]


def test_scripts_that_can_be_run_are_counted(host: Host) -> None:
    host.write("a.sh", "#!/bin/sh\n# @schedule @daily\n")
    (found,) = host.found("scripts")
    assert (found["level"], found["what"]) == ("fine", f"1 script in {host.scripts} can be run")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("# @schedule every blue moon\n", "Invalid cron expression"),
        ("#!/opt/zig/run\n# @schedule @daily\n", "/opt/zig/run"),
        ("#!/bin/sh\n# @schedule @daily\nif true\n", "a.sh:"),
    ],
)
def test_a_script_that_would_not_run_is_bad(host: Host, text: str, what: str) -> None:
    host.write("a.sh", text)
    (found,) = host.found("scripts")
    assert found["level"] == "bad"
    assert what in found["what"]
    assert found["mend"] == f"schedd check {host.scripts}"


def test_a_script_that_others_may_write_is_bad(host: Host) -> None:
    host.write("a.sh", "#!/bin/sh\n# @schedule @daily\n")
    (host.scripts / "a.sh").chmod(0o666)
    (found,) = host.found("scripts")
    assert "unsafe" in found["what"]
    assert "chmod" in found["what"]


def test_a_state_directory_that_everybody_may_read_is_bad(host: Host) -> None:
    host.state.chmod(0o755)
    found = host.found("state")[0]
    assert (found["level"], found["mend"]) == ("bad", f"chmod o-rwx {host.state}")


def test_a_state_directory_that_is_missing_is_odd(host: Host) -> None:
    host.state.rmdir()
    found = host.found("state")[0]
    assert found["level"] == "odd"
    assert "install -d -m 750" in found["mend"]


def test_a_ledger_of_another_user_is_bad(host: Host) -> None:
    (host.state / "ledger.log").write_text("")
    os.chown(host.state / "ledger.log", 65_534, 65_534)
    found = host.found("state")[-1]
    assert found["level"] == "bad"
    assert "chown -R" in found["mend"]


def test_a_broken_configuration_is_all_that_is_told(host: Host) -> None:
    host.settings.write_text("max_runing = 3\n")
    code, found = host.asked()
    assert code == 1
    assert [finding["subject"] for finding in found] == ["configuration"]
    assert "max_running" in found[0]["what"]


def test_in_a_pipe_each_finding_is_a_line(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    told = Shell(capsys).run("doctor", "--state-dir", str(host.state), "--config", str(host.settings))
    assert told.code == 1
    assert all(len(line.split("\t")) == 4 for line in told.out.splitlines())
