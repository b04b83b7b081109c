"""The last outcomes of each script, read from the log when all is up, so that nobody has to wait for them.

The first glance of a dashboard asks for them, and reading 32 MB takes most of a second. So it is done ahead:
a few lines at a time in a thread, with a rest after each, for the scripts that fire just then come first. Who
asks before it is done waits for what is left, and nothing rests meanwhile.

Rejected: reading before the daemon is ready (a dashboard is not what scripts wait for), and one long piece
of work in a thread (it would take half of the interpreter from all that starts just then).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from schedd.insight.recent import Reading, Recent, RecentOutcomes, unpacked
from schedd.ledger.ledger import Ledger

log = logging.getLogger("schedd")

STEP_LINES = 1_000
"""Five milliseconds."""
REST_S = 0.02


class Lately:
    """Fills `kept` from the log, which `kept.note` must hear of; answers from there."""

    def __init__(self, ledger: Ledger, kept: RecentOutcomes) -> None:
        self._ledger = ledger
        self._kept = kept
        self._filling = asyncio.Lock()
        self._asked = asyncio.Event()

    async def of(self, scripts: Sequence[str]) -> Mapping[str, Recent]:
        """Return those of these scripts. Raises OSError when the log can't be read."""
        self._asked.set()
        await self._fill()
        rows = {script: self._kept.rows(script) for script in scripts}
        return await asyncio.to_thread(lambda: {script: unpacked(found) for script, found in rows.items()})

    async def read_ahead(self) -> None:
        """Read before anybody asks. When the log can't be read, who asks will be told."""
        try:
            await self._fill()
        except OSError as error:
            log.warning("the last outcomes of the scripts could not be read ahead: %s", error)

    async def _fill(self) -> None:
        async with self._filling:
            if self._kept.filled:
                return
            self._kept.begin()
            reading = Reading(await self._ledger.newest())
            while await self._ledger.reads(partial(reading.step, STEP_LINES)):
                await self._rest()
            self._kept.fill(await asyncio.to_thread(reading.rows))
            while not self._kept.settle():  # noqa: ASYNC110 - it is not waited for, the loop takes a breath
                await asyncio.sleep(0)

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_S):
                await self._asked.wait()
