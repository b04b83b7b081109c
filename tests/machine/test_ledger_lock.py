"""One daemon for one state directory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from schedd.errors import StateError
from schedd.ledger.lock import StateLock
from tests import disks

HOLDER = """
import sys
from schedd.ledger.lock import StateLock
lock = StateLock.take(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_missing_directory_is_made(tmp_path: Path) -> None:
    place = tmp_path / "var" / "schedd"
    with StateLock.take(str(place)):
        assert place.stat().st_mode & 0o777 == 0o750
        assert (place / "lock").read_text() == f"{os.getpid()}\n"


def test_a_second_daemon_is_told_who_has_it_until_that_one_dies(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(StateError) as refused:
            StateLock.take(str(tmp_path))
        assert str(tmp_path) in str(refused.value)
        assert f"pid {child.pid}" in str(refused.value)
        child.kill()
    StateLock.take(str(tmp_path)).release()


def test_a_lock_given_up_can_be_taken_again(tmp_path: Path) -> None:
    lock = StateLock.take(str(tmp_path))
    lock.release()
    lock.release()
    with StateLock.take(str(tmp_path)), pytest.raises(StateError, match="in use by another schedd"):
        StateLock.take(str(tmp_path))


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_is_no_state_directory(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"is not a directory; move the file away, or set another state_dir"):
        StateLock.take(str(tmp_path / place))


def test_a_directory_that_cannot_be_written_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"cannot be written .*set another state_dir"):
        StateLock.take("/proc/schedd")


def test_the_lock_does_not_go_to_programs_that_are_started(tmp_path: Path) -> None:
    with StateLock.take(str(tmp_path)):
        child = subprocess.Popen(["sleep", "30"], close_fds=False)
    with child:
        StateLock.take(str(tmp_path)).release()
        child.kill()


def test_a_directory_that_was_removed_is_made_and_locked_again(tmp_path: Path) -> None:
    place = tmp_path / "state"
    with StateLock.take(str(place)) as lock:
        lock.renew()
        shutil.rmtree(place)
        lock.renew()
        assert place.stat().st_mode & 0o777 == 0o750
        with pytest.raises(StateError, match=f"pid {os.getpid()}"):
            StateLock.take(str(place))


def test_a_directory_that_another_daemon_has_taken_meanwhile_is_left_to_it(tmp_path: Path) -> None:
    place = tmp_path / "state"
    with StateLock.take(str(place)) as lock:
        shutil.rmtree(place)
        with StateLock.take(str(place)), pytest.raises(OSError, match="another schedd has taken"):
            lock.renew()
        lock.renew()


def test_a_bare_mount_point_is_not_taken_for_the_directory(tmp_path: Path) -> None:
    place = tmp_path / "state"
    with disks.tmpfs(place, size="64k"):
        lock = StateLock.take(str(place))
        disks.unmount(place)
        with lock, pytest.raises(OSError, match="not mounted any more"):
            lock.renew()
    assert list(place.iterdir()) == []
