"""One value: from what a file, the environment or a flag says to what the daemon uses.

A reader takes a value as TOML has it and raises ValueError with the rest of a sentence ("found …; write
…"), to which the caller adds the place and the name. The environment and the flags only have text:
`from_text` makes of it what a TOML file would have said.

A duration needs its unit: `grace = 10` would be ten milliseconds to a directive and ten seconds to
whoever wrote it, so it is refused. A bare number for a size is bytes, which nobody reads otherwise.
"""

import contextlib
import json
import os
import re
import tomllib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from schedd.config.address import Address
from schedd.config.settings import DAY_MS, Kind, LogLevel, Setting
from schedd.errors import TimetableError
from schedd.timetable import duration, zone

SOCKET_PATH_BYTES = 107
"""What sun_path holds (unix(7)), without its final zero."""
LIST_LENGTH = 1000
SHORTEST_TEXT = 4
"""Shorter ones stand in ordinary words, and an output full of holes tells nobody anything."""
MOST_PATTERNS = 32
PATTERN_CHARS = 256
"""Each is looked for in all that is printed."""
MAX_PORT = 65_535
MAX_UID = (1 << 32) - 2

_ENDS_OF_TEXT = re.compile(r"(?<!\\)(?:\\\\)*\\[AZG]")

SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
LISTS = frozenset({Kind.TEXTS, Kind.PATTERNS, Kind.ORIGINS, Kind.HOSTS, Kind.UIDS, Kind.USERS, Kind.MODULES})


def read(setting: Setting, value: object) -> Any:
    """Return the value of a setting as `Config` holds it.

    Raises ValueError: what was found and what to write.
    """
    return _READERS[setting.kind](setting, value)


def from_text(setting: Setting, text: str) -> object:
    """Return what a TOML file would have said for this text of the environment or of a flag.

    A list is separated by commas, or written as in TOML when an item has a comma itself.
    """
    if setting.kind is Kind.FLAG:
        return {"true": True, "false": False}.get(text, text)
    if setting.kind is Kind.COUNT:
        return _number(text)
    if setting.kind in LISTS:
        return _list_from_text(setting, text)
    return text


def as_toml(value: object) -> str:
    """Write a value as in a TOML file."""
    return json.dumps(value, ensure_ascii=False)


def _number(text: str) -> object:
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _list_from_text(setting: Setting, text: str) -> object:
    if text.lstrip().startswith("["):
        try:
            return tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            return text
    items = [item.strip() for item in text.split(",") if item.strip()]
    return [_number(item) for item in items] if setting.kind is Kind.UIDS else items


def _found(value: object, write: str) -> ValueError:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    what = _TYPES.get(type(value), "a value of another kind")
    shortened = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return ValueError(f"found {shortened}, {what}; write {write}")


_TYPES = {
    str: "a text",
    bool: "a truth value",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def _bounded(setting: Setting, number: int, value: object, show: Callable[[int], str]) -> int:
    if setting.least <= number <= setting.most:
        return number
    raise _found(value, f"something from {show(setting.least)} to {show(setting.most)}")


def _duration(setting: Setting, value: object) -> int:
    return _bounded(setting, _duration_ms(value), value, lambda ms: f"{ms // DAY_MS}d")


def _duration_ms(value: object) -> int:
    if value in (0, "0") and not isinstance(value, bool):
        return 0
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return duration.parse_ms(value)
    raise _found(value, 'a duration with its unit, such as "10s" or "1h30m"')


def _size(setting: Setting, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return _bounded(setting, value, value, size_text)
    if isinstance(value, str) and (match := re.fullmatch(r"([0-9]{1,15})([KMG]?)", value.strip())):
        return _bounded(setting, int(match[1]) * SIZE_UNITS[match[2]], value, size_text)
    raise _found(value, 'a size, such as "64K", "32M" or "1G"')


def size_text(size_bytes: int) -> str:
    """Write a size in the largest unit that fits without a remainder."""
    for unit in ("G", "M", "K"):
        if size_bytes and size_bytes % SIZE_UNITS[unit] == 0:
            return f"{size_bytes // SIZE_UNITS[unit]}{unit}"
    return str(size_bytes)


def _count(setting: Setting, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return _bounded(setting, value, value, str)
    raise _found(value, "a whole number")


def _flag(_setting: Setting, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _found(value, "true or false")


def _text(value: object, write: str) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    raise _found(value, write)


def _directory(_setting: Setting, value: object) -> str:
    write = 'an absolute path, such as "/etc/schedd/scripts"'
    text = _text(value, write)
    if not os.path.isabs(text):
        raise _found(value, write)
    return os.path.normpath(text)


def _socket(_setting: Setting, value: object) -> str | None:
    write = 'an absolute path, such as "/run/schedd/api.sock", or "" for none'
    text = _text(value, write)
    if not text:
        return None
    if not os.path.isabs(text):
        raise _found(value, write)
    if len(os.fsencode(text)) > SOCKET_PATH_BYTES:
        raise _found(
            value, f"a path of at most {SOCKET_PATH_BYTES} bytes, which is what a socket's name may have"
        )
    return os.path.normpath(text)


def _address(_setting: Setting, value: object) -> Address | None:
    write = '"HOST:PORT", such as "127.0.0.1:8173" or "[::1]:8173", or "" for none'
    text = _text(value, write)
    if not text:
        return None
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", text)
    if match is None or int(match[3]) > MAX_PORT:
        raise _found(value, write)
    return Address(match[1] or match[2], int(match[3]))


def _zone(_setting: Setting, value: object) -> str:
    write = 'an IANA time zone, such as "UTC" or "Europe/Berlin"'
    text = _text(value, write)
    if text == "UTC":
        # The usual one; to look for its name among all zones takes longer than all the rest here.
        return text
    try:
        return zone.load(text).name
    except TimetableError as problem:
        raise ValueError(str(problem).removesuffix(".")) from None


def _program(_setting: Setting, value: object) -> str | None:
    write = 'an absolute path, such as "/usr/bin/python3", or "" to have it found'
    text = _text(value, write)
    if text and not os.path.isabs(text):
        raise _found(value, write)
    return text or None


def _file(_setting: Setting, value: object) -> str | None:
    write = 'an absolute path, such as "/etc/schedd/tls.pem", or "" for none'
    text = _text(value, write)
    if text and not os.path.isabs(text):
        raise _found(value, write)
    return text or None


def _search_path(_setting: Setting, value: object) -> str:
    write = 'absolute directories joined by ":", such as "/usr/local/bin:/usr/bin:/bin"'
    text = _text(value, write)
    if not text or not all(os.path.isabs(part) for part in text.split(":")):
        raise _found(value, write)
    return text


def _level(_setting: Setting, value: object) -> LogLevel:
    try:
        return LogLevel(_text(value, "").lower())
    except ValueError:
        raise _found(value, f"one of {', '.join(LogLevel)}") from None


def _items(value: object, write: str) -> list[object]:
    if isinstance(value, list) and len(value) <= LIST_LENGTH:
        return value
    raise _found(value, write)


def _texts(_setting: Setting, value: object) -> tuple[str, ...]:
    write = f'a list of texts of at least {SHORTEST_TEXT} characters, such as ["hunter2"]'
    items = tuple(_text(item, write) for item in _items(value, write))
    for item in items:
        if len(item) < SHORTEST_TEXT:
            raise _found(item, write)
    return items


def _patterns(_setting: Setting, value: object) -> tuple[str, ...]:
    bounds = f"at most {MOST_PATTERNS} patterns of at most {PATTERN_CHARS} characters"
    write = f'{bounds}, such as ["ghp_[A-Za-z0-9]{{36}}"]'
    items = tuple(_text(item, write) for item in _items(value, write))
    if len(items) > MOST_PATTERNS or any(len(item) > PATTERN_CHARS for item in items):
        raise _found(value, write)
    for item in items:
        problem = _pattern_problem(item)
        if problem is not None:
            raise ValueError(f"found {as_toml(item)}, {problem}")
    return items


def _pattern_problem(text: str) -> str | None:
    """Return the rest of a sentence about what cannot be looked for in lines of bytes."""
    # As large as all the rest here, and most configurations have no pattern.
    import regex  # noqa: PLC0415

    try:
        pattern = regex.compile(text.encode(), regex.MULTILINE)
    except regex.error as error:
        return f"which is no regular expression: {error}; write one, and \\ before what is meant literally"
    if _ENDS_OF_TEXT.search(text) or pattern.flags & regex.REVERSE:
        return "which looks for the ends of a text, or backwards; write ^ and $ for the ends of a line"
    if pattern.search(b"") is not None:
        return "which matches nothing at all; write one that needs at least one character"
    return None


def _origins(_setting: Setting, value: object) -> tuple[str, ...]:
    write = 'a list of origins, such as ["https://status.example.org"]'
    items = tuple(_text(item, write) for item in _items(value, write))
    for item in items:
        if not re.fullmatch(r"https?://[^/?#@\s*]+", item) or not urlsplit(item).hostname:
            raise _found(item, write)
    return tuple(item.lower() for item in items)


def _hosts(_setting: Setting, value: object) -> tuple[str, ...]:
    write = 'a list of host names without port, such as ["schedd.example.org"]'
    items = tuple(_text(item, write) for item in _items(value, write))
    for item in items:
        if not re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", item):
            raise _found(item, write)
    return tuple(item.lower() for item in items)


def _uids(_setting: Setting, value: object) -> tuple[int, ...]:
    write = "a list of user ids, such as [1000, 1001]"
    uids = []
    for item in _items(value, write):
        if not isinstance(item, int) or isinstance(item, bool) or not 0 <= item <= MAX_UID:
            raise _found(item, write)
        uids.append(item)
    return tuple(uids)


def _users(_setting: Setting, value: object) -> tuple[str, ...]:
    write = 'a list of user names, such as ["backup", "www-data"]'
    items = tuple(_text(item, write) for item in _items(value, write))
    for item in items:
        if not re.fullmatch(r"[A-Za-z_][^\s:/]*", item):
            raise _found(item, write)
    return items


def _modules(_setting: Setting, value: object) -> tuple[str, ...]:
    write = 'a list of Python modules, such as ["json", "urllib.request"]'
    items = tuple(_text(item, write) for item in _items(value, write))
    for item in items:
        if not all(part.isidentifier() for part in item.split(".")):
            raise _found(item, write)
    return items


_READERS: dict[Kind, Callable[[Setting, object], Any]] = {
    Kind.DIRECTORY: _directory,
    Kind.SOCKET: _socket,
    Kind.ADDRESS: _address,
    Kind.ZONE: _zone,
    Kind.DURATION: _duration,
    Kind.SIZE: _size,
    Kind.COUNT: _count,
    Kind.PROGRAM: _program,
    Kind.FILE: _file,
    Kind.SEARCH_PATH: _search_path,
    Kind.FLAG: _flag,
    Kind.LEVEL: _level,
    Kind.TEXTS: _texts,
    Kind.PATTERNS: _patterns,
    Kind.ORIGINS: _origins,
    Kind.HOSTS: _hosts,
    Kind.UIDS: _uids,
    Kind.USERS: _users,
    Kind.MODULES: _modules,
}
