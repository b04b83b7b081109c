"""What scripts print, where schedd is a service: in a real journal, and without the service's credentials."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.whole.installed import PREFIX, drop_in, entries, install, lay, schedd, soon
from tests.whole.systemd_lab import Lab


@pytest.fixture(scope="module")
def service(lab: Lab, staged: Path) -> Lab:
    """A machine on which schedd runs, with a credential."""
    install(lab, staged)
    lab.path("/etc/db-password").write_text("correct-horse-battery\n")
    drop_in(lab, "credential.conf", "[Service]\nLoadCredential=db:/etc/db-password\n")
    lay(lab, "prints.sh", "#!/bin/sh\n# @schedule @yearly\necho all fine\necho '<3>broken' >&2\n")
    lay(lab, "floods.sh", "#!/bin/sh\n# @schedule @yearly\nyes flood | head -c 20M\n")
    lay(lab, "leaks.sh", "#!/bin/sh\n# @schedule @yearly\necho it is correct-horse-battery\nexit 1\n")
    lab.run("systemctl", "start", "schedd")
    return lab


def triggered(lab: Lab, script: str) -> dict[str, Any]:
    """Run a script; return the answer."""
    done = lab.run(f"{PREFIX}/bin/schedd", "trigger", f"default/{script}", "--json", check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def printed(lab: Lab, answer: dict[str, Any], script: str) -> list[dict[str, Any]]:
    """Return the lines of a run that are in the journal."""
    return entries(lab, f"SCHEDD_RUN_ID={answer['runId']}", f"SYSLOG_IDENTIFIER={script}")


def test_what_a_script_prints_is_in_the_journal_with_its_run_and_its_priority(service: Lab) -> None:
    answer = triggered(service, "prints.sh")
    soon(lambda: len(printed(service, answer, "prints.sh")) == 2, "both lines are in the journal")
    lines = printed(service, answer, "prints.sh")
    assert [(line["MESSAGE"], line["PRIORITY"]) for line in lines] == [("all fine", "6"), ("broken", "3")]
    for name, value in {
        "SCHEDD_SCRIPT": "default/prints.sh",
        "SCHEDD_KIND": "manual",
        "_SYSTEMD_UNIT": "schedd.service",
    }.items():
        assert {line[name] for line in lines} == {value}


def test_a_flood_into_the_journal_is_counted_and_the_output_is_kept(service: Lab) -> None:
    answer = triggered(service, "floods.sh")
    assert answer["status"] == "ok"
    soon(
        lambda: any(
            "not sent to the journal" in line["MESSAGE"] for line in printed(service, answer, "floods.sh")
        ),
        "the journal says how much was left out",
    )
    kept = schedd(service, "output", "default/floods.sh")
    assert kept.startswith("flood\n")
    assert "bytes left out" in kept


def test_a_credential_of_the_service_is_shown_nowhere(service: Lab) -> None:
    answer = triggered(service, "leaks.sh")
    assert answer["error"] == "exit code 1: it is [redacted]"
    assert schedd(service, "output", answer["runId"]) == "it is [redacted]\n"
    (line,) = soon(lambda: printed(service, answer, "leaks.sh"), "the line is in the journal")
    assert line["MESSAGE"] == "it is [redacted]"
    assert "correct-horse-battery" not in service.journal()
