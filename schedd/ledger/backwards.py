r"""Reading a file of lines from its end, in blocks, and finding a moment in it.

Bytes stay bytes until somebody wants a line, and a needle is looked for in a whole block before any line is
cut out of it. Lines end at `\n` and nowhere else: U+0085 and U+2028 are part of a line. Whether a block has
the needle at all is asked of the C library: `memmem` is twice as fast as `bytes.rfind` and keeps nobody from
the interpreter. Rejected: mmap, whose search holds its lock for as long as it takes.
"""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from schedd.timetable.instant import to_ms

FIRST_BLOCK = 64 * 1024
"""Holds the newest hundred lines: most requests read no more."""
BLOCK = 1024 * 1024
MAX_LINE = 1024 * 1024
"""What is longer is not a line of ours, and is passed over."""
CHUNK = 4096


_MEMMEM = ctypes.CDLL(None).memmem
_MEMMEM.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
_MEMMEM.restype = ctypes.c_void_p


@dataclass(slots=True)
class Budget:
    """How many bytes may still be read."""

    left: int

    def spend(self, size: int) -> None:
        """Take the bytes off; it may be overdrawn, for no step is half and the first is always made."""
        self.left -= size


@dataclass(frozen=True, slots=True)
class Found:
    """A line without its newline, and where it lies: from `start` up to `end`, the newline included."""

    start: int
    end: int
    line: bytes


class Backwards:
    """The lines of an open file within [low, high), the last one first, as long as the budget lasts.

    Only lines that contain `needle` come out. After the iteration, `position` says how far it came: all above
    was seen. An end without a newline is no line yet. `overlong` has the ends of what was too long.
    """

    def __init__(self, fd: int, low: int, high: int, *, budget: Budget, needle: bytes = b"") -> None:
        self._fd = fd
        self._low = low
        self._high = high
        self._needle = needle
        self._budget = budget
        self._size = FIRST_BLOCK
        self._inside = high > low and os.pread(fd, 1, high - 1) != b"\n"
        self.position = high
        self.overlong: list[int] = []

    @property
    def done(self) -> bool:
        """Nothing is left."""
        return self.position <= self._low

    def __iter__(self) -> Iterator[Found]:
        while not self.done and (self._budget.left > 0 or self.position == self._high):
            start = max(self._low, self.position - self._size)
            block = os.pread(self._fd, self.position - start, start)
            self._budget.spend(max(len(block), 1))
            if len(block) < self.position - start:
                self._shrunk(start + len(block))
            elif self._inside:
                self._leave_line(block, start)
            else:
                yield from self._step(block, start)

    def _shrunk(self, size: int) -> None:
        """The writer has cut back what it could not finish."""
        self.position = max(size, self._low)
        self._inside = size > self._low and os.pread(self._fd, 1, size - 1) != b"\n"

    def _leave_line(self, block: bytes, start: int) -> None:
        self.position = start + block.rfind(b"\n") + 1
        self._inside = b"\n" not in block

    def _step(self, block: bytes, start: int) -> Iterator[Found]:
        first = 0 if start == self._low else block.find(b"\n", 0, len(block) - 1) + 1
        if first == 0 and start > self._low:
            self._widen(start)
            return
        yield from self._lines(block, first, start)
        self.position = start + first
        self._size = min(max(self._size, FIRST_BLOCK) * 2, BLOCK)

    def _widen(self, start: int) -> None:
        """The line is longer than the block."""
        if self._size < MAX_LINE:
            self._size = min(self._size * 4, MAX_LINE)
            return
        self.overlong.append(self.position)
        self.position = start
        self._inside = True

    def _lines(self, block: bytes, first: int, start: int) -> Iterator[Found]:
        end = len(block)
        if self._needle and not _MEMMEM(block, end, self._needle, len(self._needle)):
            return
        while end > first:
            hit = block.rfind(self._needle, first, end - 1)
            if hit < 0:
                return
            line_start = max(first, block.rfind(b"\n", first, hit) + 1)
            line_end = block.find(b"\n", hit, end)
            yield Found(start + line_start, start + line_end + 1, block[line_start:line_end])
            end = line_start


class _Stamp(msgspec.Struct):
    ts: str


_STAMP = msgspec.json.Decoder(_Stamp)


def stamp_ms(line: bytes) -> int | None:
    """Return the `ts` of a line in milliseconds since the epoch; None when it has none."""
    try:
        return to_ms(_STAMP.decode(line).ts)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return None


def first_at(fd: int, high: int, at_ms: int) -> int | None:
    """Return where the first line begins whose `ts` is at or after `at_ms`; `high` when there is none.

    Lines are in the order of `ts`, so a few looks are enough; what has no `ts` is passed over. None when
    there is too much of that to be sure.
    """
    low, top = 0, high
    # Of most files all lines are before that moment, or none: the two ends are looked at first.
    looks = [max(0, high - CHUNK), 0]
    while low < top:
        middle = looks.pop() if looks else (low + top) // 2
        if not low <= middle < top:
            continue
        dated = _dated(fd, middle, high)
        if dated is None:
            return None
        end, at = dated
        if at is not None and at < at_ms:
            low = end
        else:
            top = middle
    return low


def _dated(fd: int, at: int, high: int) -> tuple[int, int | None] | None:
    """Return the end and the moment of the first dated line that begins at or after `at`; no moment: no line.

    None when there is none within reach.
    """
    start = 0
    if at > 0:
        before = _line(fd, at - 1, high)
        if before is None:
            return None
        start = before.end
    reach = start + MAX_LINE
    while start < min(high, reach):
        found = _line(fd, start, high)
        if found is None:
            return None
        moment_ms = stamp_ms(found.line)
        if moment_ms is not None:
            return found.end, moment_ms
        start = found.end
    return (high, None) if start >= high else None


def _line(fd: int, start: int, high: int) -> Found | None:
    """Return the line that begins at `start` (`high` ends one too); None when it is too long for one."""
    parts: list[bytes] = []
    at = start
    while at < high:
        chunk = os.pread(fd, min(CHUNK, high - at), at)
        newline = chunk.find(b"\n")
        if newline >= 0:
            return Found(start, at + newline + 1, b"".join([*parts, chunk[:newline]]))
        if not chunk or at - start > MAX_LINE:
            return None
        parts.append(chunk)
        at += len(chunk)
    return Found(start, high, b"".join(parts))
