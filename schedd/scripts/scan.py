"""The scripts directory, read again and again: what is there, at the price of a stat for what did not change.

The scanner remembers each file by inode, size and modification time, and so gives back the very same
`Schedule` for a script that nobody touched. Who may write is asked anew each time (see `trust`).
"""

import os
from collections.abc import Collection
from operator import attrgetter

from schedd.schedule import Schedule
from schedd.scripts.calendars.shelf import Shelf
from schedd.scripts.catalogue import Scan
from schedd.scripts.directives import Problem
from schedd.scripts.registration import Defaults, Finding, Registrar, position
from schedd.scripts.walk import Walk

__all__ = ["Scan", "Scanner"]


class Scanner:
    """Knows one scripts directory. One scan at a time; `scan` and `read` block, so call them in a thread.

    New defaults, or new zone data, want a new scanner: what this one remembers was made with the old.
    """

    def __init__(self, scripts_dir: str, *, defaults: Defaults, trusted_uids: Collection[int]) -> None:
        """`trusted_uids` may own scripts, beside root: usually the user that the daemon runs as."""
        self.scripts_dir = os.path.abspath(scripts_dir)
        self._trusted_uids = frozenset(trusted_uids) | {0}
        self.shelf = Shelf(defaults.calendars_dir, trusted_uids=self._trusted_uids)
        self._registrar = Registrar(defaults, self.shelf)
        self._known: dict[str, Finding] = {}
        self._walked: list[Schedule] = []
        self._sorted: tuple[Schedule, ...] = ()
        self._has_links = False
        self._device: int | None = None
        """That of the directory when something was in it."""

    def scan(self) -> Scan:
        """Read the whole directory. What could not be read is a problem, never an exception."""
        self.shelf.refresh()
        walk = Walk(self.scripts_dir, self._known, self._registrar, self._trusted_uids)
        walk.all()
        if walk.is_bare and walk.device is not None and self._device not in (None, walk.device):
            # A mount point without its file system looks like a directory that somebody has emptied.
            walk.miss_root()
        else:
            self._device = walk.device or self._device
            self._known = walk.seen
        self._has_links = walk.has_links
        return Scan(
            schedules=self._in_order(walk.schedules),
            problems=tuple(sorted(walk.problems, key=position)),
            warnings=tuple(sorted(walk.warnings, key=position)),
            unread=tuple(sorted(walk.unread)),
            directories=walk.directories,
        )

    def look(self, scripts: Collection[str]) -> dict[str, Schedule | None] | None:
        """Read only these, if that will do: none of them is gone, or has anything wrong or odd about it.

        Return what was found; None under a script that has no @schedule. None: the whole directory is to be
        scanned, also if there are links in it, by which an edit of one file may be that of another.
        """
        found: dict[str, Schedule | None] = {}
        for script in scripts:
            known = self._known.get(script)
            links = _links(f"{self.scripts_dir}/{script}")
            if not links and known is None:
                continue  # it came and went
            is_odd = known is not None and (known.problems or known.warnings or known.needs)
            if self._has_links or links != 1 or is_odd:
                return None
            walk = Walk(self.scripts_dir, self._known, self._registrar, self._trusted_uids)
            walk.one(script)
            if walk.problems or walk.warnings or walk.has_links:
                return None
            self._known.update(walk.seen)
            found[script] = walk.schedules[0] if walk.schedules else None
        return found

    def remember(self, script: str, *, header: str, sha256: str) -> None:
        """Share these words of the ledger with the schedule that says the same (see `Registrar`)."""
        self._registrar.remember(script, header=header, sha256=sha256)

    def recall(self, script: str, *, header: str, sha256: str) -> Schedule | None:
        """Return a schedule as it was registered before the daemon stopped, by what the ledger kept of it."""
        path = os.path.join(self.scripts_dir, script)
        return self._registrar.recall(script, path, header=header, sha256=sha256)

    def read(self, script: str) -> Schedule | tuple[Problem, ...] | None:
        """Read one script, named by its path relative to the scripts directory; None if it has no @schedule.

        The answer is what a scan would find; a name that a scan would not come to is a problem too.
        """
        walk = Walk(self.scripts_dir, self._known, self._registrar, self._trusted_uids)
        walk.one(script)
        self._known.update(walk.seen)
        if walk.problems:
            return tuple(sorted(walk.problems, key=position))
        return walk.schedules[0] if walk.schedules else None

    def _in_order(self, walked: list[Schedule]) -> tuple[Schedule, ...]:
        """Sort what a walk came to by path; what it came to the last time, too, is sorted already."""
        if walked != self._walked:
            self._walked, self._sorted = walked, tuple(sorted(walked, key=attrgetter("script")))
        return self._sorted


def _links(path: str) -> int:
    """Return under how many names there is this file; 0 when it is gone."""
    try:
        return os.lstat(path).st_nlink
    except OSError:
        return 0
