"""From a run to a process: what it is given, and which way it is started.

Everything that the settings say about a start is here, so that a reload replaces it in one place.
"""

import asyncio
import os
import shutil
from dataclasses import dataclass
from functools import partial

from schedd.runner import environment, node_cache, process, store
from schedd.runner.child import Answer
from schedd.runner.command import CannotStartError, Tools
from schedd.runner.languages.choice import Languages
from schedd.runner.launcher import Launcher
from schedd.runner.limits import Keeping
from schedd.runner.node_hosts import NodeHosts
from schedd.runner.nurseries import Nurseries
from schedd.runner.order import Family, Identity, Order
from schedd.runner.plan import Plan
from schedd.runner.requires import Requirements
from schedd.runner.run import Run
from schedd.runner.tree import Trees


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What starts need of the settings; a reload may bring other ones."""

    path_env: str = environment.DEFAULT_PATH
    python: str | None = None
    python_preload: tuple[str, ...] = ()
    """Modules that Python's nurseries import before there is a script."""
    node: str | None = None
    node_hosts: int = 2
    """How many processes of Node.js wait for a script; 0 = none."""
    allowed_users: tuple[str, ...] = ()
    """Whom scripts may run as, besides the daemon's own user."""


PLAIN = Means()


class Starts:
    """Makes the orders, and gives each to the way that can carry it out. Owns the ways."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, state_dir: str, means: Means, keeping: Keeping
    ) -> None:
        self._keeping = keeping
        self._state_dir = state_dir
        self._null_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        soft_nofile = process.raise_descriptor_limit()
        self._cold = process.Cold(loop, stdin_fd=self._null_fd, soft_nofile=soft_nofile)
        self._launcher = Launcher(loop, cold=self._cold)
        self.trees = Trees(loop, ours=self._cold.children, keeping=keeping)
        self._cold.together = self.trees.at_one_look
        self._nurseries = Nurseries(
            loop,
            way_as=lambda identity: self._cold if identity is None else self._launcher,
            otherwise=self._start_new,
        )
        self._node_hosts = NodeHosts(loop, cold=self._cold, otherwise=self._start_new)
        self.requirements = Requirements(means.path_env)
        self.adopt(means)

    def adopt(self, means: Means) -> None:
        """Go by these means from now on; plans that were made by others are void."""
        self._allowed_users = frozenset(means.allowed_users)
        self.requirements.path_env = means.path_env
        cache = node_cache.place(self._state_dir)
        self.languages = Languages(Tools(means.path_env, means.python, means.node, cache))
        self.surroundings = environment.surroundings(path=means.path_env, state_dir=self._state_dir)
        self._nurseries.adopt(
            preload=means.python_preload, environment_of=partial(_of_nursery, self.surroundings)
        )
        self._node_hosts.adopt(
            spares=means.node_hosts, cache=cache, environment=dict(self.surroundings.minimum)
        )
        self._nice = shutil.which("nice", path=means.path_env) or "/usr/bin/nice"

    def house(self, run: Run, whose: Identity | None) -> list[store.Directory]:
        """Give a run the place of its files; return the directories that are missing.

        To make one may take long, even one that is there; to look for it does not.
        """
        run_id = run.launch.fire.run_id
        run.place = run.returns = store.place_of(self._state_dir, run_id)
        own = self.surroundings.state_dir_of(run.launch.schedule.script)
        kept: list[store.Directory] = [os.path.dirname(run.place)]
        if whose is None:
            kept.append(own)
        else:
            loan = store.Loan(store.returns_of(self._state_dir, whose.user), self._state_dir, whose.uid)
            run.returns, run.returns_uid = f"{loan.path}/{run_id}", whose.uid
            kept += loan, store.Loan(own, self._state_dir, whose.uid)
        return [directory for directory in kept if not store.is_there(directory)]

    def order(self, run: Run, how: Plan) -> Order:
        """Return what to start for a run, and plant its tree.

        Raises CannotStartError when its env file cannot be understood or its user may not be, OSError when
        there is no room.
        """
        schedule = run.launch.schedule
        assert run.started_ms is not None
        if schedule.user is not None and schedule.user not in self._allowed_users:
            # A stale registration is from before the name was taken out.
            raise CannotStartError(f"cannot run as {schedule.user}: it is no longer in allowed_users")
        variables = self.surroundings.for_run(
            run.launch,
            started_ms=run.started_ms,
            result_path=f"{run.returns}.result",
            identity=how.identity,
        )
        # An interpreter that serves run after run stays where it is, unless each has limits.
        grouped = how.warm is None or not how.warm.reused or bool(schedule.limits)
        run.tree = self.trees.plant(run.launch.fire.run_id, schedule, grouped=grouped)
        return Order(
            argv=how.argv if schedule.nice is None else (self._nice, "-n", str(schedule.nice), *how.argv),
            warm=how.warm,
            cwd=schedule.cwd or os.path.dirname(schedule.path),
            environment=variables,
            umask=schedule.umask,
            nice=schedule.nice,
            identity=how.identity,
            rlimits=self._keeping.rlimits(
                schedule.limits, how.argv, uid=os.geteuid() if how.identity is None else how.identity.uid
            ),
            cgroup_fd=run.tree.entrance_fd,
        )

    def start(self, order: Order, answer: Answer) -> None:
        """Start a process by the quickest way that can do all that the order asks for."""
        if order.warm is not None and order.warm.family is Family.PYTHON:
            self._nurseries.start(order, answer)
        elif order.warm is not None:
            self._node_hosts.start(order, answer)
        else:
            self._start_new(order, answer)

    async def close(self) -> None:
        """Give everything back; no run is alive any more."""
        await self._nurseries.close()
        await self._node_hosts.close()
        await self._launcher.close()
        self.trees.close()
        self.requirements.close()
        os.close(self._null_fd)

    def _start_new(self, order: Order, answer: Answer) -> None:
        (self._launcher if order.asks_for_more else self._cold).start(order, answer)


def _of_nursery(surroundings: environment.Surroundings, identity: Identity | None) -> dict[str, str]:
    """Return the variables of an interpreter that waits for the scripts of a user."""
    return {**surroundings.minimum_for(identity), "SCHEDD_RUN_ID": environment.RUN_ID_PLACE}
