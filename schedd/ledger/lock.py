"""One daemon for one state directory.

An flock goes with the process that holds it, however that process ends; a pid file alone would have to be
believed. The pid in the file is for people only. The lock is taken before anything else in the directory is
touched.

A directory can go while it is locked: removed by somebody, or with its file system. `renew` is asked before a
file in it is made, so that the daemon goes on in a new one, but never where another daemon has settled, nor
on the bare mount point, where nobody would look for the record.
"""

import errno
import fcntl
import os
import threading
from contextlib import suppress
from typing import Self

from schedd.errors import StateError

NAME = "lock"
DIRECTORY_MODE = 0o750


class StateLock:
    """The held lock of a state directory; `release` it, or leave the `with`."""

    def __init__(self, fd: int, directory: str) -> None:
        self._fd = fd
        self._directory = directory
        self._released = False
        self._mounted = os.path.ismount(directory)
        self._renewing = threading.Lock()

    @classmethod
    def take(cls, directory: str) -> Self:
        """Lock the directory, making it first if it is missing.

        Raises StateError when another process has it, or when it cannot be a state directory.
        """
        try:
            os.makedirs(directory, DIRECTORY_MODE, exist_ok=True)
            fd = os.open(os.path.join(directory, NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except (FileExistsError, NotADirectoryError) as error:
            raise StateError(
                f"the state directory {directory} is not a directory; move the file away, or set another "
                "state_dir"
            ) from error
        except OSError as error:
            raise StateError(
                f"the state directory {directory} cannot be written ({error.strerror}); give it to "
                f"the user that schedd runs as (uid {os.geteuid()}), or set another state_dir"
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(fd)
            os.close(fd)
            raise StateError(
                f"the state directory {directory} is in use by another schedd ({holder}); stop that one, or "
                "set another state_dir"
            ) from error
        _sign(fd)
        return cls(fd, directory)

    def renew(self) -> None:
        """See to it that the directory is there and that the lock in it is ours. Blocking; from any thread.

        Raises OSError when another process has it by now, or when it was a mount point and is none any more.
        """
        with self._renewing:
            self._renew()

    def _renew(self) -> None:
        path = os.path.join(self._directory, NAME)
        if self._released or _is_at(self._fd, path):
            return
        if self._mounted and not os.path.ismount(self._directory):
            self._close()  # a file system that nothing holds any more can be checked and mounted again
            raise OSError(errno.ENODEV, "its file system is not mounted any more")
        os.makedirs(self._directory, DIRECTORY_MODE, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(fd)
            os.close(fd)
            raise OSError(errno.EBUSY, f"another schedd has taken the directory ({holder})") from error
        _sign(fd)
        self._close()
        self._fd = fd

    def release(self) -> None:
        """Give the directory up; once is enough, twice does no harm."""
        self._released = True
        self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _is_at(fd: int, path: str) -> bool:
    try:
        return fd >= 0 and os.path.samestat(os.stat(path), os.fstat(fd))
    except OSError:
        return False


def _holder(fd: int) -> str:
    text = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
    return f"pid {text}" if text.isdigit() else "its pid is not known"


def _sign(fd: int) -> None:
    """Write our pid; a full disk is no reason not to start."""
    with suppress(OSError):
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
