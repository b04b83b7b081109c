"""The file system of the scripts goes and comes back: what is due says so, and nothing is unregistered."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import disks
from tests.whole.child import Child
from tests.whole.witness import Witness, green, until


@pytest.fixture
def image(child: Child, tmp_path: Path) -> Iterator[Path]:
    with disks.ext4(child.scripts, tmp_path / "image"):
        yield tmp_path / "image"
        child.close()


def test_scripts_that_went_with_their_disk_stay_registered_and_run_again(child: Child, image: Path) -> None:
    witness = Witness(child)
    witness.write("ticks.sh")
    witness.write("shop/tocks.sh")
    child.start()
    witness.more(2)
    disks.unmount(child.scripts)
    lines = child.wait_for_lines(2, status="load_error", reason="unreadable")
    assert {line["scriptPath"] for line in lines} == {"ticks.sh", "shop/tocks.sh"}
    assert "is gone" in lines[0]["error"]
    report = child.schedules("reload", method="POST", body={})
    assert (report["kept"], report["removed"]) == (["shop/tocks.sh", "ticks.sh"], [])
    assert "file system" in report["failed"][0]["reason"]
    listed = child.schedules("list")["schedules"]
    assert [schedule["status"] for schedule in listed] == ["stale", "stale"]
    ran = len(witness.ran())
    disks.mount_image(image, child.scripts)
    report = child.schedules("reload", method="POST", body={})
    assert report["failed"] == []
    until(lambda: len(witness.ran()) >= ran + 2, child)
    assert "stale" not in {schedule["status"] for schedule in child.schedules("list")["schedules"]}
    green(child)
    child.stop()
    witness.compare()


def test_an_empty_directory_on_the_same_disk_is_an_empty_directory(child: Child, image: Path) -> None:
    path = child.write("ticks.sh", "#!/bin/sh\n# @schedule @every 1s\n")
    child.start()
    path.unlink()
    report = child.schedules("reload", method="POST", body={})
    assert (report["kept"], report["removed"], report["failed"]) == ([], ["ticks.sh"], [])
