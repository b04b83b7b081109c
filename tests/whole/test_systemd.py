"""schedd as a service: installed by `make install`, kept by a real systemd, read with a real journalctl."""

import os
import re
import shutil
from pathlib import Path

import pytest

from schedd.host.journald import Event
from tests.whole.installed import (
    PREFIX,
    UNIT_FILE,
    drop_in,
    entries,
    fires,
    install,
    lay,
    listed,
    make,
    slots,
    soon,
)
from tests.whole.systemd_lab import ROOT, Lab

EVERY_SECOND = """#!/bin/sh
# @schedule * * * * * *
id -un
env
touch /etc/written 2>&1 || true
"""


@pytest.fixture(scope="module")
def service(lab: Lab, staged: Path) -> Lab:
    """A machine on which schedd has just been installed and started, as docs/operations.md says."""
    install(lab, staged)
    lay(lab, "every_second.sh", EVERY_SECOND)
    lab.run("systemctl", "enable", "--now", "schedd")
    return lab


def test_the_unit_has_nothing_that_systemd_would_mend_or_ignore(service: Lab) -> None:
    done = service.run("systemd-analyze", "verify", "--recursive-errors=no", UNIT_FILE)
    assert done.stdout + done.stderr == ""


def test_the_unit_is_not_exposed(service: Lab) -> None:
    service.run("systemd-analyze", "security", "--offline=true", "--threshold=40", "--no-pager", UNIT_FILE)


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
    drop_in(service, "watch.conf", "[Service]\nWatchdogSec=2\nTimeoutStopSec=1\n")
    service.run("systemctl", "restart", "schedd")
    hung = service.show("schedd", "MainPID")
    service.run("kill", "-STOP", hung)
    soon(lambda: service.show("schedd", "NRestarts") == "1", "the watchdog has bitten")
    soon(lambda: service.show("schedd", "ActiveState") == "active", "the daemon is back")
    assert service.show("schedd", "MainPID") != hung
    before = len(fires(service, "every_second.sh"))
    soon(lambda: len(fires(service, "every_second.sh")) > before + 1, "slots are decided again")


def test_each_run_has_a_group_of_its_own_and_nothing_of_it_is_left(service: Lab) -> None:
    """After a restart, too. The lab's tree has no controllers, which is said, with what takes their place."""
    (said,) = {
        entry["MESSAGE"] for entry in entries(service, "--unit=schedd") if "cgroup" in entry["MESSAGE"]
    }
    assert said == (
        "a delegated cgroup v2 without controllers: memory and pids limits by setrlimit, "
        "cpu limits are not enforced"
    )
    escapes = "(env -i setsid sleep 300.42 &)\ncat /proc/self/cgroup >$SCHEDD_RESULT\n"
    lay(service, "escapes.sh", f"#!/bin/sh\n# @schedule @yearly\n{escapes}")
    service.run("systemctl", "reload", "schedd")
    service.run(f"{PREFIX}/bin/schedd", "trigger", "default/escapes.sh")
    (ran,) = fires(service, "escapes.sh")
    assert f"/schedd.service/run-{ran['runId']}" in ran["returnPreview"]
    assert service.run("pgrep", "--full", "sleep 300.42", check=False).stdout == ""
    left = service.output("find", f"/sys/fs/cgroup{service.show('schedd', 'ControlGroup')}", "-name", "run-*")
    assert ran["runId"] not in left


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
    assert not service.path("/run/schedd/api.sock").exists()


def test_a_configuration_that_cannot_work_is_said_and_not_tried_again(service: Lab) -> None:
    service.path("/etc/schedd/schedd.d").mkdir()
    service.path("/etc/schedd/schedd.d/broken.toml").write_text("drian = '10s'\n")
    assert service.run("systemctl", "start", "schedd", check=False).returncode != 0
    assert service.show("schedd", "ActiveState") == "failed"
    assert service.show("schedd", "NRestarts") == "0"
    assert any("drian" in entry["MESSAGE"] for entry in entries(service, "--unit=schedd"))


def test_as_root_with_a_few_powers_the_daemon_runs_scripts_as_other_users(service: Lab) -> None:
    example = (ROOT / "systemd/loosen.conf.example").read_text()
    block = example.split("# Scripts that run as other users")[1].split("\n\n")[0]
    settings = [line[1:] for line in block.splitlines() if re.match(r"#[A-Z]\w+=", line)]
    assert len(settings) == 3
    drop_in(service, "users.conf", "\n".join(["[Service]", *settings, ""]))
    service.path("/etc/schedd/schedd.d/broken.toml").write_text("allowed_users = ['nobody']\n")
    script = "(env -i setsid sleep 300.43 &)\ncd $SCHEDD_STATE_DIR\nid -un >who\ncat who >$SCHEDD_RESULT\n"
    lay(service, "is_nobody.sh", f"#!/bin/sh\n# @schedule @yearly\n# @user nobody\n{script}")
    service.run("systemctl", "start", "schedd")
    service.run(f"{PREFIX}/bin/schedd", "trigger", "default/is_nobody.sh")
    (ran,) = fires(service, "is_nobody.sh")
    assert (ran["status"], ran["returnPreview"]) == ("ok", '{"$string":"nobody"}')
    assert service.run("pgrep", "--full", "sleep 300.43", check=False).stdout == ""


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


def test_uninstall_takes_back_all_but_what_is_the_administrators(staged: Path, tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    shutil.copytree(staged, stage, symlinks=True, copy_function=os.link)
    make("uninstall", stage)
    left = {os.path.join(directory, name) for directory, _, names in os.walk(stage) for name in names}
    assert left == {f"{stage}/etc/schedd/schedd.toml"}
