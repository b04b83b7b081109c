"""The newest lines of the fires log as they come, for whoever wants a glance at many scripts.

Bounded work: so many bytes from the end, across the files, and what lies further back is left alone.
"""

import os
from collections.abc import Iterator

import msgspec

from schedd.fire import Kind, Reason, Status
from schedd.ledger import backwards, segment

SCAN_BYTES = 32 * 1024 * 1024
"""130,000 lines, in a third of a second."""


class Brief(msgspec.Struct, gc=False, rename="camel"):
    """A few keys of a line."""

    ts: str
    script_path: str
    run_id: str
    status: Status
    duration_ms: int
    kind: Kind
    reason: Reason | None = None


_DECODE = msgspec.json.Decoder(Brief).decode


def read(path: str, *, scan_bytes: int = SCAN_BYTES) -> Iterator[Brief]:
    """Yield the newest fires, the last one first. Blocking. Raises OSError when the disk can't be read."""
    budget = backwards.Budget(scan_bytes)
    for _, fd, stat in segment.opened(path):
        try:
            if budget.left <= 0:
                return
            yield from _lines(backwards.Backwards(fd, 0, stat.st_size, budget=budget))
        finally:
            os.close(fd)


def _lines(lines: backwards.Backwards) -> Iterator[Brief]:
    for found in lines:
        try:
            yield _DECODE(found.line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
