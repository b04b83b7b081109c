"""The inside of a nursery: a process that takes orders, forks for each, and tells what became of the forks.

Imported by `python_launcher.py` and by nothing else. An order names a Python script, which the fork goes on
to run in this very interpreter, or a program, which it becomes by execve(2). Orders and descriptors come
in by a socket of whole messages, which is this process's standard input when it starts; the answers are:

    ready                             modules are imported, orders will be carried out
    started NUMBER [PID]              a fork is complete; of a script the sender itself is meant
    failed NUMBER ERRNO [FILE]        there is no process, and that is why
    declined NUMBER cold|stale        the order is to be carried out by somebody else
    exited NUMBER STATUS CPU_MS PEAK_KB

What is slow is done before the fork: importing what is to be preloaded, compiling. So the process has to stay
small and to have one thread, for a fork copies one thread only and costs what the memory costs. And when
there is nothing else to do, one fork is made in advance, and rehearses the last script's start: the next one
then has only to be handed its order. When the daemon dies, which ends the socket, so does everything here.

Runs in whatever interpreter a script asks for, as `python_script.py` does: plain Python 3.7. Rejected: `json`
and `socket` for the messages (16 ms of imports, and two megabytes in each fork), SIGCHLD ignored (it takes
the exit codes away), a stock of forks (when many are due at once they compete with what is running).
"""

import _signal  # type: ignore[import-not-found]
import _socket
import errno
import gc
import marshal
import os
import resource
import select
import sys

from python_ending import Ending  # type: ignore[import-not-found]
from python_fork import Shown, Variables, becoming, execute  # type: ignore[import-not-found]
from python_script import place_of, prepare  # type: ignore[import-not-found]
from python_stock import Codes, Shadows, changed, inventory  # type: ignore[import-not-found]

TYPE_CHECKING = False  # importing typing would cost milliseconds
if TYPE_CHECKING:
    from typing import Any  # noqa: F401, it is in comments

    from python_fork import Order, Steps

    Job = tuple[object, ...]

MESSAGE_BYTES = 1 << 18
"""More than a socket takes at once, by default."""

FILES = 3
"""Descriptors that may come with an order: output, input, cgroup."""

QUIET_MS = 20
"""A fork is made in advance when nothing was to do for so long: it would compete with what is running."""

SLACK_KB = 1024
"""The kernel books this process's peak on a program that a fork becomes; readings of it differ a little."""


def serve(modules: "list[str]", bare: "frozenset[str]") -> "Job":
    """Carry out orders; return only in a fork that has a script to run: `run`'s arguments.

    `modules` are to be imported first (empty texts behind them make room for what /proc is to show), `bare`
    are those that any interpreter has at its start.
    """
    control = own_control()
    keep_capabilities()
    sys.path.pop(0)
    ending = Ending()
    preload(list(filter(None, modules)), control)
    ending.begin()
    nursery = Nursery(control, bare, ending)
    gc.collect()
    gc.freeze()
    control.send(b"ready")
    while True:
        job = nursery.turn()
        if job is not None:
            return job


def own_control() -> "_socket.socket":
    """Move the socket away from standard input, which becomes the /dev/null that scripts have."""
    control = _socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    plain = sys.stdin  # type: Any
    binary = open(0, "rb", closefd=False)  # type: Any  # noqa: SIM115, it is for the scripts to come
    binary.raw.name = "<stdin>"
    text = type(plain)(binary, encoding=plain.encoding, errors=plain.errors, newline="\n")
    text.mode = "r"
    sys.stdin = sys.__stdin__ = text  # type: ignore[misc]
    return control


def keep_capabilities() -> None:
    """Keep what a daemon that is not root lent to its launcher from the programs that forks become.

    It stays what this process may do; only exec does not pass it on (PR_CAP_AMBIENT_CLEAR_ALL, prctl(2)).
    """
    with open("/proc/self/status", "rb") as file:
        ambient = file.read().partition(b"CapAmb:")[2].split(None, 1)
    if ambient and int(ambient[0], 16):
        import ctypes  # noqa: PLC0415, nobody else needs it

        if ctypes.CDLL(None).prctl(47, *(ctypes.c_ulong(word) for word in (4, 0, 0, 0))) != 0:
            raise OSError("the ambient capabilities cannot be cleared")


def preload(modules: "list[str]", control: "_socket.socket") -> None:
    """Import modules once for all forks. One that fails, or starts a thread, is told of and left out."""
    for at, name in enumerate(modules):
        try:
            __import__(name)
        except BaseException as error:  # noqa: BLE001, a module may raise anything, and must not end all others
            print(f"{name} cannot be preloaded: {type(error).__name__}: {error}", flush=True)  # noqa: T201
        if len(os.listdir("/proc/self/task")) > 1:
            print(f"{name} is not preloaded: it starts a thread, which a fork would not have", flush=True)  # noqa: T201
            rest = [*modules[:at], *modules[at + 1 :], *sys.argv[2 + len(modules) :]]
            os.dup2(control.fileno(), 0)
            os.execv(sys.executable, [sys.executable, sys.argv[0], "nursery", *rest])  # noqa: S606


class Nursery:
    """What is kept between orders."""

    def __init__(self, control: "_socket.socket", bare: "frozenset[str]", ending: "Ending") -> None:
        self.control = control
        self.ending = ending
        self.itself = self
        self.everything = globals(), bare
        """A ring that is frozen is never freed; in a fork that would copy all the memory that it takes."""
        self.buffer = bytearray(MESSAGE_BYTES)
        self.size = 0
        self.children = {}  # type: dict[int, tuple[int, bool, int]]
        self.codes = Codes()
        self.shadows = Shadows(bare)
        self.shown = Shown()
        self.variables = Variables()
        self.spare = None  # type: Spare | None
        self.rehearsal = None  # type: Order | None
        """The last script's order."""
        self.retired = False
        self.stale = False
        self.bell, self.bell_pull = os.pipe()
        os.set_blocking(self.bell, False)
        os.set_blocking(self.bell_pull, False)
        _signal.set_wakeup_fd(self.bell_pull, warn_on_full_buffer=False)
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        self.lent = frozenset(("resource",)) - frozenset(sys.modules)
        """What os.wait4 would import, from wherever it is found first; not for forks to see."""
        sys.modules.update({name: globals()[name] for name in self.lent})
        self.inventory = inventory()
        self.poll = select.poll()
        self.poll.register(self.bell, select.POLLIN)
        self.poll.register(control.fileno(), select.POLLIN)

    def turn(self) -> "Job | None":
        """Wait for something to do, and do it; in a fork, return what it is to run."""
        if self.retired and not self.children:
            self.end()
        lacking = self.spare is None and self.rehearsal is not None and not self.retired
        ready = self.poll.poll(QUIET_MS if lacking else None)
        if not ready:
            return self.lay_by()
        for fd, _ in ready:
            if fd == self.bell:
                self.reap()
            else:
                job = self.obey()
                if job is not None:
                    return job
        return None

    def reap(self) -> None:
        """Tell of the forks that have ended. Here, all children are forks."""
        try:
            os.read(self.bell, 4096)
        except BlockingIOError:
            return
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number, _, floor_kb = self.children.pop(pid, (None, False, 0))
            if number is not None:
                cpu_ms = round((usage.ru_utime + usage.ru_stime) * 1000)
                peak_kb = usage.ru_maxrss if usage.ru_maxrss > floor_kb else 0
                self.tell("exited", number, status, cpu_ms, peak_kb)
            elif self.spare is not None and self.spare.pid == pid:
                # Somebody ended it: no other one before the next script.
                self.let_spare_go()
                self.rehearsal = None

    def obey(self) -> "Job | None":
        """Take one order, and carry it out."""
        order, files = self.receive(self.control)
        if order is None:
            self.end()
        elif order["what"] == "retire":
            self.retired = True
        elif order["what"] == "look":
            self.stale = self.stale or changed(self.inventory)
        else:
            return self.carry_out(order, files)
        return None

    def receive(self, source: "_socket.socket") -> "tuple[Order | None, list[int]]":
        """Wait for an order, which stays in the buffer, and its descriptors; None when nobody is left."""
        size, ancillary, _, _ = source.recvmsg_into(
            [self.buffer], _socket.CMSG_SPACE(FILES * 4), _socket.MSG_CMSG_CLOEXEC
        )
        self.size = size
        files = [fd for _, _, data in ancillary for fd in memoryview(data[: len(data) // 4 * 4]).cast("i")]
        # The order comes from the daemon that started this.
        return (marshal.loads(memoryview(self.buffer)[:size]) if size else None), files  # noqa: S302

    def carry_out(self, order: "Order", files: "list[int]") -> "Job | None":
        """Fork, unless it is better not to."""
        try:
            if len(files) != 1 + len(order["places"]):
                self.tell("failed", order["number"], errno.EMFILE)
            elif order["what"] == "program":
                self.start_program(order, files)
            elif self.stale or self.retired:
                self.tell("declined", order["number"], "stale")
            elif self.shadows.fall_on(order["path"]):
                self.tell("declined", order["number"], "cold")
            else:
                return self.start_script(order, files)
        finally:
            for fd in files:
                os.close(fd)
        return None

    def start_script(self, order: "Order", files: "list[int]") -> "Job | None":
        """Have the spare fork run a script, or make a fork for it; in that, return to where scripts run."""
        self.rehearsal = order
        code, how = self.codes.of(order)
        if self.handed_over(order, files):
            return None
        prepared = self.prepared(order, files)
        return self.begun(order, prepared, code, how) if self.fork(order) == 0 else None

    def prepared(self, order: "Order", files: "list[int]") -> "tuple[Steps, object]":
        """Return the steps that are left to a fork, and the script's module."""
        steps = self.shedding() + becoming(order, files) + self.variables.change(order["env"])
        steps.append((sys.path.insert, (0, place_of(order["path"]))))
        steps.append((self.shown.be, (order["path"], order["env"].get("SCHEDD_RUN_ID", ""))))
        steps += [(self.control.send, (b"started %d" % order["number"],)), (self.control.close, ())]
        return steps, prepare(order["path"])

    def begun(self, order: "Order", prepared: "tuple[Steps, object]", code: object, how: str) -> "Job":
        """In a fork: go through the steps, and return what is to be run."""
        steps, module = prepared
        try:
            for call, arguments in steps:
                call(*arguments)
        except OSError as error:
            self.tell("failed", order["number"], error.errno, error.filename or "")
            os._exit(1)
        return how, order["path"], (module, order["env"].get("SCHEDD_RESULT", "")), code, self.ending

    def lay_by(self) -> "Job | None":
        """Make the spare fork. It rehearses, then waits for its order, and goes when there will be none."""
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        try:
            pid = os.fork()
        except OSError:
            self.rehearsal = None
            return None
        if pid:
            self.spare = Spare(pid, ours, self.codes.compiled)
            return None
        ours.close()
        self.prepared(self.rehearsal, [1])
        self.ending.rehearse()
        gc.freeze()
        order, files = self.receive(theirs)
        if order is None:
            os._exit(0)
        theirs.close()
        try:
            code, how = self.codes.of(order)
            return self.begun(order, self.prepared(order, files), code, how)
        finally:
            for fd in files:
                os.close(fd)

    def handed_over(self, order: "Order", files: "list[int]") -> bool:
        """Give an order to the spare fork, if there is one, and it knows the code."""
        spare = self.spare
        if spare is None or spare.compiled != self.codes.compiled:
            self.let_spare_go()
            return False
        rights = b"".join(fd.to_bytes(4, sys.byteorder) for fd in files)
        try:
            spare.line.sendmsg(
                [memoryview(self.buffer)[: self.size]], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)]
            )
        except OSError:
            return False
        finally:
            self.let_spare_go()
        self.children[spare.pid] = (order["number"], order["keeps"], 0)
        return True

    def let_spare_go(self) -> None:
        """Have no spare fork any more: it goes, unless it has an order."""
        if self.spare is not None:
            self.spare.line.close()
            self.spare = None

    def start_program(self, order: "Order", files: "list[int]") -> None:
        """Fork and exec, and wait for the exec, so that one which fails is no start."""
        failed, fail = os.pipe()
        steps = self.shedding() + becoming(order, files)
        pid = self.fork(order)
        if pid == 0:
            execute(steps, order, fail)
        os.close(fail)
        why = os.read(failed, MESSAGE_BYTES)
        os.close(failed)
        if pid > 0 and why:
            self.control.send(b"failed %d " % order["number"] + why)
        elif pid > 0:
            self.tell("started", order["number"], pid)

    def fork(self, order: "Order") -> int:
        """Make a fork, and remember it; -1 when there is no room for one."""
        try:
            pid = os.fork()
        except OSError as error:
            self.tell("failed", order["number"], error.errno)
            return -1
        if pid:
            floor_kb = own_peak_kb() + SLACK_KB if order["what"] == "program" else 0
            self.children[pid] = (order["number"], order["keeps"], floor_kb)
        return pid

    def shedding(self) -> "Steps":
        """Return what makes a fork a process like any other again."""
        return [
            (_signal.set_wakeup_fd, (-1,)),
            (_signal.signal, (_signal.SIGCHLD, _signal.SIG_DFL)),
            (os.close, (self.bell,)),
            (os.close, (self.bell_pull,)),
            *((sys.modules.pop, (name,)) for name in self.lent),
        ]

    def tell(self, *words: object) -> None:
        """Send an answer; wait for room, if the daemon is slow."""
        self.control.send(" ".join(map(str, words)).encode("utf-8", "surrogateescape"))

    def end(self) -> None:
        """End, and take all that runs along, but what sees to its own end."""
        for pid, (_, keeps, _) in self.children.items():
            if not keeps:
                try:
                    os.killpg(pid, _signal.SIGKILL)
                except OSError:
                    continue
        if self.spare is not None:
            # Left behind, it would be a child of the daemon's for a moment.
            self.spare.line.close()
            os.waitpid(self.spare.pid, 0)
        os._exit(0)


def own_peak_kb() -> int:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Spare:
    """A fork that waits for an order."""

    def __init__(self, pid: int, line: "_socket.socket", compiled: int) -> None:
        self.pid = pid
        self.line = line
        self.compiled = compiled
        """How many scripts had been compiled when it was made: it knows no other."""
