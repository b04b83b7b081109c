"""What the daemon needs of the parts that it puts together: the real ones, and those of the tests."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from schedd.fire import Reason, RunId
from schedd.ledger.facts import AnyFact
from schedd.ledger.state import State
from schedd.runner.launch import Launch
from schedd.schedule import Schedule
from schedd.scripts.catalogue import Scan
from schedd.timetable.observance import Observance


class Ledger(Protocol):
    """What the daemon needs of the ledger."""

    @property
    def state(self) -> State:
        """The sum of all facts."""

    @property
    def failing(self) -> tuple[str, ...]:
        """Why facts cannot be written now, in sentences; empty when they can."""

    @property
    def tasks(self) -> "tuple[asyncio.Task[None], ...]":
        """Those who write; one that ends is a programmer's error."""

    def write(self, facts: Sequence[AnyFact], *, durable: bool) -> "asyncio.Future[bool]":
        """Append facts, in the order of the calls."""


class Runner(Protocol):
    """What the daemon needs of the runner."""

    def start(self, launch: Launch) -> None:
        """Run a script; exactly one `Ended` comes back through the inbox."""

    def stop(self, run_id: RunId, reason: Reason, text: str) -> bool:
        """Stop a run; False if it is not in flight."""


class Scanner(Protocol):
    """What the daemon needs of the scripts directory. It blocks, and is called in a thread."""

    def scan(self) -> Scan:
        """Read the whole directory."""

    def observance(self, told: str) -> Observance | None:
        """Return what an observance meant that was written down as text; None without its calendar."""

    def look(self, named: Collection[str]) -> Mapping[str, Schedule | None] | None:
        """Read only these files (absolute paths), if that will do.

        Return what was found, by script; None under a script that has no schedule. None: read it all.
        """

    def trust(self, script: str, *, header: str, sha256: str) -> None:
        """Take a script with this content for one that would run: it was registered before."""

    def recall(self, script: str, *, header: str, sha256: str) -> Schedule | None:
        """Return a schedule as it was registered before the daemon stopped."""
