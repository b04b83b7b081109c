"""A disk that does not answer, breaks, or goes: nobody waits for it, and it gets all when it is back."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import disks
from tests.whole.child import Child
from tests.whole.witness import Witness, criticals, green, red, until

LATEST_MS = 2500
"""The patience of a second, and as much for a machine that is busy with other tests."""


@pytest.fixture
def image(child: Child, tmp_path: Path) -> Iterator[Path]:
    with disks.ext4(child.state, tmp_path / "image"):
        yield tmp_path / "image"
        disks.thaw_if_frozen(child.state)
        child.close()


def test_a_disk_that_does_not_answer_is_waited_for_a_second_and_no_longer(child: Child, image: Path) -> None:
    witness = Witness(child)
    for number in range(3):
        witness.write(f"ticks_{number}.sh")
    child.start()
    witness.more(3)
    disks.freeze(child.state)
    red(child, "ledger.log", "the disk does not answer")
    assert len(criticals(child)) <= 1
    witness.more(6)
    assert len(criticals(child)) == 1
    disks.thaw(child.state)
    green(child)
    witness.more(3)
    child.stop()
    lines = witness.compare()
    assert max(int(str(line["latenessMs"])) for line in lines) < LATEST_MS
    assert sum(line.get("durable") is False for line in lines) >= 6
    outputs = {path.stem for path in (child.state / "output").glob("*/*.log")}
    assert outputs == {line["runId"] for line in lines}


def test_a_script_without_its_directories_yet_is_started_on_a_dead_disk(child: Child, image: Path) -> None:
    child.start()
    disks.freeze(child.state)
    child.write("new.py", "# @schedule 0 0 1 1 *\nprint('new')\ndef main():\n    return 7\n")
    before_s = time.monotonic()
    _, answer = child.ask("POST", "/api/v1/exec/schedules/trigger", {"scriptPath": "new.py", "wait": False})
    until(lambda: not child.ask("GET", "/api/v1/exec/runs")[1]["runs"], child)
    assert time.monotonic() - before_s < 6
    disks.thaw(child.state)
    (line,) = child.wait_for_lines(1, runId=answer["runId"])
    assert (line["durable"], line["outputBytes"]) == (False, 4)


NO_SYNCS = """
import ctypes, os, platform, struct, sys

number = {"x86_64": 75, "aarch64": 83}[platform.machine()]
code = struct.pack("=HBBI", 0x20, 0, 0, 0)
code += struct.pack("=HBBI", 0x15, 0, 1, number)
code += struct.pack("=HBBI", 0x06, 0, 0, 0x00050000 | 5)
code += struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)

class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, ctypes.c_ulong(1), 0, 0, 0) == 0
assert prctl(22, ctypes.c_ulong(2), ctypes.byref(Program(4, code)), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Becomes the command that follows, with a kernel (seccomp) that answers each fdatasync with EIO."""


def test_a_disk_that_fails_each_sync_has_what_it_took_after_a_crash(child: Child) -> None:
    child.write("returns.py", "# @schedule 0 0 1 1 *\ndef main():\n    return 7\n")
    child.start()
    child.stop()
    child.before = [sys.executable, "-c", NO_SYNCS]
    child.spawn()
    red(child, "ledger.log: Input/output error")
    body = {"scriptPath": "returns.py", "wait": False}
    for _ in range(3):
        assert child.ask("POST", "/api/v1/exec/schedules/trigger", body)[0] == 202
        until(lambda: not child.ask("GET", "/api/v1/exec/runs")[1]["runs"], child)
    until(lambda: (child.state / "ledger.log").read_bytes().count(b'"fact":"ended"') == 3, child)
    assert child.lines() == []
    child.kill()
    child.before = []
    child.start()
    assert [(line["returnPreview"], line["durable"]) for line in child.lines()] == [("7", False)] * 3


def test_a_broken_disk_that_was_repaired_and_mounted_again_has_every_line(child: Child, image: Path) -> None:
    witness = Witness(child)
    witness.write("ticks.sh")
    witness.write("tocks.sh")
    child.start()
    witness.more(2)
    disks.break_(child.state)
    red(child, "ledger.log", "Read-only file system")
    disks.unmount(child.state)
    red(child, "fires.log", "not mounted any more")
    witness.more(2)
    subprocess.run(["e2fsck", "-p", str(image)], check=False, capture_output=True)
    disks.mount_image(image, child.state)
    green(child)
    witness.more(2)
    child.stop()
    assert sum(line.get("durable") is False for line in witness.compare()) >= 4
