"""The real daemon and the real ledger in virtual time, with scripts that only exist on paper."""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from schedd.daemon.daemon import HEARTBEAT_S, Daemon
from schedd.daemon.messages import Drain, Message, Started
from schedd.fire import RunId
from schedd.host.identity import run_ids
from schedd.host.systemd import Notifier
from schedd.ledger.ledger import Ledger
from schedd.planner.planner import Planner
from schedd.runner.launch import Launch
from schedd.schedule import Schedule
from schedd.scripts.catalogue import Scan
from schedd.web.feed import Feed
from schedd.web.meters import Meters
from tests.fake_runner import Play, ScriptedRunner
from tests.fakes import LoopClock

DAY_MS = 86_400_000


class PaperScanner:
    """A scripts directory that is a list; a test may change it, and reload."""

    def __init__(self, schedules: Iterable[Schedule]) -> None:
        self.schedules = list(schedules)

    def scan(self) -> Scan:
        return Scan(schedules=tuple(self.schedules))

    def observance(self, told: str) -> None:
        return None

    def look(self, named: Collection[str]) -> None:
        return None

    def trust(self, script: str, *, header: str, sha256: str) -> None:
        pass

    def recall(self, script: str, *, header: str, sha256: str) -> Schedule | None:
        return None


class Simulation:
    """One daemon on one state directory, from `start_ms` on."""

    def __init__(
        self,
        state: Path,
        schedules: Iterable[Schedule],
        play: Callable[[Launch], Play],
        *,
        start_ms: int,
        seed: int = 0,
        max_running: int = 256,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.state = state
        self.scanner = PaperScanner(schedules)
        self.play = play
        self.loop = asyncio.get_running_loop()
        self.clock = LoopClock(start_ms)
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._dice = random.Random(seed)
        self._max_running = max_running
        self._heartbeat_s = heartbeat_s
        self.orphans: set[RunId] = set()
        self.ledger: Ledger
        self.daemon: Daemon
        self.runner: ScriptedRunner

    async def live(self, for_ms: int, meanwhile: Callable[[], object] | None = None) -> None:
        """Start, live for so long, drain, and stop."""
        state = self.state
        self.ledger = await Ledger.open(state, now_ms=self.clock.now_ms)
        self.runner = ScriptedRunner(
            clock=self.clock, report=self.inbox.put_nowait, started=self._started, play=self.play
        )
        self.daemon = Daemon(
            clock=self.clock,
            planner=Planner(
                new_run_id=run_ids(self._dice.getrandbits), max_running=self._max_running, max_held=10_000
            ),
            ledger=self.ledger,
            runner=self.runner,
            scanner=self.scanner,
            notifier=Notifier(),
            meters=Meters(),
            feed=Feed(),
            inbox=self.inbox,
            end_orphans=self.orphans.intersection,
            prune=lambda _: None,
            refresh=_nothing_to_say,
            pressure=lambda: 0.0,
            beside=lambda _: {},
            host="here",
            boot_id="the-only-boot",
            version="0",
            drain_s=30,
            heartbeat_s=self._heartbeat_s,
        )
        self.loop.call_later(for_ms / 1000, self.inbox.put_nowait, Drain("the end of the test"))
        if meanwhile is not None:
            self.loop.call_soon(meanwhile)
        await self.daemon.run()
        await self.ledger.close()

    def _started(self, run_id: RunId, pid: int, started_ms: int) -> None:
        self.inbox.put_nowait(Started(run_id, pid, started_ms))


async def _nothing_to_say() -> tuple[str, ...]:
    return ()
