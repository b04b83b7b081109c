"""How many fires ended, by step, status and script: counted from the fires log, and remembered.

A month of ten thousand scripts is a million lines and 250 MB, and an answer may not read them again each
time. So of every file it is kept when each of its fires ended, under its status and its script: eight bytes
a line, sixteen for one that is spread. A file is known by its inode and its first bytes, so one that turns
over keeps what is known of it, and one that grows is read on from where the reading ended; one that was
edited is read anew. Files that end before the stretch that is asked for are not read at all. What is beyond
`MOST_LINES` is counted and not kept: the newest files are, for they come first.

A fire counts where its `ts` lies, when it ended or was decided, as `since` and `until` of the history have
it. Two kinds of lines are told hours after their slots, and count where those were: slots that nobody was
there to decide (`missed`), and lines that stand for several slots (`count`), which are spread evenly from the
first to the last. So a night without a daemon is a night of misses, not a tower at its end, and the sum over
the steps is the number of slots that are accounted for. `missed` is counted once more apart from the other
errors, since nobody looks for its cause in a script.

Lines are decoded only as far as a few of their keys. What is no entry is passed over: the history names it.

Blocking, and not to be used by two threads at once. Rejected: counts by the minute (they answer only for
steps of minutes, and for no script), an index on the disk (one more file that can be wrong).
"""

import os
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Annotated, Final

import msgspec

from schedd.fire import Reason, Status
from schedd.ledger import segment
from schedd.ledger.backwards import stamp_ms
from schedd.timetable.grid import Grid
from schedd.timetable.instant import to_ms

BLOCK: Final = 1024 * 1024
NAME_BYTES: Final = 1024
MOST_LINES: Final = 4_000_000
"""32 MB, and twice as much if all of them are spread."""
MOST_SCRIPTS: Final = 100_000
"""Names that are kept; beyond it, which takes years of renaming, all is forgotten and read again."""
EDGE_BYTES: Final = 64 * 1024
"""Of the end of a file: its last line is in there."""

Counts = dict[int, int]
"""How many, by the index of the step. Plain dicts of numbers are nothing that the garbage collector walks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which fires are counted."""

    grid: Grid
    scripts: frozenset[str] | None = None
    """Only theirs; None = all that `sees` lets through."""
    sees: Callable[[str], bool] | None = None
    status: Status | None = None


@dataclass(slots=True)
class Tally:
    """How many fires ended in which step, by status; of each script only if scripts were named."""

    together: dict[Status, Counts] = field(default_factory=dict)
    each: dict[str, dict[Status, Counts]] = field(default_factory=dict)
    missed: Counts = field(default_factory=dict)
    """Those of the errors that are slots which nobody was there to decide."""
    missed_by: dict[str, Counts] = field(default_factory=dict)
    """The same of each script, if scripts were named."""

    def add(self, status: Status, index: int, count: int, *, missed: bool, script: str | None = None) -> None:
        """Count so many more."""
        _more(self.together.setdefault(status, {}), index, count)
        if missed:
            _more(self.missed, index, count)
        if script is not None:
            _more(self.each.setdefault(script, {}).setdefault(status, {}), index, count)
            if missed:
                _more(self.missed_by.setdefault(script, {}), index, count)


def _more(counts: Counts, index: int, count: int) -> None:
    counts[index] = counts.get(index, 0) + count


class _Line(msgspec.Struct, gc=False):
    ts: str
    script_path: str = msgspec.field(name="scriptPath")
    status: Status
    count: Annotated[int, msgspec.Meta(ge=1, lt=1 << 32)] | None = None
    reason: str | None = None
    slot: str | None = None
    last_slot: str | None = msgspec.field(name="lastSlot", default=None)


@dataclass(slots=True)
class _Fires:
    """The fires of one status in one file that count where they ended, in the order of the file."""

    ended: "array[int]" = field(default_factory=lambda: array("I"))
    """Whole seconds since the epoch."""
    scripts: "array[int]" = field(default_factory=lambda: array("I"))
    sorted: bool = True


@dataclass(slots=True)
class _Spans:
    """The lines of one status in one file that count where their slots were."""

    first: "array[int]" = field(default_factory=lambda: array("I"))
    last: "array[int]" = field(default_factory=lambda: array("I"))
    scripts: "array[int]" = field(default_factory=lambda: array("I"))
    counts: "array[int]" = field(default_factory=lambda: array("I"))

    def take(self, script: int, first: int, last: int, count: int) -> None:
        """Keep one more."""
        self.first.append(first)
        self.last.append(last)
        self.scripts.append(script)
        self.counts.append(count)


@dataclass(slots=True)
class _Known:
    """What is known of one file, up to `size`."""

    name: bytes
    size: int = 0
    mtime_ns: int = 0
    fires: dict[Status, _Fires] = field(default_factory=dict)
    spans: dict[tuple[Status, bool], _Spans] = field(default_factory=dict)
    """By status, and whether they are `missed`."""
    lines: int = 0


class Tallies:
    """What was read of one fires log, kept for the next question."""

    def __init__(self, path: str, *, most_lines: int = MOST_LINES) -> None:
        self._path = path
        self._most_lines = most_lines
        self._known: dict[tuple[int, int], _Known] = {}
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._minutes: dict[str, int] = {}

    @property
    def kept_lines(self) -> int:
        """How many lines are remembered."""
        return sum(known.lines for known in self._known.values())

    def count(self, wanted: Wanted) -> Tally:
        """Count what is wanted. Raises OSError when the disk can't be read."""
        if len(self._names) > MOST_SCRIPTS:
            self._forget()
        found = Tally()
        with ExitStack() as held:
            files = _open(self._path, held)
            for key in self._known.keys() - files.keys():
                del self._known[key]
            for key, fd in files.items():
                known = self._look(fd, key, wanted.grid)
                if known is not None:
                    self._add(found, known, wanted)
                    if self.kept_lines > self._most_lines:
                        del self._known[key]
        return found

    def _forget(self) -> None:
        self._known.clear()
        self._numbers.clear()
        self._names.clear()

    def _look(self, fd: int, key: tuple[int, int], grid: Grid) -> _Known | None:
        """Return what is known of a file by now; None when it has nothing within the grid."""
        stat = os.fstat(fd)
        known = self._known.get(key)
        if known is None or not _continues(fd, known, stat):
            self._known.pop(key, None)
            if not _overlaps(fd, stat.st_size, grid):
                return None
            known = self._known[key] = _Known(b"")
        self._read_on(fd, known, stat.st_size)
        known.mtime_ns = stat.st_mtime_ns
        return known

    def _read_on(self, fd: int, known: _Known, size: int) -> None:
        """Take in the whole lines up to `size`; half a line at the end is read next time."""
        while known.size < size:
            block = os.pread(fd, min(BLOCK, size - known.size), known.size)
            end = block.rfind(b"\n") + 1
            if end == 0:
                if len(block) < BLOCK:
                    break
                end = len(block)  # no line of ours is so long
            for line in block[:end].split(b"\n"):
                self._take(line, known)
            known.size += end
        known.name = _name(fd, min(NAME_BYTES, known.size))

    def _take(self, line: bytes, known: _Known) -> None:
        try:
            told = _DECODE(line)
            ended_s = self._seconds(told.ts)
            missed = told.reason == Reason.MISSED
            span = self._span(told, ended_s) if missed or told.count is not None else None
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            return
        number = self._numbers.get(told.script_path)
        if number is None:
            number = self._numbers[told.script_path] = len(self._names)
            self._names.append(told.script_path)
        known.lines += 1
        if span is not None:
            known.spans.setdefault((told.status, missed), _Spans()).take(number, *span)
            return
        fires = known.fires.get(told.status)
        if fires is None:
            fires = known.fires[told.status] = _Fires()
        if fires.ended and ended_s < fires.ended[-1]:
            fires.sorted = False
        fires.ended.append(ended_s)
        fires.scripts.append(number)

    def _span(self, told: _Line, ended_s: int) -> tuple[int, int, int]:
        """Return the first and the last slot of a line, and how many there are."""
        count = told.count or 1
        if told.slot is None:
            return ended_s, ended_s, count
        first = self._seconds(told.slot)
        return first, max(first, self._seconds(told.last_slot or told.slot)), count

    def _seconds(self, ts: str) -> int:
        """Return an instant in whole seconds; its minute is mostly that of the line before."""
        minute = self._minutes.get(ts[:17])
        if minute is None or len(ts) != 24 or ts[23] != "Z":
            at_s = to_ms(ts) // 1000
            if not 0 <= at_s < 1 << 32:
                raise ValueError(ts)
            if len(ts) == 24 and ts[23] == "Z" and ts[17:19].isdigit():
                if len(self._minutes) > 10_000:
                    self._minutes.clear()
                self._minutes[ts[:17]] = at_s - int(ts[17:19])
            return at_s
        return minute + int(ts[17:19])

    def _add(self, found: Tally, known: _Known, wanted: Wanted) -> None:
        chosen = self._chosen(wanted)
        for status, fires in known.fires.items():
            if wanted.status not in (None, status):
                continue
            if not fires.sorted:
                _sort(fires)
            if chosen is None:
                for index, count in _together(fires, wanted.grid):
                    found.add(status, index, count, missed=False)
            else:
                self._add_some(found, status, fires, wanted, chosen)
        for (status, missed), spans in known.spans.items():
            if wanted.status in (None, status):
                self._add_spans(found, status, spans, wanted, chosen, missed=missed)

    def _add_some(
        self, found: Tally, status: Status, fires: _Fires, wanted: Wanted, chosen: frozenset[int]
    ) -> None:
        """Count line by line, for it matters whose each is."""
        begin, step = wanted.grid.begin, wanted.grid.step_s
        low, high = bisect_left(fires.ended, begin), bisect_left(fires.ended, wanted.grid.end)
        counts: Counter[tuple[int, int]] = Counter(
            (number, (ended - begin) // step)
            for number, ended in zip(fires.scripts[low:high], fires.ended[low:high], strict=True)
            if number in chosen
        )
        while counts:  # freed one by one: all at once would hold up the other threads
            (number, index), count = counts.popitem()
            script = None if wanted.scripts is None else self._names[number]
            found.add(status, index, count, missed=False, script=script)

    def _add_spans(
        self,
        found: Tally,
        status: Status,
        spans: _Spans,
        wanted: Wanted,
        chosen: frozenset[int] | None,
        *,
        missed: bool,
    ) -> None:
        """Spread what lies within the grid; thousands of scripts share their slots."""
        grid, named = wanted.grid, wanted.scripts is not None
        rows = zip(spans.first, spans.last, spans.counts, spans.scripts, strict=True)
        alike = Counter(
            (first, last, count, number if named else None)
            for first, last, count, number in rows
            if last >= grid.begin and first < grid.end and (chosen is None or number in chosen)
        )
        for (first, last, count, of), weight in alike.items():
            script = None if of is None else self._names[of]
            for index, slots in _spread(first, last, count, grid):
                found.add(status, index, slots * weight, missed=missed, script=script)

    def _chosen(self, wanted: Wanted) -> frozenset[int] | None:
        """Return the numbers of the scripts that count; None = all."""
        if wanted.scripts is None and wanted.sees is None:
            return None
        names: Iterable[str] = self._names if wanted.scripts is None else wanted.scripts
        sees = wanted.sees or (lambda _: True)
        return frozenset(self._numbers[name] for name in names if name in self._numbers and sees(name))


_DECODE = msgspec.json.Decoder(_Line).decode


def _open(path: str, held: ExitStack) -> dict[tuple[int, int], int]:
    files: dict[tuple[int, int], int] = {}
    for _, fd, stat in segment.opened(path):
        held.callback(os.close, fd)
        files[stat.st_dev, stat.st_ino] = fd
    return files


def _continues(fd: int, known: _Known, stat: os.stat_result) -> bool:
    """Whether a file is still the one that was read: as it was, or longer."""
    if stat.st_size < known.size or (stat.st_size == known.size and stat.st_mtime_ns != known.mtime_ns):
        return False
    return _name(fd, min(NAME_BYTES, known.size)) == known.name


def _name(fd: int, size: int) -> bytes:
    return blake2b(os.pread(fd, size, 0), digest_size=8).digest()


def _overlaps(fd: int, size: int, grid: Grid) -> bool:
    """Whether a file may have slots within the grid: its lines are in the order of `ts`, after their slots.

    Where its last line does not tell, it may.
    """
    last = os.pread(fd, EDGE_BYTES, max(0, size - EDGE_BYTES)).rstrip(b"\n").rpartition(b"\n")[2]
    ended = _told_s(last)
    return size > 0 and (ended is None or ended >= grid.begin)


def _told_s(line: bytes) -> int | None:
    at_ms = stamp_ms(line)
    return None if at_ms is None else at_ms // 1000


def _sort(fires: _Fires) -> None:
    """Put into order what somebody has edited: counting looks for its bounds."""
    pairs = sorted(zip(fires.ended, fires.scripts, strict=True))
    fires.ended = array("I", (ended for ended, _ in pairs))
    fires.scripts = array("I", (number for _, number in pairs))
    fires.sorted = True


def _together(fires: _Fires, grid: Grid) -> Iterator[tuple[int, int]]:
    """Count without looking at lines: only where each step begins among them."""
    ended = fires.ended
    low, high = bisect_left(ended, grid.begin), bisect_left(ended, grid.end)
    while low < high:
        index = grid.index(ended[low])
        until = bisect_left(ended, grid.begin + (index + 1) * grid.step_s, low, high)
        yield index, until - low
        low = until


def _spread(first: int, last: int, count: int, grid: Grid) -> Iterator[tuple[int, int]]:
    """Yield the steps of slots that are evenly apart, first and last included, and how many are in each."""
    if count == 1 or first == last:
        if first >= grid.begin:
            yield grid.index(first), count
        return

    def before(at: int) -> int:
        """Return how many of the slots come before an instant."""
        return min(count, max(0, -((first - at) * (count - 1) // (last - first))))

    done, begin = before(grid.begin), max(first, grid.begin)
    while begin < grid.end and done < count:
        end = min(grid.end, grid.begin + (grid.index(begin) + 1) * grid.step_s)
        reached = before(end)
        if reached > done:
            yield grid.index(begin), reached - done
        done = reached
        # The next slot may be many steps away.
        begin = max(end, first + done * (last - first) // (count - 1)) if done < count else end
