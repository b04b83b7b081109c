"""The header of a script: which directives its leading comments hold, and where.

The header is the whole definition of a schedule, so reading it is made dull on purpose: bytes in, a frozen
`Header` out, no file, no clock, no exception. What the author got wrong is a value, a `Problem` with line
and column, and reading goes on behind it, so that one look at a file names everything there is to mend.

The grammar is one of lines, the same for every language. Parsing each language's own comments was
rejected: a header would then mean different things in `.py` and `.sql`, and a file without a known
extension could have none. What the values mean is not decided here but in `schedd.scripts.registration`.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from schedd.fire import Reason
from schedd.scripts import near_misses

HEADER_BYTES = 16 * 1024
"""A header ends here at the latest, so that a huge file costs one small read."""

SUPPORTED = (
    "schedule",
    "timezone",
    "jitter",
    "calendar",
    "timeout",
    "schedule-timeout",
    "enabled",
    "token",
    "websocket",
    "description",
    "label",
    "tags",
    "tag",
    "overlap",
    "concurrent",
    "lock",
    "catchup",
    "deadline",
    "retry",
    "requires",
    "expect",
    "env",
    "env-file",
    "cwd",
    "umask",
    "nice",
    "user",
    "group",
    "memory",
    "cpu",
    "pids",
    "shell-limit",
    "files",
    "runtime",
    "mode",
    "detach",
)
"""The directives that mean something to this version, in the order of the documentation."""

UNSUPPORTED = ("notify",)
"""Reserved names: a script that relies on one is refused rather than run without it."""

REPEATABLE = frozenset({"env", "token", "tag", "expect"})

_KNOWN = frozenset(SUPPORTED + UNSUPPORTED)

_PREFIXES = ("//", "#", "--", ";")
_STRICT = re.compile(r"""(['"])use strict\1\s*;?""")
# Each of these reads a line once from left to right: no two neighbouring repeats can match the same text.
_COMMENT = re.compile(
    r"\s*(?P<prefix>//+|#+|--+|;+)(?P<gap>\s*)@(?P<name>[A-Za-z]\S*)(?:\s+(?P<value>.*))?", re.DOTALL
)
_IN_BLOCK = re.compile(r"[\s*]*@(?P<name>[A-Za-z]\S*)(?:\s+(?P<value>.*))?", re.DOTALL)
# A schedule out of place: `@schedule` and what an expression could begin with, not a word of prose.
_ASTRAY = re.compile(rb"""\s*(?://+|#+|--|;|/?\*+|<!--|REM|%|')?\s*(?P<at>@)schedule\s+['"]?\s*[@*H0-9]""")

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a script was not registered, or (as a warning) what looks wrong about it."""

    path: str
    """Relative to the scripts directory; `.` is that directory itself."""
    reason: str
    line: int | None = None
    """Counted from 1; None when the file as a whole is meant."""
    column: int | None = None
    """Counted from 1, in characters."""
    cause: Reason = Reason.PREFLIGHT
    """Which kind of refusal it is, for the fires log: preflight, unreadable, unsafe or websocket."""

    def __str__(self) -> str:
        """Write it as compilers do, `path:line:column: reason`, so that editors can jump there."""
        place = self.path if self.line is None else f"{self.path}:{self.line}:{self.column or 1}"
        return f"{place}: {self.reason}"


class Directive(msgspec.Struct, frozen=True, gc=False):
    """One `@name value` line; `value` is unquoted and stripped, and empty when the name stands alone."""

    name: str
    value: str
    line: int
    column: int
    """Of the value's first character; of the `@` when there is no value."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the leading comments of a file say."""

    directives: tuple[Directive, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    nearly: tuple[Problem, ...] = ()
    """Those warnings which say that `@schedule` itself was almost written; they count in any file."""
    cut: Problem | None = None
    """The warning that the header goes on beyond what is read; it counts in any file that is a program."""

    def get(self, name: str) -> Directive | None:
        """Return the (first) directive of this name."""
        return next((found for found in self.directives if found.name == name), None)

    def all(self, name: str) -> tuple[Directive, ...]:
        """Return all directives of this name, in the order of the file."""
        return tuple(found for found in self.directives if found.name == name)


def has_schedule(data: bytes) -> bool:
    """Tell quickly whether `read_header` could find `@schedule` in these bytes; False is certain."""
    return data.find(b"@schedule", 0, HEADER_BYTES) >= 0 or data[:2] in _UTF16


def may_have_directives(data: bytes) -> bool:
    """Tell quickly whether `read_header` could find anything at all (a misspelt `@schedul`, say)."""
    return data.find(b"@", 0, HEADER_BYTES) >= 0


def read_header(data: bytes, path: str = "") -> Header:
    """Read the header from the first bytes of a file; `path` is what its problems will name.

    Give one byte more than `HEADER_BYTES` of a longer file: that is how a cut-off header is noticed.
    """
    reader = _Reader(path)
    reader.read(data)
    return Header(
        tuple(reader.directives),
        tuple(reader.problems),
        tuple(reader.warnings),
        tuple(reader.nearly),
        reader.cut,
    )


class _Reader:
    """Goes through the lines of one file; at most one comment block is entered."""

    def __init__(self, path: str) -> None:
        self.directives: list[Directive] = []
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.nearly: list[Problem] = []
        self.cut: Problem | None = None
        self._first: dict[str, int] = {}
        """In which line each directive stands first."""
        self._path = path
        self._in_block = False
        self._had_block = False
        self._is_second = False
        self._is_utf8 = True

    def read(self, data: bytes) -> None:
        if data[:2] in _UTF16:
            self._not_utf8("UTF-16", line=1, column=1)
            data = data[: HEADER_BYTES - 2].decode("utf-16", "replace").encode()
        self._check_line_ends(data[:HEADER_BYTES].removeprefix(_BOM))
        line, lines = 0, enumerate(_lines(data), 1)
        for line, raw in lines:
            text = raw.decode("utf-8", "surrogateescape").removesuffix("\r")
            if not self._line(text, line=line, shift=0):
                self._look_on(itertools.chain([(line, raw)], lines), code=line)
                return
        if len(data) > HEADER_BYTES and line and self._goes_on(_cut_off(data)):
            kib = HEADER_BYTES // 1024
            reason = f"the header goes on beyond {kib} KiB: nothing behind line {line} is read"
            self.cut = self._warn(reason, line=line)

    def _line(self, text: str, *, line: int, shift: int) -> bool:
        """Take one line (or what stands behind a block on it); False when it is code: the header is over."""
        if self._in_block:
            return self._block(text, line=line, shift=shift)
        stripped = text.lstrip()
        if not stripped.startswith(_PREFIXES):
            if stripped.startswith("/*"):
                return self._open(text, line=line, shift=shift)
            return not stripped or _STRICT.fullmatch(stripped.rstrip()) is not None
        self._check_encoding(text, line=line, shift=shift)
        if line == 1 and stripped.startswith("#!"):
            return True
        if match := _COMMENT.match(text):
            prefix, gap = match["prefix"], match["gap"]
            if gap and prefix in _PREFIXES:
                self._directive(match, line=line, shift=shift)
            elif match["name"] in _KNOWN:
                spelt = next(known for known in _PREFIXES if prefix.startswith(known))
                what = f"`{_shown(prefix + gap)}@{match['name']}` is a plain comment"
                self._miss(match["name"], what, f"{spelt} @{match['name']}", line=line)
        return True

    def _goes_on(self, raw: bytes) -> bool:
        """Tell whether the line that the limit cuts in two still looks like a comment."""
        stripped = raw.decode("utf-8", "surrogateescape").lstrip()
        return self._in_block or not stripped or stripped.startswith((*_PREFIXES, "/"))

    def _open(self, text: str, *, line: int, shift: int) -> bool:
        start = text.index("/*")
        self._is_second = self._had_block
        self._in_block = self._had_block = True
        return self._block(text[start + 2 :], line=line, shift=shift + start + 2)

    def _block(self, text: str, *, line: int, shift: int) -> bool:
        inside, end, rest = text.partition("*/")
        match = _IN_BLOCK.match(inside)
        if self._is_second:
            is_schedule = match is not None and match["name"] == "schedule"
            if is_schedule and all(found.name != "schedule" for found in self.directives):
                self._miss("schedule", "only the first comment block is read", "// @schedule", line=line)
            return not end
        self._check_encoding(text, line=line, shift=shift)
        if match and end and rest[:1].isdigit():
            self._ended_by_value(text, line=line, shift=shift, column=shift + len(inside) + 1)
            return False
        if match:
            self._directive(match, line=line, shift=shift)
        if not end:
            return True
        self._in_block = False
        return self._line(rest, line=line, shift=shift + len(inside) + 2)

    def _ended_by_value(self, text: str, *, line: int, shift: int, column: int) -> None:
        """`*/5` in a block ends the block, for the script's language too: say so, once."""
        whole = _IN_BLOCK.match(text.rstrip().removesuffix("*/"))
        assert whole is not None
        self._directive(whole, line=line, shift=shift)
        instead = f"// @{whole['name']} {whole['value'] or ''}".rstrip()
        self._problem(
            f"the `*/` ends the comment block here: write `{_shown(instead)}`", line=line, column=column
        )

    def _look_on(self, lines: Iterable[tuple[int, bytes]], *, code: int) -> None:
        """Point out a schedule in or below the code: nobody reads it, and nobody would know."""
        if self.nearly or any(found.name == "schedule" for found in self.directives):
            return
        for line, raw in lines:
            if b"@schedule" in raw and (match := _ASTRAY.match(raw)):
                where = f"since line {code} is code, which ends the header: move it up"
                if line == code:
                    where = "where it stands in no comment: write `# @schedule` or `// @schedule`"
                reason = f"`@schedule` is not read here, {where}"
                self.nearly.append(self._warn(reason, line=line, column=match.start("at") + 1))
                return

    def _directive(self, match: re.Match[str], *, line: int, shift: int) -> None:
        name = match["name"]
        at = shift + match.start("name")  # the column of the `@`, counted from 1
        if name not in _KNOWN:
            if suggestion := near_misses.suggestion(name, SUPPORTED + UNSUPPORTED):
                what = f"`@{_shown(name)}` is not a directive"
                self._miss(suggestion.split()[0], what, f"@{suggestion}", line=line, column=at)
            return
        value, skipped = _unquoted(match["value"] or "")
        column = shift + match.start("value") + skipped + 1 if value else at
        if not value.isprintable() and (odd := [char for char in value if _is_control(char)]):
            reason = f"@{name} holds the control character U+{ord(odd[0]):04X}: remove it"
            self._problem(reason, line=line, column=column)
            value = "".join(char for char in value if char not in odd)
        first = self._first.setdefault(name, line)
        if first != line and name not in REPEATABLE:
            self._problem(f"@{name} stands twice, first in line {first}: keep one", line=line, column=at)
            return
        self.directives.append(Directive(name, value, line, column))

    def _check_line_ends(self, data: bytes) -> None:
        if b"@schedule" not in data:
            return
        first, newline, _ = data.partition(b"\n")
        if newline and first.startswith(b"#!") and first.endswith(b"\r"):
            self._warn("the #! line ends in CR LF, which hides the interpreter: use LF line ends", line=1)
        elif not newline and b"\r" in first.rstrip():
            what = "the lines end in CR alone, so that all are one: use LF line ends"
            self.nearly.append(self._warn(what, line=1))

    def _check_encoding(self, text: str, *, line: int, shift: int) -> None:
        if not self._is_utf8 or text.isascii():
            return
        odd = next((index for index, char in enumerate(text) if "\udc80" <= char <= "\udcff"), None)
        if odd is not None:
            self._not_utf8(f"byte 0x{ord(text[odd]) - 0xDC00:02x}", line=line, column=shift + odd + 1)

    def _not_utf8(self, what: str, *, line: int, column: int) -> None:
        self._is_utf8 = False
        self._problem(f"the header is not UTF-8 ({what}): save the file as UTF-8", line=line, column=column)

    def _problem(self, reason: str, *, line: int, column: int) -> None:
        self.problems.append(Problem(self._path, reason, line, column))

    def _warn(self, reason: str, *, line: int, column: int = 1) -> Problem:
        warning = Problem(self._path, reason, line, column)
        self.warnings.append(warning)
        return warning

    def _miss(self, name: str, what: str, instead: str, *, line: int, column: int = 1) -> None:
        warning = self._warn(f"{what}: did you mean `{instead}`?", line=line, column=column)
        if name == "schedule":
            self.nearly.append(warning)


def _lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines of the header's bytes, but not the one that the limit cuts in two."""
    lines = data[:HEADER_BYTES].removeprefix(_BOM).split(b"\n")
    if len(data) > HEADER_BYTES:
        lines.pop()
    return iter(lines)


def _cut_off(data: bytes) -> bytes:
    """Return what there is of the line that the limit cuts in two."""
    return data[:HEADER_BYTES].rpartition(b"\n")[2]


def _is_control(char: str) -> bool:
    return char != "\t" and unicodedata.category(char) == "Cc"


def _unquoted(raw: str) -> tuple[str, int]:
    """Return the value without its quotes, and how many characters of `raw` stand before it."""
    value = raw.rstrip()
    quote = value[:1]
    if len(value) >= 2 and quote in {"'", '"'} and value[-1] == quote and quote not in value[1:-1]:
        inner = value[1:-1]
        return inner.strip(), 1 + len(inner) - len(inner.lstrip())
    return value, 0


def _shown(text: str) -> str:
    """Quote the file: short, and without what a terminal or JSON could not take."""
    short = text if len(text) <= 60 else text[:59] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)
