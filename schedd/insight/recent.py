"""The last outcomes of each script, and how long it usually takes: what a glance at a list shows.

For ten thousand scripts they are not to be had from the fires log at each glance, so the last `KEPT` of every
script are kept, in 35 bytes each: 11 MB when all have so many. They are read from the newest `SCAN_BYTES` of
the fires log in small steps of a thread, and follow the fires from then on. A script whose last outcomes lie
further back has none here until it fires; the history has them.

Nothing here does much in one piece, whatever the thread: what makes or frees a hundred thousand objects at
once keeps the interpreter to itself meanwhile.
"""

import statistics
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from schedd.fire import Kind, Reason, RunId, Status
from schedd.timetable import instant

KEPT: Final = 30
MOST_SCRIPTS: Final = 20_000
"""Registered or not; the one that was silent the longest is forgotten first."""
MOST_MEANWHILE: Final = 100_000
"""Fires that end while the log is read."""
MEANWHILE_AT_ONCE: Final = 100
"""A millisecond's work."""

_ROW = struct.Struct("<q16sBBBq")
_STATUSES, _KINDS = tuple(Status), tuple(Kind)
_REASONS: tuple[Reason | None, ...] = (None, *Reason)


class Line(Protocol):
    """A line of the fires log, as far as it is wanted here."""

    @property
    def script_path(self) -> str:
        """Whose it is."""

    @property
    def ts(self) -> str:
        """When it ended."""

    @property
    def run_id(self) -> str:
        """A UUID."""

    @property
    def status(self) -> Status:
        """How it ended."""

    @property
    def reason(self) -> Reason | None:
        """Why so."""

    @property
    def duration_ms(self) -> int:
        """How long it took."""

    @property
    def kind(self) -> Kind:
        """Why there was a fire."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one fire ended; `ts_ms` is when, in milliseconds since the epoch."""

    ts_ms: int
    run_id: RunId
    status: Status
    reason: Reason | None
    duration_ms: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Recent:
    """The last outcomes of a script, oldest first."""

    outcomes: tuple[Outcome, ...] = ()

    @property
    def usual_ms(self) -> int | None:
        """How long the middle one of the good runs took; None without any."""
        took = [outcome.duration_ms for outcome in self.outcomes if outcome.status is Status.OK]
        return round(statistics.median(took)) if took else None


class Reading:
    """The last outcomes of each script on their way out of the log, which is told newest first."""

    def __init__(self, newest_first: Iterator[Line]) -> None:
        self._lines = newest_first
        self._rows: dict[str, bytearray] = {}

    def step(self, lines: int) -> bool:
        """Take in so many lines more; False when there were no more. Blocks on whoever gives the lines."""
        for _ in range(lines):
            line = next(self._lines, None)
            if line is None:
                return False
            self._take(line)
        return True

    def rows(self) -> dict[str, bytearray]:
        """Return what was read, packed; the script that was silent the longest first. Call it once."""
        turned: dict[str, bytearray] = {}
        while self._rows:
            script, rows = self._rows.popitem()
            turned[script] = bytearray(b"".join(reversed(_split(rows))))
        return turned

    def _take(self, line: Line) -> None:
        rows = self._rows.get(line.script_path)
        if rows is None:
            if len(self._rows) >= MOST_SCRIPTS:
                return
            rows = self._rows[line.script_path] = bytearray()
        if len(rows) < KEPT * _ROW.size and (row := pack(line)) is not None:
            rows += row


class RecentOutcomes:
    """Keeps them. Until `begin` nothing is kept; until all is `filled` what ends waits for what is older."""

    def __init__(self) -> None:
        self._rows: dict[str, bytearray] = {}
        self._meanwhile: deque[tuple[str, bytes]] | None = None
        self.filled = False

    def begin(self) -> None:
        """Begin to listen: what ended until now is in the log, and will come by `fill`."""
        self._meanwhile = deque(maxlen=MOST_MEANWHILE)

    def fill(self, rows: dict[str, bytearray]) -> None:
        """Take what was read from the log; `settle` adds what has ended meanwhile."""
        self._rows = rows

    def settle(self) -> bool:
        """Add some of what has ended meanwhile; True when that was all, and nothing has to wait any more."""
        meanwhile = self._meanwhile or deque()
        for _ in range(min(MEANWHILE_AT_ONCE, len(meanwhile))):
            script, row = meanwhile.popleft()
            if row not in _split(self._rows.get(script, bytearray())):
                self._append(script, row)
        if not meanwhile:
            self._meanwhile, self.filled = None, True
        return self.filled

    def note(self, entry: Line) -> None:
        """Take in the line of a fire that has just ended."""
        if not self.filled and self._meanwhile is None:
            return
        row = pack(entry)
        if row is None:
            return
        if self._meanwhile is not None:
            self._meanwhile.append((entry.script_path, row))
        else:
            self._append(entry.script_path, row)

    def of(self, script: str) -> Recent:
        """Return those of one script."""
        return unpacked(self.rows(script))

    def rows(self, script: str) -> bytes:
        """Return those of one script, for `unpacked`: of two hundred scripts it takes 15 ms."""
        return bytes(self._rows.get(script, b""))

    def _append(self, script: str, row: bytes) -> None:
        rows = self._rows.pop(script, None) or bytearray()
        rows += row
        del rows[: -KEPT * _ROW.size]
        self._rows[script] = rows
        if len(self._rows) > MOST_SCRIPTS:
            del self._rows[next(iter(self._rows))]


def pack(told: Line) -> bytes | None:
    """Return an outcome in few bytes; None for what no daemon of ours has written."""
    try:
        return _ROW.pack(
            instant.to_ms(told.ts),
            UUID(told.run_id).bytes,
            _STATUSES.index(told.status),
            _REASONS.index(told.reason),
            _KINDS.index(told.kind),
            told.duration_ms,
        )
    except (ValueError, OverflowError, struct.error):
        return None


def unpacked(rows: bytes) -> Recent:
    """Return the outcomes that rows are made of."""
    return Recent(tuple(map(_unpacked, _split(rows))))


def _split(rows: bytes | bytearray) -> list[bytes]:
    return [bytes(rows[at : at + _ROW.size]) for at in range(0, len(rows), _ROW.size)]


def _unpacked(row: bytes) -> Outcome:
    ts_ms, run_id, status, reason, kind, duration_ms = _ROW.unpack(row)
    return Outcome(
        ts_ms=ts_ms,
        run_id=RunId(str(UUID(bytes=run_id))),
        status=_STATUSES[status],
        reason=_REASONS[reason],
        duration_ms=duration_ms,
        kind=_KINDS[kind],
    )
