"""The alert rules and the dashboard that ship ask for numbers that a real daemon gives."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.whole.child import Child

ROOT = Path(__file__).parents[2]
RULES = ROOT / "etc/prometheus/schedd.rules.yml"
BOARD = ROOT / "etc/grafana/schedd.json"
DOCS = ROOT / "docs/operations.md"
NAME = re.compile(r"\bschedd_[a-z_]+")
ONLY_WHEN_IT_IS_SO = {"schedd_schedule_overrunning", "schedd_schedule_last_success_timestamp_seconds"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every family and series that a daemon gives after one run."""
    text = _metrics(tmp_path_factory.mktemp("metrics"))
    families = list(text_string_to_metric_families(text))
    return {family.name for family in families} | {s.name for family in families for s in family.samples}


def test_the_alert_rules_ask_for_what_is_exported(exported: set[str]) -> None:
    asked = set(NAME.findall(" ".join(re.findall(r"expr: (.*)", RULES.read_text()))))
    assert len(asked) > 8
    assert asked - exported - ONLY_WHEN_IT_IS_SO == set()


def test_the_dashboard_asks_for_what_is_exported(exported: set[str]) -> None:
    board = json.loads(BOARD.read_text())
    asked = {name for panel in board["panels"] for t in panel["targets"] for name in NAME.findall(t["expr"])}
    assert len(asked) > 8
    assert asked - exported - ONLY_WHEN_IT_IS_SO == set()


def test_the_dashboard_has_a_place_for_each_panel() -> None:
    board = json.loads(BOARD.read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_docs_name_every_family_and_no_other(exported: set[str]) -> None:
    section = DOCS.read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `(schedd_[a-z_]+)", section, re.MULTILINE))
    families = {re.sub(r"_(bucket|count|sum|total|created)$", "", name) for name in exported}
    assert {re.sub(r"_total$", "", name) for name in told} == families | ONLY_WHEN_IT_IS_SO


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    promtool = shutil.which("promtool") or _unpacked(tmp_path)
    checked = subprocess.run(
        (promtool, "check", "rules", str(RULES)), capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "12 rules found" in checked.stdout


def test_promtool_takes_the_metrics(tmp_path: Path) -> None:
    promtool = shutil.which("promtool") or _unpacked(tmp_path)
    checked = subprocess.run(
        (promtool, "check", "metrics"),
        input=_metrics(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def _metrics(directory: Path) -> str:
    """Return what a daemon answers after one run."""
    child = Child(directory)
    child.write("default/a.sh", "# @schedule @hourly\nexit 0\n")
    try:
        child.start()
        child.schedules("trigger", method="POST", body={"scriptPath": "default/a.sh"})
        status, text = child.ask("GET", "/metrics")
    finally:
        child.close()
    assert status == 200
    return str(text)


def _unpacked(directory: Path) -> str:
    """Return promtool from Debian's package, unpacked and not installed: it would start a server."""
    subprocess.run(
        ("apt-get", "download", "-q", "prometheus"), cwd=directory, check=True, capture_output=True
    )
    (package,) = directory.glob("prometheus_*.deb")
    subprocess.run(("dpkg", "-x", str(package), "unpacked"), cwd=directory, check=True, capture_output=True)
    return str(directory / "unpacked/usr/bin/promtool")


def _quietly(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=120)


def test_a_script_that_takes_longer_than_its_interval_is_exported(tmp_path: Path) -> None:
    child = Child(tmp_path)
    child.write("default/is_slow.sh", "#!/bin/sh\n# @schedule @every 1s\nsleep 1.6\n")
    try:
        child.start()
        child.wait_for_lines(5, status="ok", within_s=60)
        text = str(child.ask("GET", "/metrics")[1])
        listed = child.schedules("list")["schedules"][0]
    finally:
        child.close()
    assert 'schedd_schedule_overrunning{script="default/is_slow.sh"} 1.0' in text
    assert listed["cadence"] is not None
