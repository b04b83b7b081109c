"""The environment of a script: built from nothing, never inherited.

A script gets the few variables that programs cannot do without, those that tell it which fire it is, and
its own `@env-file` and `@env`, in this order of strength: what schedd says about the fire always wins, then
`@env`, then the file, then the minimum. Nothing of the daemon's own environment passes, so neither a token
nor systemd's NOTIFY_SOCKET, LISTEN_FDS, WATCHDOG_USEC, INVOCATION_ID, JOURNAL_STREAM or
CREDENTIALS_DIRECTORY can leak, whatever is invented next.

Rejected: a list of names to remove from an inherited environment (it is out of date on the day it is
written), and shell syntax in an env file (it would have to be run to be read).
"""

import os
import pwd
import re
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schedd.runner.command import TRANSIENT, CannotStartError
from schedd.runner.launch import Launch
from schedd.runner.order import Identity

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ENV_FILE_BYTES = 64 * 1024
"""More than this is no env file, and reading it would hold everybody up."""

VARIABLES: dict[str, str] = {
    "PATH": "where programs are found: `path` of the configuration",
    "HOME": "the home directory of the user that runs the script",
    "USER": "that user's name",
    "LOGNAME": "the same",
    "SHELL": "always `/bin/sh`",
    "LANG": "the daemon's `LANG`, else `C.UTF-8`",
    "TZ": "the schedule's time zone",
    "SCHEDD_RUN_ID": "this run's id, a UUID of version 7",
    "SCHEDD_SCRIPT": "the script's path relative to the scripts directory",
    "SCHEDD_SLOT": "the instant that was due, RFC 3339 in the schedule's zone; not set for a manual run",
    "SCHEDD_SLOT_EPOCH": "the same in seconds since the epoch",
    "SCHEDD_KIND": "`schedule`, `manual`, `catchup`, `replay`, `retry` or `startup`",
    "SCHEDD_ATTEMPT": "1 for the first attempt",
    "SCHEDD_PREV_SLOT": "the newest earlier slot that ran, RFC 3339; not set if there is none",
    "SCHEDD_LAST_OK_SLOT": "the newest earlier slot that ran and ended `ok`; not set if there is none",
    "SCHEDD_DEADLINE": "when the run will be ended (`@timeout`), RFC 3339; not set if unlimited",
    "SCHEDD_STATE_DIR": "a directory of the script's own, kept between runs",
    "SCHEDD_RESULT": "a file that the script may write a result to",
}
"""Every variable that a script gets, and what it says; `docs/running.md` shows this table."""

RUN_ID_PLACE = "0" * 36
"""What an interpreter that waits for a script has for SCHEDD_RUN_ID, until /proc is to show the run's."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for all scripts of this daemon."""

    minimum: tuple[tuple[str, str], ...]
    state_dir: str

    def for_run(
        self, launch: Launch, *, started_ms: int, result_path: str, identity: Identity | None = None
    ) -> dict[str, str]:
        """Return the environment of one run, which is for `identity` if that is not the daemon's.

        Raises CannotStartError when the script's env file cannot be read or understood, OSError when there
        is no room to open it.
        """
        schedule = launch.schedule
        environment = self.minimum_for(identity)
        environment["TZ"] = schedule.timezone
        if schedule.env_file is not None:
            environment.update(read_env_file(schedule.env_file))
        environment.update(schedule.env)
        environment.update(_about(launch, started_ms))
        environment["SCHEDD_STATE_DIR"] = self.state_dir_of(schedule.script)
        environment["SCHEDD_RESULT"] = result_path
        return environment

    def minimum_for(self, identity: Identity | None) -> dict[str, str]:
        """Return what programs cannot do without, as this user has it."""
        minimum = dict(self.minimum)
        if identity is not None:
            minimum |= {"HOME": identity.home, "USER": identity.user, "LOGNAME": identity.user}
        return minimum

    def state_dir_of(self, script: str) -> str:
        """Return the directory that is the script's own."""
        return f"{self.state_dir}/scripts/{script}"


def surroundings(*, path: str, state_dir: str) -> Surroundings:
    """Look up once what all scripts share: who they run as, and in which language."""
    try:
        entry = pwd.getpwuid(os.getuid())
        user, home = entry.pw_name, entry.pw_dir
    except KeyError:
        # Containers and DynamicUser=: a number is a user without a name.
        user, home = str(os.getuid()), "/"
    return Surroundings(
        (
            ("PATH", path),
            ("HOME", home),
            ("USER", user),
            ("LOGNAME", user),
            ("SHELL", "/bin/sh"),
            ("LANG", os.environ.get("LANG") or "C.UTF-8"),
        ),
        os.path.abspath(state_dir),
    )


def read_env_file(path: str) -> dict[str, str]:
    """Read lines of `NAME=value`; `#` starts a comment line, `export ` may precede, quotes may surround.

    Values are taken as they are: no variables, no escapes. Raises CannotStartError with file and line.
    """
    values: dict[str, str] = {}
    for number, raw in enumerate(_read_small(path).split(b"\n"), start=1):
        try:
            line = raw.decode().strip().removeprefix("\ufeff")
        except UnicodeDecodeError:
            raise CannotStartError(f"{path}:{number}: the line is not UTF-8") from None
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        name = name.strip()
        if not equals or not _NAME.fullmatch(name) or "\0" in value:
            raise CannotStartError(f"{path}:{number}: expected NAME=value, found {line[:60]!r}")
        values[name] = _unquoted(value.strip())
    return values


def _read_small(path: str) -> bytes:
    try:
        # O_NONBLOCK: opening a named pipe would otherwise wait for its writer, and the daemon with it.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in TRANSIENT:
            raise
        raise CannotStartError(f"cannot read the env file {path}: {error.strerror}") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise CannotStartError(f"the env file {path} is not a regular file")
        if status.st_size > ENV_FILE_BYTES:
            raise CannotStartError(f"the env file {path} is larger than {ENV_FILE_BYTES // 1024} KiB")
        return os.read(fd, ENV_FILE_BYTES)
    except OSError as error:
        raise CannotStartError(f"cannot read the env file {path}: {error.strerror}") from error
    finally:
        os.close(fd)


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _about(launch: Launch, started_ms: int) -> dict[str, str]:
    fire = launch.fire
    zone = _zone(launch.schedule.timezone)
    about = {
        "SCHEDD_RUN_ID": str(fire.run_id),
        "SCHEDD_SCRIPT": fire.script,
        "SCHEDD_KIND": fire.kind.value,
        "SCHEDD_ATTEMPT": str(fire.attempt),
    }
    if fire.slot is not None:
        about["SCHEDD_SLOT"] = _rfc3339(fire.slot, zone)
        about["SCHEDD_SLOT_EPOCH"] = str(fire.slot)
    if launch.prev_slot is not None:
        about["SCHEDD_PREV_SLOT"] = _rfc3339(launch.prev_slot, zone)
    if launch.last_ok_slot is not None:
        about["SCHEDD_LAST_OK_SLOT"] = _rfc3339(launch.last_ok_slot, zone)
    if launch.timeout_ms:
        about["SCHEDD_DEADLINE"] = _rfc3339((started_ms + launch.timeout_ms) // 1000, zone)
    return about


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise CannotStartError(f"the time zone {name} is no longer known to this host: {error}") from error


def _rfc3339(at: int, zone: ZoneInfo) -> str:
    """Write seconds since the epoch in the zone, or in UTC where its offset has seconds (before 1972)."""
    moment = datetime.fromtimestamp(at, zone)
    offset = moment.utcoffset()
    return (moment if offset is not None and offset.seconds % 60 == 0 else moment.astimezone(UTC)).isoformat()
