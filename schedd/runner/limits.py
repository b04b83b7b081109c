"""By what the limits of runs are kept on this host, and what each of them means there.

A control group limits a run as a whole. Without one there is setrlimit(2), which knows processes and users,
but no runs: a limit on memory is then one for each process, that on processes counts all that the user has,
and of the processor there is none at all. A weaker limit is still worth having, as long as it is said.

RLIMIT_DATA, not RLIMIT_AS, stands in for memory: Java, Go and Node.js reserve gigabytes of addresses that
they never touch, and do not even start under the latter. What Node.js reserves is partly writable, and comes
on top. RLIMIT_NPROC is set above what the user has already: a script with `@pids 64` may start 64, however
many others run as the same user.
"""

import os
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schedd.host import cgroup, processes
from schedd.host.cgroup import Groups, UnavailableError
from schedd.schedule import Keepers, Limits

NODE_RESERVES_BYTES = 640 << 20
"""Node.js 24 has 560 MB of writable addresses when it starts, of which it uses 40."""

Rlimit = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Keeping:
    """What keeps the limits of runs here."""

    groups: Groups | None = None
    """None = setrlimit alone."""
    why_not: str = "not asked for"
    """Why there are no groups, or not for all limits."""

    @property
    def controllers(self) -> frozenset[str]:
        """Of the groups."""
        return frozenset() if self.groups is None else self.groups.controllers

    def keepers(self) -> Keepers:
        """Return who keeps which limit."""
        return Keepers.by_controllers(self.controllers)

    def sentence(self) -> str:
        """Say once what is in force."""
        by_group = [name for name in ("memory", "cpu", "pids") if name in self.controllers]
        if len(by_group) == len(cgroup.WANTED):
            return "limits by cgroup v2 (memory, cpu, pids)"
        rest = [name for name in ("memory", "pids") if name not in by_group]
        parts = [f"limits by cgroup v2 ({', '.join(by_group)})"] if by_group else []
        if self.groups is None:
            parts.append(f"no delegated cgroup ({self.why_not})")
        elif not by_group:
            parts.append("a delegated cgroup v2 without controllers")
        if rest:
            parts.append(f"{' and '.join(rest)} limits by setrlimit")
        if "cpu" not in by_group:
            parts.append("cpu limits are not enforced")
        return ", ".join(parts) if by_group else f"{parts[0]}: {', '.join(parts[1:])}"

    def rlimits(self, limits: Limits, argv: Sequence[str], *, uid: int) -> tuple[Rlimit, ...]:
        """Return what each process of a run is limited by. `@pids` takes 5 µs for each of the host."""
        return tuple(self._rlimits(limits, argv, uid)) if limits else ()

    def _rlimits(self, limits: Limits, argv: Sequence[str], uid: int) -> Iterator[Rlimit]:
        if limits.files is not None:
            yield resource.RLIMIT_NOFILE, limits.files, limits.files
        if limits.memory_bytes is not None and "memory" not in self.controllers:
            most = limits.memory_bytes
            if os.path.basename(argv[0]).startswith("node"):
                most += NODE_RESERVES_BYTES
            yield resource.RLIMIT_DATA, most, most
        if limits.pids is not None and "pids" not in self.controllers and uid != 0:
            most = processes.tasks_of(uid) + limits.pids
            yield resource.RLIMIT_NPROC, most, most


def keeping(root: str = "/") -> Keeping:
    """Find out what there is, and move this process to where it has to be for it (blocking)."""
    try:
        return Keeping(cgroup.settle_in(root), "")
    except UnavailableError as error:
        return Keeping(None, str(error))
