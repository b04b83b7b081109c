"""What an administrator does to the service, and sees of it: restarts, crashes, secrets, the journal."""

import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schedd.host.journald import FIELDS, Event, Journal
from schedd.timetable.instant import from_ms, to_ms
from tests.whole.installed import (
    SCRIPTS,
    UNIT_FILE,
    all_fires,
    drop_in,
    entries,
    fires,
    install,
    lay,
    schedd,
    slots,
    soon,
)
from tests.whole.systemd_lab import ROOT, Lab

SECRET = "tangerine-7781-kiosk"
CREDENTIAL = "/run/credentials/schedd.service/api-key"
KILLS = 5
BURST = 200

LIFE = """
[Service]
LoadCredential=api-key:/etc/schedd/api.key
RestartSec=100ms
"""

SETTINGS = """
drain = "4s"
grace = "1s"
allowed_users = ["nobody"]
"""

TALKS = """#!/bin/sh
# @schedule * * * * * *
echo an ordinary line
echo '<3>a broken thing'
echo '<4>an odd thing' >&2
[ "$SCHEDD_KIND" != manual ]
"""


@pytest.fixture(scope="module")
def service(lab: Lab, staged: Path) -> Lab:
    """A machine with schedd, entrusted with a secret, and with one script that is due each second."""
    install(lab, staged)
    key = lab.path("/etc/schedd/api.key")
    key.touch(0o600)
    key.write_text(f"{SECRET}\n")
    settings = lab.path("/etc/schedd/schedd.d")
    settings.mkdir()
    (settings / "life.toml").write_text(SETTINGS)
    drop_in(lab, "life.conf", LIFE)
    lay(lab, "talks.sh", TALKS)
    lab.run("systemctl", "start", "schedd")
    return lab


def triggered(lab: Lab, script: str) -> dict[str, Any]:
    """Run a script now; return its line."""
    done = lab.run("/usr/local/bin/schedd", "trigger", f"default/{script}", "--json", check=False)
    assert done.stdout, done.stderr
    run_id = json.loads(done.stdout)["runId"]
    (line,) = (line for line in fires(lab, script) if line["runId"] == run_id)
    return line


def running(lab: Lab) -> dict[str, str]:
    """Return the run in flight of each script."""
    runs = json.loads(schedd(lab, "runs", "--json"))["runs"]
    return {
        run["scriptPath"].rpartition("/")[2]: run["runId"] for run in runs if run.get("state") == "running"
    }


def register(lab: Lab, scripts: dict[str, str]) -> None:
    """Lay scripts and have them read."""
    for name, text in scripts.items():
        lay(lab, name, text)
    lab.run("systemctl", "reload", "schedd")


def remove(lab: Lab, pattern: str) -> None:
    """Take scripts away."""
    for path in lab.path(SCRIPTS).glob(pattern):
        path.unlink()
    lab.run("systemctl", "reload", "schedd")


def slot_is_decided(lab: Lab) -> None:
    """Wait for one that comes due after now."""
    now_ms = time.time_ns() // 1_000_000
    soon(
        lambda: any(to_ms(line["slot"]) > now_ms for line in fires(lab, "talks.sh") if "slot" in line),
        "the next slot is decided",
    )


# Secrets


def test_a_credential_of_the_unit_is_there_for_scripts_by_its_path_only(service: Lab) -> None:
    register(
        service,
        {
            "has_secret.sh": "#!/bin/sh\n# @schedule @yearly\nset -e\n"
            f'[ -z "$CREDENTIALS_DIRECTORY" ]\n[ "$(cat {CREDENTIAL})" = {SECRET} ]\n'
        },
    )
    assert triggered(service, "has_secret.sh")["status"] == "ok"
    assert service.path("/etc/schedd/api.key").stat().st_mode & 0o777 == 0o600


def test_a_credential_that_a_script_prints_is_nowhere_to_be_read(service: Lab) -> None:
    register(
        service,
        {
            "leaks.sh": "#!/bin/sh\n# @schedule @yearly\n# @returns json\n"
            f'echo "key=$(cat {CREDENTIAL})"\necho "\\"$(cat {CREDENTIAL})\\"" >"$SCHEDD_RESULT"\n'
        },
    )
    run_id = triggered(service, "leaks.sh")["runId"]
    assert schedd(service, "output", run_id) == "key=[redacted]\n"
    (said,) = entries(service, f"SCHEDD_RUN_ID={run_id}", "SYSLOG_IDENTIFIER=leaks.sh")
    assert said["MESSAGE"] == "key=[redacted]"
    assert SECRET not in service.journal()
    found = service.run("grep", "--recursive", "--files-with-matches", SECRET, "/var/lib/schedd", check=False)
    assert found.stdout == ""


# The journal


def test_every_field_of_the_documented_table_finds_the_lines_that_have_it(service: Lab) -> None:
    table = (ROOT / "docs/operations.md").read_text().partition("### The journal")[2].partition("\n## ")[0]
    documented = {
        field.partition("=")[0]
        for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
        for field in re.findall(r"`([A-Z_]+(?:=\w+)?)`", row)
    }
    assert set(FIELDS) < documented
    fire = soon(lambda: fires(service, "talks.sh"), "a slot was run")[0]
    (end,) = entries(service, f"SCHEDD_RUN_ID={fire['runId']}", f"SCHEDD_STATUS={fire['status']}")
    failed = triggered(service, "talks.sh")
    (end_of_failed,) = entries(service, f"SCHEDD_RUN_ID={failed['runId']}", "SCHEDD_STATUS=error")
    for field in documented:
        value = {**end_of_failed, **end}[field]
        found = entries(service, "--unit=schedd", f"{field}={value}")
        assert found, field
        assert {entry[field] for entry in found} == {value}


def test_the_journal_says_of_an_end_what_the_fires_log_says(service: Lab) -> None:
    failed = triggered(service, "talks.sh")
    (end,) = entries(service, "SCHEDD_STATUS=error", "SCHEDD_REASON=exit", f"SCHEDD_RUN_ID={failed['runId']}")
    assert (end["SCHEDD_SCRIPT"], end["SCHEDD_KIND"], end["MESSAGE_ID"]) == (
        "default/talks.sh",
        "manual",
        Event.FAILED,
    )
    assert (end["SYSLOG_IDENTIFIER"], int(end["PRIORITY"]) <= 4) == ("schedd", True)


def test_a_slot_is_found_by_its_instant_as_the_history_has_it_and_nothing_else_is(service: Lab) -> None:
    line = soon(lambda: fires(service, "talks.sh"), "a slot was run")[0]
    found = entries(service, f"SCHEDD_SLOT={line['slot']}")
    assert {(entry["SCHEDD_SCRIPT"], entry["SCHEDD_RUN_ID"]) for entry in found} == {
        ("default/talks.sh", line["runId"])
    }
    assert {entry["SYSLOG_IDENTIFIER"] for entry in found} == {"schedd", "talks.sh"}


def test_what_a_script_prints_is_in_the_journal_with_the_priority_that_it_asks_for(service: Lab) -> None:
    run_id = triggered(service, "talks.sh")["runId"]
    said = entries(service, "--identifier=talks.sh", f"SCHEDD_RUN_ID={run_id}")
    assert [(entry["PRIORITY"], entry["MESSAGE"]) for entry in said] == [
        ("6", "an ordinary line"),
        ("3", "a broken thing"),
        ("4", "an odd thing"),
    ]
    assert {entry["_SYSTEMD_UNIT"] for entry in said} == {"schedd.service"}
    bad = entries(service, "--priority=err", "--identifier=talks.sh", f"SCHEDD_RUN_ID={run_id}")
    assert [entry["MESSAGE"] for entry in bad] == ["a broken thing"]


def test_every_kind_of_event_is_explained_with_the_names_filled_in(service: Lab) -> None:
    journal = Journal(str(service.path("/run/systemd/journal/socket")))
    about = {name: f"the-{name.lower()}" for name in FIELDS if name != "MESSAGE_ID"}
    for event in Event:
        assert journal.send(
            {"MESSAGE": event.name, "MESSAGE_ID": event, "SYSLOG_IDENTIFIER": "explained", **about}
        )
    journal.close()
    service.run("journalctl", "--sync")
    shown = service.output("journalctl", "--catalog", "--no-pager", "--quiet", "--identifier=explained")
    assert re.findall(r"^.* explained.*: (\w+)$", shown, re.MULTILINE) == [event.name for event in Event]
    assert len(re.findall(r"^.. Subject: ", shown, re.MULTILINE)) == len(Event)
    assert len(re.findall(r"^.. Defined-By: schedd$", shown, re.MULTILINE)) == len(Event)
    assert not re.search(r"@SCHEDD_\w+@", shown)


# The sandbox


def test_every_switch_that_the_unit_leaves_open_is_explained_in_it(
    service: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    table = service.output("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT_FILE)
    left_open = [line for line in table.splitlines() if line.startswith("✗")]
    with capsys.disabled():
        print("", *left_open, table.splitlines()[-1], sep="\n")
    text = service.path(UNIT_FILE).read_text()
    names = {
        name for line in left_open for name in re.findall(r"[A-Za-z]+", line.split()[1].partition("~")[0])
    }
    assert names
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)] == []


def test_with_the_drop_in_for_it_a_script_is_another_user_and_no_script_has_the_means(service: Lab) -> None:
    example = service.path("/usr/local/share/doc/schedd/switch-user.conf.example").read_text()
    drop_in(service, "switch-user.conf", example)
    service.run("systemctl", "restart", "schedd")
    text = "id -un\nawk '/^Cap(Prm|Eff|Amb)/ {print $2}' /proc/self/status\n"
    none = ["0000000000000000"] * 3
    try:
        register(
            service,
            {
                "is_nobody.sh": f"#!/bin/sh\n# @schedule @yearly\n# @user nobody\n{text}"
                'echo 7 >"$SCHEDD_RESULT"\n',
                "is_itself.sh": f"#!/bin/sh\n# @schedule @yearly\n{text}",
                "is_limited.sh": f"#!/bin/sh\n# @schedule @yearly\n# @files 100\n{text}",
                "is_python.py": "# @schedule @yearly\nimport os\n"
                "try:\n    os.setuid(0)\nexcept PermissionError:\n    print(os.getuid() != 0)\n",
                "hangs.sh": "#!/bin/sh\n# @schedule @yearly\n# @user nobody\n# @timeout 1s\n"
                "(env -i setsid sleep 50 &)\nsleep 60\n",
            },
        )
        lines = {name: triggered(service, name) for name in ("is_nobody.sh", "is_itself.sh", "is_limited.sh")}
        said = {name: schedd(service, "output", line["runId"]).split() for name, line in lines.items()}
        assert said == {
            "is_nobody.sh": ["nobody", *none],
            "is_itself.sh": ["schedd", *none],
            "is_limited.sh": ["schedd", *none],
        }
        (kept,) = service.path("/var/lib/schedd/output").glob(f"*/{lines['is_nobody.sh']['runId']}.result")
        assert json.loads(kept.read_text()) == 7
        assert schedd(service, "output", triggered(service, "is_python.py")["runId"]) == "True\n"
        assert triggered(service, "hangs.sh")["status"] == "timeout"
        assert service.run("pgrep", "--uid", "nobody", check=False).stdout == ""
    finally:
        remove(service, "is_*")
        remove(service, "hangs.sh")
        service.path("/etc/systemd/system/schedd.service.d/switch-user.conf").unlink()
        service.run("systemctl", "daemon-reload")


# Restarts and crashes


def test_a_restart_lets_runs_end_and_stops_those_that_take_longer_than_the_drain(service: Lab) -> None:
    header = "#!/bin/sh\n# @schedule @yearly\necho begun\n"
    register(
        service,
        {
            "ends_when_told.sh": f'{header}until [ -e "$SCHEDD_STATE_DIR/go" ]; do sleep 0.05; done\n',
            "never_ends.sh": f"{header}sleep 60\n",
        },
    )
    for name in ("ends_when_told", "never_ends"):
        schedd(service, "trigger", "--no-wait", f"default/{name}.sh")
    alive = soon(lambda: len(runs := running(service)) >= 2 and runs, "both run")
    service.run("systemctl", "restart", "--no-block", "schedd")
    soon(lambda: service.show("schedd", "StatusText").startswith("draining"), "it drains")
    service.path("/var/lib/schedd/scripts/default/ends_when_told.sh/go").touch()
    soon(lambda: re.match(r"\d+ schedules", service.show("schedd", "StatusText")), "it is up again")
    (well,), (badly,) = (fires(service, f"{name}.sh") for name in ("ends_when_told", "never_ends"))
    assert (well["runId"], well["status"]) == (alive["ends_when_told.sh"], "ok")
    assert (badly["runId"], badly["status"], badly["reason"]) == (alive["never_ends.sh"], "error", "stopped")
    assert service.run("pgrep", "--full", "sleep 60", check=False).stdout == ""
    assert schedd(service, "output", well["runId"]) == "begun\n"
    remove(service, "*_ends.sh")
    remove(service, "ends_*")


def test_a_restart_amid_a_burst_of_scripts_due_in_one_second_loses_no_slot(service: Lab) -> None:
    due_ms = (time.time_ns() // 1_000_000_000 + 6) * 1000
    when = from_ms(due_ms)
    register(
        service,
        {
            f"burst_{number}.sh": f"#!/bin/sh\n# @schedule @at {when[:19]}Z\nsleep 0.2\n"
            for number in range(BURST)
        },
    )
    assert time.time() * 1000 < due_ms, "the scripts were not registered in time"

    def of_burst() -> list[dict[str, Any]]:
        return [line for line in all_fires(service) if "/burst_" in line["scriptPath"]]

    soon(of_burst, "the burst has begun")
    service.run("systemctl", "restart", "schedd")
    soon(lambda: len(of_burst()) >= BURST, "all of the burst is decided")
    lines = of_burst()
    assert Counter(line["status"] for line in lines) == {"ok": BURST}
    assert {line["slot"] for line in lines} == {when}
    assert len({line["scriptPath"] for line in lines}) == BURST
    remove(service, "burst_*")


def test_five_crashes_are_mended_the_sixth_waits_for_somebody_and_each_slot_has_one_line(
    service: Lab,
) -> None:
    service.run("systemctl", "reset-failed", "schedd")
    register(service, {"is_cut_off.sh": "#!/bin/sh\n# @schedule @yearly\nsleep 60\n"})
    schedd(service, "trigger", "--no-wait", "default/is_cut_off.sh")
    cut_off = soon(lambda: running(service).get("is_cut_off.sh"), "it runs")
    before = int(service.show("schedd", "NRestarts"))
    for number in range(1, KILLS + 1):
        service.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "schedd")
        soon(lambda n=number: service.show("schedd", "NRestarts") == str(before + n), "it is started again")
        soon(lambda: service.show("schedd", "ActiveState") == "active", "it is back")
    (line,) = fires(service, "is_cut_off.sh")
    assert (line["runId"], line["status"], line["reason"]) == (cut_off, "error", "interrupted")
    assert service.run("pgrep", "--full", "sleep 60", check=False).stdout == ""
    slot_is_decided(service)
    service.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "schedd")
    soon(lambda: service.show("schedd", "ActiveState") == "failed", "systemd gives up")
    service.run("systemctl", "reset-failed", "schedd")
    service.run("systemctl", "start", "schedd")
    slot_is_decided(service)
    service.run("systemctl", "stop", "schedd")  # so that nothing is under way
    told = sorted(
        slot for line in fires(service, "talks.sh") if line["kind"] == "schedule" for slot in slots(line)
    )
    assert told == list(range(told[0], told[-1] + 1))
    run_ids = [line["runId"] for line in all_fires(service)]
    assert len(run_ids) == len(set(run_ids))
    service.run("systemctl", "start", "schedd")
