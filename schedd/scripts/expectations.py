"""What the text behind `@expect` means: four kinds of tests that a run is put to when it has ended.

Read from left to right, so that a complaint can name the character where it went wrong (`MisplacedError`).
Nothing is run here, but what can be known to be wrong is refused: a pattern that does not compile, bounds
that no file can meet, a comparison that JSON has no order for. A test that never holds would turn every run
into a failure, at night.

Patterns are compiled by `regex`, which is what looks for them later. It lays out a counted repeat in full
when it compiles, so `(a{65535}){65535}` is gigabytes; and a pattern that calls itself eats memory for as
long as it is given time. Both are refused by a look at the text.

Rejected: a whole expression language (jq, JMESPath). One comparison can be read by whoever is woken up by
it, and more than that can be said in the script.
"""

import posixpath
import re
from collections.abc import Sequence
from typing import NoReturn

import msgspec
import regex

from schedd.schedule import Expectation, FileTest, JsonTest
from schedd.scripts import limits
from schedd.scripts.values import MisplacedError, quoted
from schedd.timetable import duration

MOST_EXPECTATIONS = 20
"""For one script: the time to look at them all is short."""
MOST_PATTERN_CHARS = 500
MOST_REPEATED = 100_000
"""How long a pattern may be with its counted repeats written out; so long, it takes 40 ms and 40 MB."""
MOST_EXIT_CODE = 255

FORMS = "`exit 0,3`, `stdout /regex/`, `json .rows > 0` or `file PATH size>1M age<1h`"
FLAGS = "ims"

_WORD = re.compile(r"\S+")
_SPACE = re.compile(r"\s*")
_CODES = re.compile(r"[^\s,]+")
_RANGE = re.compile(r"([0-9]{1,3})(?:(?:-|\.\.)([0-9]{1,3}))?")
_PATTERN = re.compile(r"/(?P<pattern>.*)/(?P<flags>[A-Za-z]*)")
# What is repeated is a group, or repeated already; or else one character, or one set of them.
_REPEAT = re.compile(r"(?P<much>[)}+*?]\s*)?\{\s*(?P<least>[0-9]+)")
_CALLS_ITSELF = re.compile(r"(?<!\\)(?:\\\\)*\(\?(?:R|[+-]?[0-9]|&|P>)")
_ROOT = re.compile(r"\$(?=[.\[])")
_WHOLE = re.compile(r"\.(?=\s|[<>=!]|$)")
_NAME_STEP = re.compile(r"\.([^\W\d](?:[\w-]*\w)?)")
_TEXT_STEP = re.compile(r'\.?\[\s*("(?:[^"\\]|\\.)*")\s*\]')
_INDEX_STEP = re.compile(r"\.?\[\s*(-?[0-9]{1,9})\s*\]")
_OPERATOR = re.compile(r"==|!=|<=|>=|[<>=]")
_QUOTED_PATH = re.compile(r"""(["'])(?P<path>.+?)\1(?=\s|$)""")
_BOUND = re.compile(r"(?P<what>size|age)\s*(?P<operator>[<>=!]+)\s*(?P<value>\S*)")


def read(text: str, *, directory: str, beside: Sequence[Expectation] = ()) -> Expectation:
    """Return a test; a relative path of a file is seen from the (absolute) directory.

    Args:
        text: the value of one `@expect`.
        directory: where the script runs.
        beside: the tests of the same script that were read before.

    Raises:
        MisplacedError: something in the text is wrong.
        ValueError: it is wrong as a whole, or beside the others.
    """
    if len(beside) >= MOST_EXPECTATIONS:
        raise ValueError(f"more than {MOST_EXPECTATIONS} tests: make the others in the script")
    test = _test(text, directory)
    if test.exit_codes and any(other.exit_codes for other in beside):
        raise ValueError("exit stands twice: write all codes in one, as in `exit 0,3`")
    return test


def _test(text: str, directory: str) -> Expectation:
    words = _Words(text)
    kind = words.take(_WORD)
    words.skip_space()
    match kind and kind[0]:
        case "exit":
            return Expectation(text=text, exit_codes=_exit_codes(words))
        case "stdout":
            return Expectation(text=text, stdout=_pattern(words))
        case "json":
            return Expectation(text=text, json=_json_test(words))
        case "file":
            return Expectation(text=text, file=_file_test(words, directory))
        case _:
            raise ValueError(f"{quoted(text)} is not understood: write {FORMS}")


class _Words:
    """A text that is read once, from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def rest(self) -> str:
        return self.text[self.at :]

    def take(self, form: re.Pattern[str]) -> re.Match[str] | None:
        match = form.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def skip_space(self) -> None:
        self.take(_SPACE)

    def refuse(self, reason: str, at: int | None = None) -> NoReturn:
        raise MisplacedError(reason, self.at if at is None else at)


def _exit_codes(words: _Words) -> tuple[int, ...]:
    codes: set[int] = set()
    for word in _CODES.finditer(words.text, words.at):
        span = _RANGE.fullmatch(word[0])
        if span is None or int(span[2] or span[1]) > MOST_EXIT_CODE:
            advice = f"write codes from 0 to {MOST_EXIT_CODE}, as in `exit 0,3` or `exit 0-3`"
            words.refuse(f"{quoted(word[0])} is no exit code: {advice}", word.start())
        first, last = int(span[1]), int(span[2] or span[1])
        if first > last:
            words.refuse(f"{quoted(word[0])} runs backwards: write {last}-{first}", word.start())
        codes.update(range(first, last + 1))
    if not codes:
        words.refuse("it names no exit code: write codes, as in `exit 0,3` or `exit 0-3`")
    return tuple(sorted(codes))


def _pattern(words: _Words) -> str:
    start, match = words.at, _PATTERN.fullmatch(words.text, words.at)
    if match is None or not match["pattern"]:
        words.refuse(f"{quoted(words.rest)} is no pattern: write it between slashes, as in /copied [0-9]+/")
    pattern, flags = match["pattern"], match["flags"]
    if strange := sorted(set(flags) - set(FLAGS)):
        at = match.start("flags") + flags.index(strange[0])
        words.refuse(f"{quoted(strange[0])} is not a flag: write none of them, or some of {FLAGS}", at)
    if len(pattern) > MOST_PATTERN_CHARS:
        longest = f"write {MOST_PATTERN_CHARS} or fewer"
        words.refuse(f"a pattern of {len(pattern)} characters is too long: {longest}", start + 1)
    if itself := _CALLS_ITSELF.search(pattern):
        words.refuse("a pattern must not call itself: write it without", start + 1 + itself.end() - 1)
    if _written_out(pattern) > MOST_REPEATED:
        words.refuse("the repeats make the pattern too large: write smaller numbers, or + or *", start + 1)
    _compile(words, pattern, start + 1)
    return f"(?{''.join(sorted(set(flags)))}){pattern}" if flags else pattern


def _compile(words: _Words, pattern: str, at: int) -> None:
    try:
        regex.compile(pattern, cache_pattern=False)
    except regex.error as wrong:
        # Its type is not told of the place, which regex says where it knows it.
        place = min(getattr(wrong, "pos", None) or 0, len(pattern) - 1)
        words.refuse(f"the pattern does not compile: {str(wrong).partition(' at position')[0]}", at + place)
    except (ValueError, OverflowError, RecursionError) as wrong:
        words.refuse(f"the pattern does not compile: {wrong}", at)


def _written_out(pattern: str) -> int:
    """Return at least how many parts the pattern has with its counted repeats written out."""
    parts, times = len(pattern), 1
    for repeat in _REPEAT.finditer(pattern):
        if repeat["much"]:
            times *= max(1, int(repeat["least"]))
        else:
            parts += int(repeat["least"])
    return parts * times


def _json_test(words: _Words) -> JsonTest:
    path = _json_path(words)
    if words.rest and not words.rest[0].isspace() and not _OPERATOR.match(words.rest):
        rule = 'write .name, ["any name"] or [0]'
        words.refuse(f"{quoted(words.rest)} does not go on with the path: {rule}")
    words.skip_space()
    if not words.rest:
        return JsonTest(path, "")
    at, operator = words.at, words.take(_OPERATOR)
    if operator is None:
        words.refuse(f"{quoted(words.rest)} compares nothing: write ==, !=, <, <=, > or >= and a value")
    words.skip_space()
    written = "==" if operator[0] == "=" else operator[0]
    value = _json_value(words, operator[0])
    if written not in {"==", "!="} and (value is None or isinstance(value, bool)):
        words.refuse(f"{operator[0]} has no meaning for {words.rest}: write == or !=", at)
    return JsonTest(path, written, value)


def _json_path(words: _Words) -> tuple[str | int, ...]:
    """Read `.name`, `["name"]` and `[0]`, or `.` for the whole; JSONPath's `$` may come first."""
    start = words.at
    steps: list[str | int] = []
    words.take(_ROOT)
    while True:
        at = words.at
        if name := words.take(_NAME_STEP):
            steps.append(name[1])
        elif text := words.take(_TEXT_STEP):
            steps.append(_json_name(words, text[1], at))
        elif index := words.take(_INDEX_STEP):
            steps.append(int(index[1]))
        else:
            break
    whole = not steps and words.take(_WHOLE)
    if not steps and not whole:
        advice = "write it like .rows or .days[0]"
        words.refuse(f"{quoted(words.rest)} is no path into the result: {advice}", start)
    return tuple(steps)


def _json_name(words: _Words, text: str, at: int) -> str:
    try:
        return msgspec.json.decode(text, type=str)
    except (msgspec.MsgspecError, UnicodeError):
        words.refuse(f'{quoted(text)} is no name in JSON: write it like "any name"', at)


def _json_value(words: _Words, operator: str) -> str | int | float | bool | None:
    text = words.rest
    if not text:
        words.refuse(f'{operator} compares with nothing: write a number, a "text", true, false or null')
    try:
        return msgspec.json.decode(text, type=str | int | float | bool | None)
    except (msgspec.MsgspecError, UnicodeError):
        words.refuse(f'{quoted(text)} is no value: write a number, a "text", true, false or null')


def _file_test(words: _Words, directory: str) -> FileTest:
    path = _path(words, directory)
    bounds: dict[str, int] = {}
    words.skip_space()
    while words.rest:
        at, bound = words.at, words.take(_BOUND)
        if bound is None:
            words.refuse(f"{quoted(words.rest)} is no bound: write size>1M, size<1G, age<1h or age>1d")
        name, limit = _bound(words, bound)
        if name in bounds:
            words.refuse(f"{bound['what']}{bound['operator']} stands twice: keep one", at)
        bounds[name] = limit
        _check_possible(words, bounds, bound["what"], at)
        words.skip_space()
    return FileTest(path=path, **bounds)


def _path(words: _Words, directory: str) -> str:
    start = words.at
    match = words.take(_QUOTED_PATH)
    path = match["path"] if match else (words.take(_WORD) or [""])[0]
    if not path or _BOUND.match(path):
        words.refuse("it names no file: write its path behind `file`", start)
    if path.startswith("~"):
        words.refuse(f"{quoted(path)}: ~ means nobody's home here, write an absolute path", start)
    return posixpath.normpath(posixpath.join(directory, path))


_BOUNDS = {
    ("size", ">"): "larger_than_bytes",
    ("size", "<"): "smaller_than_bytes",
    ("age", "<"): "younger_than_ms",
    ("age", ">"): "older_than_ms",
}


def _bound(words: _Words, bound: re.Match[str]) -> tuple[str, int]:
    name = _BOUNDS.get((bound["what"], bound["operator"]))
    if name is None:
        words.refuse(f"{quoted(bound['operator'])} is no bound: write > or <", bound.start("operator"))
    read_value = limits.size_bytes if bound["what"] == "size" else duration.parse_ms
    try:
        return name, read_value(bound["value"])
    except ValueError as wrong:
        words.refuse(str(wrong), bound.start("value"))


def _check_possible(words: _Words, bounds: dict[str, int], what: str, at: int) -> None:
    low, high = ("larger_than_bytes", "smaller_than_bytes")
    if what == "age":
        low, high = ("older_than_ms", "younger_than_ms")
    if high in bounds and bounds[high] - bounds.get(low, -1) < 2:
        words.refuse(f"no file has that {what}: write bounds with something between them", at)
