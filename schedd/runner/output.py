"""What a run prints: redacted, counted, and kept at both ends.

A run may print a gigabyte, one line of 200 MB, or bytes of no encoding at all. What is kept is its first
and its last part, with a counted line between them, so memory and disk stay bounded whatever comes; the
bytes stay bytes until somebody shows them. Secrets are replaced before anything is kept, also when one
arrives in two pieces: the end of a chunk that may be the start of a secret waits for the next chunk.

Rejected: keeping whole lines only (there may be none), and patterns instead of literal values in the
redaction (an unbounded pattern has no last byte to wait for).
"""

import re
from collections import deque
from collections.abc import Collection

REDACTED = b"[redacted]"

LAST_LINE_BYTES = 1000
"""How far back the last line is looked for."""


class Redactor:
    """Replaces secret values in a stream of bytes, also across the borders of its chunks."""

    def __init__(self, secrets: Collection[bytes]) -> None:
        ordered = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._secrets = tuple(ordered)
        self._longest = max(map(len, ordered), default=0)
        self._pattern = re.compile(b"|".join(map(re.escape, ordered)))
        self._waiting = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return what may be kept now: `chunk` without what could be the start of a secret."""
        if not self._secrets:
            return chunk
        data = self._waiting + chunk
        kept = bytearray()
        done, settled = 0, self._settled(data)
        if any(secret in data for secret in self._secrets):
            for match in self._pattern.finditer(data):
                if match.start() >= settled:
                    break
                kept += data[done : match.start()] + REDACTED
                done = match.end()
        end = max(settled, done)
        kept += data[done:end]
        self._waiting = data[end:]
        return bytes(kept)

    def finish(self) -> bytes:
        """Return what was still waiting: no more will come, so only whole secrets in it count."""
        rest, self._waiting = self._waiting, b""
        return self._pattern.sub(REDACTED, rest) if self._secrets else rest

    def whole(self, data: bytes) -> bytes:
        """Return `data`, a complete text of its own, with every secret replaced."""
        return self._pattern.sub(REDACTED, data) if self._secrets else data

    def _settled(self, data: bytes) -> int:
        """Return how many bytes of `data` no later byte can turn into the start of a secret."""
        for start in range(max(0, len(data) - self._longest + 1), len(data)):
            tail = data[start:]
            if any(secret.startswith(tail) for secret in self._secrets if len(secret) > len(tail)):
                return start
        return len(data)


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
        tail = bytes(self._tail[max(0, len(self._tail) - self._tail_room) :])
        if not self.left_out_bytes:
            return tail
        newline = b"" if self.head.endswith(b"\n") else b"\n"
        return newline + left_out(self.left_out_bytes) + tail

    def kept(self) -> bytes:
        """Return what was kept, as it is stored and shown."""
        return bytes(self.head) + self.after_head()

    def last_line(self) -> str:
        """Return the last line that is not blank, or nothing; at most 200 characters of it."""
        joined = b"" if self.left_out_bytes else bytes(self.head[-LAST_LINE_BYTES:])
        end = (joined + bytes(self._tail[-LAST_LINE_BYTES:]))[-LAST_LINE_BYTES:]
        lines = end.decode(errors="replace").split("\n")
        return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")


class Follower:
    """What one listener has not yet read: bounded, and with a counted gap where the listener was slow."""

    def __init__(self, *, room_bytes: int) -> None:
        self._room = room_bytes
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._missed_bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Keep the chunk for the listener, or count it when the listener lags too far behind."""
        if self._missed_bytes or self._waiting_bytes + len(chunk) > self._room:
            self._missed_bytes += len(chunk)
            return
        self._chunks.append(chunk)
        self._waiting_bytes += len(chunk)

    def take(self) -> bytes:
        """Return all that waits, with the gap named at its end; nothing when nothing waits."""
        parts = [*self._chunks]
        if self._missed_bytes:
            parts += [b"\n", left_out(self._missed_bytes)]
        self._chunks.clear()
        self._waiting_bytes = self._missed_bytes = 0
        return b"".join(parts)


def left_out(count: int) -> bytes:
    """Return the line that stands for `count` missing bytes."""
    return f"… {count:,} bytes left out …\n".encode()
