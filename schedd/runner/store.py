"""What is kept of runs on disk: `<state>/output/<day>/<run id>.log` and `.result`, and how it goes away.

The day is that of the run id's own time, so a run id is enough to find its files. A file exists only for a
run that printed or returned something. `retention` removes them.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from schedd.fire import RunId

RESULT_BYTES = 64 * 1024

LARGEST_LOG_BYTES = 64 * 1024 * 1024
"""More than any setting keeps; what is larger was not written by schedd."""

PASSABLE = 0o001
"""Everybody may pass through a directory; that does not show what is in it."""

RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a run's output to be written: at `at` the rest of the head, behind it what follows."""

    path: str
    at: int
    head: bytes
    after: bytes

    @property
    def size_bytes(self) -> int:
        """How many bytes there are to write."""
        return len(self.head) + len(self.after)


def place_of(state_dir: str, run_id: RunId) -> str:
    """Return the path of a run's files without their ending."""
    return f"{state_dir}/output/{day_of(run_id)}/{run_id}"


@dataclass(frozen=True, slots=True)
class Loan:
    """A directory below `root` that belongs to another user, who can reach it, and nothing else there."""

    path: str
    root: str
    uid: int


Directory = str | Loan


def returns_of(state_dir: str, user: str) -> str:
    """Return the directory in which the runs of another user write their results."""
    return f"{state_dir}/users/{user}"


def is_there(directory: Directory) -> bool:
    """Whether a directory is as it is to be."""
    if isinstance(directory, str):
        return os.path.isdir(directory)
    try:
        status, root = os.lstat(directory.path), os.stat(directory.root)
    except OSError:
        return False
    # systemd puts the mode of the state directory right at each start.
    return stat.S_ISDIR(status.st_mode) and status.st_uid == directory.uid and bool(root.st_mode & PASSABLE)


def make(directories: Iterable[Directory]) -> Iterator[str]:
    """Make directories (blocking); yield what goes wrong. It costs a run its output, never its start."""
    for directory in directories:
        path = directory if isinstance(directory, str) else directory.path
        try:
            _make_private(path)
            if isinstance(directory, Loan):
                _lend(directory)
        except OSError as error:
            yield f"cannot make {path}: {error.strerror}"


def write_piece(piece: Piece) -> str | None:
    """Write a part of a run's output (blocking); return what went wrong: then it is lost."""
    try:
        fd = _open_to_write(piece.path)
        try:
            _write(fd, piece)
        finally:
            os.close(fd)
    except OSError as error:
        return f"cannot write {piece.path}: {error.strerror}"
    return None


def _write(fd: int, piece: Piece) -> None:
    at, rest = piece.at, memoryview(piece.head + piece.after)
    try:
        while rest:
            taken = os.pwrite(fd, rest, at)
            at, rest = at + taken, rest[taken:]
        os.ftruncate(fd, at)
    except OSError:
        if os.fstat(fd).st_size == 0:
            # An empty file would say that the run has printed nothing.
            with suppress(OSError):
                os.unlink(piece.path)
        raise


def read_output(state_dir: str, run_id: str) -> bytes | None:
    """Return what a run printed (its kept head and tail); None when it printed nothing. Blocking."""
    return read_bounded(_path(state_dir, run_id, "log"), LARGEST_LOG_BYTES)


def read_result(state_dir: str, run_id: str) -> str | None:
    """Return a run's result as JSON text, at most 64 KiB; None when it had none. Blocking."""
    result = read_bounded(_path(state_dir, run_id, "result"), RESULT_BYTES)
    return None if result is None else result.decode(errors="replace")


def read_bounded(
    path: str | None, limit_bytes: int, *, private: bool = False, uid: int | None = None
) -> bytes | None:
    """Return the first bytes of a regular file, or None. A script may have put anything in its place.

    `private`: from now on only the user that schedd runs as may read it, whatever the script's umask was.
    `uid`: it has to be this user's, who else could have had root read a link to somebody else's file.
    """
    if path is None:
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or uid not in {None, status.st_uid}:
            return None
        if private:
            os.fchmod(fd, 0o600)
        return os.read(fd, min(limit_bytes, status.st_size))
    except OSError:
        return None
    finally:
        os.close(fd)


def made_ms(run_id: str) -> int:
    """Return the instant in a run id (UUID version 7), in milliseconds since the epoch."""
    return int(run_id[:8] + run_id[9:13], 16)


def day_of(run_id: str) -> str:
    """Return the day, UTC, in which a run id was made."""
    return day_at(made_ms(run_id))


def day_at(at_ms: int) -> str:
    """Return the day, UTC, of an instant."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d}"


def _path(state_dir: str, run_id: str, ending: str) -> str | None:
    """Return the path for a run id; None for what is none, and may come from anybody."""
    if not RUN_ID.fullmatch(run_id):
        return None
    return os.path.join(state_dir, "output", day_of(run_id), f"{run_id}.{ending}")


def _open_to_write(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        # Somebody tidied up while the run was on.
        _make_private(os.path.dirname(path))
        return os.open(path, flags, 0o600)


def _make_private(directory: str) -> None:
    """Make a directory and those above it; `os.makedirs` has its mode for the last of them only."""
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        if not os.path.isdir(directory):
            raise
    except FileNotFoundError:
        _make_private(os.path.dirname(directory))
        with suppress(FileExistsError):
            os.mkdir(directory, 0o700)


def _lend(loan: Loan) -> None:
    """Give a directory to its user, and let him through those above it, up to the root of all.

    Through descriptors, and never by a link: what is above belongs to the daemon, but the directory may not.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(loan.root, flags & ~os.O_NOFOLLOW)
    try:
        for name in os.path.relpath(loan.path, loan.root).split("/"):
            os.fchmod(fd, stat.S_IMODE(os.fstat(fd).st_mode) | PASSABLE | PASSABLE << 3)
            above, fd = fd, os.open(name, flags, dir_fd=fd)
            os.close(above)
        os.fchown(fd, loan.uid, -1)
    finally:
        os.close(fd)
