"""What happened around the fires: the registrations in force, the lives of the daemon, what the clock did.

The fires log says how each fire ended; why it did is in the ledger beside it. A chronicle is read from the
current segment of `ledger.log` and the older ones, newest first, as far back as is asked for and as the
budget lasts. Each segment begins with a checkpoint, so the oldest that is read needs none before it.

Most lines of a ledger are claims, ends and watermarks that nobody asks about here, so lines are not decoded
one by one: the facts that matter are found in the raw bytes, by their tag. That is exact, since a quote
inside a JSON string is never bare, and it finds what is nested in a checkpoint as well. Rejected: decoding a
checkpoint whole, which for 100,000 scripts holds the interpreter for a tenth of a second.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from schedd.fire import Reason
from schedd.ledger import facts, segment
from schedd.ledger.annals import Annals, Chronicle
from schedd.ledger.facts import AnyFact, Ended
from schedd.timetable.instant import to_ms

SCAN_BYTES = 96 * 1024 * 1024
"""What one chronicle may read (a third of a second), or one segment where that is larger."""
MAX_FACTS = 200_000
"""Beyond this no older segment is opened."""
BLOCK = 1024 * 1024
MAX_FACT_BYTES = 64 * 1024
"""No fact of these is longer: a path has at most 4,095 bytes."""
LOOK_BACK_BYTES = 256 * 1024
"""How far before an `up` the last sign of life of the daemon before is looked for."""

_TAG = b'{"fact":"'
_LIFE = "up|down|clock|suspend|reloaded|lost|paused|resumed"
_OF_SCRIPTS = "registered|unregistered"
_OF_ONE = "claimed|held"
_STRING = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_BODY = rf'[^"{{}}\n]*(?:{_STRING}[^"{{}}\n]*)*}}'
_HEAD = re.compile(rb'\{"fact":"checkpoint","at":(-?\d{1,18}),"bootId":(null|")')


@dataclass(slots=True)
class _Segment:
    """One file, held open, as long as it was when the reading began."""

    fd: int
    size: int
    began_ms: int | None = None
    """The time of its checkpoint; None when it does not begin with one."""
    lived_before: bool = False
    """A daemon had been up before the checkpoint."""


@dataclass(slots=True)
class _Found:
    """The facts of one segment, in order; those of the checkpoint come first."""

    segment: _Segment
    base: list[AnyFact] = field(default_factory=list)
    facts: list[tuple[AnyFact, int | None]] = field(default_factory=list)
    """With an `up`: when the daemon before it was last heard of, in ms, if that was found."""


def read(
    path: str,
    since_ms: int,
    until_ms: int,
    *,
    script: str | None = None,
    scan_bytes: int = SCAN_BYTES,
    max_facts: int = MAX_FACTS,
) -> Chronicle:
    """Read the ledger at `path` for what was in force or happened in [since, until). Blocking.

    With `script` only what concerns that one (and the claims and holds of its fires) is kept; without it,
    the registrations of all. What lies a little outside the range may be in the answer too.

    Raises OSError when the disk can't be read.
    """
    with ExitStack() as held:
        chosen = _chosen(_opened(path, held), since_ms, until_ms)
        taken: list[_Found] = []
        left, count = scan_bytes, 0
        complete = True
        for each in chosen:
            if taken and (each.size > left or count >= max_facts):
                complete = False
                break
            found = _search(each, script)
            left -= each.size
            count += len(found.base) + len(found.facts)
            taken.append(found)
    return _told(taken[::-1], since_ms, until_ms, complete=complete)


def _opened(path: str, held: ExitStack) -> list[_Segment]:
    """Open the segments, newest first; one that is met twice, since the files turn over, is taken once."""
    there: dict[tuple[int, int], _Segment] = {}
    directory = os.path.dirname(path)
    older = segment.numbers(path) if os.path.isdir(directory) else []
    for number in range(max(older, default=0) + 2):
        with suppress(FileNotFoundError):
            fd = os.open(f"{path}.{number}" if number else path, os.O_RDONLY | os.O_CLOEXEC)
            held.callback(os.close, fd)
            stat = os.fstat(fd)
            one = _Segment(fd, stat.st_size)
            head = _HEAD.match(os.pread(fd, 128, 0))
            if head is not None:
                one.began_ms, one.lived_before = int(head[1]), head[2] != b"null"
            there.setdefault((stat.st_dev, stat.st_ino), one)
    return list(there.values())


def _chosen(there: list[_Segment], since_ms: int, until_ms: int) -> Iterator[_Segment]:
    """Yield the segments that may know of the range, newest first, the last of them from before it."""
    for index, each in enumerate(there):
        last = index == len(there) - 1
        if each.began_ms is not None and each.began_ms >= until_ms and not last:
            continue
        yield each
        if each.began_ms is not None and each.began_ms <= since_ms:
            return


def _search(where: _Segment, script: str | None) -> _Found:
    """Find the facts of a segment, a block at a time; what straddles two blocks is put together."""
    tags = f"{_LIFE}|{_OF_SCRIPTS}" + ("" if script is None else f"|{_OF_ONE}")
    wanted = re.compile(f'{{"fact":"(?:{tags})"{_BODY}'.encode())
    needle = None if script is None else b'"path":' + facts.encode(script)[:-1]
    found = _Found(where)
    at, rest, in_head = 0, b"", where.began_ms is not None
    while at < where.size:
        block = rest + os.pread(where.fd, min(BLOCK, where.size - at), at)
        if len(block) == len(rest):
            break  # cut back meanwhile, after a write that failed
        begins = at - len(rest)
        at = begins + len(block)
        head_ends = block.find(b"\n") if in_head else -1
        for match in wanted.finditer(block):
            of_head = in_head and (head_ends < 0 or match.start() < head_ends)
            _take(found, match[0], begins + match.start(), needle, of_head=of_head)
        in_head = in_head and head_ends < 0
        rest = _unfinished(block, wanted)
    return found


def _unfinished(block: bytes, wanted: re.Pattern[bytes]) -> bytes:
    """Return the end of a block in which a fact may have begun that goes on in the next one."""
    last = block.rfind(_TAG, max(0, len(block) - MAX_FACT_BYTES))
    if last < 0 or wanted.match(block, last) is not None:
        return block[1 - len(_TAG) :]  # perhaps half a tag
    return block[last:]


def _take(found: _Found, raw: bytes, at: int, needle: bytes | None, *, of_head: bool) -> None:
    if needle is not None and b'"path":' in raw and needle not in raw:
        return
    fact = facts.decode(raw)
    if fact is None:
        return
    if of_head:
        found.base.append(fact)
    else:
        seen_ms = _last_seen(found.segment, at, fact.at) if isinstance(fact, facts.Up) else None
        found.facts.append((fact, seen_ms))


def _last_seen(where: _Segment, at: int, up_ms: int) -> int | None:
    """Return when the daemon before the `up` at this offset was last heard of.

    What the new one wrote before its `up` is passed over: the ends of interrupted fires, and the decisions of
    its first turn, which are of the same second.
    """
    start = max(0, at - LOOK_BACK_BYTES)
    lines = os.pread(where.fd, at - start, start).split(b"\n")
    for line in reversed(lines if start == 0 else lines[1:]):
        fact = facts.decode(line) if line else None
        if fact is None or (isinstance(fact, Ended) and fact.entry.reason is Reason.INTERRUPTED):
            continue
        seen_ms = moment_ms(fact)
        if seen_ms is not None and seen_ms // 1000 < up_ms // 1000:
            return seen_ms
    return None


def moment_ms(fact: AnyFact) -> int | None:
    """Return when a fact was written, in ms (of a watermark, in whole seconds); None if it does not say."""
    match fact:
        case facts.Watermark():
            return fact.slot * 1000
        case facts.Ended():
            with suppress(ValueError, OverflowError):
                return to_ms(fact.entry.ts)
            return None
        case facts.Registered():
            return None
        case _:
            return fact.at


def _told(found: list[_Found], since_ms: int, until_ms: int, *, complete: bool) -> Chronicle:
    annals = Annals(since_ms)
    for each in found:
        annals.begin(each.base, began_ms=each.segment.began_ms, lived_before=each.segment.lived_before)
        for fact, seen_ms in each.facts:
            annals.take(fact, seen_ms)
    return annals.chronicle(until_ms, complete=complete)
