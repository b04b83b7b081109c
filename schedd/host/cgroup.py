"""Control groups, version 2: one for each run, where the daemon was given a part of the tree.

A group is the one mechanism of Linux that a process cannot leave, whatever it forks, so there the tree of a
run is exact: its limits hold for all of it together, it is killed as a whole, and what it used is counted.

Whose part of the tree it is matters. systemd says by an extended attribute that it keeps its hands off
(`Delegate=yes`); where there is no systemd, as in most containers, what can be written to is ours.
Controllers can be given only to groups below one that has no process itself ("no internal processes"), so
the daemon moves into a leaf of its own first. Groups of runs are beside that leaf:

    schedd.service/              delegated; no process
        daemon/                  the daemon, its nurseries, its hosts
        run-0198…/               one run
        detached-0198…/          one run whose leftovers are to stay (`@detach`)

Everything is by small files (Documentation/admin-guide/cgroup-v2.rst of the kernel). Rejected: version 1 (a
tree for each controller, no kill, no delegation that holds), and asking systemd for a scope over D-Bus for
each run (milliseconds, a policy to be set up, and nothing for containers).
"""

import contextlib
import errno
import os
import select
import signal
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from schedd.schedule import Limits

LEAF = "daemon"
RUN, DETACHED = "run-", "detached-"

WANTED = ("cpu", "memory", "pids")
"""The controllers that limits need."""

CPU_PERIOD_US = 100_000
"""The kernel's default for cpu.max: a script with 50 % waits 50 ms at most."""

ATTRIBUTES = ("user.delegate", "trusted.delegate")
"""systemd sets them to 1 on what it gives away: the first since 251, the second before, for root to read."""

MOST_BYTES = 1 << 20
"""What is read of one file: 100,000 pids."""

MOST_GROUPS = 4096
"""What is looked at below one run, which may have made groups of its own."""


class UnavailableError(Exception):
    """There is no group of ours: why, for a sentence that goes on after "no delegated cgroup:"."""


@dataclass(frozen=True, slots=True)
class Group:
    """The group of one run. Owns one descriptor, until `settle`."""

    path: str
    procs_fd: int
    """cgroup.procs, open to write: who writes 0 to it moves in."""

    def settle(self) -> None:
        """Give the descriptor back, once: everybody is in."""
        os.close(self.procs_fd)

    def is_populated(self) -> bool:
        """Whether a process of it is alive, here or below. Zombies do not count."""
        return _flat(self.path, "cgroup.events").get("populated", 0) > 0

    def wait_until_empty(self, limit_s: float) -> bool:
        """Wait until all of it has ended; False if that takes longer (blocking)."""
        try:
            fd = os.open(f"{self.path}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return True
        try:
            changes = select.poll()
            changes.register(fd, select.POLLPRI)
            # The kernel tells of each change of the file since it was read last.
            while b"populated 1" in os.pread(fd, MOST_BYTES, 0):
                if not changes.poll(limit_s * 1000):
                    return False
        except OSError:
            return True
        finally:
            os.close(fd)
        return True

    def pids(self) -> list[int]:
        """Return the processes that are in it and below."""
        found: list[int] = []
        for path in _below(self.path):
            found += map(int, _read(path, "cgroup.procs").split())
        return found

    def signal(self, number: int) -> None:
        """Signal all of it; SIGKILL reaches also what forks meanwhile."""
        if number == signal.SIGKILL and self._killed():
            return
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def cpu_ms(self) -> int | None:
        """Return what all of it has used of the processors, the dead included."""
        used_us = _flat(self.path, "cpu.stat").get("usage_usec")
        return None if used_us is None else round(used_us / 1000)

    def peak_kb(self) -> int | None:
        """Return the most memory it had at once, file cache included; None before Linux 5.19."""
        text = _read(self.path, "memory.peak").strip()
        return int(text) // 1024 if text.isdigit() else None

    def oom_kills(self) -> int | None:
        """Return how many processes the kernel has killed for want of memory; None where nobody counts."""
        return _flat(self.path, "memory.events").get("oom_kill")

    def forks_refused(self) -> int:
        """Return how often a new process or thread was one too many."""
        return _flat(self.path, "pids.events").get("max", 0)

    def remove(self) -> bool:
        """Remove it, and the groups that the run has made in it. False while a process is there."""
        for path in reversed(list(_below(self.path))):
            try:
                os.rmdir(path)
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True

    def _killed(self) -> bool:
        """Kill by the one file that leaves nobody out (Linux 5.14)."""
        try:
            _write(self.path, "cgroup.kill", "1")
        except FileNotFoundError:
            return not os.path.isdir(self.path)
        except OSError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Groups:
    """The part of the tree that is ours."""

    path: str
    """Of the delegated group."""
    controllers: frozenset[str] = field(default_factory=frozenset)
    """Those that groups of runs have, of WANTED."""

    def make(self, name: str, limits: Limits) -> Group:
        """Make the group of a run, unless it is there, and set its limits. Raises OSError."""
        path = f"{self.path}/{name}"
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
        try:
            counts_swap = os.path.exists(f"{path}/memory.swap.max")
            for file, value in settings(limits, self.controllers, counts_swap=counts_swap):
                _write(path, file, value)
            return Group(path, os.open(f"{path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))
        except OSError:
            with contextlib.suppress(OSError):
                os.rmdir(path)
            raise

    def found(self) -> dict[str, Group]:
        """Return the groups of runs that are there, by name, each without a descriptor."""
        names = (name for name in _names(self.path) if name.startswith((RUN, DETACHED)))
        return {name: Group(f"{self.path}/{name}", -1) for name in names}


def settings(limits: Limits, controllers: Collection[str], *, counts_swap: bool) -> Iterator[tuple[str, str]]:
    """Yield what is to be written into which file of a run's group."""
    if "memory" in controllers:
        # A script that lost one of its processes would go on with half its work undone.
        yield "memory.oom.group", "1"
        if limits.memory_bytes is not None:
            yield "memory.max", str(limits.memory_bytes)
            if counts_swap:
                yield "memory.swap.max", "0"
    if "cpu" in controllers and limits.cpu_percent is not None:
        yield "cpu.max", f"{limits.cpu_percent * CPU_PERIOD_US // 100} {CPU_PERIOD_US}"
    if "pids" in controllers and limits.pids is not None:
        yield "pids.max", str(limits.pids)


def settle_in(root: str = "/") -> Groups:
    """Move this process into a leaf of its own group, and take all controllers there are (blocking).

    Raises UnavailableError where that group is not ours. `root` is where /proc, /sys and /run are found.
    """
    path = _own(root)
    if os.path.basename(path) == LEAF:
        # DelegateSubgroup= of systemd 254 has put us there; or this process has become the daemon once more.
        path = os.path.dirname(path)
    if not os.path.exists(f"{path}/cgroup.events"):
        raise UnavailableError("this process is in the root of all cgroups")
    if not _is_delegated(path, root):
        raise UnavailableError("the one that this process is in is systemd's own; Delegate=yes gives it away")
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(f"{path}/{LEAF}")
        _write(f"{path}/{LEAF}", "cgroup.procs", str(os.getpid()))
    except OSError as error:
        raise UnavailableError(f"{path} cannot be used: {error.strerror}") from error
    return Groups(path, frozenset(_enabled(path)))


def available(root: str = "/") -> frozenset[str]:
    """Return the controllers of limits that version 2 has on this host, whoever may use them."""
    try:
        return frozenset(_read(_mount(root)[0], "cgroup.controllers").split()) & frozenset(WANTED)
    except UnavailableError:
        return frozenset()


def _own(root: str) -> str:
    """Return the directory of the group that this process is in."""
    mount, top = _mount(root)
    try:
        with open(os.path.join(root, "proc/self/cgroup"), encoding="utf-8") as file:
            own = next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), None)
    except OSError as error:
        raise UnavailableError(f"/proc/self/cgroup cannot be read: {error.strerror}") from error
    if own is None or own.startswith("/.."):
        raise UnavailableError("the one that this process is in is not visible here")
    if top != "/" and (own == top or own.startswith(f"{top}/")):
        own = own[len(top) :]
    return os.path.normpath(f"{mount}/{own}")


def _mount(root: str) -> tuple[str, str]:
    """Return where version 2 is mounted, and which of its directories is seen there."""
    try:
        with open(os.path.join(root, "proc/self/mountinfo"), encoding="utf-8", errors="replace") as file:
            for line in file:
                about, _, kind = line.partition(" - ")
                if kind.startswith("cgroup2 "):
                    top, place = about.split()[3:5]
                    return os.path.normpath(f"{root}/{place}"), top
    except OSError as error:
        raise UnavailableError(f"/proc/self/mountinfo cannot be read: {error.strerror}") from error
    raise UnavailableError("cgroup v2 is not mounted")


def _is_delegated(path: str, root: str) -> bool:
    for name in ATTRIBUTES:
        with contextlib.suppress(OSError):
            if os.getxattr(path, name).strip() == b"1":
                return True
    return not os.path.isdir(os.path.join(root, "run/systemd/system")) and os.access(path, os.W_OK)


def _enabled(path: str) -> Iterator[str]:
    """Give the groups below the controllers that there are, one by one: one may be refused."""
    for name in _read(path, "cgroup.controllers").split():
        if name in WANTED:
            # EBUSY: somebody else's process is in the group, a shell that started the daemon perhaps.
            with contextlib.suppress(OSError):
                _write(path, "cgroup.subtree_control", f"+{name}")
    yield from (name for name in WANTED if os.path.exists(f"{path}/{LEAF}/{name}.max"))


def _below(path: str) -> Iterator[str]:
    """Yield a group and the groups in it, each before those in it; it may be going away."""
    paths = [path]
    for seen in range(MOST_GROUPS):
        if seen == len(paths):
            return
        yield paths[seen]
        with contextlib.suppress(OSError), os.scandir(paths[seen]) as entries:
            paths += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _flat(path: str, name: str) -> dict[str, int]:
    """Return the numbers of a file of `key value` lines; none when it is not there."""
    pairs = (line.split() for line in _read(path, name).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _read(path: str, name: str) -> str:
    """Return the text of a file of a group, empty when it is not there; to open ENODEV is to be late, too."""
    try:
        fd = os.open(f"{path}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, MOST_BYTES).decode("ascii", "replace")
    except OSError as error:
        if error.errno in {errno.ENODEV, errno.EOPNOTSUPP}:
            return ""
        raise
    finally:
        os.close(fd)


def _write(path: str, name: str, value: str) -> None:
    """Write a file that is there; an error of the kernel is one of the value."""
    fd = os.open(f"{path}/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
