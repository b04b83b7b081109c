"""What a run returns: JSON, from the return value that a launcher wrote or from the script's own hand.

The file is the script's to write, so anything may be in it. What is not JSON becomes its string, marked as
`{"$string": …}`; what is larger than 64 KiB is represented by its start, `{"$start": …, "$bytes": N}`.
What is kept is always JSON, on one line, at most 64 KiB, and without secrets.
"""

import os
from dataclasses import dataclass

import msgspec

from schedd.runner import store
from schedd.runner.redaction import Redactor

START_CHARS = 1000
"""How much is kept of a result that is too large: enough to see what it is."""

ERROR_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Found:
    """What a run left, and what is to be done with its files, so that only what is kept stays in them."""

    returned: str | None = None
    """The result as JSON text."""
    exception: str | None = None
    """The line that a launcher left on an uncaught exception."""
    pieces: tuple[store.Piece, ...] = ()
    useless: tuple[str, ...] = ()


NOTHING = Found()


def find(place: str, redactor: Redactor, *, returns: str | None = None, uid: int | None = None) -> Found:
    """Read the result of the run whose files begin with `place` (blocking). Changes only who may read it.

    `returns`: what the run itself wrote begins with this, and belongs to the user `uid`, or is not believed.
    """
    returns = returns or place
    path, error_path = f"{returns}.result", f"{returns}.result.error"
    raw = store.read_bounded(path, store.RESULT_BYTES + 1, private=uid is None, uid=uid)
    error = store.read_bounded(error_path, ERROR_BYTES, uid=uid)
    kept = None
    if raw is not None:
        kept = normalised(raw, size_bytes=max(len(raw), _size(path)), redactor=redactor)
    exception = None if error is None else redactor.whole(error).decode(errors="replace") or None
    if returns != place:
        pieces = () if kept is None else (store.Piece(f"{place}.result", 0, kept.encode(), b""),)
        return Found(returned=kept, exception=exception, pieces=pieces, useless=(path, error_path))
    changed = kept is not None and kept.encode() != raw
    useless = (path,) if raw is not None and kept is None else ()
    return Found(
        returned=kept,
        exception=exception,
        pieces=(store.Piece(path, 0, kept.encode(), b""),) if kept is not None and changed else (),
        useless=useless if error is None else (*useless, error_path),
    )


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
