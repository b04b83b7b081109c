"""Reading the fires log, newest first.

A request opens the files it may need and holds them, so a rotation while it reads changes nothing. It reads
at most 32 MiB; `since` and `until` are found by bisection in each file by itself, since a clock that was
stepped back begins a new one. All filters are looked for in the raw bytes of a line before it is decoded.

A page is *truncated* when it may not be the whole answer: the scan was cut short, or another entry is there
beyond the limit (the reader looks on until it has seen one). Then, and only then, it has a cursor, which
continues exactly there. A cursor names its file by what is in it, not by its number, so it stays good when
the file is rotated, and it works without `include_rotated` too.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from schedd.fire import Entry, Kind, Reason, RunId, Status
from schedd.ledger import backwards, segment
from schedd.timetable.instant import to_ms

MAX_LIMIT = 1000
SCAN_BYTES = 32 * 1024 * 1024
"""What one request may read: a tenth of a second, and then it says where it stopped."""
NAME_BYTES = 1024
"""A file is known by so many of its first bytes."""
MAX_BAD = 100
"""So many bad lines are named by one page."""

_ENTRY = msgspec.json.Decoder(Entry)
_CURSOR = re.compile(r"([0-9a-f]{1,12})-([0-9a-f]{1,16})-([0-9a-f]{16})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which entries are wanted. Instants are milliseconds since the epoch; None = no such bound."""

    script: str | None = None
    since_ms: int | None = None
    """Not before this `ts`: a lower bound, inclusive."""
    until_ms: int | None = None
    """Before this `ts`: an upper bound, exclusive, so that neighbouring ranges share no entry."""
    slot_since_ms: int | None = None
    """Not before this slot; of lines that stand for a stretch, its last one."""
    slot_until_ms: int | None = None
    """Before this slot; of a stretch, its first one."""
    status: Status | None = None
    reason: Reason | None = None
    kind: Kind | None = None
    run_id: RunId | None = None
    limit: int = 100
    """At least 1; more than 1000 is read as 1000."""
    include_rotated: bool = False
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first; `cursor` continues exactly behind the last one when the answer is truncated."""

    entries: tuple[Entry, ...]
    truncated: bool = False
    cursor: str | None = None
    bad: tuple[str, ...] = ()
    """Lines that were passed over because they are not entries: `<file> ending at byte <n>`."""


@dataclass(frozen=True, slots=True)
class _File:
    """A segment that is held open, as long as it was when the reading began."""

    fd: int
    name: str
    inode: int
    size: int


def read(path: str, query: Query, *, scan_bytes: int = SCAN_BYTES) -> Page:
    """Answer a query from the fires log at `path`. Blocking.

    Raises ValueError when the cursor is malformed or its place is gone, OSError when the disk can't be read.
    """
    assert query.limit >= 1, "a limit below 1 is refused where it comes in"
    with ExitStack() as held:
        files = _open(path, held, rotated=query.include_rotated or query.cursor is not None)
        if query.cursor is not None:
            files = _continue(files, query.cursor, rotated=query.include_rotated)
        return _Reading(query, scan_bytes).page(files)


def _open(path: str, held: ExitStack, *, rotated: bool) -> list[_File]:
    files: list[_File] = []
    for name, fd, stat in segment.opened(path, older=rotated):
        held.callback(os.close, fd)
        files.append(_File(fd, os.path.basename(name), stat.st_ino, stat.st_size))
    return files


def _continue(files: list[_File], cursor: str, *, rotated: bool) -> list[_File]:
    """Return the files from the cursor's place on, the first of them as short as the cursor says."""
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise ValueError(
            "cursor is not one that this API gave out; leave it away to start from the newest entry"
        )
    at, inode, name = int(match[1], 16), int(match[2], 16), match[3]
    same = [f for f in files if f.size >= at and _name(f, at) == name]
    same.sort(key=lambda file: file.inode != inode)  # a restored copy will do when the file itself is gone
    if not same:
        raise ValueError(
            "cursor points into a file that is gone; leave it away to start from the newest entry"
        )
    first = same[0]
    older = files[files.index(first) + 1 :] if rotated else []
    return [_File(first.fd, first.name, first.inode, at), *older]


def _cursor(file: _File, at: int) -> str:
    return f"{at:x}-{file.inode:x}-{_name(file, at)}"


def _name(file: _File, at: int) -> str:
    head = os.pread(file.fd, min(NAME_BYTES, at), 0)
    return blake2b(head, digest_size=8).hexdigest()


class _Reading:
    """One request on its way through the files."""

    def __init__(self, query: Query, scan_bytes: int) -> None:
        self._query = query
        self._limit = min(query.limit, MAX_LIMIT)
        self._needles = _needles(query)
        self._budget = backwards.Budget(scan_bytes)
        self._entries: list[Entry] = []
        self._bad: list[str] = []

    def page(self, files: list[_File]) -> Page:
        for file in files:
            low, high = self._bounds(file)
            if low >= high:
                continue
            if self._budget.left <= 0:
                return self._truncated(file, high)
            lines = backwards.Backwards(
                file.fd, low, high, budget=self._budget, needle=self._needles[0] if self._needles else b""
            )
            for end, entry in self._chosen(file, lines):
                if len(self._entries) == self._limit:
                    return self._truncated(file, end)
                self._entries.append(entry)
            if not lines.done:
                return self._truncated(file, lines.position)
        return Page(tuple(self._entries), bad=tuple(self._bad))

    def _truncated(self, file: _File, at: int) -> Page:
        return Page(tuple(self._entries), truncated=True, cursor=_cursor(file, at), bad=tuple(self._bad))

    def _bounds(self, file: _File) -> tuple[int, int]:
        low, high = 0, file.size
        # No line is written before its slot.
        since_ms = max(self._query.since_ms or 0, self._query.slot_since_ms or 0)
        if since_ms > 0:
            low = backwards.first_at(file.fd, file.size, since_ms) or 0
        if self._query.until_ms is not None:
            until = backwards.first_at(file.fd, file.size, self._query.until_ms)
            high = file.size if until is None else until
        return low, high

    def _chosen(self, file: _File, lines: backwards.Backwards) -> Iterator[tuple[int, Entry]]:
        for found in lines:
            if not all(needle in found.line for needle in self._needles):
                continue
            entry = self._decode(file, found)
            if entry is not None and self._wanted(entry):
                yield found.end, entry
        for end in lines.overlong:
            self._note(file, end)

    def _decode(self, file: _File, found: backwards.Found) -> Entry | None:
        try:
            return _ENTRY.decode(found.line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if not found.line.startswith(b'{"fact":"lost"'):
                self._note(file, found.end)
            return None

    def _note(self, file: _File, end: int) -> None:
        if len(self._bad) < MAX_BAD:
            self._bad.append(f"{file.name} ending at byte {end}")

    def _wanted(self, entry: Entry) -> bool:
        """Decide on the decoded entry: a needle may have been found in the wrong place."""
        query = self._query
        return (
            query.script in (None, entry.script_path)
            and query.status in (None, entry.status)
            and query.reason in (None, entry.reason)
            and query.kind in (None, entry.kind)
            and query.run_id in (None, entry.run_id)
            and _within(entry.ts, query)
            and _of_slot_within(entry, query)
        )


def _needles(query: Query) -> list[bytes]:
    """Return what a wanted line contains, byte for byte as it is written, the rarest first."""
    wanted = (
        ("runId", query.run_id),
        ("scriptPath", query.script),
        ("reason", query.reason),
        ("kind", query.kind),
        ("status", query.status),
    )
    given = [(key, value) for key, value in wanted if value is not None]
    needles = [f'"{key}":'.encode() + msgspec.json.encode(value) for key, value in given]
    slots = query.slot_since_ms is not None or query.slot_until_ms is not None
    return [*needles, b'"slot":"'] if slots else needles


def _within(ts: str, query: Query) -> bool:
    if query.since_ms is None and query.until_ms is None:
        return True
    try:
        at_ms = to_ms(ts)
    except (ValueError, OverflowError):
        return False
    return (query.since_ms is None or at_ms >= query.since_ms) and (
        query.until_ms is None or at_ms < query.until_ms
    )


def _of_slot_within(entry: Entry, query: Query) -> bool:
    """Whether a slot of the entry may lie within the bounds: of a stretch only its ends are known."""
    since_ms, until_ms = query.slot_since_ms, query.slot_until_ms
    if since_ms is None and until_ms is None:
        return True
    try:
        first_ms = to_ms(entry.slot or "")
        last_ms = to_ms(entry.last_slot) if entry.last_slot else first_ms
    except (ValueError, OverflowError):
        return False
    return (since_ms is None or last_ms >= since_ms) and (until_ms is None or first_ms < until_ms)
