"""What the daemon and its service manager tell each other: sd_notify(3), the watchdog, passed sockets.

Without systemd everything here is silent and costs nothing: there is no "are we under systemd" anywhere
else. The variables of the protocol are taken out of the environment when they are read, so that no
script inherits a socket on which it could call itself ready or dead.

A datagram that the manager has no room for is not lost, nor waited for: its variables go with the next
one, and there is always a next one while there is a watchdog.

Rejected: systemd-python (needs a compiler), sdnotify (abandoned). The protocol is forty lines.
"""

import faulthandler
import os
import socket
from collections.abc import Mapping, MutableMapping

from schedd.errors import ConfigError

FIRST_PASSED_FD = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""

STATUS_CHARS = 200
"""One line of `systemctl status`."""


class Notifier:
    """Speaks to the service manager, if there is one."""

    def __init__(
        self,
        address: str | None = None,
        *,
        watchdog_s: float | None = None,
        sockets: Mapping[str, tuple[socket.socket, ...]] | None = None,
    ) -> None:
        """Speak to the manager that listens on `address` (a path, or `@name` for an abstract socket)."""
        self.watchdog_s = watchdog_s
        """How often `alive` must be called, in seconds: half the unit's WatchdogSec=. None = never."""
        self.sockets = dict(sockets or {})
        """Listening sockets that the manager passed, by FileDescriptorName= (several may share one)."""
        self._address = "\0" + address[1:] if address and address[0] == "@" else address
        self._socket = _datagram_socket() if address else None
        self._unsent: dict[str, str] = {}

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str] | None = None) -> "Notifier":
        """Take what the manager left in the environment, and remove it there.

        Raises ConfigError when a variable is malformed or a passed descriptor is no listening socket.
        """
        environ = os.environ if environ is None else environ
        address = environ.pop("NOTIFY_SOCKET", "")
        watchdog_s = _watchdog_interval(environ)
        if watchdog_s is not None:
            # Who misses the watchdog gets SIGABRT: the stack that was blocked then goes to the journal.
            faulthandler.enable()
        return cls(
            address if address[:1] in ("/", "@") else None, watchdog_s=watchdog_s, sockets=_passed(environ)
        )

    def ready(self, status: str) -> None:
        """All is set up, or a reload is over."""
        self._send(READY="1", STATUS=status)

    def status(self, text: str) -> None:
        """Show `text` in `systemctl status`; one line."""
        self._send(STATUS=text)

    def reloading(self, monotonic_us: int) -> None:
        """A reload begins, at `monotonic_us` of CLOCK_MONOTONIC; `ready` ends it."""
        self._send(RELOADING="1", MONOTONIC_USEC=str(monotonic_us))

    def stopping(self, status: str) -> None:
        """The daemon drains, and then ends."""
        self._send(STOPPING="1", STATUS=status)

    def alive(self) -> None:
        """The daemon does its work: postpone the watchdog."""
        if self.watchdog_s is not None:
            self._send(WATCHDOG="1")

    def extend_timeout(self, seconds: float) -> None:
        """Starting or stopping takes at least `seconds` more; say it again before they are over."""
        self._send(EXTEND_TIMEOUT_USEC=str(round(seconds * 1_000_000)))

    def close(self) -> None:
        """Give the socket back; what is said afterwards is not sent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, **variables: str) -> None:
        if self._socket is None or self._address is None:
            return
        for name, value in variables.items():
            self._unsent.pop(name, None)  # the last word goes last: systemd lets it win
            self._unsent[name] = " ".join(value.split())[:STATUS_CHARS]
        datagram = "\n".join(f"{name}={value}" for name, value in self._unsent.items())
        try:
            self._socket.sendto(datagram.encode(), self._address)
        except BlockingIOError:
            return
        except OSError:
            # Nobody listens any more. A daemon does not stop for that.
            pass
        self._unsent.clear()


def _datagram_socket() -> socket.socket:
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    sender.settimeout(0)
    return sender


def _watchdog_interval(environ: MutableMapping[str, str]) -> float | None:
    """Return half of what the unit allows (sd_watchdog_enabled(3)), or None when nobody watches us."""
    limit, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    if not limit or (pid and _number("WATCHDOG_PID", pid) != os.getpid()):
        return None
    limit_us = _number("WATCHDOG_USEC", limit)
    return limit_us / 2_000_000 if limit_us else None


def _passed(environ: MutableMapping[str, str]) -> dict[str, tuple[socket.socket, ...]]:
    """Adopt the sockets that were passed to this very process (sd_listen_fds_with_names(3))."""
    pid, count, names = (environ.pop(f"LISTEN_{name}", "") for name in ("PID", "FDS", "FDNAMES"))
    if not count or _number("LISTEN_PID", pid) != os.getpid():
        return {}
    fds = range(FIRST_PASSED_FD, FIRST_PASSED_FD + _number("LISTEN_FDS", count))
    named = names.split(":") if names else ["unknown"] * len(fds)
    if len(named) != len(fds):
        raise ConfigError(f"LISTEN_FDNAMES names {len(named)} sockets, but LISTEN_FDS passes {len(fds)}.")
    passed: dict[str, tuple[socket.socket, ...]] = {}
    for name, fd in zip(named, fds, strict=True):
        passed[name] = (*passed.get(name, ()), _adopt(name, fd))
    return passed


def _adopt(name: str, fd: int) -> socket.socket:
    try:
        os.set_inheritable(fd, False)
        adopted = socket.socket(fileno=fd)
        listens = adopted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ConfigError(
            f"Descriptor {fd} ({name}) was passed as a socket, but: {error.strerror}."
        ) from error
    if not listens:
        raise ConfigError(
            f"Socket {fd} ({name}) was passed but does not listen; use ListenStream= in its unit."
        )
    adopted.settimeout(0)
    return adopted


def _number(variable: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ConfigError(
            f"{variable} must be a whole number, not {text!r}; it is the service manager that sets it."
        )
    return int(text)
