"""From a run to a process: what it is given, and which way it is started.

Everything that the settings say about a start is here, so that a reload replaces it in one place.
"""

import asyncio
import os
import shutil
from dataclasses import dataclass

from schedd.runner import environment, process
from schedd.runner.child import Answer
from schedd.runner.command import Tools
from schedd.runner.languages.choice import Languages
from schedd.runner.order import Order
from schedd.runner.plan import Plan
from schedd.runner.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What starts need of the settings; a reload may bring other ones."""

    path_env: str = environment.DEFAULT_PATH
    python: str | None = None
    node: str | None = None


PLAIN = Means()


class Starts:
    """Makes the orders, and gives each to the way that can carry it out. Owns the ways."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, state_dir: str, means: Means) -> None:
        self._state_dir = state_dir
        self._null_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        soft_nofile = process.raise_descriptor_limit()
        self._cold = process.Cold(loop, stdin_fd=self._null_fd, soft_nofile=soft_nofile)
        self.adopt(means)

    def adopt(self, means: Means) -> None:
        """Go by these means from now on; plans that were made by others are void."""
        self.languages = Languages(Tools(means.path_env, means.python, means.node))
        self.surroundings = environment.surroundings(path=means.path_env, state_dir=self._state_dir)
        self._nice = shutil.which("nice", path=means.path_env) or "/usr/bin/nice"

    def order(self, run: Run, how: Plan) -> Order:
        """Return what to start for a run.

        Raises CannotStartError when its env file cannot be understood, OSError when there is no room.
        """
        schedule = run.launch.schedule
        assert run.started_ms is not None
        variables = self.surroundings.for_run(
            run.launch, started_ms=run.started_ms, result_path=f"{run.place}.result"
        )
        return Order(
            argv=how.argv if schedule.nice is None else (self._nice, "-n", str(schedule.nice), *how.argv),
            warm=how.warm,
            cwd=schedule.cwd or os.path.dirname(schedule.path),
            environment=variables,
            umask=schedule.umask,
            nice=schedule.nice,
            identity=how.identity,
        )

    def start(self, order: Order, answer: Answer) -> None:
        """Start a process by the quickest way that can do all that the order asks for."""
        self._cold.start(order, answer)

    def close(self) -> None:
        """Give everything back; no run is alive any more."""
        os.close(self._null_fd)
