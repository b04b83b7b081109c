"""Processes, as /proc shows them, and those that come to this one when their parents have died.

Whoever outlives his parent becomes a child of the nearest ancestor that said it would take such children
(PR_SET_CHILD_SUBREAPER, prctl(2)), else of process 1. A daemon that says so is told of nothing, but finds
them among its children: those of the first thread, which is where the kernel puts them.

Rejected: the netlink connector of process events (root only, and it tells of the whole machine).
"""

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

PR_SET_CHILD_SUBREAPER = 36

MOST_ENVIRONMENT_BYTES = 256 * 1024
"""What is read of the variables of a process that may be anybody's."""

CHUNK_BYTES = 64 * 1024

MOST_BELOW = 256
"""So many descendants are followed, at 50 µs each."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What /proc/PID/stat says of a process, see proc(5)."""

    pid: int
    state: str
    """R S D T …, Z for one that has ended and was not waited for."""
    parent: int
    group: int
    session: int
    started: int
    """In ticks since the host was booted: with the pid it names a process for good."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in {"Z", "X"}


def take_orphans(*, take: bool = True) -> bool:
    """Become the one whom orphans of descendants are given to, or stop; False if the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(take), 0, 0, 0) == 0)


class OwnChildren:
    """The children of the first thread, zombies included: to be read also when no descriptor is free."""

    def __init__(self) -> None:
        pid = os.getpid()
        try:
            self._fd = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            # A kernel without CONFIG_PROC_CHILDREN.
            self._fd = -1

    def now(self) -> set[int]:
        """Return them: 10 µs, and 0.2 for each. One that is there may be missed while another one ends."""
        if self._fd < 0:
            return {facts.pid for facts in everybody() if facts.parent == os.getpid()}
        text = b""
        while chunk := os.pread(self._fd, CHUNK_BYTES, len(text)):
            text += chunk
        return set(map(int, text.split()))

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)


def below(pid: int) -> list[Facts]:
    """Return the descendants of a process that are alive, as far as they can be followed."""
    found: list[Facts] = []
    parents = [pid]
    for parent in parents:  # which grows meanwhile
        for child in _children_of(parent):
            facts = facts_of(child)
            if facts is not None and not facts.is_over and len(found) < MOST_BELOW:
                found.append(facts)
                parents.append(child)
    return found


def everybody() -> Iterator[Facts]:
    """Yield all processes that can be seen (blocking)."""
    for name in os.listdir("/proc"):
        if name.isdecimal():
            facts = facts_of(int(name))
            if facts is not None:
                yield facts


def facts_of(pid: int) -> Facts | None:
    """Return what is known of a process; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return None
    parent, group, session = map(int, fields[1:4])
    return Facts(pid, fields[0].decode(), parent, group, session, int(fields[19]))


def variable_of(pid: int, name: bytes) -> str | None:
    """Return a variable that a process was started with; None if it has none, or is not ours to look into."""
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            variables = file.read(MOST_ENVIRONMENT_BYTES)
    except OSError:
        return None
    for variable in variables.split(b"\0"):
        if variable.startswith(name + b"="):
            return variable[len(name) + 1 :].decode(errors="replace")
    return None


def is_reaped(pid: int) -> bool:
    """Collect a child if it has ended; whether there is none of this number now."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def signal_if_same(facts: Facts, number: int) -> bool:
    """Signal a process that is nobody's child here, unless its pid is another's by now."""
    try:
        pidfd = os.pidfd_open(facts.pid)
    except OSError:
        return False
    try:
        now = facts_of(facts.pid)
        if now is None or now.started != facts.started:
            return False
        signal.pidfd_send_signal(pidfd, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(pidfd)
    return True


def tasks_of(uid: int) -> int:
    """Return how many processes and threads a user has (blocking; 5 µs for each process of the host)."""
    count = 0
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    status = os.stat(f"/proc/{entry.name}/task")
                    count += status.st_nlink - 2 if status.st_uid == uid else 0
    return count


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += _children_of_thread(pid, thread)
    return found


def _children_of_thread(pid: int, thread: str) -> list[int]:
    with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
        return list(map(int, file.readall().split()))
