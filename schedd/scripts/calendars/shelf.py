"""The calendars directory: which calendars there are, each read when a script asks for it.

A file is remembered by inode, size and modification time, so that a reload of a hundred thousand scripts that
observe one calendar reads it once, or not at all. A file that nobody asks for is not read, and may be wrong.

What is wrong with a file is remembered too, and is every script's problem that asks for it: a holiday that
cannot be understood must not be a day on which things run. Who may write a calendar can stop scripts from
running, so its owner and mode are looked at as those of a script are (see `trust`).
"""

import difflib
import hashlib
import os
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from schedd.errors import TimetableError
from schedd.schedule import FileStamp
from schedd.scripts import trust
from schedd.scripts.calendars import dates, ics
from schedd.scripts.calendars.faults import CalendarError
from schedd.timetable.calendar import Calendar, Event
from schedd.timetable.observance import How, Observance
from schedd.timetable.timetable import Timetable

MOST_BYTES: Final = 4 * 1024 * 1024
MOST_FILES: Final = 1_000

_READERS: dict[str, Callable[[str], tuple[Event, ...]]] = {".txt": dates.read, ".ics": ics.read}
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Known:
    stamp: FileStamp
    found: Calendar | CalendarError


class Shelf:
    """Knows one calendars directory. It blocks, so ask in a thread."""

    def __init__(self, directory: str, *, trusted_uids: Collection[int]) -> None:
        """`trusted_uids` may own calendars, beside root."""
        self.directory = os.path.abspath(directory) if directory else ""
        self._trusted_uids = frozenset(trusted_uids) | {0}
        self._stats: dict[str, os.stat_result] | None = None
        self._fault: str | None = None
        self._known: dict[str, _Known] = {}
        self._states: dict[str, str] = {}

    def refresh(self) -> None:
        """Look again at what there is."""
        stats: dict[str, os.stat_result] = {}
        self._fault = None
        try:
            self._fault = trust.fault(self.directory, os.stat(self.directory), self._trusted_uids)
            with os.scandir(self.directory) as entries:
                names = [entry.name for entry in entries if _is_calendar(entry.name)]
            if len(names) > MOST_FILES:
                self._fault = f"{self.directory} holds more than {MOST_FILES} calendars"
            for name in names[:MOST_FILES]:
                try:
                    stats[name] = os.stat(os.path.join(self.directory, name))
                except FileNotFoundError:
                    continue  # a link that leads nowhere, or gone since it was listed
        except FileNotFoundError:
            self._fault = f"there is no calendars directory {self.directory}: make it, or set calendars_dir"
        except OSError as error:
            self._fault = f"the calendars directory {self.directory} cannot be read: {error.strerror}"
        self._known = {name: known for name, known in self._known.items() if name in stats}
        self._stats, self._states = stats, {}

    def find(self, name: str) -> Calendar:
        """Return the calendar of this name, with or without its extension.

        Raises CalendarError with one sentence that names the file, and the line if there is one.
        """
        if not self.directory:
            raise CalendarError("there is no calendars directory: set calendars_dir")
        if self._stats is None:
            self.refresh()
        assert self._stats is not None
        if self._fault is not None:
            raise CalendarError(self._fault)
        files = [file for file in (name, f"{name}.txt", f"{name}.ics") if file in self._stats]
        if len(files) != 1:
            raise CalendarError(self._several(files) if files else self._none(name, self._stats))
        found = self._read(files[0], self._stats[files[0]])
        if isinstance(found, CalendarError):
            raise found
        return found

    def state(self, name: str) -> str:
        """Return what tells whether `find` would answer as before: file and hash, or what is wrong."""
        state = self._states.get(name)
        if state is None:
            try:
                found = self.find(name)
                state = f"{found.file} {found.sha256}"
            except CalendarError as error:
                state = str(error)
            self._states[name] = state
        return state

    def observance(self, told: str) -> Observance | None:
        """Return what an observance meant that was written down as text; None without its calendar."""
        file, _, how = told.rpartition(" ")
        try:
            observance = Observance(self.find(file), How(how))
            Timetable.check(observance)
        except (ValueError, TimetableError):
            return None
        return observance

    def _read(self, file: str, info: os.stat_result) -> Calendar | CalendarError:
        stamp = FileStamp(info.st_ino, info.st_size, info.st_mtime_ns)
        path = os.path.join(self.directory, file)
        fault = trust.fault(path, info, self._trusted_uids)
        if fault is not None:
            return CalendarError(fault)
        known = self._known.get(file)
        if known is None or known.stamp != stamp:
            known = self._known[file] = _Known(stamp, _taken(path, file))
        return known.found

    def _several(self, files: list[str]) -> str:
        return f"there are {' and '.join(files)} in {self.directory}: say which one, with its extension"

    def _none(self, name: str, there: Collection[str]) -> str:
        stems = {file.rpartition(".")[0]: file for file in sorted(there)}
        near = difflib.get_close_matches(name, [*stems, *sorted(there)], 1)
        hint = f": did you mean {near[0]}?" if near else f": make {name}.txt or {name}.ics there"
        return f"there is no calendar {name} in {self.directory}{hint}"


def _is_calendar(name: str) -> bool:
    return not name.startswith(".") and name.endswith(tuple(_READERS))


def _taken(path: str, file: str) -> Calendar | CalendarError:
    """Read a file; what is wrong with it is a value, which names the file."""
    try:
        data = _bytes(path)
        events = _READERS[file[-4:]](_text(data))
    except CalendarError as error:
        place = path if error.line is None else f"{path}:{error.line}"
        return CalendarError(f"{place}: {error}", error.line)
    except OSError as error:
        return CalendarError(f"{path} cannot be read: {error.strerror or error}")
    return Calendar(file, hashlib.sha256(data).hexdigest(), events)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CalendarError("this is not UTF-8: save the file as UTF-8", line) from None


def _bytes(path: str) -> bytes:
    """Return what is in a file, read while nobody wrote to it."""
    for _ in range(_ATTEMPTS):
        descriptor = os.open(path, _FLAGS)
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise CalendarError("this is not a file")
            if before.st_size > MOST_BYTES:
                raise CalendarError(f"it is larger than {MOST_BYTES // 2**20} MiB")
            pieces = []
            while piece := os.read(descriptor, MOST_BYTES):
                pieces.append(piece)
                if sum(map(len, pieces)) > MOST_BYTES:
                    break
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        data = b"".join(pieces)
        if len(data) == after.st_size and after.st_mtime_ns == before.st_mtime_ns:
            return data
    raise CalendarError("it was being written to: reload when it is complete")
