"""What tests of the runner share: scripts in a directory of their own, run for real, their ends awaited."""

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from schedd.fire import Ended, Fire, Kind, Outcome, RunId
from schedd.host.clock import SystemClock
from schedd.host.identity import run_ids
from schedd.runner.launch import Launch
from schedd.runner.output import OutputPolicy
from schedd.runner.runner import Runner
from schedd.runner.starts import PLAIN, Means
from schedd.schedule import FileStamp, Schedule
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable

DEADLINE_S = 20.0
"""No test waits so long; a machine that is busy with other tests may."""

TIMETABLE = Timetable.parse("@every 1h", "UTC")


class Workshop:
    """A scripts directory, a state directory and a runner."""

    def __init__(self, root: Path) -> None:
        self.scripts = root / "scripts"
        self.state = root / "state"
        self.scripts.mkdir(exist_ok=True)
        self.reports: list[Ended] = []
        self.begun: dict[RunId, tuple[int, int]] = {}
        self.runner: Runner
        self._news = asyncio.Event()
        self._new_run_id = run_ids()

    def script(self, name: str, text: str | bytes, *, mode: int = 0o644, **fields: Any) -> Schedule:
        """Write a script and register it."""
        path = self.scripts / name
        path.parent.mkdir(parents=True, exist_ok=True)
        source = text.encode() if isinstance(text, str) else text
        path.write_bytes(source)
        path.chmod(mode)
        status = path.stat()
        return Schedule(
            **{
                "script": name,
                "path": str(path),
                "expression": "@every 1h",
                "timezone": "UTC",
                "timetable": TIMETABLE,
                "sha256": hashlib.sha256(source).hexdigest(),
                "stamp": FileStamp(status.st_ino, status.st_size, status.st_mtime_ns),
                **fields,
            }
        )

    def launch(self, schedule: Schedule, *, slot: int | None = None, **past: Any) -> Launch:
        """Return a launch of kind manual, or of the slot."""
        kind = Kind.MANUAL if slot is None else Kind.SCHEDULE
        run_id = self._new_run_id(time.time_ns() // 1_000_000)
        fire = Fire(run_id, schedule.script, schedule.expression, kind, None if slot is None else Slot(slot))
        return Launch(fire=fire, schedule=schedule, **past)

    def start(self, schedule: Schedule, **about: Any) -> RunId:
        """Start a script; return the run's id."""
        launch = self.launch(schedule, **about)
        self.runner.start(launch)
        return launch.fire.run_id

    async def run(self, schedule: Schedule, **about: Any) -> Outcome:
        """Run a script to its end."""
        return await self.ended(self.start(schedule, **about))

    async def ended(self, run_id: RunId) -> Outcome:
        """Wait for the end of a run."""
        await self.until(lambda: any(end.fire.run_id == run_id for end in self.reports))
        return next(end.outcome for end in self.reports if end.fire.run_id == run_id)

    async def pid(self, run_id: RunId) -> int:
        """Wait for the start of a run."""
        await self.until(lambda: run_id in self.begun)
        return self.begun[run_id][0]

    async def printed(self, run_id: RunId, text: bytes) -> None:
        """Wait until a run has printed this."""
        async with asyncio.timeout(DEADLINE_S):
            async for chunk in self.runner.follow(run_id):
                if text in chunk:
                    return

    async def until(self, fact: Any) -> None:
        """Wait until a start or an end makes it true."""
        async with asyncio.timeout(DEADLINE_S):
            while not fact():
                self._news.clear()
                await self._news.wait()

    def note_end(self, ended: Ended) -> None:
        self.reports.append(ended)
        self._news.set()

    def note_start(self, run_id: RunId, pid: int, started_ms: int) -> None:
        self.begun[run_id] = (pid, started_ms)
        self._news.set()


@contextlib.asynccontextmanager
async def workshop(
    root: Path, *, means: Means = PLAIN, output: Mapping[str, Any] | None = None, **settings: Any
) -> AsyncIterator[Workshop]:
    """A workshop with a runner that is closed at the end; `settings` are its own, `output` its policy."""
    made = Workshop(root)
    made.runner = Runner(
        **{
            "clock": SystemClock(),
            "report": made.note_end,
            "started": made.note_start,
            "state_dir": str(made.state),
            "grace_s": 5.0,
            "means": means,
            "output": OutputPolicy(**output or {}),
            **settings,
        }
    )
    try:
        yield made
    finally:
        await made.runner.close()


def alive(pid: int) -> bool:
    """Whether a process runs (one that has ended and waits to be reaped does not)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] not in b"ZX"
    except OSError:
        return False


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def children() -> list[int]:
    """The children of this process, zombies included."""
    found = []
    for task in os.listdir("/proc/self/task"):
        with (
            contextlib.suppress(FileNotFoundError, ProcessLookupError),  # a thread may end meanwhile
            open(f"/proc/self/task/{task}/children", encoding="ascii") as file,
        ):
            found += [int(pid) for pid in file.read().split()]
    return found


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(pidfd, ended.set)
    try:
        async with asyncio.timeout(DEADLINE_S):
            await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)


async def spare_of(nursery: int) -> int:
    """Wait until a nursery that has nothing to do has made a fork in advance; return its pid."""
    for _ in range(1000):
        await asyncio.sleep(0.03)
        if forks := forks_of(nursery):
            return forks[-1]
    raise AssertionError("no fork was made in advance")


def forks_of(pid: int) -> list[int]:
    """The children of another process."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]
