"""Output as lines, for those who listen: live, bounded, and with a count of what they were too slow for.

Every piece carries the offset in the output that it ends at, counted in bytes as they are shown (without
secrets), so whoever comes back can say how far it has got. A line is what ends with a newline and with
nothing else: U+2028 and a lone carriage return are part of it. One that is longer than `LINE_BYTES` comes in
pieces, not cut within a character; what is no UTF-8 is shown with replacement characters.

A backlog holds bytes, and makes lines of them only as they are taken: what its owner is too slow for costs a
count, not the work.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

LINE_BYTES = 16 * 1024
"""A line comes in pieces of this; a character is at most four bytes of it."""

ROOM_BYTES = 256 * 1024
"""How far a listener may lag behind a run before it gets a gap."""

CHUNK_OVERHEAD_BYTES = 100
"""What a chunk costs besides its bytes: a script may print one byte at a time."""

_LEFT_OUT = re.compile("\n… ([0-9,]{1,26}) bytes left out …\n".encode())


@dataclass(frozen=True, slots=True)
class Line:
    """A line, or a piece of one."""

    text: str
    at_ms: int | None
    """When its last part was read, in ms since the epoch; None when that is not known."""
    end: int
    """The offset behind it."""
    number: int | None
    """Which line it is, from 1; None behind a gap of an unknown number of lines."""
    whole: bool
    """The line ends here."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing."""

    size_bytes: int
    lines: int | None
    """How many newlines are in it; None when nobody knows."""
    end: int


Item = Line | Gap


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of an output, from an offset on."""

    at: int
    data: bytes


class Backlog:
    """What one listener has not read yet."""

    def __init__(
        self, so_far: Sequence[Stretch] = (), *, after: int = 0, room_bytes: int = ROOM_BYTES
    ) -> None:
        """`so_far` is there already, however much it is; what is of it up to `after` is known."""
        self._room = room_bytes
        self._queue: deque[tuple[bytes, int | None] | Gap] = deque()
        self._queued_bytes = 0
        self._data = b""
        self._at = 0
        """Where in these the next line begins."""
        self._at_ms: int | None = None
        self._closed = False
        self.missed_lines = 0
        """Newlines in what was fed and will never be taken."""
        self._number = _number_at(so_far, after)
        end = so_far[-1].at + len(so_far[-1].data) if so_far else 0
        self._end = min(after, end)
        """The offset behind all that was fed."""
        for stretch in so_far:
            self._resume(stretch)
        self._taken = self._end - sum(_size(entry) for entry in self._queue)
        """The offset behind all that was taken."""

    def feed(self, chunk: bytes, at_ms: int) -> None:
        """Take what was read at this instant, or count it when the listener lags too far behind."""
        self._end += len(chunk)
        cost = len(chunk) + CHUNK_OVERHEAD_BYTES
        last = self._queue[-1] if self._queue else None
        # Not before half of it was read: one long gap tells more than a hundred short ones.
        room = self._room // 2 if isinstance(last, Gap) else self._room
        if self._queued_bytes and self._queued_bytes + cost > room:
            self._miss(chunk, last)
            return
        self._queue.append((chunk, at_ms))
        self._queued_bytes += cost

    def close(self) -> None:
        """No more comes: the last line has ended, newline or not."""
        self._closed = True

    def drop(self) -> None:
        """Count what waits instead of keeping it."""
        size_bytes = self._end - self._taken
        if not size_bytes:
            return
        counted = self._data.count(b"\n", self._at)
        told: int | None = 0
        for entry in self._queue:
            if isinstance(entry, Gap):
                told = None if told is None or entry.lines is None else told + entry.lines
            else:
                counted += entry[0].count(b"\n")
        self.missed_lines += counted
        self._queue.clear()
        self._queue.append(Gap(size_bytes, None if told is None else told + counted, self._end))
        self._data, self._at, self._queued_bytes = b"", 0, 0

    def take(self, most: int) -> list[Item]:
        """Return so many of the next lines and gaps; none when nothing more can be told now."""
        items: list[Item] = []
        while len(items) < most and (item := self._next()) is not None:
            items.append(item)
        return items

    def _miss(self, chunk: bytes, last: "tuple[bytes, int | None] | Gap | None") -> None:
        newlines = chunk.count(b"\n")
        self.missed_lines += newlines
        if isinstance(last, Gap):
            lines = None if last.lines is None else last.lines + newlines
            self._queue[-1] = Gap(last.size_bytes + len(chunk), lines, self._end)
        else:
            self._queue.append(Gap(len(chunk), newlines, self._end))

    def _resume(self, stretch: Stretch) -> None:
        data = stretch.data[max(0, self._end - stretch.at) :]
        if stretch.at > self._end:
            self._queue.append(Gap(stretch.at - self._end, None, stretch.at))
        if data:
            self._queue.append((data, None))
            self._queued_bytes += len(data) + CHUNK_OVERHEAD_BYTES
        self._end = max(self._end, stretch.at + len(stretch.data))

    def _next(self) -> Item | None:
        while True:
            newline = self._data.find(b"\n", self._at, self._at + LINE_BYTES)
            if newline >= 0:
                return self._line(newline, skip=1)
            if len(self._data) - self._at > LINE_BYTES:
                return self._line(_between_characters(self._data, self._at + LINE_BYTES))
            head = self._queue[0] if self._queue else None
            if isinstance(head, tuple):
                self._queue.popleft()
                chunk, self._at_ms = head
                self._queued_bytes -= len(chunk) + CHUNK_OVERHEAD_BYTES
                self._data, self._at = self._data[self._at :] + chunk, 0
                continue
            if self._at < len(self._data) and (head is not None or self._closed):
                return self._line(len(self._data))
            if head is None:
                return None
            self._queue.popleft()
            self._number = None if self._number is None or head.lines is None else self._number + head.lines
            self._taken = head.end
            return head

    def _line(self, end: int, *, skip: int = 0) -> Line:
        """Return what there is up to `end`; with `skip` the newline behind it ends the line."""
        text = self._data[self._at : end].decode(errors="replace")
        self._taken += end + skip - self._at
        self._at = end + skip
        number = self._number
        if skip and number is not None:
            self._number = number + 1
        text = text.removesuffix("\r") if skip else text
        return Line(text, self._at_ms, self._taken, number, whole=bool(skip))


def stretches(kept: bytes, *, truncated: bool) -> tuple[Stretch, ...]:
    """Return the stretches of a stored output, whose middle may be left out.

    A script may print the line that counts what is missing, too; then some offsets are wrong.
    """
    missing = _LEFT_OUT.search(kept) if truncated else None
    if missing is None:
        return (Stretch(0, kept),)
    tail_at = missing.start() + int(missing[1].replace(b",", b""))
    return (Stretch(0, kept[: missing.start()]), Stretch(tail_at, kept[missing.end() :]))


def batches(backlog: Backlog, most: int) -> Iterator[list[Item]]:
    """Yield all of a backlog to which no more comes."""
    backlog.close()
    while items := backlog.take(most):
        yield items


def _number_at(so_far: Iterable[Stretch], offset: int) -> int | None:
    """Return the number of the line at an offset, if all before it is there."""
    first = next(iter(so_far), Stretch(0, b""))
    known = first.at == 0 and offset <= len(first.data)
    return first.data.count(b"\n", 0, offset) + 1 if known else None


def _size(entry: "tuple[bytes, int | None] | Gap") -> int:
    return entry.size_bytes if isinstance(entry, Gap) else len(entry[0])


def _between_characters(data: bytes, end: int) -> int:
    """Return the place at or shortly before `end` at which no UTF-8 character is cut."""
    for place in range(end, end - 4, -1):
        if data[place] & 0xC0 != 0x80:
            return place
    return end
