"""Who this is: the ids of runs, the name of the host, the boot that it is in, the user and what it may do."""

import contextlib
import grp
import os
import pwd
import socket
import struct
from collections.abc import Callable, Iterator

from schedd.fire import RunId

_DRAWN = 512
"""Numbers of 64 random bits at a time."""
_NODE = (1 << 48) - 1
"""The last twelve digits of a UUID."""
BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"
STATUS_FILE = "/proc/self/status"
CAP_SETGID, CAP_SETUID = 6, 7
"""Their numbers in capabilities(7)."""


def run_ids(random_bits: Callable[[int], int] | None = None) -> Callable[[int], RunId]:
    """Return the source of run ids: each call, with the wall clock in ms, gives a new UUID of version 7.

    Ids of one source sort in the order in which they were made, within a millisecond and when the clock
    steps back too (RFC 9562, section 6.2, method 1: a counter that is seeded at random each millisecond).
    `random_bits(n)` gives n random bits; a seeded one makes the ids reproducible.
    """
    draw = random_bits or _system_bits()
    last_ms, counter = 0, 0

    def new_run_id(now_ms: int) -> RunId:
        nonlocal last_ms, counter
        if now_ms > last_ms:
            last_ms, counter = now_ms, draw(31)
        else:
            counter += 1
            last_ms += counter >> 32
            counter &= (1 << 32) - 1
        high, low = counter >> 20, counter & ((1 << 20) - 1)
        tail = 0b10 << 62 | low << 42 | draw(42)
        # As UUID would write it, which takes as long as all the rest of a decision on a fire.
        return RunId(
            f"{last_ms >> 16:08x}-{last_ms & 0xFFFF:04x}-7{high:03x}-{tail >> 48:04x}-{tail & _NODE:012x}"
        )

    return new_run_id


def host_name() -> str:
    """Return the name that goes into the fires log."""
    return socket.gethostname()


def boot_id() -> str:
    """Return the kernel's id of this boot (random(4)), which tells a reboot from a restart."""
    with open(BOOT_ID_FILE, encoding="ascii") as file:
        return file.read().strip()


def user_name() -> str:
    """Return the name of this process's user; the number where there is no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        # Containers and DynamicUser=: a number is a user without a name.
        return str(os.geteuid())


def group_names() -> tuple[str, ...]:
    """Return the names of the groups that this process is in, sorted; those without a name are left out."""
    names = set()
    for gid in {os.getegid(), *os.getgroups()}:
        with contextlib.suppress(KeyError):
            names.add(grp.getgrgid(gid).gr_name)
    return tuple(sorted(names))


def may_switch_user() -> bool:
    """Tell whether the kernel lets this process become anybody (CAP_SETUID and CAP_SETGID)."""
    with open(STATUS_FILE, encoding="ascii", errors="replace") as file:
        effective = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff:"))
    return all(effective >> number & 1 for number in (CAP_SETGID, CAP_SETUID))


def _system_bits() -> Callable[[int], int]:
    """Return a source of at most 64 random bits at a time; one system call serves many."""

    def words() -> Iterator[int]:
        while True:
            yield from struct.unpack(f"={_DRAWN}Q", os.urandom(8 * _DRAWN))

    drawn = words()
    return lambda count: next(drawn) >> (64 - count)
