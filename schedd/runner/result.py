"""What a run returns: JSON, from the return value that a launcher wrote or from the script's own hand.

The file is the script's to write, so anything may be in it. What is not JSON becomes its string, marked as
`{"$string": …}`; what is larger than 64 KiB is represented by its start, `{"$start": …, "$bytes": N}`.
What is kept is always JSON, on one line, at most 64 KiB, and without secrets.
"""

import contextlib
import os

import msgspec

from schedd.runner import store
from schedd.runner.output import Redactor

START_CHARS = 1000
"""How much is kept of a result that is too large: enough to see what it is."""

ERROR_BYTES = 4096


def collect(path: str, redactor: Redactor) -> str | None:
    """Read the result at `path`, replace the file by what is kept of it, and return that (blocking)."""
    raw = store.read_bounded(path, store.RESULT_BYTES + 1)
    if raw is None:
        return None
    kept = normalised(raw, size_bytes=max(len(raw), _size(path)), redactor=redactor)
    if kept is None:
        with contextlib.suppress(OSError):
            os.unlink(path)
    elif kept.encode() != raw:
        store.write_piece(store.Piece(path, 0, kept.encode(), b""))
    return kept


def collect_error(path: str, redactor: Redactor) -> str | None:
    """Take the line that a launcher left on an uncaught exception (blocking)."""
    raw = store.read_bounded(path, ERROR_BYTES)
    if raw is None:
        return None
    with contextlib.suppress(OSError):
        os.unlink(path)
    return redactor.whole(raw).decode(errors="replace") or None


def normalised(raw: bytes, *, size_bytes: int, redactor: Redactor) -> str | None:
    """Return what is kept of a result of `size_bytes` that starts with `raw`; None when it is blank."""
    text = redactor.whole(raw).decode(errors="replace").strip()
    if not text:
        return None
    if size_bytes > store.RESULT_BYTES:
        return _encoded({"$start": text[:START_CHARS], "$bytes": size_bytes})
    try:
        # Decoded to be checked, and formatted instead of encoded again: numbers stay as they were written.
        msgspec.json.decode(text.encode())
        kept = msgspec.json.format(text, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        kept = _encoded({"$string": text})
    if len(kept.encode()) > store.RESULT_BYTES:
        return _encoded({"$start": text[:START_CHARS], "$bytes": size_bytes})
    return kept


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def _encoded(value: dict[str, str | int]) -> str:
    return msgspec.json.encode(value).decode()
