"""What is kept of runs on disk: `<state>/output/<day>/<run id>.log` and `.result`, and how it goes away.

The day is that of the run id's own time, so a run id is enough to find its files. A file exists only for a
run that printed or returned something. `retention` removes them.
"""

import logging
import os
import re
import stat
from dataclasses import dataclass
from datetime import UTC, datetime

from schedd.fire import RunId

RESULT_BYTES = 64 * 1024

LARGEST_LOG_BYTES = 64 * 1024 * 1024
"""More than any setting keeps; what is larger was not written by schedd."""

RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a run's output to be written: at `at` the rest of the head, behind it what follows."""

    path: str
    at: int
    head: bytes
    after: bytes


class Store:
    """Makes the directories of one state directory, each once."""

    def __init__(self, state_dir: str) -> None:
        self._root = os.path.join(os.path.abspath(state_dir), "output")
        self._made = ""

    def place_for(self, run_id: RunId) -> str:
        """Return the path of a new run's files without their ending; their directory exists then."""
        day = day_of(run_id)
        directory = f"{self._root}/{day}"
        if self._made != day:
            made_or_logged(directory)
            self._made = day
        return f"{directory}/{run_id}"


def made_or_logged(directory: str) -> None:
    """Make a directory. A disk that refuses costs the run its output or its state, never its start."""
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        try:
            os.makedirs(directory, 0o700, exist_ok=True)
        except OSError as error:
            _log.warning("cannot make %s: %s", directory, error.strerror)
    except OSError as error:
        _log.warning("cannot make %s: %s", directory, error.strerror)


def write_piece(piece: Piece) -> None:
    """Write a part of a run's output (blocking). On failure the output is lost, and that is logged."""
    try:
        fd = _open_to_write(piece.path)
    except OSError as error:
        _log.warning("cannot write %s: %s", piece.path, error.strerror)
        return
    try:
        os.pwrite(fd, piece.head + piece.after, piece.at)
        os.ftruncate(fd, piece.at + len(piece.head) + len(piece.after))
    except OSError as error:
        _log.warning("cannot write %s: %s", piece.path, error.strerror)
    finally:
        os.close(fd)


def read_output(state_dir: str, run_id: str) -> bytes | None:
    """Return what a run printed (its kept head and tail); None when it printed nothing. Blocking."""
    return read_bounded(_path(state_dir, run_id, "log"), LARGEST_LOG_BYTES)


def read_result(state_dir: str, run_id: str) -> str | None:
    """Return a run's result as JSON text, at most 64 KiB; None when it had none. Blocking."""
    result = read_bounded(_path(state_dir, run_id, "result"), RESULT_BYTES)
    return None if result is None else result.decode(errors="replace")


def read_bounded(path: str | None, limit_bytes: int) -> bytes | None:
    """Return the first bytes of a regular file, or None. A script may have put anything in its place."""
    if path is None:
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        return os.read(fd, min(limit_bytes, status.st_size)) if stat.S_ISREG(status.st_mode) else None
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
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        return os.open(path, flags, 0o600)
