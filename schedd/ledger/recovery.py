"""Making one consistent record out of what a crash left in the two files. Blocking, before anybody writes.

A crash leaves a torn tail, a half-done rotation, and two files of which one may have come further than the
other: each is synced by itself, and a power loss keeps what it likes of what was not synced. What both say
together is the truth:

- a fire that ended in the ledger and has no line in the fires log gets its line;
- a line in the fires log whose fire has not ended in the ledger is a fire that ended all the same.

The fires log is synced before the ledger turns over, and the new segment begins with the name of the fire
that was published last. So the fires log is read backwards to that fire and no further.

Claims that stay open are left to the daemon, which stops orphaned processes before it closes them. Whatever
is found here is handed to the writers to be appended, so that a full disk is their affair; a second recovery
finds nothing to do.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

import msgspec

from schedd.fire import Entry, RunId
from schedd.ledger import backwards, facts, segment
from schedd.ledger.disk import Disk, write_all
from schedd.ledger.facts import Checkpoint, Ended
from schedd.ledger.state import State
from schedd.timetable.instant import from_ms

MAX_STRANGERS = 10_000
"""So many lines more than there are fires to look for are read before the last published one is given up."""
SCAN_BYTES = 256 * 1024 * 1024
COPY_BYTES = 1024 * 1024

_ENTRY = msgspec.json.Decoder(Entry)
_RUN_ID = b'"runId":"'


@dataclass(slots=True, kw_only=True)
class Recovered:
    """What the files say, and what must be appended to them."""

    state: State
    headless: bool = False
    """The current segment of the ledger does not begin with a checkpoint; it should be turned over."""
    ended: list[Ended] = field(default_factory=list)
    """Belongs into the ledger; it is in the fires log (and in `state`)."""
    unpublished: list[Entry] = field(default_factory=list)
    """Belongs into the fires log; it is in the ledger."""
    newest_ts: str = ""
    """Of the last line of the fires log."""
    published: RunId | None = None
    """The fire of that line."""
    bad_lines: int = 0
    torn: list[str] = field(default_factory=list)
    """Files whose half-written last line was moved aside."""


def recover(ledger_path: str, fires_path: str, disk: Disk) -> Recovered:
    """Repair both files and fold the ledger. Raises OSError when they cannot be read."""
    torn = [path for path in (ledger_path, fires_path) if _mend(path, disk)]
    fold = _fold(ledger_path)
    found = _reconcile(fires_path, fold)
    found.headless = fold.headless and os.path.exists(ledger_path)
    found.torn = torn
    return found


# One file.


def _mend(path: str, disk: Disk) -> bool:
    """Undo a half-done rotation and move a torn tail to `<file>.torn`; say whether there was one.

    What the disk refuses here does no harm: a tail that stays gets its newline from the writer, and is passed
    over by all who read; the half rotation is undone before the next one.
    """
    with suppress(OSError):
        segment.settle(path, disk)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        size = os.fstat(fd).st_size
        whole = _whole(fd, size)
        if whole == size:
            return False
        with suppress(OSError):
            _set_aside(fd, whole, size, f"{path}.torn", disk)
            disk.truncate(fd, whole)
            disk.sync(fd)
        return True
    finally:
        os.close(fd)


def _whole(fd: int, size: int) -> int:
    """Return where the last whole line ends."""
    at = size
    while at > 0:
        start = max(0, at - COPY_BYTES)
        newline = os.pread(fd, at - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        at = start
    return 0


def _set_aside(fd: int, start: int, end: int, path: str, disk: Disk) -> None:
    """Append what lies from `start` to `end` to the file of torn tails, as a line; once, if repeated."""
    torn = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, segment.MODE)
    try:
        before = os.fstat(torn).st_size
        if _same(fd, start, torn, before - (end - start) - 1, end - start):
            return
        try:
            for at in range(start, end, COPY_BYTES):
                write_all(disk, torn, os.pread(fd, min(COPY_BYTES, end - at), at))
            write_all(disk, torn, b"\n")
            disk.sync(torn)
        except OSError:
            disk.truncate(torn, before)
            raise
    finally:
        os.close(torn)


def _same(fd: int, start: int, other: int, other_start: int, size: int) -> bool:
    return other_start >= 0 and all(
        os.pread(fd, min(COPY_BYTES, size - at), start + at)
        == os.pread(other, min(COPY_BYTES, size - at), other_start + at)
        for at in range(0, size, COPY_BYTES)
    )


# The ledger.


@dataclass(slots=True)
class _Fold:
    """The current segment, folded."""

    state: State = field(default_factory=State)
    ended: dict[RunId, Entry] = field(default_factory=dict)
    """Of the facts after the checkpoint, in their order."""
    headless: bool = True
    boundary: RunId | None = None
    """The fire that was published last before this segment."""
    since_ms: int | None = None
    """When this segment began."""
    bad_lines: int = 0


def _fold(path: str) -> _Fold:
    """Fold the current segment; without a checkpoint at its head, the one before it first."""
    fold = _Fold()
    if not _begins_with_checkpoint(path):
        _take_in(f"{path}.1", fold)
        _take_in(path, fold)
        fold.headless = True
    else:
        _take_in(path, fold)
    return fold


def _begins_with_checkpoint(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(32).startswith(b'{"fact":"checkpoint"')
    except FileNotFoundError:
        return False


def _take_in(path: str, fold: _Fold) -> None:
    with suppress(FileNotFoundError), open(path, "rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            fact = facts.decode(line)
            if fact is None:
                fold.bad_lines += 1
                continue
            if isinstance(fact, Checkpoint):
                fold.headless, fold.boundary, fold.since_ms = False, fact.newest, fact.at
                fold.ended.clear()
            elif isinstance(fact, Ended):
                fold.ended[fact.entry.run_id] = fact.entry
            fold.state.apply(fact)


# Both.


def _reconcile(fires_path: str, fold: _Fold) -> Recovered:
    found = Recovered(state=fold.state, bad_lines=fold.bad_lines)
    with ExitStack() as held:
        published = _Published(fold)
        for line in _newest_lines(fires_path, held):
            if not found.newest_ts:
                found.newest_ts = _ts(line)
            found.published = found.published or _run_id(line)
            if not published.meet(line):
                break
    found.unpublished = published.missing()
    for entry in published.unknown():
        ended = Ended(entry=entry)
        found.ended.append(ended)
        found.state.apply(ended)
    # The next segment names the fire whose line is the last one in the fires log, in the order of that file.
    owed = found.unpublished[-1].run_id if found.unpublished else None
    found.state.newest = owed or found.published or found.state.newest
    return found


class _Published:
    """What of the current segment is in the fires log, and what in the fires log is not in the ledger."""

    def __init__(self, fold: _Fold) -> None:
        self._fold = fold
        self._left = len(fold.ended) + len(fold.state.claimed) + MAX_STRANGERS
        self._seen: set[RunId] = set()
        self._strangers: list[bytes] = []
        self._trusted = 0  # strangers newer than a fire of this segment
        self._complete = False

    def meet(self, line: bytes) -> bool:
        """Take in the next older line; False when no more are needed."""
        run_id = _run_id(line)
        if run_id is None:
            return True
        if run_id == self._fold.boundary:
            self._complete = True
            self._trusted = len(self._strangers)
            return False
        if run_id in self._fold.ended:
            self._seen.add(run_id)
            self._trusted = len(self._strangers)
        else:
            self._strangers.append(line)
            if run_id in self._fold.state.claimed:
                self._trusted = len(self._strangers)
        self._left -= 1
        return self._left > 0

    def missing(self) -> list[Entry]:
        """Return the entries that have no line, oldest first.

        When the last published fire was not met, its file is gone, and older fires of this segment may have
        gone with it; then only what is newer than the oldest one that is there can be missing.
        """
        entries = list(self._fold.ended.items())
        if not self._complete and self._seen:
            oldest = next(i for i, (run_id, _) in enumerate(entries) if run_id in self._seen)
            entries = entries[oldest:]
        return [entry for run_id, entry in entries if run_id not in self._seen]

    def unknown(self) -> Iterable[Entry]:
        """Return the entries of this segment that the ledger has lost, oldest first."""
        entries = [(i < self._trusted, _entry(line)) for i, line in enumerate(self._strangers)]
        return [e for trusted, e in reversed(entries) if e is not None and (trusted or self._is_of_now(e))]

    def _is_of_now(self, entry: Entry) -> bool:
        """Before the first published fire there is no boundary; when the segment began must do."""
        since_ms, at_ms = self._fold.since_ms, backwards.stamp_ms(facts.encode(entry))
        if self._fold.boundary is not None or since_ms is None or at_ms is None:
            return False
        return at_ms >= since_ms


def _newest_lines(path: str, held: ExitStack) -> Iterator[bytes]:
    """Yield the lines of the fires log, its older segments included, the newest first."""
    budget = backwards.Budget(SCAN_BYTES)
    for name in [path, *(f"{path}.{number}" for number in segment.numbers(path))]:
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        held.callback(os.close, fd)
        for found in backwards.Backwards(fd, 0, os.fstat(fd).st_size, budget=budget):
            yield found.line


def _run_id(line: bytes) -> RunId | None:
    start = line.find(_RUN_ID) + len(_RUN_ID)
    end = line.find(b'"', start)
    return RunId(line[start:end].decode("utf-8", "replace")) if start >= len(_RUN_ID) and end > 0 else None


def _ts(line: bytes) -> str:
    at_ms = backwards.stamp_ms(line)
    return "" if at_ms is None else from_ms(at_ms)


def _entry(line: bytes) -> Entry | None:
    try:
        return _ENTRY.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
