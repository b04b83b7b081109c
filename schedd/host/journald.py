"""Where the daemon's log lines go: the journal with fields, a terminal, or a stream with priorities.

Natively (https://systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram is one entry, so a line of a fire is found
by `journalctl SCHEDD_RUN_ID=…`, and a value may hold newlines without becoming fields of its own. Nothing
here waits: a stalled journald would otherwise hold the loop after a few hundred lines. What it has no room
for is dropped and counted; the fires log, not the journal, is the record.

Without a journal the same lines go to stderr: plainly on a terminal, else with the `<n>` prefixes of
sd-daemon(3), which journald understands when it owns the other end after all.

Rejected: systemd-python (a compiler), cysystemd (its own libsystemd), a logging thread with a queue (it only
moves the waiting, and loses the last lines of a crash), sealed memfds for huge entries (a line has an end).
"""

import logging
import os
import select
import socket
import struct
from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from schedd.fire import Entry, Fire
from schedd.timetable.instant import from_slot

JOURNAL_SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "schedd"

VALUE_BYTES = 32 * 1024
"""What is kept of one value: an entry then always fits into one datagram (212 kB by default)."""
ATOMIC_BYTES = 4096
"""PIPE_BUF (pipe(7)): what a pipe that poll(2) calls writable takes without blocking."""

PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""From logging's levels to syslog's."""
DEBUG_PRIORITY = 7

STDERR = 2


class Event(StrEnum):
    """The classes of events, as MESSAGE_ID; `systemd/schedd.catalog` explains each to `journalctl -x`."""

    UP = "a57ae03ce6374b50997be1544e1d507d"
    DOWN = "63c9bb2fa6b945ccad7c938eb17b9f5a"
    ENDED = "b85e0f5c96f245aebf5eefbd2b02b379"
    FAILED = "09b3c3581aa14825a2b53e1004444b47"
    SKIPPED = "f0213e5134d4429287be8e240488c4c5"
    MISSED = "817aa3a32e06457d9f239732752e5eca"
    CLOCK = "50de57733f924fd18b9c69455d1a2b55"
    RELOADED = "4810ab90c4b54b74b1bfd138975363d2"
    PROBLEM = "84436dd5f2ca417f940d3b32e0c9a735"
    DEGRADED = "f9bce33b2cc3404395e9a57c6b00b6f9"


FIELDS = (
    "MESSAGE_ID",
    "SCHEDD_SCRIPT",
    "SCHEDD_RUN_ID",
    "SCHEDD_SLOT",
    "SCHEDD_KIND",
    "SCHEDD_STATUS",
    "SCHEDD_REASON",
)
"""What a line may carry in its `extra`; `about` makes one."""


def about(
    event: Event | None = None,
    fire: Fire | None = None,
    *,
    entry: Entry | None = None,
    script: str | None = None,
) -> dict[str, str]:
    """Return the `extra` of a log line: its class of event, and the script, fire or entry it is about."""
    fields: dict[str, str | None] = {"MESSAGE_ID": event, "SCHEDD_SCRIPT": script}
    if fire is not None:
        fields |= {"SCHEDD_SCRIPT": fire.script, "SCHEDD_RUN_ID": fire.run_id, "SCHEDD_KIND": fire.kind}
        fields["SCHEDD_SLOT"] = None if fire.slot is None else from_slot(fire.slot)
    if entry is not None:
        fields |= {"SCHEDD_SCRIPT": entry.script_path, "SCHEDD_RUN_ID": entry.run_id}
        fields |= {"SCHEDD_KIND": entry.kind, "SCHEDD_SLOT": entry.slot}
        fields |= {"SCHEDD_STATUS": entry.status, "SCHEDD_REASON": entry.reason}
    return {name: value for name, value in fields.items() if value is not None}


def configure(
    level: int | str,
    *,
    environ: Mapping[str, str] | None = None,
    fd: int = STDERR,
    journal_socket: str = JOURNAL_SOCKET,
) -> "Lines":
    """Send all log lines of this process where they belong; return the handler, which counts its drops.

    `fd` is stderr; JOURNAL_STREAM in `environ` (systemd.exec(5)) tells whether that is the journal.
    """
    journal_stream = (os.environ if environ is None else environ).get("JOURNAL_STREAM")
    if journal_stream is not None and _is_journal(fd, journal_stream):
        journal = Journal(journal_socket)
        handler = Lines(_JournalSink(journal), "%(message)s", journal)
    elif os.isatty(fd):
        handler = Lines(_StreamSink(fd, prefixed=False), "%(asctime)s %(levelname)-7s %(message)s")
    else:
        handler = Lines(_StreamSink(fd, prefixed=True), "%(message)s")
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    return handler


class Journal:
    """journald's native socket, for the daemon's lines and for what its scripts print."""

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(0)

    def send(self, fields: Mapping[str, str]) -> bool:
        """Send one entry at once; False when journald has no room for it, or is not there.

        Names are this program's own constants: journald silently drops a field whose name has other
        characters than A-Z, 0-9 and _, begins with a digit or _, or is longer than 64.
        """
        entry = b"".join(_framed(name, value) for name, value in fields.items())
        try:
            self._socket.sendto(entry, self._path)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


class Lines(logging.Handler):
    """Log lines that nobody waits for: what finds no room is counted, and said as soon as there is room."""

    def __init__(self, sink: "Sink", layout: str, journal: Journal | None = None) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(layout, "%H:%M:%S"))
        self.journal = journal
        """None when the lines go elsewhere."""
        self.dropped = 0
        """Lines lost since the start."""
        self._sink = sink
        self._unsaid = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line, after the number of those that were lost before it."""
        if self._unsaid and self._sent(_lost(self._unsaid)):
            self._unsaid = 0
        if not self._sent(record):
            self.dropped += 1
            self._unsaid += 1

    def close(self) -> None:
        """Let go of what the lines went to."""
        super().close()
        self._sink.close()

    def _sent(self, record: logging.LogRecord) -> bool:
        try:
            text = self.format(record)
        except (TypeError, ValueError, KeyError):
            # Its arguments do not fit: a mistake in the program, but no reason to lose the line.
            text = f"{record.msg} {record.args!r}"
        return self._sink.put(record, text)


class Sink(Protocol):
    """Takes lines without waiting."""

    def put(self, record: logging.LogRecord, text: str) -> bool:
        """Take one line; False if there is no room for it."""

    def close(self) -> None:
        """Take no more."""


def _is_journal(fd: int, journal_stream: str) -> bool:
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return journal_stream == f"{status.st_dev}:{status.st_ino}"


class _JournalSink:
    """Lines as entries with fields."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def put(self, record: logging.LogRecord, text: str) -> bool:
        """Send a line with its source and what its `extra` says."""
        fields = {
            "MESSAGE": text,
            "PRIORITY": str(_priority(record.levelno)),
            "SYSLOG_IDENTIFIER": IDENTIFIER,
            "CODE_FILE": record.pathname,
            "CODE_LINE": str(record.lineno),
            "CODE_FUNC": record.funcName or "",
        }
        fields |= {name: str(getattr(record, name)) for name in FIELDS if hasattr(record, name)}
        return self._journal.send(fields)

    def close(self) -> None:
        """Close the journal's socket."""
        self._journal.close()


class _StreamSink:
    """Lines as text, each line of a message a line of its own."""

    def __init__(self, fd: int, *, prefixed: bool) -> None:
        self._fd = fd
        self._prefixed = prefixed
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def put(self, record: logging.LogRecord, text: str) -> bool:
        """Write a message; False if it (or the rest of it) found no room."""
        prefix = f"<{_priority(record.levelno)}>" if self._prefixed else ""
        lines = text[:VALUE_BYTES].translate(_VISIBLE).split("\n")
        written = prefix + f"\n{prefix}  ".join(lines) + "\n"
        return self._write(written.encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Leave stderr open: it is not ours alone."""

    def _write(self, data: bytes) -> bool:
        for start in range(0, len(data), ATOMIC_BYTES):
            try:
                if not self._poll.poll(0):
                    return False
                os.write(self._fd, data[start : start + ATOMIC_BYTES])
            except OSError:
                return False
        return True


_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
"""Control characters are shown, not obeyed: names of files and of clients come from others."""


def _framed(name: str, value: str) -> bytes:
    """Write a field so that no newline in its value can begin another field."""
    data = value.encode("utf-8", "backslashreplace")
    if len(data) > VALUE_BYTES:
        data = data[:VALUE_BYTES].decode("utf-8", "ignore").encode() + "…".encode()
    if b"\n" in data:
        return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(data)), data)
    return b"%s=%s\n" % (name.encode(), data)


def _priority(level: int) -> int:
    return next((priority for least, priority in PRIORITIES if level >= least), DEBUG_PRIORITY)


def _lost(count: int) -> logging.LogRecord:
    text = "%d log lines were lost: whoever reads them did not keep up"
    return logging.LogRecord(IDENTIFIER, logging.WARNING, __file__, 0, text, (count,), None)
