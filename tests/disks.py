"""Disks that can be filled, frozen and taken away: small file systems of a test's own. They need root."""

import ctypes
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FIFREEZE = 0xC0045877
FITHAW = 0xC0045878


@contextmanager
def tmpfs(place: Path, *, size: str) -> Iterator[Path]:
    """A file system in memory, of so many bytes."""
    place.mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", place)
    try:
        yield place
    finally:
        unmount(place)


@contextmanager
def ext4(place: Path, image: Path) -> Iterator[Path]:
    """A real file system with a journal, which can be frozen or broken: on a loop device."""
    place.mkdir(exist_ok=True)
    if not image.exists():
        image.touch()
        os.truncate(image, 16 * 1024 * 1024)
        run("mkfs.ext4", "-q", image)
    mount_image(image, place)
    try:
        yield place
    finally:
        thaw_if_frozen(place)
        unmount(place)


def mount_image(image: Path, place: Path) -> None:
    """Mount the file system that an image holds."""
    run("mount", "-o", "loop,errors=remount-ro", image, place)


def unmount(place: Path) -> None:
    """Take the file system away from its place, also while files of it are open."""
    subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


def run(*command: object) -> None:
    """Run a command of the system, which has to be there and has to succeed."""
    name = str(command[0])
    assert shutil.which(name), f"{name} is not installed: apt-get install util-linux e2fsprogs"
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"


def freeze(place: Path) -> None:
    """Let every write to the file system wait, as a dead disk does."""
    _order(place, FIFREEZE)


def thaw(place: Path) -> None:
    """Let the writes go on."""
    _order(place, FITHAW)


def thaw_if_frozen(place: Path) -> None:
    """Let nothing hang when a test has failed."""
    with suppress(OSError):
        thaw(place)


def break_(place: Path) -> None:
    """Let the file system find itself broken: its journal stops, and it is read-only from now on."""
    run("mount", "-o", "remount,abort", place)


def fill(directory: Path, *, leave_bytes: int = 0) -> Path:
    """Take all space that is left but so much, and return the file that takes it."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    os.truncate(ballast, max(0, ballast.stat().st_size - leave_bytes))
    return ballast


def _order(place: Path, order: int) -> None:
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(fd, order, ctypes.c_int(0))
    finally:
        os.close(fd)
