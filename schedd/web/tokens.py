"""The tokens file: who may ask what, kept so that reading it gives nobody a token.

`<state>/tokens.json` holds the SHA-256 of each token, never the token. A token is 256 random bits, so one
round of SHA-256 is as good as a slow password hash: there is nothing to guess. The daemon reads the file
again when its stat changes, so a revoked token is dead at once, without a restart; the command line writes
it, with the daemon running or not. aiohttp is not imported here, because the command line imports this.

Rejected: a token table inside the daemon, which a person could not repair without it; scopes as a ladder
(read < trigger < admin), since a deploy hook that may trigger need not read.
"""

import contextlib
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec

from schedd.errors import ConfigError, StateError
from schedd.timetable import instant

FILE_NAME = "tokens.json"
LOCK_NAME = "tokens.lock"
TOKEN_BYTES = 32
TOKEN_PREFIX = "schedd_"  # noqa: S105 # not a secret: it lets scanners find tokens in the wrong places
MAX_TOKENS = 1_000
MAX_FILE_BYTES = 1024 * 1024
MAX_GLOB_CHARS = 1_024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Scope(StrEnum):
    """What a token lets its bearer do. Each stands alone, but `admin` implies the others."""

    READ = "read"
    TRIGGER = "trigger"
    ADMIN = "admin"


class Token(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One token, as it is in the file: everything about it but itself."""

    name: str
    sha256: str
    scopes: tuple[Scope, ...]
    scripts: str | None = None
    """A glob (fnmatch) on the relative path of scripts; `*` matches `/` too. None = all scripts."""
    created_at: str

    def may(self, scope: Scope) -> bool:
        """Return whether the token has this scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, script: str) -> bool:
        """Return whether the token is good for the script at this relative path."""
        return self.scripts is None or fnmatchcase(script, self.scripts)


class _File(msgspec.Struct, frozen=True):
    version: int
    tokens: tuple[Token, ...]


def digest(token: str) -> str:
    """Return what is stored of a token: the SHA-256 of its UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def add(state_dir: str, name: str, *, scopes: Iterable[str], scripts: str | None = None, now_ms: int) -> str:
    """Make a token and return it: the only time that it can be seen.

    Raises ConfigError for a bad name, scope or glob, StateError when the file cannot be used or the name
    is taken.
    """
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    entry = Token(
        name=_checked_name(name),
        sha256=digest(token),
        scopes=_checked_scopes(scopes),
        scripts=_checked_glob(scripts),
        created_at=instant.from_ms(now_ms),
    )
    with _locked(state_dir):
        there = read(state_dir)
        if any(other.name == name for other in there):
            raise StateError(
                f"there is a token named {name} already: revoke it first, or choose another name"
            )
        if len(there) >= MAX_TOKENS:
            raise StateError(f"there are {MAX_TOKENS} tokens already: revoke those that nobody uses")
        _write(state_dir, (*there, entry))
    return token


def revoke(state_dir: str, name: str) -> bool:
    """Remove the token of this name; False when there is none.

    Raises StateError when the file cannot be used.
    """
    with _locked(state_dir):
        there = read(state_dir)
        left = tuple(token for token in there if token.name != name)
        if len(left) == len(there):
            return False
        _write(state_dir, left)
    return True


def read(state_dir: str) -> tuple[Token, ...]:
    """Return all tokens, in the order in which they were made; none when there is no file.

    Raises StateError when the file cannot be read, is malformed, or can be written by others.
    """
    path = os.path.join(state_dir, FILE_NAME)
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StateError(f"cannot read the tokens in {path}: {error.strerror}") from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StateError(f"{path} can be written by others than its owner: run chmod 600 {path}")
    return _parsed(path, raw)


class TokenFile:
    """The tokens as the daemon sees them: read again whenever the file's stat has changed."""

    def __init__(self, state_dir: str) -> None:
        self._state_dir = state_dir
        self._path = os.path.join(state_dir, FILE_NAME)
        self._tokens: tuple[Token, ...] = ()
        self._seen: _Seen | None = None

    def find(self, token: str) -> Token | None:
        """Return the entry of a token, or None: compared with all of them, each in constant time.

        Raises StateError when the file changed and cannot be used; until it can, no token is good.
        """
        self._refresh()
        given = digest(token).encode("ascii")
        found = None
        for entry in self._tokens:
            if hmac.compare_digest(given, entry.sha256.encode("ascii")):
                found = entry
        return found

    def current(self) -> tuple[Token, ...]:
        """Return all tokens that are good now: the same object as long as the file is. Raises StateError."""
        self._refresh()
        return self._tokens

    def _refresh(self) -> None:
        """Read the file if it is another than the one that was read last."""
        seen = _Seen.of(self._path)
        if seen == self._seen and seen is not None:
            return
        self._tokens, self._seen = (), None
        self._tokens = read(self._state_dir)
        self._seen = seen


@dataclass(frozen=True, slots=True)
class _Seen:
    """What of a file's stat changes with any change of it."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: str) -> "_Seen | None":
        try:
            found = os.stat(path)
        except OSError:
            return None
        return cls(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _parsed(path: str, raw: bytes) -> tuple[Token, ...]:
    if len(raw) > MAX_FILE_BYTES:
        raise StateError(f"{path} is larger than {MAX_FILE_BYTES} bytes: it is not a tokens file")
    try:
        file = msgspec.json.decode(raw, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StateError(f"{path} is not a tokens file ({error}): repair it, or remove it") from error
    if file.version != 1:
        raise StateError(f"{path} was written by a newer schedd (version {file.version}): update this one")
    for token in file.tokens:
        if not _SHA256.fullmatch(token.sha256):
            raise StateError(f"{path}: sha256 of {token.name} is not 64 hexadecimal digits: revoke it")
    return file.tokens


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot name a token: use 1 to 64 letters, digits, '.', '_' or '-', not a sign first"
        )
    return name


def _checked_scopes(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """Return the scopes without repeats, in the order of their power."""
    given = set(scopes)
    known = tuple(scope for scope in Scope if scope in given)
    unknown = sorted(given - set(known))
    if unknown:
        raise ConfigError(f"unknown scope {unknown[0]!r}: the scopes are {', '.join(Scope)}")
    if not known:
        raise ConfigError(f"a token needs at least one scope of {', '.join(Scope)}")
    return known


def _checked_glob(scripts: str | None) -> str | None:
    if scripts is not None and not 0 < len(scripts) <= MAX_GLOB_CHARS:
        raise ConfigError(f"the glob of scripts must have 1 to {MAX_GLOB_CHARS} characters")
    return scripts


@contextlib.contextmanager
def _locked(state_dir: str) -> Iterator[None]:
    """Keep other writers out: two people may add a token in the same second."""
    path = os.path.join(state_dir, LOCK_NAME)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StateError(f"cannot lock the tokens with {path}: {error.strerror}") from error
    try:
        _give_to_owner(fd, state_dir)
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _write(state_dir: str, tokens: tuple[Token, ...]) -> None:
    """Replace the file in one step, so that a reader or a crash meets the old one or the new one."""
    path = os.path.join(state_dir, FILE_NAME)
    new = path + ".new"
    body = msgspec.json.format(msgspec.json.encode(_File(version=1, tokens=tokens)), indent=2) + b"\n"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            _give_to_owner(file.fileno(), state_dir)
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, path)
        _sync_directory(state_dir)
    except OSError as error:
        raise StateError(f"cannot write the tokens to {path}: {error.strerror}") from error


def _give_to_owner(fd: int, state_dir: str) -> None:
    """Let root add a token to the state of a daemon that runs as somebody else."""
    owner = os.stat(state_dir)
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
