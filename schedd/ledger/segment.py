"""One append-only file and its older parts: the end that grows, and how it turns over.

`fires.log` is the current segment, `fires.log.1` the one before it, and so on up. All here is blocking and
runs in a thread of the writer; there is one writer.

Turning over leaves no moment in which the current file is missing: the next segment is written aside as
`fires.log.new` with its opening, synced, and put in place by one rename; the old one has got its second name,
`fires.log.1`, by a link just before. After a crash between the two, `settle` undoes the half turn. The
directory is synced with the first sync of the new segment, since only then does anybody rely on it.

People edit and move such files. So before each write it is looked whether the file is still there, and as
long as it was: never are bytes put where nobody will find them, and a cut never makes a file longer.

Rejected: rename first and create then (a reader, or a recovery after a crash, finds no file), copying, and a
number that grows for ever (people know `.1` from logrotate).
"""

import errno
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from schedd.ledger.disk import Disk, write_all

MODE = 0o640
SPAN_BYTES = 4 * 1024 * 1024
"""The last lines are looked for so far from the end of an edited file."""


class DisplacedError(OSError):
    """The file was taken away from under its name; nothing was written."""


class Tail(io.FileIO):
    """The end of the current segment: it takes a batch whole, or not at all."""

    def __init__(self, path: str, disk: Disk) -> None:
        super().__init__(path, "ab+")
        self._disk = disk
        self._path = path
        self._named = False
        self._ragged = False
        self.size = os.fstat(self.fileno()).st_size
        self.synced = self.size
        """Up to here the bytes are known to be on the disk (or were there when the file was opened)."""
        self.displaced = False
        """The file was taken away from under its name; what comes next belongs into another."""
        self._half_line = _is_half(self.fileno(), self.size)

    def write(self, data: bytes, /, *, durable: bool = False) -> int:  # type: ignore[override]
        """Append all of `data`; with `durable`, return when it and all before it is on the disk.

        Raises OSError, and then the file is as it was before, or will be when the next write begins. When it
        was the sync that failed it will be as it was at the last sync that worked: the kernel may have
        dropped any byte since, and says so only once. Until then the bytes stay, for whoever reads, and in
        case there is no next write.
        """
        fd = self.fileno()
        if not self._in_place(fd):
            self.displaced = True
            raise DisplacedError(errno.ENOENT, "it was taken away", self._path)
        if self._ragged:
            self._cut(fd)
        self._look_again(fd)
        self._ragged = True
        if data and self._half_line:
            data = b"\n" + data
        try:
            write_all(self._disk, fd, data)
        except OSError:
            with suppress(OSError):
                self._cut(fd)
            raise
        if durable:
            self._sync(fd)
        self._ragged = False
        self._half_line = self._half_line and not data
        self.size += len(data)
        if durable:
            self.synced = self.size
        self.displaced = not self._in_place(fd)
        return len(data)

    def lost(self, marks: Sequence[bytes]) -> list[int]:
        """Return the places of those of its last lines, by their marks, that a displaced file has taken away.

        They are safe when they can be synced and the file still has a name, or when they are in what is in
        its place now: a copy of it, as an editor makes one.
        """
        with suppress(OSError):
            self._disk.sync(self.fileno())
            if os.fstat(self.fileno()).st_nlink > 0:
                return []
        there = b""
        with suppress(OSError), open(self._path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - SPAN_BYTES))
            there = file.read(SPAN_BYTES)
        return [place for place, mark in enumerate(marks) if mark not in there]

    def _look_again(self, fd: int) -> None:
        """Take notice of what somebody else has written into the file, or cut from it."""
        size = os.fstat(fd).st_size
        if size != self.size:
            self.size, self.synced = size, min(self.synced, size)
            self._half_line = _is_half(fd, size)

    def _in_place(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(fd))
        except OSError:
            return False

    def _sync(self, fd: int) -> None:
        try:
            self._disk.sync(fd)
            if not self._named:
                self._disk.sync_directory(os.path.dirname(self._path))
                self._named = True
        except OSError:
            self.size = self.synced
            raise

    def _cut(self, fd: int) -> None:
        if os.fstat(fd).st_size > self.size:
            self._disk.truncate(fd, self.size)
        self._ragged = False


class Handle(Protocol):
    """The aiofiles handle of a `Tail`: the same methods, in a thread."""

    async def write(self, data: bytes, /, *, durable: bool) -> int:
        """As `Tail.write`."""

    async def close(self) -> None:
        """Give the descriptor back."""


def begin(path: str, opening: Iterable[bytes], disk: Disk) -> int:
    """Make the current segment, which must be missing; it is there whole or not at all.

    Returns the size of its opening. Raises OSError.
    """
    settle(path, disk)
    size = _write_aside(path, opening, disk)
    disk.rename(f"{path}.new", path)
    return size


def turn_over(path: str, opening: Iterable[bytes], keep: int, disk: Disk) -> int:
    """Make the current segment `.1` and begin the next; `keep` (at least 1) old ones stay.

    Returns the size of the opening. Raises OSError, and then the current segment is what it was.
    """
    assert keep >= 1, "the reader's cursor and the recovery both look into the segment before this one"
    settle(path, disk)
    try:
        size = _write_aside(path, opening, disk)
        _shift(path, keep, disk)
        disk.link(path, f"{path}.1")
        disk.rename(f"{path}.new", path)
    except OSError:
        with suppress(OSError):
            settle(path, disk)
        raise
    return size


def settle(path: str, disk: Disk) -> None:
    """Undo what a turn that was cut short left behind. Raises OSError."""
    with suppress(FileNotFoundError):
        disk.unlink(f"{path}.new")
    with suppress(FileNotFoundError):
        if os.path.samefile(path, f"{path}.1"):
            disk.unlink(f"{path}.1")


def opened(path: str, *, older: bool = True) -> Iterator[tuple[str, int, os.stat_result]]:
    """Open the segments to read them, newest first: name, descriptor, and how it is. The caller closes.

    A segment only ever moves up, so in this order none is missed. One may be met twice, when the files turn
    over meanwhile; it is given once. Without `older` only the current one is. Raises OSError.
    """
    seen: set[tuple[int, int]] = set()
    highest = max(numbers(path), default=0) + 1 if older else 0
    for number in range(highest + 1):
        name = f"{path}.{number}" if number else path
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        stat = os.fstat(fd)
        if (stat.st_dev, stat.st_ino) in seen:
            os.close(fd)
            continue
        seen.add((stat.st_dev, stat.st_ino))
        yield name, fd, stat


def numbers(path: str) -> list[int]:
    """Return the numbers of the older segments that are there, newest (smallest) first. Raises OSError."""
    directory, name = os.path.split(path)
    endings = (entry[len(name) + 1 :] for entry in os.listdir(directory) if entry.startswith(f"{name}."))
    return sorted(int(e) for e in endings if e.isascii() and e.isdigit() and not e.startswith("0"))


def _is_half(fd: int, size: int) -> bool:
    return size > 0 and os.pread(fd, 1, size - 1) != b"\n"


def _write_aside(path: str, opening: Iterable[bytes], disk: Disk) -> int:
    size = 0
    fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
    try:
        for piece in opening:
            write_all(disk, fd, piece)
            size += len(piece)
        disk.sync(fd)
    finally:
        os.close(fd)
    return size


def _shift(path: str, keep: int, disk: Disk) -> None:
    """Free the number 1: move each older segment up by one, as far as the first gap, the oldest one out."""
    there = numbers(path)
    for number in there:
        if number > keep:
            disk.unlink(f"{path}.{number}")
    gap = next((n for n in range(1, keep) if n not in there), keep)
    for number in range(gap - 1, 0, -1):
        disk.rename(f"{path}.{number}", f"{path}.{number + 1}")
    if gap == 1 and 1 in there:
        disk.unlink(f"{path}.1")
