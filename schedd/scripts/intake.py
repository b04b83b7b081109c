"""One file: opened, read, hashed, and turned into a schedule, a list of problems, or nothing.

Most files in a scripts directory are no scripts (data, modules, notes), so the way out for those is short:
one open, one read, one search in bytes. A file that changes while it is read is read again, and after a
few times refused: half of an old script and half of a new one is nobody's script.
"""

import hashlib
import os
import stat
import unicodedata

from schedd.fire import Reason
from schedd.schedule import FileStamp, opening
from schedd.scripts.directives import HEADER_BYTES, Problem, may_have_directives, read_header
from schedd.scripts.registration import Finding, Registrar, Source

MOST_BYTES = 16 * 1024 * 1024
"""A script larger than this is an archive or an accident, and each reload would hash it."""

OPENING_BYTES = 4096
"""So much is looked at to tell who runs a script."""

_ATTEMPTS = 3
_CHUNK_BYTES = 256 * 1024
# A FIFO put in the file's place must not block the scan, nor a terminal become the daemon's.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_PROGRAMS = (".py", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts")
# Controls, lone surrogates (bytes that are not UTF-8), line and paragraph separators.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


class ChangingError(Exception):
    """The file was written to each time that it was read."""


def take(path: str, script: str, registrar: Registrar) -> Finding | None:
    """Read the file at `path`, which the scripts directory knows as `script`; None for a FIFO or the like.

    Raises OSError when it cannot be read, ChangingError when it does not hold still.
    """
    for _ in range(_ATTEMPTS):
        descriptor = os.open(path, _FLAGS)
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return None
            finding = _read(descriptor, _stamp(before), path=path, script=script, registrar=registrar)
            if _is_no_script(finding) or finding.is_of(os.fstat(descriptor)):
                return finding
        finally:
            os.close(descriptor)
    raise ChangingError(path)


def carries_schedule(path: str) -> bool:
    """Tell whether this is a regular file with `@schedule`, wherever it lies. Raises OSError."""
    descriptor = os.open(path, _FLAGS)
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            return False
        return read_header(_head(descriptor, info.st_size)).get("schedule") is not None
    finally:
        os.close(descriptor)


def shown(script: str) -> str:
    """Return a file's name as it can be printed: what has no place in a line is escaped."""
    return script if script.isprintable() else "".join(_escaped(char) for char in script)


def _read(descriptor: int, stamp: FileStamp, *, path: str, script: str, registrar: Registrar) -> Finding:
    head = _head(descriptor, stamp.size)
    is_cut = len(head) > HEADER_BYTES and _is_program(script, head)
    if not is_cut and not may_have_directives(head):
        return Finding(stamp=stamp)
    name = shown(script)
    header = read_header(head, name)
    if header.get("schedule") is None:
        cut = (header.cut,) if is_cut and header.cut is not None else ()
        return Finding(stamp=stamp, warnings=header.nearly or cut)
    if refusal := _refusal(script, name, stamp):
        return Finding(stamp=stamp, problems=(refusal,))
    source = Source(
        script=script,
        path=path,
        sha256=_sha256(descriptor, head, stamp.size),
        stamp=stamp,
        opening=opening(head[:OPENING_BYTES]),
    )
    return registrar.register(header, source)


def _is_program(script: str, head: bytes) -> bool:
    """Tell whether something would run this file: its extension or its first line says so."""
    return head.startswith(b"#!") or script.endswith(_PROGRAMS)


def _refusal(script: str, name: str, stamp: FileStamp) -> Problem | None:
    """A script's name is a key in logs, URLs and answers, where half a character cannot go."""
    if not script.isprintable() and any(map(_is_refused, script)):
        return Problem(name, "the name holds a control character or is not UTF-8: rename the file")
    if stamp.size > MOST_BYTES:
        return Problem(
            name, f"larger than {MOST_BYTES // 2**20} MiB: a script of this size is not registered"
        )
    return None


def _head(descriptor: int, size: int) -> bytes:
    """Read the header's bytes, and one more if there are more; `size` tells when there are not."""
    wanted = HEADER_BYTES + 1
    head = os.read(descriptor, wanted)
    while len(head) < min(size, wanted) and (more := os.read(descriptor, wanted - len(head))):
        head += more
    return head


def _sha256(descriptor: int, head: bytes, size: int) -> str:
    """Hash the whole file; one that grows meanwhile is caught by its stamp afterwards."""
    digest = hashlib.sha256(head)
    left = size - len(head)
    while left > 0 and (chunk := os.read(descriptor, _CHUNK_BYTES)):
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest()


def _is_no_script(finding: Finding) -> bool:
    return finding.schedule is None and not finding.problems


def _stamp(info: os.stat_result) -> FileStamp:
    return FileStamp(info.st_ino, info.st_size, info.st_mtime_ns)


def unreadable(name: str, error: OSError) -> Problem:
    """Return the problem of something that could not be read."""
    why = error.strerror or str(error)
    return Problem(name, f"cannot be read: {why}", cause=Reason.UNREADABLE)


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # how Python holds a byte of a name that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode() if _is_refused(char) else char


def _is_refused(char: str) -> bool:
    return unicodedata.category(char) in _REFUSED_CATEGORIES
