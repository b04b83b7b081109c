"""What is kept of what a run prints: both ends, with a line between them that counts what is missing.

A run may print a gigabyte, one line of 200 MB, or bytes of no encoding at all. Memory and disk stay bounded
whatever comes, and the bytes stay bytes until somebody shows them.

Rejected: keeping whole lines only (there may be none).
"""

from dataclasses import dataclass

from schedd.runner.lines import Stretch

KEPT_BYTES = 64 * 1024

LAST_LINE_BYTES = 1000
"""How far back the last line is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPolicy:
    """What becomes of output, as the settings say."""

    head_bytes: int = KEPT_BYTES
    tail_bytes: int = KEPT_BYTES
    redact: tuple[str, ...] = ()
    """Texts that are replaced in all output, besides each script's own secrets."""
    redact_patterns: tuple[str, ...] = ()
    journal: bool = True
    """Lines go to the journal, if there is one."""


class HeadAndTail:
    """The first and the last bytes of a stream, and the number of those between."""

    def __init__(self, *, head_bytes: int, tail_bytes: int) -> None:
        self._head_room = head_bytes
        self._tail_room = tail_bytes
        self._tail = bytearray()
        self.head = bytearray()
        self.total_bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Keep what there is room for."""
        self.total_bytes += len(chunk)
        room = self._head_room - len(self.head)
        if room > 0:
            self.head += chunk[:room]
            chunk = chunk[room:]
        if len(chunk) >= self._tail_room:
            self._tail = bytearray(chunk[len(chunk) - self._tail_room :])
            return
        self._tail += chunk
        # Trimmed only when twice as long as it may be: a byte moves once, not once for each chunk.
        if len(self._tail) > 2 * self._tail_room:
            del self._tail[: -self._tail_room]

    @property
    def left_out_bytes(self) -> int:
        """How many bytes are neither in the head nor in the tail."""
        return max(0, self.total_bytes - self._head_room - self._tail_room)

    def after_head(self) -> bytes:
        """Return all that follows the head: the tail, below the line that counts what is missing."""
        tail = self._kept_tail()
        return left_out(self.left_out_bytes) + tail if self.left_out_bytes else tail

    def kept(self) -> bytes:
        """Return what was kept, as it is stored and shown."""
        return bytes(self.head) + self.after_head()

    def stretches(self) -> tuple[Stretch, ...]:
        """Return what was kept, with the places at which it was printed."""
        tail = self._kept_tail()
        return (Stretch(0, bytes(self.head)), Stretch(self.total_bytes - len(tail), tail))

    def last_line(self) -> str:
        """Return the last line that is not blank, or nothing; at most 200 characters of it."""
        joined = b"" if self.left_out_bytes else bytes(self.head[-LAST_LINE_BYTES:])
        end = (joined + bytes(self._tail[-LAST_LINE_BYTES:]))[-LAST_LINE_BYTES:]
        lines = end.decode(errors="replace").split("\n")
        return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")

    def _kept_tail(self) -> bytes:
        return bytes(self._tail[max(0, len(self._tail) - self._tail_room) :])


def left_out(count: int) -> bytes:
    """Return the line that stands for `count` missing bytes, below a newline that is not theirs either."""
    return f"\n… {count:,} bytes left out …\n".encode()
