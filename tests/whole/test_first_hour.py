"""A person's first hour with schedd on a host is as docs/first-hour.md tells it, command by command."""

import json
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from schedd.timetable.instant import to_ms
from tests.whole import first_hour
from tests.whole.first_hour import DOCUMENT, Step
from tests.whole.packages import soon
from tests.whole.systemd_lab import Lab

EVERY_MS = 5_000


@pytest.fixture(scope="module")
def seen(lab: Lab, package: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    """What a machine showed when all of the document was typed."""
    first_hour.prepare(lab, package, tmp_path_factory.mktemp("newer"))
    return first_hour.lived(lab, DOCUMENT.read_text())


def test_each_command_shows_what_the_document_says(seen: list[Step]) -> None:
    """Write it anew with `python -m tests.whole.first_hour` when it is the document that is wrong."""
    differences = first_hour.differences(DOCUMENT.read_text(), seen)
    assert not differences, "\n".join(differences)


@pytest.mark.usefixtures("seen")
def test_after_that_hour_each_slot_has_exactly_one_line_across_the_upgrade(lab: Lab) -> None:
    upgraded_ms = lab.path("/usr/lib/systemd/system/schedd.service").stat().st_ctime_ns // 1_000_000
    for script in ("shop/stock.sh", "shop/export.sh"):
        told = soon(partial(past, lab, script, upgraded_ms), f"{script} fires again")
        slots = [slot for slot, _ in told]
        assert slots[0] < upgraded_ms
        assert {later - sooner for sooner, later in pairwise(slots)} == {EVERY_MS}
        assert {status for slot, status in told if slot >= upgraded_ms} == {"ok"}


def past(lab: Lab, script: str, until_ms: int) -> list[tuple[int, str]]:
    """Return slots and statuses of a script, once there is one after that instant."""
    lines = lab.path("/var/lib/schedd/fires.log").read_text().split("\n")[:-1]
    of_script = (fire for fire in map(json.loads, lines) if fire["scriptPath"] == script)
    fires = [fire for fire in of_script if fire["kind"] == "schedule"]
    told = [(to_ms(fire["slot"]), fire["status"]) for fire in fires]
    return told if told and told[-1][0] > until_ms else []
