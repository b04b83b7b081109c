"""The capabilities that a daemon which is not root was given, and that its scripts must not get.

`AmbientCapabilities=` of a unit (capabilities(7)) is how an ordinary user's service may become other users.
What is ambient goes on to every program that is started, so with CAP_SETUID each script would be as good as
root. So the daemon takes it out of that set, which costs it nothing of its own, and lends it to the one
process that becomes others for it, the launcher. That one does the same before it forks.

The set belongs to a thread, and each new thread has a copy of its maker's: begin before there are others.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

STATUS_FILE = "/proc/thread-self/status"

PR_CAP_AMBIENT = 47
RAISE, CLEAR_ALL = 2, 4
"""prctl(2)"""


def keep_from_children() -> None:
    """See to it that programs which this thread starts get none of its capabilities. Raises OSError."""
    if _held("CapAmb"):
        _change(CLEAR_ALL)


@contextmanager
def lent() -> Iterator[None]:
    """Let programs that this thread starts within have what it has and may pass on. Raises OSError."""
    # Nothing for root, whose programs have it all anyway.
    mask = _held("CapInh") & _held("CapPrm") if os.geteuid() else 0
    try:
        for number in range(mask.bit_length()):
            if mask >> number & 1:
                _change(RAISE, number)
        yield
    finally:
        if mask:
            _change(CLEAR_ALL)


def _held(name: str) -> int:
    with open(STATUS_FILE, encoding="ascii", errors="replace") as file:
        return next((int(line.split()[1], 16) for line in file if line.startswith(f"{name}:")), 0)


def _change(how: int, number: int = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_ulong(word) for word in (how, number, 0, 0)]
    if libc.prctl(PR_CAP_AMBIENT, *words) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"cannot change the ambient capabilities: {os.strerror(error)}")
