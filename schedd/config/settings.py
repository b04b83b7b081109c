"""The one table of settings: name, kind, default, help, and whether a reload is enough to change it.

The reference file (`etc/schedd.toml`), the operations guide and `schedd serve --help` say the same, and a
test compares them with this table. Names are those of the file; the environment says `SCHEDD_` and the
name in capitals. Defaults are written as a person would write them in the file, and go through the same
reading as theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from schedd.config.address import Address

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LIMIT_BYTES = 1 << 40
"""No size setting means anything above a terabyte; a slip of the unit does."""
DAY_MS = 86_400_000

Plain = str | int | bool | list[str] | list[int]
"""What a setting can be in a TOML file."""


class Kind(StrEnum):
    """What a setting holds, and so how it is read."""

    DIRECTORY = "directory"
    SOCKET = "socket path"
    ADDRESS = "host:port"
    ZONE = "time zone"
    DURATION = "duration"
    SIZE = "size"
    COUNT = "number"
    PROGRAM = "program"
    FILE = "file"
    SEARCH_PATH = "search path"
    FLAG = "true or false"
    LEVEL = "log level"
    TEXTS = "list of texts"
    PATTERNS = "list of patterns"
    ORIGINS = "list of origins"
    HOSTS = "list of host names"
    UIDS = "list of user ids"
    USERS = "list of user names"
    MODULES = "list of modules"


UNITS = {Kind.DURATION: "ms", Kind.SIZE: "bytes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row. `least` and `most` bound numbers, durations (in milliseconds) and sizes (in bytes)."""

    name: str
    kind: Kind
    default: Plain
    help: str
    live: bool
    """A reload is enough; else the daemon has to be restarted."""
    least: int = 0
    most: int = LIMIT_BYTES

    @property
    def field(self) -> str:
        """The attribute of `Config`: the name, with the unit that the value has there."""
        unit = UNITS.get(self.kind)
        return self.name if unit is None or self.name.endswith(f"_{unit}") else f"{self.name}_{unit}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"SCHEDD_{self.name.upper()}"


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from (`default`, a file, a variable, a flag), and how it was written, as TOML."""

    source: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, read and checked. Durations are milliseconds; None is what an empty text means."""

    scripts_dir: str
    calendars_dir: str
    state_dir: str
    socket: str | None
    listen: Address | None
    behind_proxy: bool
    tls_cert: str | None
    tls_key: str | None
    timezone: str
    timeout_ms: int
    grace_ms: int
    drain_ms: int
    max_running: int
    max_held: int
    output_head_bytes: int
    output_tail_bytes: int
    output_journal: bool
    watch: bool
    output_keep_days: int
    output_keep_bytes: int
    fires_max_bytes: int
    fires_keep: int
    ledger_max_bytes: int
    ledger_keep: int
    python: str | None
    python_preload: tuple[str, ...]
    node: str | None
    node_hosts: int
    path: str
    allowed_users: tuple[str, ...]
    redact: tuple[str, ...]
    redact_patterns: tuple[str, ...]
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    allowed_uids: tuple[int, ...]
    log_level: LogLevel
    origins: Mapping[str, Origin] = field(default_factory=lambda: MappingProxyType({}), compare=False)
    """By the setting's name."""


def _row(
    name: str, kind: Kind, default: Plain, what: str, *, live: bool, bounds: tuple[int, int] | None = None
) -> Setting:
    least, most = bounds or (0, LIMIT_BYTES)
    return Setting(name=name, kind=kind, default=default, help=what, live=live, least=least, most=most)


SETTINGS: tuple[Setting, ...] = (
    _row(
        "scripts_dir",
        Kind.DIRECTORY,
        "/etc/schedd/scripts",
        "Where the scripts are; every file below it with a @schedule line is registered.",
        live=False,
    ),
    _row(
        "calendars_dir",
        Kind.DIRECTORY,
        "/etc/schedd/calendars",
        "Where the calendars for @calendar are, .txt and .ics files; it need not exist.",
        live=True,
    ),
    _row(
        "state_dir",
        Kind.DIRECTORY,
        "/var/lib/schedd",
        "Where the fires log, the ledger, the outputs and the tokens are kept.",
        live=False,
    ),
    _row(
        "socket",
        Kind.SOCKET,
        "/run/schedd/api.sock",
        "The Unix socket of the API; empty = none.",
        live=False,
    ),
    _row(
        "listen",
        Kind.ADDRESS,
        "127.0.0.1:8173",
        "The TCP address of the API; port 0 takes a free one, empty = none.",
        live=False,
    ),
    _row(
        "behind_proxy",
        Kind.FLAG,
        default=False,
        what="A proxy with TLS stands before the API, so that listen may name an address beyond loopback.",
        live=False,
    ),
    _row(
        "tls_cert",
        Kind.FILE,
        "",
        "The certificate chain (PEM) with which TCP speaks HTTPS; empty = plain HTTP.",
        live=True,
    ),
    _row(
        "tls_key",
        Kind.FILE,
        "",
        "The private key of tls_cert; empty = it is in the same file.",
        live=True,
    ),
    _row("timezone", Kind.ZONE, "UTC", "The time zone of scripts without a @timezone line.", live=True),
    _row(
        "timeout",
        Kind.DURATION,
        0,
        "How long a run of a script without a @timeout line may take; 0 = unlimited.",
        live=True,
        bounds=(0, 366 * DAY_MS),
    ),
    _row(
        "grace",
        Kind.DURATION,
        "10s",
        "How long a run that is stopped has between TERM and KILL.",
        live=True,
        bounds=(0, DAY_MS),
    ),
    _row(
        "drain",
        Kind.DURATION,
        "30s",
        "How long a stopping daemon waits for its runs before it stops them.",
        live=True,
        bounds=(0, DAY_MS),
    ),
    _row(
        "max_running",
        Kind.COUNT,
        256,
        "How many runs may be alive at once; slots beyond it are held.",
        live=True,
        bounds=(1, 100_000),
    ),
    _row(
        "max_held",
        Kind.COUNT,
        10_000,
        "How many slots may be held; beyond it they are skipped, with reason overload.",
        live=True,
        bounds=(0, 1_000_000),
    ),
    _row(
        "output_head",
        Kind.SIZE,
        "64K",
        "How much is kept of the beginning of what a run prints.",
        live=True,
        bounds=(0, 1 << 28),
    ),
    _row(
        "output_tail",
        Kind.SIZE,
        "64K",
        "How much is kept of the end of what a run prints.",
        live=True,
        bounds=(0, 1 << 28),
    ),
    _row(
        "output_journal",
        Kind.FLAG,
        default=True,
        what="Send what scripts print to the journal, line by line, where there is one.",
        live=True,
    ),
    _row(
        "watch",
        Kind.FLAG,
        default=True,
        what="Reload by itself when something changes in the scripts directory.",
        live=False,
    ),
    _row(
        "output_keep_days",
        Kind.COUNT,
        30,
        "For how many days outputs are kept.",
        live=True,
        bounds=(1, 36_500),
    ),
    _row(
        "output_keep_bytes",
        Kind.SIZE,
        "1G",
        "How large all kept outputs may be together; the oldest go first.",
        live=True,
    ),
    _row(
        "fires_max_bytes",
        Kind.SIZE,
        "32M",
        "How large the fires log grows before it is rotated.",
        live=False,
        bounds=(4096, LIMIT_BYTES),
    ),
    _row(
        "fires_keep",
        Kind.COUNT,
        20,
        "How many rotated fires logs are kept.",
        live=False,
        bounds=(1, 10_000),
    ),
    _row(
        "ledger_max_bytes",
        Kind.SIZE,
        "32M",
        "How large the ledger grows before it is rotated.",
        live=False,
        bounds=(4096, LIMIT_BYTES),
    ),
    _row(
        "ledger_keep",
        Kind.COUNT,
        5,
        "How many rotated ledgers are kept.",
        live=False,
        bounds=(1, 10_000),
    ),
    _row(
        "python",
        Kind.PROGRAM,
        "",
        "The Python that runs .py scripts; empty = the first python3 in path.",
        live=True,
    ),
    _row(
        "python_preload",
        Kind.MODULES,
        [],
        "Modules that Python imports once, for all .py scripts that can share them.",
        live=True,
    ),
    _row(
        "node",
        Kind.PROGRAM,
        "",
        "The Node.js that runs .js and .ts scripts; empty = the first suitable node in path.",
        live=True,
    ),
    _row(
        "node_hosts",
        Kind.COUNT,
        2,
        "How many processes of Node.js wait for the next script while scripts use it; 0 = none.",
        live=True,
        bounds=(0, 64),
    ),
    _row("path", Kind.SEARCH_PATH, DEFAULT_PATH, "The PATH that scripts get.", live=True),
    _row(
        "allowed_users",
        Kind.USERS,
        [],
        "Users (names) that scripts may run as with @user, besides the daemon's own.",
        live=True,
    ),
    _row(
        "redact",
        Kind.TEXTS,
        [],
        "Texts that are replaced in what scripts print, before anything is stored.",
        live=True,
    ),
    _row(
        "redact_patterns",
        Kind.PATTERNS,
        [],
        "Regular expressions for what is replaced in the same way, line by line.",
        live=True,
    ),
    _row(
        "cors_origins",
        Kind.ORIGINS,
        [],
        "Web origins whose pages may use the API, such as https://status.example.org.",
        live=True,
    ),
    _row(
        "allowed_hosts",
        Kind.HOSTS,
        [],
        "Host names besides localhost and the listen address under which the API may be asked.",
        live=True,
    ),
    _row(
        "allowed_uids",
        Kind.UIDS,
        [],
        "Users (uids) who may use the socket besides root and the daemon's; empty = whom its mode lets in.",
        live=True,
    ),
    _row("log_level", Kind.LEVEL, "info", "What is logged: debug, info, warning or error.", live=True),
)

BY_NAME: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}
