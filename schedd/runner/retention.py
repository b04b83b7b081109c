"""How long what runs printed and returned is kept: by age, and by what all of it may take.

Blocking: the daemon calls it in a thread, at its start and now and then. A run id sorts by time, so the
oldest files are in the first directories, and nothing has to be opened to know its age. There may be a
hundred thousand: they are neither all held in memory nor sorted at once, since both hold the event loop up.
"""

import contextlib
import logging
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from schedd.fire import RunId
from schedd.runner import store

DAY_MS = 86_400_000

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_OURS = re.compile(rf"({store.RUN_ID.pattern})\.(?:log|result|result\.error)")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed."""

    files: int
    size_bytes: int


def prune(
    state_dir: str, *, now_ms: int, keep_days: int, keep_bytes: int, keep: Collection[RunId] = ()
) -> Pruned:
    """Remove what is older than `keep_days`, then the oldest until the rest fits into `keep_bytes`. Blocking.

    Nothing of the runs in `keep` (those in flight) is touched, nor of later ones, nor a file that schedd did
    not write.
    """
    root = os.path.join(os.path.abspath(state_dir), "output")
    oldest_ms = now_ms - keep_days * DAY_MS
    removed, kept = _Removed(), dict[str, int]()
    for day in _days(root):
        kept[day] = 0
        for file in _files(f"{root}/{day}", keep, until_ms=now_ms):
            if store.made_ms(file.run_id) >= oldest_ms or not removed.remove(file):
                kept[day] += file.size_bytes
    total_bytes = sum(kept.values())
    for day, size_bytes in kept.items():
        if total_bytes <= keep_bytes:
            break
        found = _files(f"{root}/{day}", keep, until_ms=now_ms)
        # A day that goes as a whole needs no order, and a day may have a hundred thousand files.
        for file in found if total_bytes - size_bytes >= keep_bytes else _oldest_first(found):
            if total_bytes <= keep_bytes:
                break
            total_bytes -= file.size_bytes
            removed.remove(file)
    _remove_empty_days(root, {store.day_of(run_id) for run_id in keep}, before=store.day_at(now_ms - DAY_MS))
    return Pruned(removed.files, removed.size_bytes)


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a run."""

    run_id: RunId
    path: str
    size_bytes: int


class _Removed:
    """Removes files and counts them; says it once when that cannot be done."""

    def __init__(self) -> None:
        self.files = self.size_bytes = 0
        self._complained = False

    def remove(self, file: _File) -> bool:
        """Return whether it is gone."""
        try:
            os.unlink(file.path)
        except FileNotFoundError:
            return True
        except OSError as error:
            if not self._complained:
                _log.warning("cannot remove %s: %s", file.path, error.strerror)
            self._complained = True
            return False
        self.files += 1
        self.size_bytes += file.size_bytes
        return True


def _files(directory: str, keep: Collection[RunId], *, until_ms: int) -> Iterator[_File]:
    """Yield the files of runs that were made until this instant, in any order."""
    for entry in _entries(directory):
        match = _OURS.fullmatch(entry.name)
        if match is None:
            continue
        run_id = RunId(match[1])
        if run_id in keep or store.made_ms(run_id) > until_ms:
            continue
        try:
            size_bytes = entry.stat(follow_symlinks=False).st_size
        except OSError:
            # Gone meanwhile, or not to be had: the removing would say why.
            continue
        yield _File(run_id, entry.path, size_bytes)


def _oldest_first(files: Iterator[_File]) -> Iterator[_File]:
    """Yield files in the order in which their runs were made; sorts a minute's files at a time.

    Sorting all of a day would hold the interpreter's lock, and with it the event loop.
    """
    minutes: dict[str, list[_File]] = {}
    for file in files:
        minutes.setdefault(file.run_id[:8], []).append(file)
    for minute in sorted(minutes):
        yield from sorted(minutes.pop(minute), key=lambda file: file.run_id)


def _remove_empty_days(root: str, keep: Collection[str], *, before: str) -> None:
    """Remove directories that nothing will be written to: those of yesterday and today may still be."""
    for day in _days(root):
        if day < before and day not in keep and not _names(f"{root}/{day}"):
            # A straggler may have been written just now: then the day stays.
            with contextlib.suppress(OSError):
                os.rmdir(f"{root}/{day}")


def _days(root: str) -> list[str]:
    return [name for name in _names(root) if _DAY.fullmatch(name)]


def _names(directory: str) -> list[str]:
    return sorted(entry.name for entry in _entries(directory))


def _entries(directory: str) -> "Iterator[os.DirEntry[str]]":
    """Yield what is in a directory; nothing of one that is not there or, which is said, cannot be read.

    A disk that cannot be read must not cost more than the room that old outputs take.
    """
    try:
        with os.scandir(directory) as listing:
            yield from listing
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        _log.warning("cannot look for old outputs in %s: %s", directory, error.strerror)
