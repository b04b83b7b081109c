"""One pass over the scripts directory, or one look at a file in it, by the same rules.

Links are followed as long as they stay inside the scripts directory. A directory is walked once, under its
real name if that is scanned at all, so a link to a directory beside it does not register every script
twice, and `current -> .releases/42` does what it says. Registering under each path was rejected: loops and
links among siblings multiply without bound, and each copy would run.

Plain `os` and `str` instead of pathlib: the loop runs for each of 100,000 files, where a `Path` costs more
than the system call. Threads were measured and gain nothing.
"""

import errno
import os
import stat

from schedd.fire import Reason
from schedd.schedule import Schedule
from schedd.scripts import intake, trust
from schedd.scripts.directives import Problem
from schedd.scripts.registration import Finding, Registrar

MOST_FILES = 1_000_000
"""A directory with more was named by mistake (`/`, say)."""

MOST_LEVELS = 64

_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_SUCH_FILE = "there is no such file"
_IGNORED = frozenset({"node_modules", "__pycache__"})
_LEFTOVERS = ("~", ".bak", ".swp", ".tmp")


class _TooManyError(Exception):
    """The walk has seen enough to know that this is not a scripts directory."""


class Walk:
    """One pass over the directory: what it found, and where it has been."""

    def __init__(
        self, root: str, known: dict[str, Finding], registrar: Registrar, trusted_uids: frozenset[int]
    ) -> None:
        self.schedules: list[Schedule] = []
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.unread: list[str] = []
        self.seen: dict[str, Finding] = {}
        self.device: int | None = None
        self.has_links = False
        self._root = root
        self._real_root = root
        self._known = known
        self._registrar = registrar
        self._trusted_uids = trusted_uids
        self._walked: dict[tuple[int, int], str] = {}
        self._links: list[tuple[str, str | None]] = []
        self._faults: dict[str, str | None] = {}
        self._files = 0

    def all(self) -> None:
        """Walk the real directories first, then those that only links lead to."""
        try:
            info = self._enter_root()
        except OSError as error:
            self._unread(".", _root_sentence(self._root, error))
            return
        try:
            self._tree("", info, None)
            while self._links:
                batch, self._links = sorted(self._links), []
                for rel, fault in batch:
                    self._linked_directory(rel, fault)
        except _TooManyError:
            self._unread(".", f"holds more than {MOST_FILES} files: is it the right directory?")

    @property
    def directories(self) -> tuple[str, ...]:
        """Where it has been."""
        return tuple(self._path(rel) for rel in self._walked.values())

    @property
    def is_bare(self) -> bool:
        """Nothing at all was found in the directory."""
        return not self._files

    def miss_root(self) -> None:
        """Find that the directory is not the one that it was."""
        self._unread(
            ".", f"the file system of {self._root} is gone, an empty directory is left: mount it again"
        )

    def one(self, script: str) -> None:
        """Look at a single file by the rules of a whole scan."""
        parts = script.split("/")
        if not _is_encodable(script) or any(part in {"", "..", "."} for part in parts):
            self._problem(script, _NO_SUCH_FILE, Reason.UNREADABLE)
        elif any(is_ignored(part) for part in parts):
            self._problem(script, "passed over because of its name: hidden, installed or left over")
        else:
            try:
                self._one(script, "/".join(parts[:-1]), parts[-1])
            except (FileNotFoundError, NotADirectoryError):
                self._problem(script, _NO_SUCH_FILE, Reason.UNREADABLE)
            except OSError as error:
                self.problems.append(intake.unreadable(intake.shown(script), error))

    def _one(self, script: str, directory: str, name: str) -> None:
        self._enter_root()
        real = os.path.realpath(self._path(directory), strict=True)
        if not self._is_inside(real):
            self._problem(script, "unsafe: a link leads out of the scripts directory", Reason.UNSAFE)
            return
        scanned = self._scanned_name(real)
        if scanned is not None and scanned != directory:
            other = f"{scanned}/{name}" if scanned else name
            self._problem(script, f"a link leads here: the script is registered as {intake.shown(other)}")
            return
        if not stat.S_ISREG(os.stat(self._path(script)).st_mode):
            self._problem(script, "not a file")
            return
        self._entry(script, os.lstat(self._path(script)), self._fault_above(real))

    def _enter_root(self) -> os.stat_result:
        self._real_root = os.path.realpath(self._root, strict=True)
        info = os.stat(self._root)
        self.device = info.st_dev
        if not stat.S_ISDIR(info.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self._root)
        return info

    def _tree(self, top: str, info: os.stat_result, fault: str | None) -> None:
        """Walk a directory and the real directories below it; `fault` is what is unsafe above it."""
        stack = [(top, info, fault)]
        while stack:
            rel, info, fault = stack.pop()
            key = (info.st_dev, info.st_ino)
            if (first := self._walked.setdefault(key, rel)) != rel:
                where = intake.shown(first or ".")
                self._warn(rel, f"the same directory as {where}: its scripts are registered there")
                continue
            if rel.count("/") >= MOST_LEVELS:
                self._unread(rel, f"more than {MOST_LEVELS} directories deep: not read")
                continue
            fault = fault or trust.fault(self._path(rel), info, self._trusted_uids)
            stack += [(below, its_info, fault) for below, its_info in self._directory(rel, fault)]

    def _directory(self, rel: str, fault: str | None) -> list[tuple[str, os.stat_result]]:
        """Look at each entry of one directory; return the directories in it."""
        directories: list[tuple[str, os.stat_result]] = []
        before = f"{rel}/" if rel else ""
        descriptor = -1
        try:
            # By its descriptor: to find a file of it costs the kernel one step instead of the whole way.
            descriptor = os.open(self._path(rel), _DIRECTORY_FLAGS)
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    name = before + entry.name
                    if name not in self._known and is_ignored(entry.name):
                        continue
                    self._files += 1
                    if self._files > MOST_FILES:
                        raise _TooManyError
                    try:
                        info = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    kind = stat.S_IFMT(info.st_mode)
                    if kind == stat.S_IFREG:
                        self._file(name, info, fault)
                    elif kind == stat.S_IFDIR:
                        directories.append((name, info))
                    elif kind == stat.S_IFLNK:
                        self._link(name, fault)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._unread(rel or ".", intake.unreadable("", error).reason)
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return directories

    def _entry(self, rel: str, info: os.stat_result, fault: str | None) -> None:
        """Look at what is not a directory."""
        if stat.S_ISREG(info.st_mode):
            self._file(rel, info, fault)
        elif stat.S_ISLNK(info.st_mode):
            self._link(rel, fault)

    def _file(self, rel: str, info: os.stat_result, fault: str | None) -> None:
        finding = self._known.get(rel)
        if (
            finding is None
            or not finding.is_of(info)
            or (finding.calendar is not None and not self._registrar.stands(finding))
        ):
            finding = self._take(rel)
            if finding is None:
                return
        self.seen[rel] = finding
        if finding.warnings or finding.needs:
            self.warnings += finding.warnings
            self.warnings += (warning for path, warning in finding.needs if _is_missing(path))
        if finding.schedule is None and not finding.problems:
            return
        if fault is None and not trust.is_safe(info, self._trusted_uids):
            fault = trust.fault(self._path(rel), info, self._trusted_uids)
        if fault is not None:
            self._problem(rel, fault, Reason.UNSAFE)
        elif finding.schedule is not None:
            self.schedules.append(finding.schedule)
        self.problems += finding.problems

    def _take(self, rel: str) -> Finding | None:
        try:
            return intake.take(self._path(rel), rel, self._registrar)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.problems.append(intake.unreadable(intake.shown(rel), error))
        except intake.ChangingError:
            self._problem(rel, "was being written while it was read: reload again", Reason.UNREADABLE)
        return None

    def _link(self, rel: str, fault: str | None) -> None:
        self.has_links = True
        path = self._path(rel)
        try:
            info = os.stat(path)
            real = os.path.realpath(path, strict=True)
            is_inside = self._is_inside(real)
            if is_inside and fault is None and not stat.S_ISDIR(info.st_mode):
                fault = self._fault_above(os.path.dirname(real))
        except OSError as error:
            self._warn(rel, f"a link that leads nowhere: {error.strerror}")
            return
        if stat.S_ISDIR(info.st_mode):
            self._links.append((rel, fault))
        elif not is_inside:
            self._outside(rel, real, info)
        elif stat.S_ISREG(info.st_mode):
            self._file(rel, info, fault)

    def _outside(self, rel: str, real: str, info: os.stat_result) -> None:
        """A link out of the directory is an affair of schedd's only if it leads to a script."""
        try:
            if not stat.S_ISREG(info.st_mode) or not intake.carries_schedule(real):
                return
        except OSError:
            return  # it cannot be read, so it would not run either
        reason = (
            f"unsafe: links to {intake.shown(real)}, outside the scripts directory: put the file itself here"
        )
        self._problem(rel, reason, Reason.UNSAFE)

    def _linked_directory(self, rel: str, fault: str | None) -> None:
        try:
            real = os.path.realpath(self._path(rel), strict=True)
            if not self._is_inside(real):
                self._warn(rel, f"links to {intake.shown(real)}, outside the scripts directory: not followed")
                return
            info = os.stat(real)
            fault = fault or self._fault_above(real)
        except OSError:
            return  # gone since it was listed
        self._tree(rel, info, fault)

    def _fault_above(self, real: str) -> str | None:
        """Return what is unsafe about a real directory or those above it, up to the scripts directory."""
        if real in self._faults:
            return self._faults[real]
        above = None if real == self._real_root else self._fault_above(os.path.dirname(real))
        fault = above or trust.fault(real, os.stat(real), self._trusted_uids)
        self._faults[real] = fault
        return fault

    def _scanned_name(self, real: str) -> str | None:
        """Return the relative path under which a scan comes to this real directory; None if it does not."""
        rel = real.removeprefix(self._real_root).lstrip("/")
        return None if any(is_ignored(part) for part in rel.split("/") if part) else rel

    def _is_inside(self, real: str) -> bool:
        return real == self._real_root or real.startswith(self._real_root.rstrip("/") + "/")

    def _path(self, rel: str) -> str:
        return f"{self._root}/{rel}" if rel else self._root

    def _unread(self, rel: str, reason: str) -> None:
        self.unread.append(rel)
        self._problem(rel, reason, Reason.UNREADABLE)

    def _problem(self, rel: str, reason: str, cause: Reason = Reason.PREFLIGHT) -> None:
        self.problems.append(Problem(intake.shown(rel), reason, cause=cause))

    def _warn(self, rel: str, reason: str) -> None:
        self.warnings.append(Problem(intake.shown(rel), reason))


def is_ignored(name: str) -> bool:
    """Tell whether a file or directory of this name is none of ours: hidden, installed or left over."""
    return (
        name[0] == "." or name in _IGNORED or name.endswith(_LEFTOVERS) or ".dpkg-" in name or ".rpm" in name
    )


def _is_missing(path: str) -> bool:
    """Tell whether there is certainly nothing; what this user may not look at may be there."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _is_encodable(name: str) -> bool:
    """Tell whether a file could have this name at all; asked of names that come from a request."""
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False


def _root_sentence(root: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"the scripts directory {root} does not exist: create it, or set scripts_dir"
    if isinstance(error, NotADirectoryError):
        return f"the scripts directory {root} is not a directory: set scripts_dir"
    return f"the scripts directory {root} cannot be read: {error.strerror}"
