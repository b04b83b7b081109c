"""One child process: started, signalled as a group, reaped by its own pid.

The child is started by `subprocess.Popen`, which on Linux uses vfork(2) as long as no `preexec_fn`, `user` or
`group` is asked for: the cost does not depend on the size of the daemon. It leads a session and a process
group of its own, so that what it starts can be ended with it; its stdout and stderr are one pipe, so that
their order is the order in which they were written; its end is seen by a pidfd, so that the run ends when
its process does, whoever still holds the pipe. It is waited for by pid, never by waitpid(-1).

The spawn holds the event loop until the child has called exec: about half a millisecond, and longer only
when the interpreter's file system is slow.

Rejected: asyncio's own subprocesses (up to 3.13 they wait for the pipe, and they cost 1.5 times as much),
os.posix_spawn (no working directory), a fork server (a second thing that can die).
"""

import asyncio
import contextlib
import errno
import os
import resource
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from schedd.runner.child import Answer, Child, Exit, signal_name
from schedd.runner.command import CannotStartError
from schedd.runner.order import Order

ENDS_SPAN_S = 0.001
"""No end is seen to later in a turn of the loop: while many start, they go first (`turns`)."""

RSS_SLACK_KB = 1024
"""The kernel counts pages in batches for each processor, so two readings of the same size differ a little."""


class Process(Child):
    """A child of the daemon. Owns two descriptors, both given back by `close`."""

    def __init__(self, *, pid: int, pidfd: int, output_fd: int) -> None:
        super().__init__(pid=pid, output_fd=output_fd)
        self.pidfd = pidfd

    def reap(self, *, late_s: float) -> Exit:
        """Collect the child, whose pidfd became readable so long ago."""
        _, status, usage = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return Exit(
            code if code >= 0 else None,
            None if code >= 0 else signal_name(-code),
            round((usage.ru_utime + usage.ru_stime) * 1000),
            _peak(usage.ru_maxrss),
            late_s=late_s,
        )

    def close(self) -> None:
        """Give both descriptors back."""
        super().close()
        os.close(self.pidfd)


class Cold:
    """The way of a new process for each run."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, stdin_fd: int, soft_nofile: int) -> None:
        """`soft_nofile` is the soft limit of open descriptors that children get."""
        self._loop = loop
        self._stdin_fd = stdin_fd
        self._soft_nofile = soft_nofile
        self.children: set[int] = set()
        """Those that were not waited for yet."""
        self.together: Callable[[], AbstractContextManager[None]] = nullcontext
        """Within it some ends are told, of processes that had all ended before."""
        self._over: deque[tuple[Process, Answer, float]] = deque()
        """Those that have ended, and when that was noticed."""

    def start(self, order: Order, answer: Answer) -> None:
        """Start it at once; the event loop is held until it has called exec."""
        try:
            child = spawn(order, stdin_fd=self._stdin_fd, soft_nofile=self._soft_nofile)
        except (CannotStartError, OSError, ValueError) as error:
            answer.failed(error)
            return
        self.children.add(child.pid)
        self._loop.add_reader(child.pidfd, self._exited, child, answer)
        answer.started(child)

    def _exited(self, child: Process, answer: Answer) -> None:
        self._loop.remove_reader(child.pidfd)
        if not self._over:
            self._loop.call_soon(self._see_off)
        self._over.append((child, answer, self._loop.time()))

    def _see_off(self) -> None:
        """Tell of those that have ended."""
        until_s = self._loop.time() + ENDS_SPAN_S
        with self.together():
            while self._over and self._loop.time() < until_s:
                child, answer, noticed_s = self._over.popleft()
                how = child.reap(late_s=self._loop.time() - noticed_s)
                self.children.discard(child.pid)
                answer.exited(how)
        if self._over:
            self._loop.call_soon(self._see_off)


def raise_descriptor_limit() -> int:
    """Let this process open as many descriptors as the hard limit allows; return the soft limit it had.

    A run needs two of the daemon's, so the usual soft limit of 1,024 ends at a few hundred runs. Scripts
    get the old limit back: some programs walk through all descriptors that they might have (select(2), too,
    knows none above 1,023).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft


def spawn(order: Order, *, stdin_fd: int, soft_nofile: int) -> Process:
    """Start a process, with nothing of the daemon's but its identity.

    `soft_nofile` is its soft limit of open descriptors; it is set right after exec, not before, which would
    cost the vfork. Raises CannotStartError, and OSError: its `filename` is the program or the directory that
    is missing.
    """
    output_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    try:
        # Kept for the pidfd: once there is a child it is too late to find that there is no room to watch it.
        kept_fd = os.dup(stdin_fd)
        try:
            pid = _popen(order, stdin_fd if order.stdin_fd is None else order.stdin_fd, write_fd)
        except BaseException:
            os.close(kept_fd)
            raise
    except BaseException:
        os.close(output_fd)
        raise
    finally:
        os.close(write_fd)
    os.set_blocking(output_fd, False)
    with contextlib.suppress(ProcessLookupError):  # it may be over already
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(soft_nofile, hard), hard))
    return Process(pid=pid, pidfd=_pidfd_of(pid, kept_fd), output_fd=output_fd)


def shed_ignored_signals() -> None:
    """See to it that children start with every signal at its default.

    exec(2) resets what is handled but passes on what is ignored, as SIGINT and SIGQUIT are in what a shell
    started with `&`, or SIGHUP by nohup. A handler that does nothing ignores as well, and is not passed on.
    SIGCHLD must not be ignored at all: the kernel would throw the exit codes away. Main thread only.
    """
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN and number not in {signal.SIGPIPE, signal.SIGXFSZ}:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else _ignored)


def explain(error: OSError, program: str, cwd: str) -> str:
    """Return one sentence on why a spawn failed."""
    if error.filename == cwd and error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
        return f"cannot start in the directory {cwd}: {error.strerror}; create it, or correct @cwd"
    if error.errno == errno.ENOENT:
        return f"cannot start {program}: it is not there; install it, or correct the script's #! line"
    if error.errno == errno.ENOEXEC:
        return f"cannot start {program}: it is neither a program nor a script with a #! line"
    if error.errno == errno.E2BIG:
        return f"cannot start {program}: its environment is too large; make @env and @env-file smaller"
    return f"cannot start {program}: {error.strerror}"


def _pidfd_of(pid: int, kept_fd: int) -> int:
    """Return a pidfd of a new child; `kept_fd` is given back, to make room for it if there is no other.

    Raises CannotStartError, and the child is ended: unwatched it would never be over.
    """
    try:
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    finally:
        os.close(kept_fd)
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise CannotStartError(f"ended at once: no descriptor is left to watch it ({error})") from error


def _popen(order: Order, stdin_fd: int, write_fd: int) -> int:
    blocked = signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        child = subprocess.Popen(
            order.argv,
            stdin=stdin_fd,
            stdout=write_fd,
            stderr=write_fd if order.stderr_fd is None else order.stderr_fd,
            cwd=order.cwd,
            env=order.environment,
            umask=-1 if order.umask is None else order.umask,
            start_new_session=True,
        )
    finally:
        if blocked:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    # Reaping is ours: without a return code the object would wait for the pid, too.
    child.returncode = 0
    return child.pid


def _peak(max_rss_kb: int) -> int | None:
    """Return the peak that wait4 reports, unless it is the daemon's.

    At exec the kernel books the peak of the memory that the child leaves behind on the child, and between
    vfork and exec that is the daemon's memory (exec_mmap in fs/exec.c).
    """
    own_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max_rss_kb if max_rss_kb > own_kb + RSS_SLACK_KB else None


def _ignored(_number: int, _frame: object) -> None:
    """Do nothing, which is all that ignoring a signal means."""
