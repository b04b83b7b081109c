"""What a fork of a nursery does to become the process of a run: steps that are prepared before it is made.

In a fork each page that is written to is copied first, and to run Python is to write. So a fork is given a
flat list of calls, most of them of the system.

Imported by `python_nursery.py`; plain Python 3.7.
"""

import _signal  # type: ignore[import-not-found]
import errno
import os
import resource
import sys
import time

TYPE_CHECKING = False  # importing typing would cost milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Order = dict[str, Any]
    Steps = list[tuple[Callable[..., object], tuple[object, ...]]]

VARIABLES = os.environ._data  # type: ignore[attr-defined]  # noqa: SLF001, one by one they cost 0.5 ms
"""Python's own record of the environment, in bytes."""

RUN_ID = b"SCHEDD_RUN_ID="

RESTORED = ("SIGPIPE", "SIGXFSZ", "SIGXFZ")
"""What Python ignores, and programs must not."""


def becoming(order: "Order", files: "list[int]") -> "Steps":
    """Return what makes a fork the process of a run, as far as no program is involved."""
    steps = [(os.setsid, ()), (os.dup2, (files[0], 1)), (os.dup2, (files[0], 2))]  # type: Steps
    for fd, place in zip(files[1:], order["places"]):  # noqa: B905, Python 3.10
        steps.append((os.dup2, (fd, place)) if place >= 0 else (os.write, (fd, b"0")))
    steps += [(limit, bounds) for bounds in order["rlimits"]]
    if order["nice"] is not None:
        steps.append((renice, (order["nice"],)))
    if order["identity"] is not None:
        uid, gid, groups = order["identity"]
        steps += [(os.setgroups, (groups,)), (os.setgid, (gid,)), (os.setuid, (uid,))]
    if order["umask"] is not None:
        steps.append((os.umask, (order["umask"],)))
    return [*steps, (os.chdir, (order["cwd"],))]


def limit(number: int, soft: int, hard: int) -> None:
    """Set a limit; what goes beyond the hard limit that there is becomes that one."""
    most = resource.getrlimit(number)[1]
    if most != resource.RLIM_INFINITY:
        hard = most if hard == resource.RLIM_INFINITY else min(hard, most)
        soft = hard if soft == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(number, (soft, hard))


def renice(by: int) -> None:
    """Be nicer; say what nice(1) says when that is not allowed."""
    try:
        os.nice(by)
    except PermissionError:
        os.write(2, b"nice: cannot set niceness: Permission denied\n")


def execute(steps: "Steps", order: "Order", fail: int) -> None:
    """In a fork: become a program, or write to `fail` why not."""
    try:
        for call, arguments in steps:
            call(*arguments)
        for name in RESTORED:
            if hasattr(_signal, name):
                _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
        os.execve(order["argv"][0], order["argv"], order["env"])  # noqa: S606
    except (OSError, ValueError) as error:
        words = f"{getattr(error, 'errno', errno.EINVAL)} {getattr(error, 'filename', None) or ''}"
        os.write(fail, words.encode("utf-8", "surrogateescape"))
    finally:
        os._exit(1)


class Variables:
    """The environment of the scripts to come, which only forks tell C of."""

    def __init__(self) -> None:
        self.worn = dict(VARIABLES)
        """As C knows them."""

    def change(self, wanted: "dict[str, str]") -> "Steps":
        """Put on the variables of a script, as far as Python knows them; return what tells C, in the fork.

        C never gives back the memory of a variable, and a nursery starts millions of scripts. There are few
        time zones, though, and reading the rules of one is slow.
        """
        data = {os.fsencode(name): os.fsencode(value) for name, value in wanted.items()}
        steps = [(os.unsetenv, (name,)) for name in self.worn if name not in data]  # type: Steps
        steps += [(os.putenv, item) for item in data.items() if self.worn.get(item[0]) != item[1]]
        if self.worn.get(b"TZ") != data.get(b"TZ"):
            for call, arguments in steps:
                if arguments[0] == b"TZ":
                    call(*arguments)
            time.tzset()
            self.worn.pop(b"TZ", None)
            self.worn.update({b"TZ": data[b"TZ"]} if b"TZ" in data else {})
        VARIABLES.clear()
        VARIABLES.update(data)
        return steps


class Shown:
    """What /proc shows of a process: the variables and the command line that it was started with.

    A fork has them from the nursery, and writes over them what is its own: ps(1) then shows the script, and
    after a crash a run is found by its id, as any other is.
    """

    def __init__(self) -> None:
        with open("/proc/self/stat", "rb") as file:
            numbers = file.read().rpartition(b") ")[2].split()
        self.words_at, words_end, variables_at = map(int, numbers[45:48])
        self.words_bytes = words_end - self.words_at
        with open("/proc/self/environ", "rb") as file:
            before, _, after = file.read().partition(RUN_ID)
        self.id_at = variables_at + len(before) + len(RUN_ID)
        self.id_bytes = len(after.partition(b"\0")[0])

    def be(self, path: str, run_id: str) -> None:
        """Show a script and its run. It is no use to try where /proc is closed."""
        line = b"\0".join((os.fsencode(sys.executable), os.fsencode(path)))[: self.words_bytes - 1]
        try:
            memory = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return
        os.pwrite(memory, line.ljust(self.words_bytes, b"\0"), self.words_at)
        if len(run_id) == self.id_bytes:
            os.pwrite(memory, run_id.encode("ascii"), self.id_at)
        os.close(memory)
