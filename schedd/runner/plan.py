"""What is known of a script's file before it is started: which version it is, and its command line.

Made again only when the file changed, and in a thread: the file may be large, and an interpreter may have
to be asked for its version.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from io import BufferedReader

from schedd.errors import ScheddError
from schedd.runner import accounts
from schedd.runner.command import TRANSIENT
from schedd.runner.languages.choice import Languages
from schedd.runner.order import Identity, Warm
from schedd.schedule import FileStamp, Schedule

READ_BYTES = 1024 * 1024
"""How much of a script is looked at to find out how to run it. Larger ones are programs."""


class UnreadableError(ScheddError):
    """The script's file is gone or cannot be read (status `load_error`, reason `unreadable`)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run one version of a script."""

    stamp: FileStamp
    sha256: str
    argv: tuple[str, ...]
    """Of a cold start."""
    warm: Warm | None = None
    """How an interpreter that waits takes it in; None = it has to be started cold."""
    identity: Identity | None = None
    """Whom it runs as; None = the daemon's user."""


def make(schedule: Schedule, languages: Languages) -> Plan:
    """Look at the script's file (blocking).

    Raises UnreadableError and CannotStartError; OSError when there is no room to open it.
    """
    try:
        fd = os.open(schedule.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in TRANSIENT:
            raise
        raise unreadable(schedule, error) from error
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError(f"{schedule.path} is no longer a regular file")
        stamp = stamp_of(status)
        try:
            source = file.read(READ_BYTES)
            sha256 = schedule.sha256 if stamp == schedule.stamp else _sha256(file)
        except OSError as error:
            raise unreadable(schedule, error) from error
    argv, warm = languages.command(schedule, source, stamp=stamp, sha256=sha256)
    return Plan(stamp, sha256, argv, warm, accounts.resolve(schedule.user, schedule.group))


def stamp_of(status: os.stat_result) -> FileStamp:
    """Return what tells this version of a file from another."""
    return FileStamp(status.st_ino, status.st_size, status.st_mtime_ns)


def unreadable(schedule: Schedule, error: OSError) -> UnreadableError:
    """Return the sentence for a script that cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return UnreadableError(f"{schedule.path} is gone: it was removed or renamed since it was registered")
    return UnreadableError(f"{schedule.path} cannot be read: {error.strerror}")


def _sha256(file: BufferedReader) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
