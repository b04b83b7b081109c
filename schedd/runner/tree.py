"""All that a run consists of: its process, what that started, and what those started, wherever they went.

Three things hold a run together, and each closes what the one before leaves open:

- its process group, which a `setsid` leaves;
- adoption: who outlives his parent comes to the daemon (`host.processes`), and is told by his session, by the
  SCHEDD_RUN_ID that he was started with, or else by the runs that were alive when he came. The last is for
  what cannot be asked: ssh-agent hides its variables. Such a stray belongs to the last of them that is over;
- a control group where there is one, which nobody leaves.

Nobody is ended on a suspicion beyond that: not what is older than the daemon; not what cannot be asked where
the daemon is process 1 of a container, and so is given everybody's orphans, nor once a run with `@detach` has
left something behind. What left its group, was started without variables, and hides behind a living parent
that left as well is found when that parent is gone.

Adopted processes are waited for by their pids, one by one, and only they: what was started by this process is
known, and waited for by who started it. SIGCHLD tells when to look, so a daemon without children sleeps.
"""

import asyncio
import logging
import os
import signal
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from schedd.fire import RunId
from schedd.host import cgroup, memory, processes
from schedd.host.cgroup import Group
from schedd.host.processes import Facts
from schedd.runner.child import Child, Exit
from schedd.runner.limits import Keeping
from schedd.schedule import Schedule

RUN_VARIABLE = b"SCHEDD_RUN_ID"

LOOK_S = 0.05
"""So long the end of a child may go unnoticed here: they come in crowds."""

MOST_A_LOOK = 64
"""New ones that are asked in one turn of the loop, at 50 µs each."""

OOM_KILLS_S = 0.05
"""For so long a count of kills is good enough for who starts: it takes 20 µs to read."""

MOST_OVER = 4096
"""Runs that are remembered after their end. What turns up of one is killed at once."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Adopted:
    """A process whose parent is dead, and who is ours to wait for."""

    facts: Facts
    run_id: RunId | None
    """None = nobody knows."""
    suspects: frozenset[RunId]
    """Then: the runs that were alive when it came."""


class Tree:
    """One run's processes."""

    def __init__(self, trees: "Trees", run_id: RunId, *, detached: bool, group: Group | None) -> None:
        self.run_id = run_id
        self.detached = detached
        self.group = group
        self.child: Child | None = None
        self.left_alone = False
        """It has ended by itself, and what is left of it stays."""
        self._trees = trees
        self._entrance_is_open = group is not None
        self._oom_kills = trees.oom_kills()

    @property
    def entrance_fd(self) -> int | None:
        """Where a process writes 0 to get into the group."""
        return None if self.group is None else self.group.procs_fd

    @property
    def is_lent(self) -> bool:
        """Whether its process goes on for other runs, in its group perhaps."""
        return self.child is not None and self.child.given_back

    def grow(self, child: Child) -> None:
        """Take the process that was started."""
        self.child = child
        self._trees.grown(self)
        self._close_entrance()

    def signal(self, number: int) -> None:
        """Signal all of it. What is stopped goes on after SIGTERM, to heed it."""
        self._trees.look()
        strayed = self._strayed() if number == signal.SIGTERM else []
        for each in (number, signal.SIGCONT) if number == signal.SIGTERM else (number,):
            inside = self._signal_group(each)
            for member in self._trees.members(self):
                if member not in inside:
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(member, each)
            for facts in strayed:
                processes.signal_if_same(facts, each)

    def is_gone(self) -> bool:
        """Whether nothing of it is alive."""
        self._trees.look()
        if self.child is not None and not self.child.group_is_gone():
            return False
        if self._trees.members(self):
            return False
        return self.group is None or not (self.group.is_populated() and self._inside())

    def measured(self, how: Exit) -> Exit:
        """Return how its process ended with what all of it has used, where that was counted."""
        if self.group is None or self.is_lent:
            return how
        cpu_ms, peak_kb = self.group.cpu_ms(), self.group.peak_kb()
        return replace(
            how,
            cpu_ms=how.cpu_ms if cpu_ms is None else cpu_ms,
            max_rss_kb=how.max_rss_kb if peak_kb is None else peak_kb,
        )

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed for want of memory: in the group, or anywhere if nobody counts there."""
        in_group = None if self.group is None else self.group.oom_kills()
        return in_group > 0 if in_group is not None else memory.oom_kills() > self._oom_kills

    def fall(self) -> None:
        """It is over, and no longer looked after."""
        self._close_entrance()
        if self.group is not None:
            refused = self.group.forks_refused()
            if refused:
                _log.warning("run %s: %d forks were more than @pids allows", self.run_id, refused)
        self._trees.fallen(self)

    def _close_entrance(self) -> None:
        """Do so once: the number of a closed descriptor may be that of another run's output by now."""
        if self.group is not None and self._entrance_is_open:
            self._entrance_is_open = False
            self.group.settle()

    def _strayed(self) -> list[Facts]:
        """Return who left the process group and still has a parent: he is not found when that is gone."""
        if self.group is not None or self.child is None:
            return []
        return [facts for facts in processes.below(self.child.pid) if facts.group != self.child.pid]

    def _signal_group(self, number: int) -> Collection[int]:
        """Signal the control group, if there is one, and the process group; return who is in the former."""
        inside: Collection[int] = ()
        if self.group is not None:
            inside = self._inside()
            if self.is_lent:
                for pid in inside:
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
            else:
                self.group.signal(number)
        if self.child is not None and self.child.pid not in inside:
            self.child.signal_group(number)
        return inside

    def _inside(self) -> set[int]:
        """Return who is in the control group, but for an interpreter that has been given back."""
        assert self.group is not None
        inside = set(self.group.pids())
        return inside - {self.child.pid} if self.child is not None and self.is_lent else inside


class Trees:
    """Owns what was adopted. Make it on the event loop that it is to use."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, ours: Collection[int], keeping: Keeping) -> None:
        """`ours` are the children that the runner has started and waits for itself, as they are now."""
        self.keeping = keeping
        self._loop = loop
        self._ours = ours
        self._children = processes.OwnChildren()
        self._passed = self._children.now()
        """Children that are none of our business."""
        self._session = os.getsid(0)
        own = processes.facts_of(os.getpid())
        self._since = 0 if own is None else own.started
        self._adopted: dict[int, Adopted] = {}
        self._trees: dict[RunId, Tree] = {}
        self._leaders: dict[int, Tree] = {}
        self._over: OrderedDict[RunId, None] = OrderedDict()
        self._to_remove = [] if keeping.groups is None else list(keeping.groups.found().values())
        """Groups that are not empty yet. Those of a daemon before this one were dealt with by `orphans`."""
        self._to_end: list[Group] = []
        """The same of runs that are over, and of which something was missed."""
        self._knows_strays = os.getpid() != 1
        self._soon: asyncio.TimerHandle | None = None
        self._looked = False
        """Within `at_one_look`: that look was made."""
        self._at_one_look = False
        self._oom_kills, self._oom_kills_s = 0, -OOM_KILLS_S
        processes.take_orphans()
        self._listens = threading.current_thread() is threading.main_thread()
        if self._listens:
            loop.add_signal_handler(signal.SIGCHLD, self._look_soon)

    def plant(self, run_id: RunId, schedule: Schedule, *, grouped: bool = True) -> Tree:
        """Make room for a run. Raises OSError."""
        groups = self.keeping.groups
        prefix = cgroup.DETACHED if schedule.detach else cgroup.RUN
        group = None
        if groups is not None and grouped:
            group = groups.make(f"{prefix}{run_id}", schedule.limits)
            # A start that failed may have left it there, not empty yet.
            self._to_end = [other for other in self._to_end if other.path != group.path]
        tree = Tree(self, run_id, detached=schedule.detach, group=group)
        self._trees[run_id] = tree
        return tree

    @contextmanager
    def at_one_look(self) -> Iterator[None]:
        """Look once for all that is asked within: about processes that had ended before.

        A look costs by the number of all children, and a thousand may end at the same time.
        """
        self._at_one_look, self._looked = True, False
        try:
            yield
        finally:
            self._at_one_look = self._looked = False

    def oom_kills(self) -> int:
        """Return how often the kernel had killed for want of memory, at most a moment ago."""
        now_s = self._loop.time()
        if now_s - self._oom_kills_s > OOM_KILLS_S:
            self._oom_kills, self._oom_kills_s = memory.oom_kills(), now_s
        return self._oom_kills

    def look(self) -> None:
        """Wait for adopted children that have ended, and take in new ones."""
        if self._looked:
            return
        self._looked = self._at_one_look
        for pid in [pid for pid in self._adopted if processes.is_reaped(pid)]:
            del self._adopted[pid]
        children = self._children.now()
        self._passed &= children
        new = sorted(children.difference(self._ours, self._passed, self._adopted))
        for pid in new[:MOST_A_LOOK]:
            self._take(pid)
        if len(new) > MOST_A_LOOK:
            self._loop.call_soon(self.look)

    def members(self, tree: Tree) -> list[int]:
        """Return the adopted processes of a run: those known to be, and strays that can be no other's."""
        return [pid for pid, adopted in self._adopted.items() if self._belongs(adopted, tree.run_id)]

    def grown(self, tree: Tree) -> None:
        """Know a run by its session, too."""
        assert tree.child is not None
        self._leaders[tree.child.pid] = tree

    def fallen(self, tree: Tree) -> None:
        """Forget a run; what turns up of it later is killed, unless it was left alone."""
        if self._trees.pop(tree.run_id, None) is None:
            return
        if tree.child is not None and self._leaders.get(tree.child.pid) is tree:
            del self._leaders[tree.child.pid]
        if tree.left_alone:
            self._leave_alone(tree)
        else:
            self._over[tree.run_id] = None
            if len(self._over) > MOST_OVER:
                self._over.popitem(last=False)
        if tree.group is not None and not tree.group.remove():
            (self._to_remove if tree.left_alone or tree.is_lent else self._to_end).append(tree.group)

    def close(self) -> None:
        """Take no more orphans. Those that are left will be process 1's, when this process ends."""
        if self._listens:
            self._loop.remove_signal_handler(signal.SIGCHLD)
        if self._soon is not None:
            self._soon.cancel()
        self._look_now()
        self._children.close()
        processes.take_orphans(take=False)

    def _look_soon(self) -> None:
        if self._soon is None:
            self._soon = self._loop.call_later(LOOK_S, self._look_now)

    def _look_now(self) -> None:
        self._soon = None
        self.look()
        for group in self._to_end:
            group.signal(signal.SIGKILL)
        self._to_end = [group for group in self._to_end if not group.remove()]
        self._to_remove = [group for group in self._to_remove if not group.remove()]

    def _take(self, pid: int) -> None:
        facts = processes.facts_of(pid)
        if facts is None:
            return
        if facts.session == self._session or facts.started < self._since:
            self._passed.add(pid)
            return
        if facts.is_over and processes.is_reaped(pid):
            return
        adopted = self._adopted[pid] = self._known(facts)
        if adopted.run_id in self._over:
            # Its run was given all the time that there is.
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _known(self, facts: Facts) -> Adopted:
        """Find out whose it is."""
        tree = self._leaders.get(facts.session)
        if tree is not None:
            return Adopted(facts, tree.run_id, frozenset())
        # One that waits for a disk may hold its memory, and who asks for its variables would wait, too.
        named = None if facts.state == "D" else processes.variable_of(facts.pid, RUN_VARIABLE)
        if named is not None and (RunId(named) in self._trees or RunId(named) in self._over):
            return Adopted(facts, RunId(named), frozenset())
        for other in self._adopted.values():
            if other.facts.session == facts.session:
                return Adopted(facts, other.run_id, other.suspects)
        return Adopted(facts, None, frozenset(self._trees) if self._knows_strays else frozenset())

    def _belongs(self, adopted: Adopted, run_id: RunId) -> bool:
        if adopted.run_id is not None or run_id not in adopted.suspects:
            return adopted.run_id == run_id
        return not any(suspect in self._trees for suspect in adopted.suspects - {run_id})

    def _leave_alone(self, tree: Tree) -> None:
        """Whoever cannot be asked may from now on be one that was to be left alone."""
        if not tree.is_gone():
            self._knows_strays = False
        for adopted in self._adopted.values():
            if tree.run_id in adopted.suspects:
                adopted.suspects = frozenset()
