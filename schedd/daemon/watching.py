"""The scripts directory is watched, so that nobody has to say "reload".

Directories are watched, never files: an editor replaces a file, and a watch would stay with the old one. What
an event says is not believed, it only tells that it is time to look, and perhaps at which files. Otherwise a
look is a scan, which costs a stat for each file that did not change, and is the same as a reload.

Events come in flocks (a checkout, an rsync), so a look waits until it has been quiet for a moment, and no
longer than some seconds; but who saves a single file need not wait for it.

A new directory may have been filled before it was watched, so a look that finds one is followed by another.
And since a watch can be lost without a word (a directory is replaced, the kernel's queue runs over, a network
file system tells nothing), there is a look every few minutes all the same.

Rejected: watchfiles, which wakes up twenty times a second when nothing happens.
"""

import asyncio
import logging
import os
import stat
from collections.abc import Awaitable, Callable, Collection

from asyncinotify import Event, Inotify, Mask, Watch

log = logging.getLogger("schedd")

ALONE_S = 0.01
"""When nothing but events of some files come in this time, there is no flock: an editor is done by then."""
QUIET_S = 0.3
"""So long nothing must happen before a look: rsync and git pause less between two files."""
PATIENCE_S = 3.0
"""A look comes after this at the latest, however busy the directory is."""
POLL_S = 300.0
MOST_NAMED = 32
"""More files than these are a flock, and a scan."""
EVENTS_READ = 64
"""With one read; a checkout makes thousands."""

GONE = Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.IGNORED | Mask.UNMOUNT
NEWS = (
    Mask.CLOSE_WRITE | Mask.CREATE | Mask.DELETE | Mask.MOVED_FROM | Mask.MOVED_TO | Mask.ATTRIB
    | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.ONLYDIR
)  # fmt: skip


Look = Callable[[Collection[str]], Awaitable[None]]
"""Looks again: at the files that are named (absolute paths), or, when none is, at all."""


class Watcher:
    """Calls `look` when something may have changed. `directories` says what there is, after each look.

    `passed_over` tells which names nobody would register anyway (hidden ones, an editor's leftovers).
    """

    def __init__(
        self,
        *,
        look: Look,
        directories: Callable[[], Collection[str]],
        passed_over: Callable[[str], bool],
    ) -> None:
        self._look = look
        self._directories = directories
        self._passed_over = passed_over
        self._watches: dict[str, Watch] = {}
        self._news = asyncio.Event()
        self._named: set[str] = set()
        """Files that events have told of since the last look."""
        self._at_all = False
        """Something happened that names no file, or too many."""
        self._full = False

    async def run(self) -> None:
        """Watch until cancelled."""
        with Inotify(cache_size=EVENTS_READ) as inotify:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(inotify), name="listen to inotify")
                while True:
                    told = not self._watch(inotify) and await self._told_within(POLL_S)
                    if told:
                        await self._calm()
                    named = self._named if told and not self._at_all else set()
                    self._news.clear()
                    self._named, self._at_all = set(), False
                    await self._look(named)

    async def _listen(self, inotify: Inotify) -> None:
        """Note that something happened. Never cancelled while it waits for more: events would be lost."""
        while True:
            event = await inotify.get()
            if self._matters(event):
                self._note(event)
                self._news.set()

    async def _calm(self) -> None:
        """Wait until nothing happens any more, within limits."""
        self._news.clear()
        if not self._at_all and not await self._told_within(ALONE_S):
            return
        loop = asyncio.get_running_loop()
        until_s = loop.time() + PATIENCE_S
        while (left_s := until_s - loop.time()) > 0:
            self._news.clear()
            if not await self._told_within(min(QUIET_S, left_s)):
                return

    async def _told_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _matters(self, event: Event) -> bool:
        watch = event.watch
        if watch is not None and event.mask & GONE:
            self._forget(str(watch.path))
            return not event.mask & Mask.IGNORED
        if watch is None or event.name is None:
            return not event.mask & Mask.IGNORED  # the directory itself, or the kernel's queue has run over
        if self._passed_over(event.name.name):
            return False
        # A file that is being made is told of again when it is complete; a link already is.
        is_new_file = event.mask & Mask.CREATE and not event.mask & Mask.ISDIR
        return not is_new_file or _is_link(str(watch.path / event.name))

    def _note(self, event: Event) -> None:
        """Note which file an event tells of; a directory's, or one of too many, means all."""
        if event.watch is None or event.name is None or event.mask & Mask.ISDIR or event.mask & GONE:
            self._at_all = True
        else:
            self._named.add(str(event.watch.path / event.name))
            self._at_all = self._at_all or len(self._named) > MOST_NAMED

    def _forget(self, directory: str) -> None:
        """What lies below a directory that has moved is no longer where its watch says."""
        below = directory + "/"
        for path in [path for path in self._watches if path == directory or path.startswith(below)]:
            del self._watches[path]

    def _watch(self, inotify: Inotify) -> bool:
        """Watch what there is; return whether something of it was not watched before."""
        wanted = set(self._directories())
        for path in self._watches.keys() - wanted:
            self._unwatch(inotify, self._watches.pop(path))
        added = False
        for path in wanted - self._watches.keys():
            try:
                self._watches[path] = inotify.add_watch(path, NEWS)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._complain(path, error)
                return False
            added = True
        return added

    def _unwatch(self, inotify: Inotify, watch: Watch) -> None:
        try:
            inotify.rm_watch(watch)
        except OSError:
            return  # its directory is gone, and the watch with it

    def _complain(self, path: str, error: OSError) -> None:
        """Say it once: the look every few minutes goes on."""
        if self._full:
            return
        self._full = True
        log.warning(
            "%s cannot be watched (%s): changes are found within %d minutes, or by `schedd reload`; "
            "sysctl fs.inotify.max_user_watches may be too low",
            path,
            os.strerror(error.errno or 0),
            POLL_S // 60,
        )


def _is_link(path: str) -> bool:
    """Whether it is a link, symbolic or hard: those are complete as soon as they are there."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISLNK(found.st_mode) or found.st_nlink > 1
