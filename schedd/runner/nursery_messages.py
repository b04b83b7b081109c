"""What is said to a nursery (`languages/python_nursery.py`), what comes back, and who said it."""

import marshal
import os
import socket
import struct
from dataclasses import dataclass
from enum import StrEnum

from schedd.runner.child import Exit, signal_name
from schedd.runner.order import Order

_VERSION = 2
"""Of the format: the newest one that all of Python 3 reads."""

_CREDENTIALS = struct.Struct("=iII")
"""struct ucred: pid, uid, gid."""

ANCILLARY_BYTES = socket.CMSG_SPACE(_CREDENTIALS.size)


class Why(StrEnum):
    """Why a nursery does not carry out an order."""

    COLD = "cold"
    """Only a new interpreter does what `python script.py` does."""
    STALE = "stale"
    """It stands on files that have changed, or was retired."""
    OVER = "over"
    """It has ended."""


@dataclass(frozen=True, slots=True)
class Ready:
    """It has imported what it was to import."""

    number: None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A fork is complete; without a pid it is the sender."""

    number: int
    pid: int | None


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no process, and this is why."""

    number: int
    error: OSError


@dataclass(frozen=True, slots=True)
class Declined:
    """Somebody else is to carry out the order."""

    number: int
    why: Why


@dataclass(frozen=True, slots=True)
class Exited:
    """A fork was reaped."""

    number: int
    how: Exit


Said = Ready | Started | Failed | Declined | Exited


def control(what: str) -> bytes:
    """Return what tells a nursery to `retire`, or to `look` whether files have changed."""
    return marshal.dumps({"what": what}, _VERSION)


def message(number: int, order: Order, places: tuple[int, ...], *, program: bool) -> bytes:
    """Return an order in a nursery's words. Raises ValueError for what has no word.

    `places` says what the descriptors after the first become: 0 = standard input, -1 = the cgroup to join.
    """
    words: dict[str, object] = {
        "what": "program" if program else "script",
        "number": number,
        "places": places,
        "cwd": order.cwd,
        "env": dict(order.environment),
        "umask": order.umask,
        "rlimits": order.rlimits,
        "keeps": order.ends_itself,
        "identity": None,
        "nice": None,
    }
    if program:
        # Niceness is in the command line already.
        who = order.identity
        words["argv"] = order.argv
        words["identity"] = None if who is None else (who.uid, who.gid, who.groups)
    else:
        # The nursery runs as the script's user already.
        warm = order.warm
        assert warm is not None
        words |= {"path": warm.path, "how": warm.how, "key": warm.key, "sha256": warm.sha256}
        words |= {"stamp": (warm.stamp.inode, warm.stamp.size, warm.stamp.mtime_ns), "nice": order.nice}
    return marshal.dumps(words, _VERSION)


def sender(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Return the pid of whoever sent a message, by the kernel's word; 0 if it does not say."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            return int(_CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0])
    return 0


def understood(words: bytes) -> Said | None:
    """Return what an answer means; None when it makes no sense."""
    try:
        match words.split(b" ", 4 if words.startswith(b"exited") else 2):
            case [b"ready"]:
                return Ready()
            case [b"started", number, *pid]:
                return Started(int(number), int(pid[0]) if pid else None)
            case [b"failed", number, why]:
                code, _, name = why.partition(b" ")
                return Failed(
                    int(number), OSError(int(code), os.strerror(int(code)), os.fsdecode(name) or None)
                )
            case [b"declined", number, why]:
                return Declined(int(number), Why(why.decode()))
            case [b"exited", number, status, cpu_ms, peak_kb]:
                return Exited(int(number), _exit(int(status), int(cpu_ms), int(peak_kb)))
    except (ValueError, OverflowError):
        return None
    return None


def in_words(how: Exit) -> str:
    """Return how a process ended, as what a sentence says of it."""
    if how.lost is not None:
        return f"was lost: {how.lost}"
    return f"was killed by {how.signal}" if how.signal is not None else f"ended with exit code {how.code}"


def _exit(status: int, cpu_ms: int, peak_kb: int) -> Exit:
    code = os.waitstatus_to_exitcode(status)
    return Exit(
        code if code >= 0 else None, None if code >= 0 else signal_name(-code), cpu_ms, peak_kb or None
    )
