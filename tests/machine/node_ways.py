"""What tests of Node.js hosts share: a script, started in one way or another, and all that comes of it."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schedd.runner import process
from schedd.runner.child import Answer, Child, Exit, Failure
from schedd.runner.command import Tools
from schedd.runner.languages.node import Nodes, packaged
from schedd.runner.node_hosts import NodeHosts
from schedd.runner.order import Family, Order, Warm
from schedd.schedule import FileStamp
from tests.machine.running import DEADLINE_S

PATH = "/usr/bin:/bin"
MINIMUM = {"PATH": PATH, "HOME": "/", "USER": "u", "LOGNAME": "u", "SHELL": "/bin/sh", "LANG": "C.UTF-8"}
RUN_ID = "01a0b1c2-d3e4-7f56-8a9b-0c1d2e3f4a5b"


@dataclass(slots=True)
class Seen:
    """A run, as it comes about and then came about."""

    pid: int = 0
    output: bytearray = field(default_factory=bytearray)
    how: Exit | None = None
    failure: Failure | None = None
    result: str | None = None
    error: str | None = None

    @property
    def outcome(self) -> tuple[Any, ...]:
        """What must not depend on how it was started."""
        assert self.how is not None
        return self.how.code, self.how.signal, self.output.decode(), self.result, self.error


class Bench:
    """Starts scripts cold and in hosts, outside of a runner."""

    def __init__(self, root: Path) -> None:
        loop = asyncio.get_running_loop()
        self.root = root
        self.cache = str(root / "node-cache")
        self._null_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self.colds = 0
        """How many of the starts by hosts were started cold after all."""
        self.cold = process.Cold(loop, stdin_fd=self._null_fd, soft_nofile=1024)
        self.hosts = NodeHosts(loop, cold=self.cold, otherwise=self._otherwise)
        self.hosts.adopt(spares=1, cache=self.cache, environment=MINIMUM)
        self._news = asyncio.Event()

    def order(
        self,
        name: str,
        text: str,
        *,
        env: Mapping[str, str] | None = None,
        reused: bool = False,
        **fields: Any,
    ) -> Order:
        """Write a script, and say how to run it."""
        path = self.root / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        status = path.stat()
        node = packaged()
        assert node is not None
        tools = Tools(PATH, node_cache=self.cache)
        variables = {
            "TZ": "Asia/Tokyo",
            "SCHEDD_RUN_ID": RUN_ID,
            "SCHEDD_SCRIPT": name,
            "SCHEDD_KIND": "manual",
            "SCHEDD_ATTEMPT": "1",
            "SCHEDD_STATE_DIR": str(self.root),
            "SCHEDD_RESULT": str(self.root / "run.result"),
        }
        return Order(
            **{
                "argv": Nodes(tools).command(str(path), node, None),
                "warm": Warm(
                    family=Family.NODE,
                    interpreter=node,
                    path=str(path),
                    key=f"default:{name}",
                    sha256=str(hash(text)),
                    stamp=FileStamp(status.st_ino, status.st_size, status.st_mtime_ns),
                    reused=reused,
                ),
                "cwd": str(self.root),
                "environment": {**MINIMUM, **variables, **(env or {})},
                **fields,
            }
        )

    async def started_cold(self, order: Order) -> Seen:
        """Run it in a new process."""
        return await self.ended(self.ask(self.cold, order))

    async def hosted(self, order: Order) -> Seen:
        """Run it in a host that is there already."""
        await self.until(lambda: self.hosts.waiting() > 0)
        return await self.ended(self.ask(self.hosts, order))

    async def stock_up(self) -> None:
        """Have a host wait."""
        await self.ended(self.ask(self.hosts, self.order("stocks_up.js", "")))
        await self.until(lambda: self.hosts.waiting() > 0)
        self.colds = 0

    def ask(self, way: Any, order: Order) -> Seen:
        """Start it."""
        for name in ("run.result", "run.result.error"):
            (self.root / name).unlink(missing_ok=True)
        seen = Seen()
        loop = asyncio.get_running_loop()
        running: list[Child] = []

        def started(child: Child) -> None:
            assert child.output_fd is not None
            running.append(child)
            seen.pid = child.pid
            loop.add_reader(child.output_fd, read, child)
            self._news.set()

        def read(child: Child) -> bytes | None:
            chunk = child.read()
            seen.output += chunk or b""
            if chunk == b"" and child.output_fd is not None:
                loop.remove_reader(child.output_fd)
            self._news.set()
            return chunk

        def exited(how: Exit) -> None:
            (child,) = running
            while read(child):
                pass
            assert child.output_fd is not None
            loop.remove_reader(child.output_fd)
            child.close()
            for name, part in (("result", "run.result"), ("error", "run.result.error")):
                if (self.root / part).exists():
                    setattr(seen, name, (self.root / part).read_text())
            seen.how = how
            self._news.set()

        def failed(failure: Failure) -> None:
            seen.failure = failure
            self._news.set()

        way.start(order, Answer(started, exited, failed))
        return seen

    async def ended(self, seen: Seen) -> Seen:
        """Wait for the end of a run."""
        await self.until(lambda: seen.how is not None or seen.failure is not None)
        return seen

    async def until(self, fact: Any) -> None:
        """Wait until it is so."""
        async with asyncio.timeout(DEADLINE_S):
            while not fact():
                self._news.clear()
                try:
                    async with asyncio.timeout(0.01):
                        await self._news.wait()
                except TimeoutError:
                    continue

    async def close(self) -> None:
        """End all hosts."""
        await self.hosts.close()
        os.close(self._null_fd)

    def _otherwise(self, order: Order, answer: Answer) -> None:
        self.colds += 1
        self.cold.start(order, answer)
