"""`schedd doctor` beside a daemon that lives."""

import json
import subprocess
import sys
from pathlib import Path

from tests.whole.child import Child


def test_a_daemon_that_is_well_is_said_to_be_and_what_keeps_its_limits(tmp_path: Path) -> None:
    child = Child(tmp_path, settings=f'socket = "{tmp_path}/api.sock"\n')
    child.write("default/is_fine.sh", "#!/bin/sh\n# @schedule @hourly\n")
    places = ("--scripts-dir", str(child.scripts), "--state-dir", str(child.state))
    try:
        child.start()
        told = subprocess.run(
            (sys.executable, "-m", "schedd", "doctor", "--json", "--config", str(child.settings), *places),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        child.close()
    found = {finding["subject"]: finding for finding in json.loads(told.stdout)}
    assert found["daemon"]["level"] == "fine"
    assert "running since" in found["daemon"]["what"]
    assert "memory by " in found["limits"]["what"]
    assert found["scripts"]["what"] == f"1 script in {child.scripts} can be run"
