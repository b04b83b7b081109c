"""Settings that need no restart hold after a reload, whoever they are for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.child import Child


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child(tmp_path)
    made.write("default/says.sh", '#!/bin/sh\n# @schedule @hourly\necho "$TZ $PATH"; sleep "${NAP:-0}"\n')
    made.start()
    yield made
    made.close()


def _reload(child: Child, settings: str) -> None:
    child.settings.write_text(f"watch = false\n{settings}")
    child.schedules("reload", method="POST")


def _trigger(child: Child) -> dict[str, object]:
    done: dict[str, object] = child.schedules(
        "trigger", method="POST", body={"scriptPath": "default/says.sh"}
    )
    return done


def test_the_zone_of_scripts_without_one_changes(child: Child) -> None:
    _reload(child, 'timezone = "Asia/Tokyo"\n')
    (listed,) = child.schedules("list")["schedules"]
    assert listed["timezone"] == "Asia/Tokyo"


def test_the_path_and_what_is_redacted_change(child: Child) -> None:
    _reload(child, 'path = "/usr/bin:/bin"\nredact = ["/usr/bin"]\n')
    run_id = _trigger(child)["runId"]
    assert child.ask("GET", f"/api/v1/exec/runs/{run_id}/output")[1] == "UTC [redacted]:/bin\n"


def test_who_may_ask_by_name_changes(child: Child) -> None:
    _reload(child, 'cors_origins = ["https://status.example.org"]\n')
    told = child.ask(
        "POST", "/api/v1/exec/schedules/reload", headers={"Origin": "https://status.example.org"}
    )
    assert told[0] == 200
    _reload(child, "")
    told = child.ask(
        "POST", "/api/v1/exec/schedules/reload", headers={"Origin": "https://status.example.org"}
    )
    assert told[0] == 403


def test_how_many_may_run_at_once_changes(child: Child) -> None:
    _reload(child, "max_running = 1\n")
    child.write("default/slow.sh", "#!/bin/sh\n# @schedule @hourly\nsleep 60\n")
    slow = {"scriptPath": "default/slow.sh", "wait": False}
    assert child.ask("POST", "/api/v1/exec/schedules/trigger", slow)[0] == 202
    other = {"scriptPath": "default/says.sh", "wait": False}
    assert child.ask("POST", "/api/v1/exec/schedules/trigger", other)[0] == 202
    first, second = child.ask("GET", "/api/v1/exec/runs")[1]["runs"]
    assert first["state"] in {"starting", "running"}
    assert second["state"] == "held"
