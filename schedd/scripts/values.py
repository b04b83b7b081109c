"""What the text behind one directive means.

Each function takes a value as it was written and returns what it means, or raises ValueError with a
sentence that says what to write instead. None knows where the text stands, and none guesses: a number
without a unit, or a word that is nearly one of ours, is refused, since a script that is run by a rule which
its author did not mean is worse than one that is not registered.
"""

import posixpath
import re
from collections.abc import Container

from schedd.schedule import Catchup, Lock, Mode, Overlap, Requirement, Retry
from schedd.timetable import duration, jitter
from schedd.timetable.observance import How

LONGEST_TIMEOUT_MS = 365 * 24 * 3600 * 1000
"""A year: whoever means more means `unlimited`, and a mistyped unit should not pass for it."""

MOST_RUNS = 1000
"""The largest `@concurrent N`; beyond any machine, so that N stays a number one can think about."""

MOST_RETRIES = 100
"""Beyond it a script is not retried but kept running."""

LONGEST_RETRY_MS = 7 * 24 * 3600 * 1000
"""After a week somebody has looked, or nobody will."""

SHORTEST_CATCHUP_MS = 60_000
"""A slot less than a minute late fires late, whoever was away, and is not caught up."""

MOST_REQUIREMENTS = 50
"""Each is looked at before each run."""

_UNLIMITED = frozenset({"0", "unlimited", "none"})
_OVERLAPS = {overlap.value: overlap for overlap in Overlap} | {
    "Forbid": Overlap.SKIP,
    "Replace": Overlap.REPLACE,
    "Allow": Overlap.ALLOW,
}
_RUNTIMES = ("python", "node", "program")
_NUMBER = re.compile(r"[0-9]{1,15}")
_UMASK = re.compile(r"0?[0-7]{3}")
_NICE = re.compile(r"[+-]?[0-9]{1,2}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CALENDAR_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LOCK_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,99}")
_REQUIREMENT_KINDS = ("cmd", "file", "env")


class MisplacedError(ValueError):
    """What is wrong with a value, and at which of its characters (counted from 0)."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.at = at


def needed(text: str) -> str:
    """Return any text but none."""
    if not text:
        raise ValueError("it needs a value")
    return text


def boolean(text: str) -> bool:
    """Return `true` or `false`."""
    if text not in {"true", "false"}:
        raise ValueError(f"{quoted(text)} is neither: write true or false")
    return text == "true"


def flag(text: str) -> bool:
    """Return a boolean that is true when its name stands alone."""
    return not text or boolean(text)


def timeout(text: str) -> int:
    """Return a limit in milliseconds; 0 = unlimited."""
    if text in _UNLIMITED:
        return 0
    advice = "write a duration such as 90s, 20m or 1h30m, a number of milliseconds, or unlimited"
    if _NUMBER.fullmatch(text):
        limit_ms = int(text)
    else:
        try:
            limit_ms = duration.parse_ms(text)
        except ValueError as wrong:
            raise ValueError(f"{quoted(text)} is not a time limit: {advice}") from wrong
    if limit_ms > LONGEST_TIMEOUT_MS:
        raise ValueError(f"{quoted(text)} is longer than 365d: write a shorter one, or unlimited")
    if limit_ms == 0:
        raise ValueError(f"{quoted(text)} is no time at all: {advice}")
    return limit_ms


def jitter_s(text: str) -> int:
    """Return the seconds below which slots are moved; 0 = they are not."""
    if text == "0":
        return 0
    length_ms = _length_ms(text, least_ms=1000, most_ms=jitter.MAX_S * 1000)
    if length_ms % 1000:
        raise ValueError(f"{quoted(text)} is not a number of whole seconds, and slots are")
    return length_ms // 1000


def overlap(text: str) -> Overlap:
    """Return the policy, by our name for it or by Kubernetes'."""
    if text not in _OVERLAPS:
        raise ValueError(f"{quoted(text)} is not a policy: write {', '.join(Overlap)}")
    return _OVERLAPS[text]


def concurrent(text: str) -> int | None:
    """Return how many runs may be alive at once; None = as many as come due."""
    if text in {"true", "false"}:
        return None if text == "true" else 1
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MOST_RUNS:
        raise ValueError(f"{quoted(text)} will not do: write true, false or a number from 1 to {MOST_RUNS}")
    return int(text)


def lock(text: str) -> Lock:
    """Return the name of a lock, and how many runs may have it at once."""
    name, colon, slots = text.partition(":")
    if not _LOCK_NAME.fullmatch(name):
        rule = "write up to 100 letters, digits and - _ . /, as in `database` or `database:2`"
        raise ValueError(f"{quoted(name)} is not a name for a lock: {rule}")
    if not colon:
        return Lock(name)
    if not _NUMBER.fullmatch(slots) or not 1 <= int(slots) <= MOST_RUNS:
        advice = f"write a number from 1 to {MOST_RUNS} behind the colon, or only `{name}` for 1"
        raise MisplacedError(f"{quoted(slots)} runs at once will not do: {advice}", len(name) + 1)
    return Lock(name, int(slots))


def calendar(text: str) -> tuple[str, How]:
    """Return the name of a calendar, and what becomes of a slot that it closes."""
    forms = "write `holidays skip`, `holidays next` or `holidays previous`"
    name, *how = text.split() or [""]
    if not name or len(how) > 1:
        raise ValueError(f"{quoted(text)} is not understood: {forms}")
    if not _CALENDAR_NAME.fullmatch(name):
        rule = "write up to 100 letters, digits and - _ ., the name of a file in the calendars directory"
        raise ValueError(f"{quoted(name)} is not a name for a calendar: {rule}")
    if not how:
        raise ValueError(f"{quoted(text)} does not say what becomes of a closed slot: {forms}")
    if how[0] not in set(How):
        raise MisplacedError(f"{quoted(how[0])} is not understood: {forms}", text.rindex(how[0]))
    return name, How(how[0])


def catchup(text: str) -> tuple[Catchup, int | None]:
    """Return what happens to missed slots, and how old they may be in milliseconds (None = any age)."""
    policy, *bound = text.split() or [""]
    if policy not in set(Catchup):
        raise ValueError(f"{quoted(text)} is not a policy: write none, last or all, or `last within 6h`")
    if not bound:
        return Catchup(policy), None
    if bound[0] != "within" or len(bound) != 2:
        raise ValueError(f"{quoted(text)} is not understood: write `{policy}`, or `{policy} within 6h`")
    if policy == Catchup.NONE:
        raise ValueError(f"none catches up nothing, however old: write `none`, or `last {' '.join(bound)}`")
    return Catchup(policy), _length_ms(bound[1], least_ms=SHORTEST_CATCHUP_MS, most_ms=LONGEST_TIMEOUT_MS)


def deadline(text: str) -> int:
    """Return in milliseconds how late a slot may start."""
    return _length_ms(text, least_ms=1000, most_ms=LONGEST_TIMEOUT_MS)


def retry(text: str) -> Retry | None:
    """Return how often a failed fire is tried again, and when; None = it is not."""
    count, *delays = text.split() or [""]
    if count == "0" and not delays:
        return None
    forms = "`3 every 30s`, `5 backoff 10s..10m`, or `0` for none"
    if not _NUMBER.fullmatch(count):
        raise ValueError(f"{quoted(text)} is not understood: write {forms}")
    if not 1 <= int(count) <= MOST_RETRIES:
        raise ValueError(
            f"{quoted(count)} tries will not do: write a number from 1 to {MOST_RETRIES}, or `0`"
        )
    match delays:
        case []:
            raise ValueError(f"{quoted(text)} does not say after how long: write {forms}")
        case ["every", delay]:
            first = most = delay
        case ["backoff", *span] if len(parts := " ".join(span).split("..")) == 2:
            first, most = (part.strip() for part in parts)
        case _:
            raise ValueError(f"{quoted(text)} is not understood: write {forms}")
    return _retry(int(count), first, most)


def token(text: str) -> str:
    """Return one word. The text itself must not appear: problems are shown to everybody."""
    if not text or any(char.isspace() for char in text):
        raise ValueError("write one word without spaces")
    return text


def env(text: str, taken: Container[str]) -> tuple[str, str]:
    """Return the name and the value of an environment variable that is not in `taken`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{quoted(text)} sets nothing: write NAME=value")
    if not _ENV_NAME.fullmatch(name):
        raise ValueError(f"{quoted(name)} is not a name: write letters, digits and _, no space around the =")
    if name.startswith("SCHEDD_"):
        raise ValueError(f"{quoted(name)} is for schedd to set: choose a name without SCHEDD_ before it")
    if name in taken:
        raise ValueError(f"{quoted(name)} is set twice: keep one")
    if len(value) >= 2 and value[0] in {"'", '"'} and value[-1] == value[0]:
        value = value[1:-1]
    return name, value


def env_file(text: str, *, script: str, path: str) -> str:
    """Return an absolute path.

    A relative one belongs to the scripts and stays among them; a file from elsewhere is named in full.
    """
    anchored = directory(text, path=path)
    if not text.startswith("/") and not anchored.startswith(path.removesuffix(script)):
        raise ValueError(f"{quoted(text)} leaves the scripts directory: write its absolute path")
    return anchored


def directory(text: str, *, path: str) -> str:
    """Return an absolute path; a relative one is seen from the script at `path`."""
    needed(text)
    if text.startswith("~"):
        raise ValueError(f"{quoted(text)}: ~ means nobody's home here, write an absolute path")
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), text))


def umask(text: str) -> int:
    """Return a file mode mask."""
    if not _UMASK.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a file mode mask: write three octal digits, for example 027")
    return int(text, 8)


def nice(text: str) -> int:
    """Return a nice value."""
    if not _NICE.fullmatch(text) or not -20 <= int(text) <= 19:
        raise ValueError(f"{quoted(text)} is not a nice value: write a number from -20 to 19")
    return int(text)


def runtime(text: str) -> str:
    """Return one of the runtimes, or an interpreter's path."""
    if text in _RUNTIMES:
        return text
    if not text.startswith("/") or text.endswith("/"):
        names = ", ".join(_RUNTIMES)
        raise ValueError(f"{quoted(text)} is unknown: write {names}, or an interpreter's absolute path")
    return text


def mode(text: str) -> Mode:
    """Return whether an interpreter is kept waiting for the script."""
    if text not in set(Mode):
        raise ValueError(f"{quoted(text)} is not a mode: write {' or '.join(Mode)}")
    return Mode(text)


def requirements(text: str, *, path: str) -> tuple[Requirement, ...]:
    """Return what has to be there; a relative path is seen from the script at `path`."""
    found = [_requirement(word[0], word.start(), path) for word in re.finditer(r"\S+", text)]
    if not found:
        raise ValueError("it needs a value, for example `cmd:pg_dump file:/mnt/backup env:PGHOST`")
    if len(found) > MOST_REQUIREMENTS:
        raise ValueError(f"more than {MOST_REQUIREMENTS} requirements: look at the rest in the script")
    return tuple(dict.fromkeys(found))


def quoted(text: str) -> str:
    """Show a value in a sentence, cut where it would drown the rest."""
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _retry(limit: int, first: str, most: str) -> Retry:
    first_ms = _length_ms(first, least_ms=1000, most_ms=LONGEST_RETRY_MS)
    most_ms = _length_ms(most, least_ms=1000, most_ms=LONGEST_RETRY_MS)
    if first_ms > most_ms:
        raise ValueError(f"{quoted(f'{first}..{most}')} runs backwards: write {most}..{first}")
    return Retry(limit=limit, first_ms=first_ms, most_ms=most_ms)


def _requirement(word: str, at: int, path: str) -> Requirement:
    kind, _, name = word.partition(":")
    place = at + len(kind) + 1
    if kind not in _REQUIREMENT_KINDS:
        kinds = ", ".join(f"{kind}:NAME" for kind in _REQUIREMENT_KINDS)
        raise MisplacedError(f"{quoted(word)} is not a requirement: write {kinds}", at)
    if not name:
        raise MisplacedError(f"{quoted(word)} names nothing: write it without a space behind the colon", at)
    if kind == "env" and not _ENV_NAME.fullmatch(name):
        raise MisplacedError(f"{quoted(name)} is not the name of a variable", place)
    if kind == "cmd" and "/" in name and not name.startswith("/"):
        raise MisplacedError(f"{quoted(name)} is neither a name on PATH nor an absolute path", place)
    if kind != "file":
        return Requirement(kind, name)
    try:
        return Requirement(kind, directory(name, path=path))
    except ValueError as wrong:
        raise MisplacedError(str(wrong), place) from wrong


def _length_ms(text: str, *, least_ms: int, most_ms: int) -> int:
    length_ms = duration.parse_ms(text)
    if length_ms < least_ms:
        raise ValueError(f"{quoted(text)} is too short: write {_spelled(least_ms)} or more")
    if length_ms > most_ms:
        raise ValueError(f"{quoted(text)} is too long: write {_spelled(most_ms)} or less")
    return length_ms


def _spelled(length_ms: int) -> str:
    unit, size_ms = next(
        (unit, size_ms)
        for unit, size_ms in reversed(duration.UNIT_MS.items())
        if length_ms % size_ms == 0 and length_ms >= size_ms
    )
    return f"{length_ms // size_ms}{unit}"
