"""Runs that outlived their daemon.

After a `kill -9` of the daemon its children live on, and a restart that started them again would have two
copies at work. Each process of a run carries SCHEDD_RUN_ID in the environment it was started with, which
the kernel keeps in /proc whatever the process does later, also when it left its session. Signals go through
a pidfd that was opened before the environment was read, so a pid that was reused cannot be hit.
"""

import os
import select
import signal
from collections.abc import Collection

from schedd.fire import RunId
from schedd.host.clock import Clock, SystemClock

TERM_WAIT_S = 2.0
"""How long a start of the daemon may wait for runs of the one before to end in order."""

KILL_WAIT_S = 1.0

ROUNDS = 3
"""A process may start another while it is being looked for; a second look finds it, a third is for luck."""

_VARIABLE = b"SCHEDD_RUN_ID="


def end_orphans(
    run_ids: Collection[RunId], *, term_wait_s: float = TERM_WAIT_S, clock: Clock | None = None
) -> frozenset[RunId]:
    """End every process that belongs to one of these runs; return the runs that were found (blocking).

    TERM, up to `term_wait_s` for all together, then KILL. Processes of other users are seen by root only.
    """
    clock = clock or SystemClock()
    found: set[RunId] = set()
    first, wait_s = signal.SIGTERM, term_wait_s
    for _ in range(ROUNDS):
        processes = _processes(frozenset(run_ids))
        if not processes:
            break
        found.update(processes.values())
        try:
            left = _wait(_signal(processes, first), clock=clock, limit_s=wait_s)
            _wait(_signal(left, signal.SIGKILL), clock=clock, limit_s=KILL_WAIT_S)
        finally:
            for pidfd in processes:
                os.close(pidfd)
        first, wait_s = signal.SIGKILL, KILL_WAIT_S
    return frozenset(found)


def _processes(run_ids: frozenset[RunId]) -> dict[int, RunId]:
    """Return a pidfd for each process of these runs, and the run that it belongs to."""
    found: dict[int, RunId] = {}
    for name in os.listdir("/proc") if run_ids else ():
        if not name.isdecimal() or int(name) == os.getpid() or _run_of(name) not in run_ids:
            continue
        try:
            pidfd = os.pidfd_open(int(name))
        except OSError:
            continue
        run_id = _run_of(name)
        if run_id in run_ids and run_id is not None:
            found[pidfd] = run_id
        else:
            os.close(pidfd)
    return found


def _run_of(pid: str) -> RunId | None:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read()
    except OSError:
        return None
    for entry in environment.split(b"\0"):
        if entry.startswith(_VARIABLE):
            return RunId(entry[len(_VARIABLE) :].decode(errors="replace"))
    return None


def _signal(pidfds: Collection[int], number: int) -> list[int]:
    reached = []
    for pidfd in pidfds:
        try:
            signal.pidfd_send_signal(pidfd, number)
        except (ProcessLookupError, PermissionError):
            continue
        reached.append(pidfd)
    return reached


def _wait(pidfds: Collection[int], *, clock: Clock, limit_s: float) -> list[int]:
    """Wait until all have ended; return those that have not in time."""
    left = set(pidfds)
    poll = select.poll()
    for pidfd in left:
        poll.register(pidfd, select.POLLIN)
    until = clock.monotonic() + limit_s
    while left and (remaining_s := until - clock.monotonic()) > 0:
        for pidfd, _ in poll.poll(remaining_s * 1000):
            poll.unregister(pidfd)
            left.discard(pidfd)
    return sorted(left)
