"""What systemd entrusted to the daemon (systemd.exec(5), LoadCredential=): values that must not be shown.

They are read to be recognised in what scripts print, and for nothing else: never logged, never told. A value
is the file's content without the newline at its end; of one with several lines, such as a private key, each
line is a value too, since people print files line by line.
"""

import logging
import os

SHORTEST_BYTES = 4
"""Shorter ones stand in ordinary words."""
SHORTEST_LINE_BYTES = 16
"""A line of a file is more likely than a whole file to be a word that anybody prints."""
LONGEST_BYTES = 4 * 1024
"""A longer content is recognised by its lines."""
FILE_BYTES = 64 * 1024
MOST_FILES = 100
MOST_VALUES = 200
"""Each is looked for in all that is printed."""

_log = logging.getLogger(__name__)


def values(directory: str | None) -> tuple[str, ...]:
    """Return the values of the files in CREDENTIALS_DIRECTORY (None = there is none). Blocking, but brief."""
    found: dict[str, None] = {}
    for name in _names(directory) if directory else ():
        for value in _values(os.path.join(directory or "", name)):
            found[value] = None
    if len(found) > MOST_VALUES:
        _log.warning("the credentials have more than %d lines: the rest is not redacted", MOST_VALUES)
    return tuple(found)[:MOST_VALUES]


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))[:MOST_FILES]
    except OSError as error:
        _log.warning("the credentials in %s are not redacted: %s", directory, error.strerror)
        return []


def _values(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            content = file.read(FILE_BYTES + 1)
    except OSError as error:
        _log.warning("the credential %s is not redacted: %s", path, error.strerror)
        return []
    if len(content) > FILE_BYTES:
        _log.warning("the credential %s is not redacted: it is larger than %d bytes", path, FILE_BYTES)
        return []
    whole = content.rstrip(b"\r\n")
    lines = [line.strip() for line in whole.split(b"\n")]
    found = [whole] if SHORTEST_BYTES <= len(whole) <= LONGEST_BYTES else []
    if len(lines) > 1:
        found += [line for line in lines if len(line) >= SHORTEST_LINE_BYTES and not line.startswith(b"---")]
    return [value.decode(errors="surrogateescape") for value in found]
