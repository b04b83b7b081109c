"""What is wrong on this host, before it is a missed backup: a list of looks, each with its mend.

Each look is a function of the configuration that yields findings and changes nothing. What cannot be looked
at (another user's directory) is a finding too: whoever asks should be root, or the daemon's user.
"""

import ctypes
import os
import resource
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from schedd.config import Config
from schedd.daemon.settings import defaults_of, tools_of
from schedd.host import cgroup, journald
from schedd.host.clock import SystemClock
from schedd.ledger.ledger import LEDGER_NAME
from schedd.runner.preflight import Preflight
from schedd.schedule import Keepers
from schedd.scripts import preflight
from schedd.scripts.scan import Scanner
from schedd.timetable import zone

FULL_PERCENT = 5
FULL_BYTES = 256 * 1024 * 1024
DESCRIPTORS = 4096
"""A thousand runs at once need three each."""
TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""
MOST_NAMED = 10
MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs", "overlay"})


class Level(StrEnum):
    """How bad it is."""

    FINE = "fine"
    ODD = "odd"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and how to mend it if it wants mending."""

    subject: str
    level: Level
    what: str
    mend: str | None = None


Findings = Iterator[Finding]


def examine(config: Config) -> Findings:
    """Look at everything, in the order in which things depend on each other. Blocks for some seconds."""
    for look in LOOKS:
        yield from look(config)


def verdict(findings: Sequence[Finding]) -> Level:
    """Return the worst of them."""
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.BAD, Level.ODD) if level in levels), Level.FINE)


def _state(config: Config) -> Findings:
    path, subject = config.state_dir, "state"
    try:
        info = os.stat(path)
    except FileNotFoundError:
        mend = f"start the daemon once, or: install -d -m 750 -o schedd -g schedd {path}"
        yield Finding(subject, Level.ODD, f"{path} is not there yet", mend)
        return
    except OSError as error:
        yield Finding(subject, Level.ODD, f"{path}: {error.strerror}", "ask as root: sudo schedd doctor")
        return
    if info.st_mode & (stat.S_IROTH | stat.S_IWOTH):  # to pass through is what @user needs
        what = f"{path} is open to everybody on the host (mode {stat.S_IMODE(info.st_mode):04o})"
        yield Finding(subject, Level.BAD, f"{what}: outputs and tokens are in it", f"chmod o-rwx {path}")
    elif (kind := _file_system(path)) in MEMORY_FILE_SYSTEMS:
        what = f"{path} is on {kind}: the record does not outlive a reboot"
        yield Finding(subject, Level.ODD, what, "set state_dir to a place on a disk")
    else:
        yield Finding(subject, Level.FINE, f"{path}, mode {stat.S_IMODE(info.st_mode):04o}")
    yield from _owner(path, info)


def _owner(path: str, info: os.stat_result) -> Findings:
    """What root once started by hand belongs to root, and the service cannot write it."""
    try:
        ledger = os.stat(os.path.join(path, LEDGER_NAME))
    except OSError:
        return
    if ledger.st_uid != info.st_uid:
        what = f"{path}/{LEDGER_NAME} belongs to uid {ledger.st_uid}, its directory to uid {info.st_uid}"
        mend = f"systemctl stop schedd && chown -R {info.st_uid}:{info.st_gid} {path}"
        yield Finding("state", Level.BAD, f"{what}: the daemon cannot write there", mend)


def _disk(config: Config) -> Findings:
    try:
        usage, inodes = shutil.disk_usage(config.state_dir), os.statvfs(config.state_dir)
    except OSError:
        return
    free_percent = usage.free * 100 // usage.total if usage.total else 100
    text = f"{config.state_dir}: {usage.free / (1 << 30):.1f} GiB free ({free_percent} %)"
    if inodes.f_files and inodes.f_favail * 100 < inodes.f_files * FULL_PERCENT:
        text += f", and only {inodes.f_favail:,} more files fit"
    elif free_percent >= FULL_PERCENT or usage.free >= FULL_BYTES:
        yield Finding("disk", Level.FINE, text)
        return
    mend = "make room; output_keep_bytes, fires_keep and ledger_keep bound what schedd keeps"
    yield Finding("disk", Level.BAD, text, mend)


def _scripts(config: Config) -> Findings:
    """All that a reload would refuse, and every script without its interpreter."""
    trusted = {0, os.geteuid(), *_owner_of(config.state_dir)}
    defaults = defaults_of(config, Keepers.by_controllers(cgroup.available()))
    scanner = Scanner(config.scripts_dir, defaults=defaults, trusted_uids=trusted)
    examiner = Preflight(tools_of(config), scripts_dir=config.scripts_dir, monotonic=SystemClock().monotonic)
    found = preflight.examined(scanner.scan(), examiner)
    for problem in found.problems[:MOST_NAMED]:
        yield Finding("scripts", Level.BAD, str(problem), f"schedd check {config.scripts_dir}")
    for warning in found.warnings[:MOST_NAMED]:
        yield Finding("scripts", Level.ODD, str(warning))
    hidden = max(0, len(found.problems) - MOST_NAMED) + max(0, len(found.warnings) - MOST_NAMED)
    if hidden:
        what = f"and {hidden} more problems and warnings"
        yield Finding("scripts", Level.ODD, what, f"schedd check {config.scripts_dir}")
    if not found.problems:
        count = len(found.schedules)
        yield Finding(
            "scripts",
            Level.FINE,
            f"{count} script{'' if count == 1 else 's'} in {config.scripts_dir} can be run",
        )


def _clock(_config: Config) -> Findings:
    state = _adjtimex()
    if state == TIME_ERROR:
        mend = "systemctl enable --now systemd-timesyncd, or install chrony"
        yield Finding("clock", Level.ODD, "nothing keeps the clock right: slots drift with it", mend)
    elif state is not None:
        yield Finding("clock", Level.FINE, "synchronised")


def _zones(_config: Config) -> Findings:
    found = zone.versions()
    text = f"zone data {found.release}, of the {found.used}"
    if found.system is not None and found.package is not None and found.system < found.package:
        what = f"{text}; the host's own is {found.system}, so `date` may disagree with schedd"
        yield Finding("zones", Level.ODD, what, "apt-get install --only-upgrade tzdata")
    else:
        yield Finding("zones", Level.FINE, text)


def _journal(_config: Config) -> Findings:
    if os.path.exists(journald.JOURNAL_SOCKET):
        yield Finding("journal", Level.FINE, f"{journald.JOURNAL_SOCKET} is there")
    else:
        what = "there is no journald: log lines go to stderr, without fields"
        yield Finding("journal", Level.ODD, what, "run schedd under systemd, or keep its stderr")


def _room(_config: Config) -> Findings:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        what = f"at most {hard} descriptors: {hard // 3} runs at once"
        yield Finding("descriptors", Level.ODD, what, "LimitNOFILE=524288 in the unit")
    else:
        yield Finding("descriptors", Level.FINE, f"up to {hard:,}" if hard >= 0 else "unlimited")


LOOKS: tuple[Callable[[Config], Findings], ...] = (
    _state,
    _disk,
    _scripts,
    _clock,
    _zones,
    _journal,
    _room,
)


def _adjtimex() -> int | None:
    """Return the state of the kernel's clock; None where it may not be asked."""
    libc = ctypes.CDLL(None, use_errno=True)
    asked = ctypes.create_string_buffer(512)  # struct timex with nothing to set: 208 bytes on 64 bit
    state = int(libc.adjtimex(asked))
    return None if state < 0 else state


def _owner_of(path: str) -> set[int]:
    try:
        return {os.stat(path).st_uid}
    except OSError:
        return set()


def _file_system(path: str) -> str | None:
    """Return the type of the file system that a path is on, by the longest mount point above it."""
    real, found = os.path.realpath(path), ("", "")
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                _, point, kind, *_ = line.split()
                above = point if point == "/" else point + "/"
                if (real + "/").startswith(above) and len(point) >= len(found[0]):
                    found = (point, kind)
    except (OSError, ValueError):
        return None
    return found[1]
