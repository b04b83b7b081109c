"""The few calls by which bytes become durable.

Everything that the ledger changes on disk goes through one `Disk`, so that whoever times the calls, or makes
them fail, has one place to stand. Reading needs no such door: it changes nothing.
"""

import os


class Disk:
    """The calls, as the kernel offers them; each raises OSError."""

    def write(self, fd: int, data: memoryview) -> int:
        """Write from the start of `data`; return how many bytes were taken, which may be fewer."""
        return os.write(fd, data)

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """Return when the file's bytes, and its size, are on the disk."""
        os.fdatasync(fd)

    def sync_directory(self, path: str) -> None:
        """Return when the names in this directory are on the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def link(self, path: str, name: str) -> None:
        """Give the file a second name, which must be free."""
        os.link(path, name)

    def rename(self, path: str, name: str) -> None:
        """Move the file to this name, in place of what has it."""
        os.rename(path, name)

    def unlink(self, path: str) -> None:
        """Take the name away."""
        os.unlink(path)


def write_all(disk: Disk, fd: int, data: bytes) -> None:
    """Write all of `data`, however small the pieces that the kernel takes. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[disk.write(fd, rest) :]
