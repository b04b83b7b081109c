"""One process to start, and all that it is given: what the runner asks of whoever starts it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from schedd.schedule import FileStamp

NOTHING_ASKED: tuple[tuple[int, int, int], ...] = ()


class Family(StrEnum):
    """Whose interpreter can be kept waiting for a script."""

    PYTHON = "python"
    NODE = "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """How an interpreter that already runs takes in a script, instead of being started for it."""

    family: Family
    interpreter: str
    """Absolute path."""
    options: tuple[str, ...] = ()
    """Of the interpreter, from the shebang."""
    path: str
    """The script's absolute path."""
    how: str = ""
    """Python: `call`, `leave` or `ask`, see `languages.python_main`."""
    key: str
    """Names its compiled code, with `sha256`: the `vmCacheKey` of the list."""
    sha256: str
    stamp: FileStamp
    """Of the file that has this hash."""
    reused: bool = False
    """Node: one host serves run after run (`@mode warm`)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a process runs as."""

    user: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Everything that one process is given."""

    argv: tuple[str, ...]
    """The command line for a cold start."""
    warm: Warm | None = None
    cwd: str
    environment: Mapping[str, str]
    stdin_fd: int | None = None
    """Becomes its standard input; None = /dev/null. Stays the caller's, who keeps it until the answer."""
    stderr_fd: int | None = None
    """Becomes its standard error, which else goes where the output goes. Only a new process can have it."""
    umask: int | None = None
    nice: int | None = None
    """Added to the daemon's."""
    identity: Identity | None = None
    """None = the daemon's."""
    rlimits: tuple[tuple[int, int, int], ...] = NOTHING_ASKED
    """(resource, soft, hard) of setrlimit(2), besides the daemon's own soft limit of descriptors."""
    cgroup_fd: int | None = None
    """An open `cgroup.procs`: the process writes 0 to it before it does anything else.

    Stays the caller's, who keeps it open until the answer.
    """

    ends_itself: bool = False
    """It ends when the daemon does, by itself, and with all that it started: a nursery does."""

    @property
    def asks_for_more(self) -> bool:
        """Whether something has to be done between fork and exec that vfork cannot do."""
        return self.identity is not None or bool(self.rlimits) or self.cgroup_fd is not None
