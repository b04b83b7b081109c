"""Runs that outlived their daemon.

After a `kill -9` of the daemon its children live on, and a restart that started them again would have two
copies at work. Each process of a run carries SCHEDD_RUN_ID in the environment it was started with, which
the kernel keeps in /proc whatever the process does later, also when it left its session. Signals go through
a pidfd that was opened before the environment was read, so a pid that was reused cannot be hit.

What still is in the control group of a run goes with the group, whatever its environment says: all of it, but
for what a run with `@detach` has left behind when it ended.
"""

import os
import select
import signal
from collections.abc import Collection

from schedd.fire import RunId
from schedd.host.cgroup import DETACHED, RUN, Groups
from schedd.host.clock import Clock, SystemClock
from schedd.host.processes import variable_of

TERM_WAIT_S = 2.0
"""How long a start of the daemon may wait for runs of the one before to end in order."""

KILL_WAIT_S = 1.0

ROUNDS = 3
"""A process may start another while it is being looked for; a second look finds it, a third is for luck."""

_VARIABLE = b"SCHEDD_RUN_ID"


def end_orphans(
    run_ids: Collection[RunId],
    *,
    term_wait_s: float = TERM_WAIT_S,
    clock: Clock | None = None,
    groups: Groups | None = None,
) -> frozenset[RunId]:
    """End every process that belongs to one of these runs; return the runs that were found (blocking).

    TERM, up to `term_wait_s` for all together, then KILL. Processes of other users are seen by root only.
    """
    clock = clock or SystemClock()
    found: set[RunId] = set() if groups is None else _populated(groups) & set(run_ids)
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
    if groups is not None:
        _end_groups(groups, run_ids)
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
    named = variable_of(int(pid), _VARIABLE)
    return None if named is None else RunId(named)


def _populated(groups: Groups) -> set[RunId]:
    return {_run_in(name) for name, group in groups.found().items() if group.is_populated()}


def _end_groups(groups: Groups, run_ids: Collection[RunId]) -> None:
    """Kill what is left in groups. They are removed when they are empty, by whoever looks next."""
    found = groups.found()
    ended = [group for name, group in found.items() if name.startswith(RUN) or _run_in(name) in run_ids]
    for group in ended:
        group.signal(signal.SIGKILL)
    for group in ended:
        group.wait_until_empty(KILL_WAIT_S)
    for group in found.values():
        group.remove()


def _run_in(name: str) -> RunId:
    return RunId(name.removeprefix(RUN).removeprefix(DETACHED))


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
