"""What a nursery keeps for the scripts to come: their compiled code, and what it knows of the files around.

Imported by `python_nursery.py`; plain Python 3.7.
"""

import os
import sys

from python_script import decided  # type: ignore[import-not-found]

TYPE_CHECKING = False  # importing typing would cost milliseconds
if TYPE_CHECKING:
    from typing import Any

    Version = tuple[int, int, int]
    Known = tuple[str, int, object, str]


MOST_CODES = 256
MOST_SOURCE_BYTES = 8 << 20
"""Bounds of the compiled scripts that are kept, which take about as much memory as their sources."""

MOST_DIRECTORIES = 1024


class Codes:
    """Compiled scripts by their keys, the least recently used first."""

    def __init__(self) -> None:
        self.kept = {}  # type: dict[str, Known]
        """sha256, size of the source, code, and whether main() is to be called."""
        self.source_bytes = 0
        self.compiled = 0
        """How many there have been."""

    def of(self, order: "dict[str, Any]") -> "tuple[object, str]":
        """Return the code of a script, and whether its main() is to be called; None where a fork sees to it.

        That is for what cannot be compiled, or warns, or is no longer the file that the order means: the fork
        then says all that `python script.py` says.
        """
        known = self.kept.pop(order["key"], None)
        if known is not None:
            self.source_bytes -= known[1]
        if known is None or known[0] != order["sha256"]:
            source = source_of(order["path"], order["stamp"])
            code = None if source is None else compiled(source, order["path"])
            if source is None or code is None:
                return None, order["how"]
            how = decided(source) if order["how"] == "ask" else order["how"]
            known = (order["sha256"], len(source), code, how)
            self.compiled += 1
        self.keep(order["key"], known)
        return known[2:]

    def keep(self, key: str, known: "Known") -> None:
        """Put it last, and let go of the first ones when they are too many."""
        self.kept[key] = known
        self.source_bytes += known[1]
        while len(self.kept) > MOST_CODES or self.source_bytes > MOST_SOURCE_BYTES:
            self.source_bytes -= self.kept.pop(next(iter(self.kept)))[1]


class Shadows:
    """Which scripts have a neighbour that is named like a module that was preloaded.

    `python script.py` would import the neighbour, so that is how they are run.
    """

    def __init__(self, bare: "frozenset[str]") -> None:
        self.names = frozenset(name.partition(".")[0] for name in frozenset(sys.modules) - bare)
        self.known = {}  # type: dict[str, tuple[int, bool]]

    def fall_on(self, path: str) -> bool:
        """Tell whether there is one. Its directory is read again when it has changed."""
        if not self.names:
            return False
        directory = os.path.dirname(os.path.realpath(path))
        try:
            changed_ns = os.stat(directory).st_mtime_ns
            known = self.known.get(directory)
            if known is None or known[0] != changed_ns:
                if len(self.known) >= MOST_DIRECTORIES:
                    self.known.clear()
                known = self.known[directory] = (changed_ns, self.look(directory))
        except OSError:
            return True
        return known[1]

    def look(self, directory: str) -> bool:
        """Read a directory."""
        for entry in os.listdir(directory):
            name, dot, ending = entry.partition(".")
            if name in self.names and (
                ending in ("py", "pyc")
                or ending.endswith("so")
                or (not dot and os.path.exists(os.path.join(directory, name, "__init__.py")))
            ):
                return True
        return False


def inventory() -> "dict[str, Version | None]":
    """Return the versions of all files that this process stands on, and of where modules come from."""
    places = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    places += [sys.executable, os.path.join(sys.prefix, "pyvenv.cfg"), *sys.path]
    return {place: version_of(place) for place in places}


def changed(known: "dict[str, Version | None]") -> bool:
    """Tell whether any of these files has changed."""
    return any(version_of(place) != version for place, version in known.items())


def version_of(place: str) -> "Version | None":
    """Return what tells the versions of a file or directory apart; None when there is none."""
    try:
        status = os.stat(place)
    except (OSError, TypeError, ValueError):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def source_of(path: str, stamp: "tuple[int, int, int]") -> "bytes | None":
    """Read a script; None when it is not the version that the stamp is of."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if (status.st_ino, status.st_size, status.st_mtime_ns) != tuple(stamp):
                return None
            source = file.read(status.st_size + 1)
            return source if len(source) == status.st_size else None
    except OSError:
        return None


def compiled(source: bytes, path: str) -> object:
    """Compile a script; None when there is anything to say about it."""
    said, shown = Ear(), sys.stderr
    sys.stderr = said
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError, Warning):
        return None
    finally:
        sys.stderr = shown
    return None if said.heard else code


class Ear:
    """Stands in for standard error, to learn whether anything is written."""

    heard = False

    def write(self, text: str) -> int:
        """Hear something."""
        self.heard = True
        return len(text)

    def flush(self) -> None:
        """Do nothing."""
