"""One registered script: what is due when, and by which policies it runs.

A `Schedule` is what the header of a script says, checked and completed with defaults; it never changes,
a reload makes a new one. The planner reads the timetable and the overlap policy, the runner the rest.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from schedd.timetable.timetable import Timetable


class Overlap(StrEnum):
    """What happens to a slot that comes due while the script is still running."""

    SKIP = "skip"
    QUEUE = "queue"
    QUEUE_ALL = "queue-all"
    REPLACE = "replace"
    ALLOW = "allow"


class Catchup(StrEnum):
    """What happens to slots that nobody was there to decide."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a failed fire is tried again, and after how long."""

    limit: int
    """Tries after the first one."""
    first_ms: int
    most_ms: int
    """The delay doubles with each try, up to this; equal to `first_ms` for `every`."""

    def delay_ms(self, attempt: int) -> int:
        """Return how long to wait after the failure of this attempt (the first is 1)."""
        return min(self.first_ms << min(attempt - 1, 40), self.most_ms)


class Mode(StrEnum):
    """Whether a script's interpreter is started for each run, or waits for it."""

    COLD = "cold"
    WARM = "warm"


@dataclass(frozen=True, slots=True)
class Lock:
    """A name that scripts share: never more than `slots` runs of all of them at once (`@lock`)."""

    name: str
    slots: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may use at most (`@memory @cpu @pids @files`); None = no such limit."""

    memory_bytes: int | None = None
    cpu_percent: int | None = None
    """Of one processor; 200 = two whole ones."""
    pids: int | None = None
    files: int | None = None
    """Open descriptors of each process."""

    def __bool__(self) -> bool:
        return self != Limits()


class Keeper(StrEnum):
    """What keeps the runs of a host within a limit."""

    CGROUP = "cgroup"
    SETRLIMIT = "setrlimit"
    NOBODY = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepers:
    """Who keeps which limit."""

    memory: Keeper = Keeper.CGROUP
    cpu: Keeper = Keeper.CGROUP
    pids: Keeper = Keeper.CGROUP
    files: Keeper = Keeper.SETRLIMIT

    @classmethod
    def by_controllers(cls, controllers: Collection[str]) -> "Keepers":
        """Return who does it with these controllers of cgroup v2, and setrlimit(2) for what it knows."""

        def keeper(name: str, otherwise: Keeper) -> Keeper:
            return Keeper.CGROUP if name in controllers else otherwise

        return cls(
            memory=keeper("memory", Keeper.SETRLIMIT),
            cpu=keeper("cpu", Keeper.NOBODY),
            pids=keeper("pids", Keeper.SETRLIMIT),
        )


@dataclass(frozen=True, slots=True)
class Requirement:
    """What has to be there before a run is started (`@requires`)."""

    kind: str
    """`cmd` (a program on PATH), `file` (a path) or `env` (a variable of the script's environment)."""
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a run has to bring about, besides ending, to be `ok` (`@expect`). One of the four is set."""

    text: str
    """As written, for sentences."""
    exit_codes: tuple[int, ...] = ()
    stdout: str | None = None
    """A regular expression that has to be found in the output."""
    json: "JsonTest | None" = None
    file: "FileTest | None" = None


@dataclass(frozen=True, slots=True)
class JsonTest:
    """Compares a member of the result with a JSON value."""

    path: tuple[str | int, ...]
    """`.rows[0].n` is ("rows", 0, "n")."""
    operator: str
    """One of `==` `!=` `<` `<=` `>` `>=`; empty = it has only to be there and not be false or null."""
    value: str | int | float | bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTest:
    """Looks at a file after the run. Bounds are inclusive of nothing: `>` and `<`."""

    path: str
    """Absolute."""
    larger_than_bytes: int | None = None
    smaller_than_bytes: int | None = None
    younger_than_ms: int | None = None
    older_than_ms: int | None = None


@dataclass(frozen=True, slots=True)
class FileStamp:
    """Tells whether a file is the one that was read, without reading it."""

    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A registered script with its timetable and its policies. Durations are milliseconds, 0 = unlimited."""

    script: str
    """Relative to the scripts directory, `/` separated: the key everywhere."""
    path: str
    """Absolute."""
    expression: str
    """As written in the header, unquoted."""
    timezone: str
    timetable: Timetable
    timeout_ms: int = 0
    schedule_timeout_ms: int = 0
    enabled: bool = True
    overlap: Overlap = Overlap.SKIP
    max_runs: int | None = 1
    """How many runs of this script may be alive at once (`@concurrent`); None = as many as come due."""
    catchup: Catchup = Catchup.NONE
    catchup_within_ms: int | None = None
    """Slots older than this are not caught up; None = no such bound."""
    deadline_ms: int | None = None
    """A slot that could not start within this is skipped; None = no such limit."""
    retry: Retry | None = None
    guarded: bool = False
    """The script has `@token`: a manual trigger needs `force`."""
    secrets: tuple[str, ...] = ()
    """Values that must never be shown (those of `@token`)."""
    description: str | None = None
    label: str | None = None
    tags: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    env_file: str | None = None
    """Absolute."""
    cwd: str | None = None
    """Absolute; None = the script's directory."""
    umask: int | None = None
    nice: int | None = None
    runtime: str | None = None
    """`python`, `node`, `program`, an interpreter's absolute path, or None = by extension, else shebang."""
    mode: Mode | None = None
    """None = warm where the runtime can."""
    lock: Lock | None = None
    limits: Limits = Limits()
    user: str | None = None
    """Whom it runs as; None = the daemon's user."""
    group: str | None = None
    detach: bool = False
    """What the script leaves running is left alone when it has ended."""
    requires: tuple[Requirement, ...] = ()
    expect: tuple[Expectation, ...] = ()
    sha256: str
    """Of the whole file as it was registered."""
    stamp: FileStamp
    header: str = ""
    """Its directives, one on each line and without the values of `@token`: what the ledger keeps of it."""
    header_lines: tuple[int, ...] = field(default=(), compare=False)
    """In which line of the file each of them stands; empty when only the ledger still knows them."""
    opening: bytes | None = field(default=None, compare=False)
    """How the file begins (see `opening`); None when only the ledger still knows the script."""
    warnings: tuple[str, ...] = ()
    stale: str | None = None
    """Why the file as it is now was refused; this is then its last good registration."""

    @property
    def name(self) -> str:
        """What to call it: the label, else the file's name without its extension."""
        return self.label or self.script.rpartition("/")[2].rpartition(".")[0] or self.script

    @property
    def vm_cache_key(self) -> str:
        """Name the script's compiled code: `<top directory>:<relative path>`."""
        top, below, _ = self.script.partition("/")
        return f"{top if below else 'default'}:{self.script}"

    def timeout_for(self, *, scheduled: bool) -> int:
        """Return the limit of one run in milliseconds (0 = unlimited)."""
        return self.schedule_timeout_ms if scheduled else self.timeout_ms


def opening(head: bytes) -> bytes:
    """Return what of a file's first 4 KiB says who runs it: the `#!` line, else a NUL if it is no text."""
    if head.startswith(b"#!"):
        return head.partition(b"\n")[0]
    return b"\0" if b"\0" in head else b""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a script would not run as it is, or what is odd about it: a sentence, and where."""

    reason: str
    line: int | None = None
    column: int | None = None
    here: bool = False
    """Another host may have what this one lacks."""
    directive: str | None = None
    """Whose fault it is; its line is then where to look."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found out about a script without running it."""

    faults: tuple[Fault, ...] = ()
    """With one of these it is not registered."""
    doubts: tuple[Fault, ...] = ()
