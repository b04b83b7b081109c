"""Time zones: which copy of the zone data rules, and which instants a wall clock's times are.

croniter, or any stepper, only ever sees naive wall-clock seconds ("wall": the seconds since
1970-01-01T00:00 as a clock on the wall would count them). This module turns walls into slots by the rules
of Debian's cron 3.0pl1, with a view of a zone as *segments*, stretches of one offset from UTC:

- within a segment each wall time is one instant;
- the clock jumps ahead by less than three hours: what the jump left out is lost for wildcard jobs; a
  fixed-time job that was due in it runs once, at the first instant after it;
- the clock falls back by at most three hours: wildcard jobs follow elapsed time through both passes, a
  fixed-time job has had its turn in the first;
- anything larger is a correction (cron compares the minutes it skipped, 181 for three hours ahead, with
  180): nothing is made up and nothing is held back.

The segments are found by probing the offset every three days and bisecting; no two changes since 1970 are
closer than 6.9 days. Parsing the zone files a second time was rejected, as was arithmetic on aware
datetimes: Python compares two of one zone without looking at their offsets.

The zone data is that of the system or of the tzdata package, whichever is newer: a host two years behind
is an hour wrong in Vancouver and Casablanca.
"""

import difflib
import functools
import importlib.util
import itertools
import zoneinfo
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from schedd.errors import TimetableError

Walls = Callable[[int], Iterator[int]]
"""Given a wall second, steps through the wall seconds after it that an expression matches, in order."""

CORRECTION_S: Final = 3 * 3600
_BLOCK_S = 1 << 25
"""A bit over a year: how much of a zone is worked out, and remembered, at a time."""
_PROBE_S = 3 * 86_400
_WIDEST_S = 86_400
"""No zone's clock is ever so far from UTC."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time with one offset; all in seconds, `start` and `end` UTC, end exclusive."""

    start: int
    end: int
    offset: int
    fresh: int
    """The first wall second that fixed-time jobs have not had in an earlier segment."""
    makes_up: bool
    """At its end the clock jumps ahead by so little that fixed-time jobs are made up for."""

    @property
    def opening(self) -> int:
        """The wall second at its start."""
        return self.start + self.offset


@dataclass(frozen=True, slots=True)
class Change:
    """The clock is moved at the instant `at` (seconds, UTC), from one offset (seconds) to another."""

    at: int
    before: int
    after: int

    @property
    def left(self) -> int:
        """The wall second that the old offset would have shown."""
        return self.at + self.before

    @property
    def reached(self) -> int:
        """The wall second that the clock shows instead."""
        return self.at + self.after

    @property
    def makes_up(self) -> bool:
        """A jump ahead small enough for fixed-time jobs to be made up for."""
        return 0 < self.after - self.before < CORRECTION_S

    @property
    def holds_back(self) -> bool:
        """A step back small enough for fixed-time jobs not to run a second time."""
        return 0 < self.before - self.after <= CORRECTION_S


@dataclass(frozen=True, slots=True)
class Versions:
    """Which releases of the zone data are at hand, as IANA names them (`2026f`), and whose is used."""

    system: str | None
    package: str | None
    used: str

    @property
    def release(self) -> str:
        """The release in use, `unknown` if its files do not say."""
        return (self.package if self.used == "package" else self.system) or "unknown"


class Zone:
    """One time zone: its segments, and the instants of wall times by the rules above."""

    def __init__(self, name: str, info: zoneinfo.ZoneInfo, data: str) -> None:
        self.name = name
        self.data = data
        self._info = info
        self._blocks: dict[int, tuple[Segment, ...]] = {}

    def slots(self, walls: Walls, *, wildcard: bool, after: int) -> Iterator[int]:
        """Yield the instants strictly after `after` at which a job with these walls is due, ascending."""
        segment = self.segment(after)
        done = after + segment.offset if wildcard else max(after + segment.offset, segment.fresh - 1)
        steps = walls(done)
        wall = next(steps, None)
        while wall is not None:
            if wall - segment.offset < segment.end:
                yield wall - segment.offset
                done, wall = wall, next(steps, None)
                continue
            made_up = segment.makes_up and not wildcard
            segment = self.segment(segment.end)
            resume = (segment.opening if wildcard else segment.fresh) - 1
            if made_up and wall <= segment.opening:
                yield segment.start
                resume = segment.opening
            if resume < done or wall <= resume:
                steps = walls(resume)
                wall = next(steps, None)
            done = resume

    def segment(self, at: int) -> Segment:
        """Return the segment that holds an instant."""
        index = at // _BLOCK_S
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = self._survey(index)
        return block[bisect_right(block, at, key=lambda segment: segment.start) - 1]

    def reach(self, wall: int) -> int:
        """Return the instant at which the clock first shows a wall second, or is moved past it."""
        segment = self.segment(wall - _WIDEST_S)
        while wall - segment.offset >= segment.end:
            segment = self.segment(segment.end)
        return max(segment.start, wall - segment.offset)

    def changes(self, begin: int, end: int) -> Iterator[Change]:
        """Yield the changes of the clock after `begin` and up to `end`."""
        segment = self.segment(begin)
        while segment.end <= end:
            following = self.segment(segment.end)
            if following.offset != segment.offset:
                yield Change(segment.end, segment.offset, following.offset)
            segment = following

    def _survey(self, index: int) -> tuple[Segment, ...]:
        begin, end = index * _BLOCK_S, (index + 1) * _BLOCK_S
        changes = {change.at: change for change in self._probe(begin - _PROBE_S, end)}
        held_until = max(
            (change.left for change in changes.values() if change.at < begin and change.holds_back),
            default=begin + self._offset(begin),
        )
        edges = [begin, *sorted(at for at in changes if begin < at < end), end]
        segments = []
        for start, stop in itertools.pairwise(edges):
            offset = self._offset(start)
            change = changes.get(start)
            opening = change.left if change and change.holds_back else start + offset
            fresh = max(opening, held_until) if start == begin else opening
            makes_up = stop in changes and changes[stop].makes_up
            segments.append(Segment(start, stop, offset, fresh, makes_up))
        return tuple(segments)

    def _probe(self, begin: int, end: int) -> Iterator[Change]:
        before = self._offset(begin)
        for low in range(begin, end, _PROBE_S):
            high = min(low + _PROBE_S, end)
            after = self._offset(high)
            if after != before:
                yield Change(self._bisect(low, high, after), before, after)
            before = after

    def _bisect(self, low: int, high: int, after: int) -> int:
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle) == after:
                high = middle
            else:
                low = middle
        return high

    def _offset(self, at: int) -> int:
        offset = datetime.fromtimestamp(at, self._info).utcoffset()
        assert offset is not None, "every ZoneInfo has an offset at every instant"
        return offset.days * 86_400 + offset.seconds


@functools.lru_cache(maxsize=1024)
def load(name: str) -> Zone:
    """Return the zone with an IANA name, from the newer of the two copies of the data.

    Raises TimetableError for a name that does not exist or a file that cannot be read.
    """
    known = names()
    if name not in known:
        raise TimetableError(f"Unknown time zone {name[:64]!a}{_suggestion(name, known)}")
    try:
        info = zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise TimetableError(f"The data of the time zone '{name}' cannot be read ({error})") from None
    return Zone(name, info, versions().release)


@functools.lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """Return the names of all zones in the data that is used."""
    versions()
    return frozenset(zoneinfo.available_timezones())


@functools.lru_cache(maxsize=1)
def versions() -> Versions:
    """Compare the two copies of the zone data and let the newer one rule, in the whole process."""
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath()
    system = next(filter(None, (_release(Path(folder)) for folder in zoneinfo.TZPATH)), None)
    package = next(filter(None, (_release(Path(folder) / "zoneinfo") for folder in _tzdata())), None)
    if system is not None and (package is None or system >= package):
        return Versions(system, package, "system")
    zoneinfo.reset_tzpath(to=())
    return Versions(system, package, "package")


def reload() -> Versions:
    """Forget all zones and look at both copies of the data again; timetables made before keep theirs."""
    load.cache_clear()
    names.cache_clear()
    versions.cache_clear()
    return versions()


def _tzdata() -> list[str]:
    """Return where the package with zone data lies; importlib.resources takes 20 ms to say the same."""
    found = importlib.util.find_spec("tzdata")
    return [] if found is None else list(found.submodule_search_locations or ())


def _release(folder: Path) -> str | None:
    """Return the release that the first line of `tzdata.zi` names (`# version 2026f`)."""
    try:
        with (folder / "tzdata.zi").open(encoding="ascii", errors="replace") as lines:
            words = lines.readline(64).split()
    except OSError:
        return None
    return words[2] if words[:2] == ["#", "version"] and len(words) > 2 else None


def _suggestion(name: str, known: frozenset[str]) -> str:
    folded = {zone.lower(): zone for zone in sorted(known)}
    wanted = name[:64].strip().lower().replace(" ", "_")
    cities = {zone.rpartition("/")[2]: zone for zone in folded}
    near = difflib.get_close_matches(wanted, folded, 1) or difflib.get_close_matches(wanted, cities, 1)
    if not near:
        return ", write a name like 'Europe/Berlin' or 'UTC'"
    return f", did you mean '{folded.get(near[0]) or folded[cities[near[0]]]}'?"
