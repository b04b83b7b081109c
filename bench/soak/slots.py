"""Whether each due slot has exactly one line, judged as the lines come, in memory that does not grow.

For each script there is one slot up to which all are told, and those beyond it that are told already.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any

from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

DECIDING = ("schedule", "catchup")
MOST_COMPLAINTS = 100
MOST_SEGMENTS = 32

Line = dict[str, Any]


class Slots:
    """Compares what is told with what was due after `after_s`."""

    def __init__(self, timetables: Mapping[str, Timetable], after_s: int) -> None:
        self._timetables = timetables
        self._after_s = after_s
        self._all_up_to = dict.fromkeys(timetables, Slot(after_s))
        self._beyond: dict[str, set[int]] = {script: set() for script in timetables}
        self.told = 0
        self.complaints: list[str] = []

    def take(self, line: Line) -> None:
        """One line of the fires log."""
        script = line["scriptPath"]
        if line["kind"] not in DECIDING:
            return
        if script not in self._timetables:
            self._complain(f"{script} was never there")
            return
        for slot in self._covered(line):
            self._tell(script, slot)
        self._settle(script)

    def lost(self, until_s: int) -> int:
        """Complain of each slot up to `until_s` that is not told, and return how many there are."""
        count = 0
        for script, timetable in self._timetables.items():
            slot = timetable.next_after(self._all_up_to[script])
            while slot is not None and slot <= until_s:
                if slot not in self._beyond[script]:
                    count += 1
                    self._complain(f"{script}: slot {slot} has no line")
                slot = timetable.next_after(slot)
        return count

    def _covered(self, line: Line) -> Iterator[int]:
        first = _second(line["slot"])
        last = _second(line["lastSlot"] if "count" in line else line["slot"])
        timetable, slot = self._timetables[line["scriptPath"]], Slot(first - 1)
        count = 0
        while (following := timetable.next_after(slot)) is not None and following <= last:
            slot = following
            count += 1
            yield slot
        if count != line.get("count", 1):
            self._complain(
                f"{line['scriptPath']}: {count} slots were due where a line tells of others: {line}"
            )

    def _tell(self, script: str, slot: int) -> None:
        beyond = self._beyond[script]
        if slot in beyond or self._after_s < slot <= self._all_up_to[script]:
            self._complain(f"{script}: slot {slot} has two lines")
        elif slot > self._after_s:
            self.told += 1
            beyond.add(slot)

    def _settle(self, script: str) -> None:
        timetable, beyond = self._timetables[script], self._beyond[script]
        while beyond and (following := timetable.next_after(self._all_up_to[script])) in beyond:
            assert following is not None
            beyond.remove(following)
            self._all_up_to[script] = following

    def _complain(self, sentence: str) -> None:
        if len(self.complaints) < MOST_COMPLAINTS:
            self.complaints.append(sentence)


class Follower:
    """Reads the fires log as it grows, through its rotations, before they are deleted."""

    def __init__(self, state: Path) -> None:
        self._path = str(state / "fires.log")
        self._file: FileIO | None = None
        self._rest = b""
        self.segments = 0

    def news(self) -> Iterator[Line]:
        """Yield what was written since the last time, which is the start for the first one."""
        if self._file is None:
            self._turn_to(FileIO(self._path))
        while True:
            yield from self._lines()
            following = self._following()
            if following is None:
                return
            yield from self._lines()  # written between the last look and the rotation
            self._turn_to(following)

    def close(self) -> None:
        """Close the segment that is open."""
        if self._file is not None:
            self._file.close()

    def _lines(self) -> Iterator[Line]:
        assert self._file is not None
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        for raw in whole:
            line = json.loads(raw)
            assert "fact" not in line, f"the log says that lines were lost: {line}"
            yield line

    def _following(self) -> FileIO | None:
        """Open the segment after the one that is open; None while that is the current one.

        From the newest to the oldest: a rotation meanwhile shows a segment twice, and passes over none.
        """
        assert self._file is not None
        newer: list[FileIO] = []
        for suffix in ("", *(f".{number}" for number in range(1, MOST_SEGMENTS))):
            with contextlib.suppress(FileNotFoundError):
                segment = FileIO(f"{self._path}{suffix}")
                if _is_same(segment, self._file):
                    segment.close()
                    return _last_of(newer)
                if newer and _is_same(segment, newer[-1]):
                    segment.close()
                else:
                    newer.append(segment)
        for segment in newer:
            segment.close()
        raise AssertionError("the log was rotated, and cut off, faster than it was read")

    def _turn_to(self, segment: FileIO) -> None:
        assert not self._rest, f"half a line before a rotation: {self._rest!r}"
        self.close()
        self._file = segment
        self.segments += 1


def _is_same(one: FileIO, other: FileIO) -> bool:
    return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))


def _last_of(files: list[FileIO]) -> FileIO | None:
    for file in files[:-1]:
        file.close()
    return files[-1] if files else None


def _second(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())
