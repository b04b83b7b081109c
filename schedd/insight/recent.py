"""The last outcomes of each script, and how long it usually takes: what a glance at a list shows.

For ten thousand scripts they are not to be had from the fires log at each glance, so the last `KEPT` of every
script are kept, in 35 bytes each: 11 MB when all have so many. They are read from the newest `SCAN_BYTES` of
the fires log when somebody asks for the first time, in a thread, and follow the fires from then on. A script
whose last outcomes lie further back has none here until it fires; the history has them.

Whoever never asks pays nothing for it. Rejected: reading at the start, when the disk is wanted for scripts.
"""

import statistics
import struct
from collections import deque
from collections.abc import Iterable
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


class RecentOutcomes:
    """Keeps them. Until `begin` nothing is kept; from `begin` to `fill` what ends waits for what is older."""

    def __init__(self) -> None:
        self._rows: dict[str, bytearray] = {}
        self._meanwhile: deque[tuple[str, bytes]] | None = None
        self.filled = False

    def begin(self) -> None:
        """Begin to listen: what ended until now is in the log, and will come by `fill`."""
        self._meanwhile = deque(maxlen=MOST_MEANWHILE)

    def fill(self, rows: dict[str, bytearray]) -> None:
        """Take what `packed` made of the log."""
        self._rows = rows
        meanwhile, self._meanwhile, self.filled = self._meanwhile or (), None, True
        for script, row in meanwhile:
            if row not in _split(self._rows.get(script, bytearray())):
                self._append(script, row)

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


def packed(newest_first: Iterable[Line]) -> dict[str, bytearray]:
    """Return the last outcomes of each script, packed; the script that was silent the longest first."""
    rows: dict[str, list[bytes]] = {}
    for line in newest_first:
        found = rows.get(line.script_path)
        if found is None:
            if len(rows) >= MOST_SCRIPTS:
                continue
            found = rows[line.script_path] = []
        if len(found) < KEPT and (row := pack(line)) is not None:
            found.append(row)
    return {script: bytearray(b"".join(reversed(found))) for script, found in reversed(rows.items())}


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
