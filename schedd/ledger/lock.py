"""One daemon for one state directory.

An flock goes with the process that holds it, however that process ends; a pid file alone would have to be
believed. The pid in the file is for people only. The lock is taken before anything else in the directory is
touched.
"""

import fcntl
import os
from contextlib import suppress
from typing import Self

from schedd.errors import StateError

NAME = "lock"
DIRECTORY_MODE = 0o750


class StateLock:
    """The held lock of a state directory; `release` it, or leave the `with`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

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
        return cls(fd)

    def release(self) -> None:
        """Give the directory up; once is enough, twice does no harm."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _holder(fd: int) -> str:
    text = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
    return f"pid {text}" if text.isdigit() else "its pid is not known"


def _sign(fd: int) -> None:
    """Write our pid; a full disk is no reason not to start."""
    with suppress(OSError):
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
