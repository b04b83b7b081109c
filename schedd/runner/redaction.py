"""Replaces what must not be shown in what a run prints: given texts, and what looks like a secret.

Both are looked for in the bytes as they were printed, and what either finds is replaced, as one where they
overlap. Texts are found wherever a chunk ends: an end that may be the start of one waits for the next chunk.
Patterns are looked for in one line at a time, so there the end of the line is waited for. A line may never
end: of one that is longer than `LINE_BYTES` only so many bytes wait. A match of fewer bytes is found all the
same, wherever it begins; one that takes as many has no end in sight, and the rest of the line goes with it.

A pattern can take for ever on an unlucky text. It is given up after `PATTERN_S`, and what it was looked for
in is replaced as a whole: rather a hole in the output than a secret, or an event loop that stands still.

Rejected: `re` for patterns (it has no time limit), texts first and then patterns in what is left (half of a
secret that happens to hold a text would stay), and decoding first (output need not be text).
"""

import json
import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import regex

REDACTED = b"[redacted]"

LINE_BYTES = 8 * 1024
"""So much of a line that does not end is held back for patterns."""

CONTEXT_BYTES = 256
"""So much of what was let through is kept for patterns that look back."""

PATTERN_S = 0.01
"""How long a pattern may take for one block; usual ones take a hundredth of that."""

BLOCK_BYTES = 16 * 1024
"""So much is read at once where there are patterns, or many texts: to look for them holds the event loop."""

MANY_TEXTS = 50

_log = logging.getLogger(__name__)


class Redaction:
    """What is to be replaced. Never changes, and serves any number of runs."""

    def __init__(self, texts: Collection[str] = (), patterns: Collection[str] = ()) -> None:
        """`patterns` are regular expressions; raises regex.error for one that is none."""
        self._texts = frozenset(text for text in texts if text)
        self._patterns = tuple(patterns)
        self.patterns = tuple(compiled(pattern) for pattern in patterns)
        self.secrets = tuple(sorted(_spellings(self._texts), key=len, reverse=True))

    def __bool__(self) -> bool:
        return bool(self.secrets or self.patterns)

    @property
    def longest_bytes(self) -> int:
        """The length of the longest text."""
        return len(self.secrets[0]) if self.secrets else 0

    def also(self, texts: Collection[str]) -> "Redaction":
        """Return one that replaces these texts, too."""
        return self if self._texts.issuperset(texts) else Redaction(self._texts.union(texts), self._patterns)


def compiled(pattern: str) -> "regex.Pattern[bytes]":
    """Return a pattern for bytes, in which `^` and `$` are the ends of a line. Raises regex.error."""
    return regex.compile(pattern.encode(), regex.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class _Span:
    """What is to be replaced."""

    start: int
    end: int
    matched: bool = False
    """By a pattern, at least in part."""


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far one can tell now."""

    texts: int
    """No text that begins before this is incomplete."""
    lines: int
    """Patterns are looked for up to here."""
    matches: int
    """No match that begins before this is incomplete, unless it reaches the very end."""
    endless: bool
    """The last line is longer than what waits, and has not ended."""


class Redactor:
    """Replaces secrets in one stream of bytes, also across the borders of its chunks."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._waiting = b""
        self._shown = 0
        """So many of these bytes were let through, and are there to be looked back at."""
        self._blanking = False
        """All up to the end of the line belongs to a match."""
        self._complained = False

    @property
    def block_bytes(self) -> int | None:
        """How much may be fed at once, so that the event loop is not held for long; None = anything."""
        many = self._redaction.patterns or len(self._redaction.secrets) > MANY_TEXTS
        return BLOCK_BYTES if many else None

    def feed(self, chunk: bytes) -> bytes:
        """Return what may be kept now: all but what could be the start of a secret, or of its line."""
        return self._pass(self._waiting + chunk, final=False) if self._redaction else chunk

    def finish(self, rest: bytes = b"") -> bytes:
        """Return what was still waiting: after `rest` no more comes, so only whole secrets in it count."""
        return self._pass(self._waiting + rest, final=True) if self._redaction else rest

    def whole(self, data: bytes) -> bytes:
        """Return `data`, a complete text of its own, with every secret replaced. For any thread."""
        return Redactor(self._redaction).finish(data)

    def _pass(self, data: bytes, *, final: bool) -> bytes:
        start = self._shown
        if self._blanking:
            newline = data.find(b"\n", start)
            if newline < 0:
                return self._let_go(data, len(data), b"")
            start, self._blanking = newline, False
        reach = self._reach(data, start, final=final)
        try:
            spans = [*self._texts(data, start), *self._matches(data, start, reach.lines)]
        except TimeoutError:
            return self._give_up(data, start, reach)
        return self._replace(data, start, reach, _merged(spans))

    def _replace(self, data: bytes, start: int, reach: _Reach, spans: Iterable[_Span]) -> bytes:
        out, at, upto = bytearray(), start, min(reach.texts, reach.matches)
        for span in spans:
            if span.start >= upto:
                break
            if reach.endless and span.matched and span.end == len(data):
                self._blanking = True
                return self._let_go(data, len(data), out + data[at : span.start] + REDACTED)
            if span.matched and span.end > reach.texts and not self._overlong(span):
                # What may be the start of a text overlaps the match, and goes with it.
                upto = span.start
                break
            out += data[at : span.start] + REDACTED
            at = span.end
        end = max(at, upto)
        return self._let_go(data, end, out + data[at:end])

    def _give_up(self, data: bytes, start: int, reach: _Reach) -> bytes:
        """Replace all that a pattern would have had to be looked for in."""
        if not self._complained:
            self._complained = True
            _log.warning(
                "a pattern of redact_patterns takes longer than %g s for one piece of output, "
                "which is replaced as a whole: make it simpler",
                PATTERN_S,
            )
        self._blanking = reach.endless
        end = max(start, len(data) if reach.endless else min(reach.lines, reach.texts))
        newline = b"\n" if data.endswith(b"\n", start, end) else b""
        return self._let_go(data, end, REDACTED + newline)

    def _let_go(self, data: bytes, end: int, shown: bytes | bytearray) -> bytes:
        """Keep what follows `end`, and what stands before it as far as patterns look back."""
        kept = max(0, end - CONTEXT_BYTES) if self._redaction.patterns else end
        self._waiting, self._shown = data[kept:], end - kept
        return bytes(shown)

    def _reach(self, data: bytes, start: int, *, final: bool) -> _Reach:
        size = len(data)
        if final:
            return _Reach(size, size, size, endless=False)
        texts = self._undecided(data, start)
        if not self._redaction.patterns:
            return _Reach(texts, start, size, endless=False)
        lines = max(start, data.rfind(b"\n", start) + 1)
        if size - lines <= LINE_BYTES:
            return _Reach(texts, lines, lines, endless=False)
        return _Reach(texts, size, size - LINE_BYTES, endless=True)

    def _undecided(self, data: bytes, start: int) -> int:
        """Return where what may be the beginning of a text begins; the end of `data` if nothing does."""
        found = len(data)
        for secret in self._redaction.secrets:
            at = max(start, len(data) - len(secret) + 1)
            while (at := data.find(secret[:1], at, found)) >= 0:
                if secret.startswith(data[at:]):
                    found = at
                    break
                at += 1
        return found

    def _texts(self, data: bytes, start: int) -> Iterator[_Span]:
        """Yield the texts, from the left, and of those that begin at the same place the longest."""
        first = {secret: data.find(secret, start) for secret in self._redaction.secrets}
        places = {secret: at for secret, at in first.items() if at >= 0}
        while places:
            at = min(places.values())
            # They are ordered by length.
            end = at + len(next(secret for secret, place in places.items() if place == at))
            yield _Span(at, end)
            for secret, place in tuple(places.items()):
                if place < end:
                    places[secret] = data.find(secret, end)
                if places[secret] < 0:
                    del places[secret]

    def _matches(self, data: bytes, start: int, end: int) -> Iterator[_Span]:
        """Yield what the patterns match within a line. Raises TimeoutError."""
        timeout_s = PATTERN_S * max(1, (end - start) // BLOCK_BYTES)
        for pattern in self._redaction.patterns:
            yield from _in_lines(pattern, data, start, end, timeout_s)

    def _overlong(self, span: _Span) -> bool:
        return span.end - span.start > LINE_BYTES + self._redaction.longest_bytes


def _in_lines(
    pattern: "regex.Pattern[bytes]", data: bytes, start: int, end: int, timeout_s: float
) -> Iterator[_Span]:
    """Yield the matches that stay within a line. All lines are searched at once: most have none."""
    at = start
    while at < end:
        newline = -1
        for match in pattern.finditer(data, at, end, timeout=timeout_s):
            newline = data.find(b"\n", *match.span())
            if newline >= 0:
                break
            at = match.end()
            yield _Span(*match.span(), matched=True)
        if newline < 0:
            return
        # It goes over the end of its line, and what it leaves of it may match by itself.
        for match in pattern.finditer(data, at, newline, timeout=timeout_s):
            yield _Span(*match.span(), matched=True)
        at = newline + 1


def _merged(spans: Iterable[_Span]) -> Iterator[_Span]:
    """Yield the spans in order, those that overlap as one; empty ones are none."""
    last: _Span | None = None
    for span in sorted(spans):
        if span.start == span.end:
            continue
        if last is not None and span.start < last.end:
            last = _Span(last.start, max(last.end, span.end), last.matched or span.matched)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def _spellings(texts: Collection[str]) -> set[bytes]:
    """Return each text as it is printed, and as the two spellings of JSON have it."""
    strings = {json.dumps(text, ensure_ascii=ascii_only) for text in texts for ascii_only in (True, False)}
    return {text.encode(errors="surrogateescape") for text in {*texts, *(string[1:-1] for string in strings)}}
