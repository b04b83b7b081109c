"""Reading the scripts directory again, and what is to be registered then.

A *reload* reads the whole directory. A *look* reads it as well, or only the files that are named: one of a
hundred thousand is read in a millisecond, and to look at all of them takes a second. Only what is simple is
done like that: files that are fine, and were fine before. With everything else a look is a reload: what is
gone, what is wrong or odd, locks that several share, links that lead to a file under two names.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

from schedd.daemon import messages, record
from schedd.daemon.parts import Scanner
from schedd.ledger import facts
from schedd.planner.planner import Planner
from schedd.schedule import Schedule
from schedd.scripts.catalogue import Diff
from schedd.web.control import Failure, ReloadReport


class Reloading:
    """Reads, one reload at a time, and puts what it found into the inbox.

    `refresh` takes over what has changed in the configuration, and returns what is to be said about it.
    """

    def __init__(
        self,
        *,
        planner: Planner,
        scanner: Scanner,
        inbox: "asyncio.Queue[messages.Message]",
        refresh: Callable[[], Awaitable[tuple[str, ...]]],
    ) -> None:
        self._planner = planner
        self._scanner = scanner
        self._inbox = inbox
        self._refresh = refresh
        self._reading = asyncio.Lock()
        self.failed: tuple[Failure, ...] = ()
        """Scripts that are not registered, or by an older header, since something is wrong with them."""

    async def reload(self, *, dry_run: bool, quiet: bool = False) -> ReloadReport:
        """Read the whole directory. A `quiet` reload tells only of what is new."""
        async with self._reading:
            said = () if dry_run or quiet else await self._refresh()
            scan = await asyncio.to_thread(self._scanner.scan)
            reply: asyncio.Future[ReloadReport] = asyncio.get_running_loop().create_future()
            self._inbox.put_nowait(messages.Scanned(scan, said, reply, dry_run=dry_run, quiet=quiet))
            return await reply

    async def look(self, named: Collection[str]) -> None:
        """Read the files that are named (absolute paths), if that will do, else the whole directory."""
        async with self._reading:
            found = await asyncio.to_thread(self._scanner.look, named) if named else None
            if found is not None and self._is_simple(found):
                edits = {
                    script: now
                    for script, now in found.items()
                    if now is not None and now != self._planner.schedule(script)
                }
                if edits:
                    reply: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._inbox.put_nowait(messages.Edited(edits, reply))
                    await reply
                return
        await self.reload(dry_run=False, quiet=True)

    def is_old(self, diff: Diff, registered: Mapping[str, Schedule]) -> bool:
        """Tell whether a scan found nothing but what is known."""
        failed = tuple(map(record.failure_of, diff.failed))
        return record.by_script(diff.schedules) == registered and failed == self.failed

    def tell(self, diff: Diff) -> None:
        """Log a reload."""
        record.tell_reloaded(
            added=len(diff.added),
            changed=len(diff.changed),
            removed=len(diff.removed),
            failed=len(diff.failed),
        )

    def told_of(self, edits: Mapping[str, Schedule], now_ms: int) -> facts.Reloaded:
        """Log a look at these, before they are registered, and return its fact."""
        known, failed = len(self._planner), len(self.failed)
        added = sum(script not in self._planner for script in edits)
        record.tell_reloaded(added=added, changed=len(edits) - added, removed=0, failed=failed)
        return facts.Reloaded(at=now_ms, added=added, kept=known, removed=0, failed=failed)

    def _is_simple(self, found: Mapping[str, Schedule | None]) -> bool:
        """Tell whether nothing is to be known about these scripts but their new headers."""
        failed = {failure.path for failure in self.failed}
        for script, now in found.items():
            before = self._planner.schedule(script)
            if script in failed or (now is None and before is not None):
                return False
            if any(schedule is not None and schedule.lock is not None for schedule in (before, now)):
                return False
        return True
