"""schedd as a service: installed by `make install`, kept by a real systemd, read with a real journalctl."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schedd.host.journald import Event
from schedd.timetable.instant import to_ms
from tests.whole.systemd_lab import ROOT, Lab

PREFIX = "/usr/local"
SCRIPTS = "/etc/schedd/scripts/default"
DEADLINE_S = 20

EVERY_SECOND = """#!/bin/sh
# @schedule * * * * * *
id -un
env
touch /etc/written 2>&1 || true
"""


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make install` makes, in a directory of its own."""
    stage = tmp_path_factory.mktemp("stage")
    make("install", stage)
    return stage


@pytest.fixture(scope="module")
def service(lab: Lab, staged: Path) -> Iterator[Lab]:
    """A machine on which schedd has just been installed and started, as docs/operations.md says."""
    subprocess.run(["cp", "-a", *staged.iterdir(), lab.path("/")], check=True)
    lab.path(SCRIPTS).mkdir(parents=True)
    lay(lab, "every_second.sh", EVERY_SECOND)
    lab.run("systemd-sysusers")
    lab.run("systemd-tmpfiles", "--create", "schedd.conf")
    lab.run("journalctl", "--update-catalog")
    lab.run("systemctl", "daemon-reload")
    lab.run("systemctl", "enable", "--now", "schedd")
    yield lab
    print(lab.output("systemd-analyze", "security", "--offline=true", "--no-pager", unit_file()))


def make(target: str, stage: Path) -> None:
    """Run make as a packager would."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", ROOT, target, f"DESTDIR={stage}", f"PREFIX={PREFIX}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def unit_file() -> str:
    """Return where the unit is in the lab."""
    return f"{PREFIX}/lib/systemd/system/schedd.service"


def lay(lab: Lab, name: str, text: str) -> None:
    """Put a script into the lab."""
    lab.path(f"{SCRIPTS}/{name}").write_text(text)


def soon(holds: Callable[[], Any], what: str) -> Any:
    """Wait until a fact holds, and return it."""
    deadline = time.monotonic() + DEADLINE_S
    while not (fact := holds()):
        assert time.monotonic() < deadline, f"waited {DEADLINE_S} s until {what}"
        time.sleep(0.05)
    return fact


def entries(lab: Lab, *matches: str) -> list[dict[str, Any]]:
    """Return journal entries."""
    return [json.loads(line) for line in lab.journal(*matches).splitlines()]


def fires(lab: Lab, script: str) -> list[dict[str, Any]]:
    """Return the lines of the fires log about a script."""
    log = lab.path("/var/lib/schedd/fires.log")
    lines = log.read_text().splitlines() if log.exists() else []
    return [line for line in map(json.loads, lines) if line["scriptPath"] == f"default/{script}"]


def slots(line: dict[str, Any]) -> range:
    """Return the slots that a line of the fires log accounts for, of a script that is due each second."""
    first = to_ms(line["slot"]) // 1000
    return range(first, first + line.get("count", 1))


def listed(lab: Lab) -> set[str]:
    """Return the scripts that the daemon has registered, as the command line on that machine shows them."""
    schedules = json.loads(lab.output(f"{PREFIX}/bin/schedd", "list", "--json"))
    return {schedule["scriptRel"] for schedule in schedules["schedules"]}


def test_the_unit_has_nothing_that_systemd_would_mend_or_ignore(service: Lab) -> None:
    done = service.run("systemd-analyze", "verify", "--recursive-errors=no", unit_file())
    assert done.stdout + done.stderr == ""


def test_the_unit_is_not_exposed(service: Lab) -> None:
    service.run("systemd-analyze", "security", "--offline=true", "--threshold=40", "--no-pager", unit_file())


def test_start_waits_until_scripts_are_read_and_status_shows_them(service: Lab) -> None:
    assert service.show("schedd", "ActiveState") == "active"
    assert service.show("schedd", "StatusText").startswith("1 schedules, ")
    assert listed(service) == {"default/every_second.sh"}


def test_the_service_and_its_scripts_are_an_ordinary_user_in_a_sandbox(service: Lab) -> None:
    ok = soon(lambda: fires(service, "every_second.sh"), "a script has run")[0]
    assert ok["status"] == "ok", ok
    printed = service.output(f"{PREFIX}/bin/schedd", "output", ok["runId"])
    assert printed.splitlines()[0] == "schedd"
    assert "Read-only file system" in printed
    owner = service.path("/var/lib/schedd").stat()
    assert (owner.st_mode & 0o777, owner.st_uid) == (
        0o750,
        service.path("/run/schedd/api.sock").stat().st_uid,
    )


def test_a_script_inherits_nothing_of_what_systemd_told_the_daemon(service: Lab) -> None:
    ok = soon(lambda: fires(service, "every_second.sh"), "a script has run")[0]
    printed = service.output(f"{PREFIX}/bin/schedd", "output", ok["runId"])
    names = {line.partition("=")[0] for line in printed.splitlines() if "=" in line}
    told = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM", "LISTEN_FDS"}
    assert "SCHEDD_RUN_ID" in names
    assert not names & told


def test_the_journal_is_asked_by_unit_by_script_and_by_run(service: Lab) -> None:
    assert entries(service, "--unit=schedd", f"MESSAGE_ID={Event.UP}")
    of_script = soon(
        lambda: entries(service, "SCHEDD_SCRIPT=default/every_second.sh", "SCHEDD_STATUS=ok"),
        "a run's end is in the journal",
    )
    (run_id,) = {of_script[0]["SCHEDD_RUN_ID"]}
    assert {entry["SCHEDD_SCRIPT"] for entry in entries(service, f"SCHEDD_RUN_ID={run_id}")} == {
        "default/every_second.sh"
    }


def test_the_journal_explains_what_an_event_means(service: Lab) -> None:
    explained = service.output("journalctl", "--no-pager", "--catalog", f"MESSAGE_ID={Event.UP}")
    assert "Subject: schedd is up" in explained


def test_a_reload_is_over_when_systemctl_returns(service: Lab) -> None:
    for number in range(3):
        lay(service, f"new_{number}.sh", "#!/bin/sh\n# @schedule @yearly\n")
        service.run("systemctl", "reload", "schedd")
        assert f"default/new_{number}.sh" in listed(service)


def test_a_daemon_that_hangs_is_replaced_and_the_slots_go_on(service: Lab) -> None:
    drop_in = service.path("/etc/systemd/system/schedd.service.d/watch.conf")
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nWatchdogSec=2\nTimeoutStopSec=1\n")
    service.run("systemctl", "daemon-reload")
    service.run("systemctl", "restart", "schedd")
    hung = service.show("schedd", "MainPID")
    service.run("kill", "-STOP", hung)
    soon(lambda: service.show("schedd", "NRestarts") == "1", "the watchdog has bitten")
    soon(lambda: service.show("schedd", "ActiveState") == "active", "the daemon is back")
    assert service.show("schedd", "MainPID") != hung
    before = len(fires(service, "every_second.sh"))
    soon(lambda: len(fires(service, "every_second.sh")) > before + 1, "slots are decided again")


def test_each_second_has_exactly_one_line_across_all_that(service: Lab) -> None:
    told = sorted(slot for line in fires(service, "every_second.sh") for slot in slots(line))
    assert told == list(range(told[0], told[-1] + 1))


def test_a_stop_waits_for_runs_longer_than_its_timeout_and_leaves_nothing_behind(service: Lab) -> None:
    lay(service, "slow.sh", "#!/bin/sh\n# @schedule * * * * * *\nsleep 3\n")
    service.run("systemctl", "reload", "schedd")
    soon(lambda: "slow.sh" in service.output(f"{PREFIX}/bin/schedd", "runs"), "the slow script runs")
    assert service.show("schedd", "TimeoutStopUSec") == "1s"
    service.run("systemctl", "stop", "schedd")
    assert service.show("schedd", "Result") == "success"
    (ran,) = (line for line in fires(service, "slow.sh") if line["status"] != "skipped_overload")
    assert ran["status"] == "ok"
    assert ran["durationMs"] >= 3000
    assert entries(service, "--unit=schedd", f"MESSAGE_ID={Event.DOWN}")
    assert service.run("pgrep", "--uid", "schedd", check=False).stdout == ""
    assert not service.path("/run/schedd").exists()


def test_a_configuration_that_cannot_work_is_said_and_not_tried_again(service: Lab) -> None:
    service.path("/etc/schedd/schedd.d").mkdir()
    service.path("/etc/schedd/schedd.d/broken.toml").write_text("drian = '10s'\n")
    assert service.run("systemctl", "start", "schedd", check=False).returncode != 0
    assert service.show("schedd", "ActiveState") == "failed"
    assert service.show("schedd", "NRestarts") == "0"
    assert any("drian" in entry["MESSAGE"] for entry in entries(service, "--unit=schedd"))


@pytest.mark.parametrize(
    ("shell", "path"),
    [
        ("bash", "share/bash-completion/completions/schedd"),
        ("zsh", "share/zsh/site-functions/_schedd"),
        ("fish", "share/fish/vendor_completions.d/schedd.fish"),
    ],
)
def test_each_shell_finds_its_completion(staged: Path, shell: str, path: str) -> None:
    loader = (staged / f"{PREFIX.lstrip('/')}/{path}").read_text()
    assert f"Completion of schedd for {shell}: /usr/local/{path}\n" in loader


def test_uninstall_takes_back_all_but_what_is_the_administrators(staged: Path) -> None:
    make("uninstall", staged)
    left = {os.path.join(directory, name) for directory, _, names in os.walk(staged) for name in names}
    assert left == {f"{staged}/etc/schedd/schedd.toml"}
