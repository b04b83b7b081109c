"""How long what runs printed and returned is kept: by age, and by what all of it may take.

Blocking: the daemon calls it in a thread, at its start and now and then. A run id sorts by time, so the
oldest files are the first names of the first directories, and nothing has to be opened to know its age.
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

    Nothing of the runs in `keep` (those in flight) is touched, nor is a file that schedd did not write.
    """
    root = os.path.join(os.path.abspath(state_dir), "output")
    oldest_ms = now_ms - keep_days * DAY_MS
    files = [found for found in _files(root) if found[0] not in keep]
    total = sum(size for _, _, size in files)
    removed = removed_bytes = 0
    for run_id, path, size in files:
        if store.made_ms(run_id) >= oldest_ms and total <= keep_bytes:
            break
        total -= size
        if _unlinked(path):
            removed += 1
            removed_bytes += size
    _remove_empty_days(root, {store.day_of(run_id) for run_id in keep}, before=store.day_at(now_ms - DAY_MS))
    return Pruned(removed, removed_bytes)


def _files(root: str) -> Iterator[tuple[RunId, str, int]]:
    """Yield (run id, path, size) of all files of runs, oldest first."""
    for day in _days(root):
        for name in _names(f"{root}/{day}"):
            match = _OURS.fullmatch(name)
            if match is None:
                continue
            path = f"{root}/{day}/{name}"
            try:
                yield RunId(match[1]), path, os.lstat(path).st_size
            except FileNotFoundError:
                continue


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
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []


def _unlinked(path: str) -> bool:
    try:
        os.unlink(path)
    except OSError as error:
        _log.warning("cannot remove %s: %s", path, error.strerror)
        return False
    return True
