"""No room on the disk: what is due runs all the same, and is written down when there is room again."""

import resource
import time
from collections.abc import Iterator

import pytest

from schedd.timetable import instant
from tests import disks
from tests.whole.child import Child
from tests.whole.witness import Witness, criticals, green, reasons, red, size, until


@pytest.fixture
def small_disk(child: Child) -> Iterator[None]:
    with disks.tmpfs(child.state, size="400k"):
        yield
        child.close()


def test_a_full_disk_stops_no_script_and_costs_no_line(child: Child, small_disk: None) -> None:
    witness = Witness(child)
    for number in range(5):
        witness.write(f"ticks_{number}.sh")
    child.start()
    witness.more(5)
    ballast = disks.fill(child.state)
    red(child, "ledger.log", "No space left on device")
    then = instant.from_slot(int(time.time()) + 1)
    witness.more(20)
    assert len(criticals(child)) == 1
    assert "No space left on device" in criticals(child)[0]
    # Nobody is told that what runs was missed, and nothing is run again for that.
    why = child.schedules(f"why?scriptPath=ticks_0.sh&at={then}")
    assert "it may not be on the disk yet: cannot write" in why["sentence"]
    status, answer = child.ask("POST", "/api/v1/exec/schedules/replay", {"since": then, "only": "missing"})
    assert status == 503, answer
    ballast.unlink()
    green(child)
    witness.more(5)
    child.stop()
    durable = [line.get("durable", True) for line in witness.compare()]
    assert durable[0] is True
    assert durable[-1] is True
    assert durable.count(False) >= 10
    assert not list(child.state.glob("*.torn"))


def test_a_script_that_frees_the_disk_ends_the_trouble(child: Child, small_disk: None) -> None:
    witness = Witness(child)
    witness.write("ticks.sh", body=f"[ -e {child.state}/full ] && rm -f {child.state}/ballast; exit 0")
    child.start()
    witness.more(1)
    disks.fill(child.state)
    for number in range(20):
        child.write(f"default/{number}.sh", "#!/bin/sh\n# @schedule 0 0 1 1 *\n")
    child.ask("POST", "/api/v1/exec/schedules/reload", {})
    red(child, "No space left on device")
    (child.state / "full").touch()
    green(child)
    child.stop()
    witness.compare()


def test_a_limit_on_the_size_of_files_does_not_kill_the_daemon(child: Child) -> None:
    witness = Witness(child)
    witness.write("ticks.sh")
    child.start()
    witness.more(1)
    assert child.process is not None
    limit = size(child.state / "ledger.log")
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    red(child, "ledger.log", "File too large")
    witness.more(2)
    resource.prlimit(
        child.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    green(child)
    child.stop()
    assert any(line.get("durable") is False for line in witness.compare())


def test_an_output_directory_that_cannot_be_written_costs_the_output_and_is_said_once(child: Child) -> None:
    child.state.mkdir()
    (child.state / "output").write_text("in the way")
    witness = Witness(child)
    for number in range(4):
        witness.write(f"ticks_{number}.sh")
    child.start()
    line = child.wait_for_lines(8, status="ok")[0]
    assert line["outputBytes"] == 5
    assert reasons(child) == []
    assert child.ask("GET", f"/api/v1/exec/runs/{line['runId']}/output")[0] in (200, 404)
    warnings = [told for told in child.said().splitlines() if "Not a directory" in told or "exists" in told]
    assert len(warnings) == 1
    assert str(child.state / "output") in warnings[0]
    assert warnings[0].startswith("<4>")
    (child.state / "output").unlink()
    until(lambda: list((child.state / "output").glob("*/*.log")), child)
    child.stop()
    witness.compare()
