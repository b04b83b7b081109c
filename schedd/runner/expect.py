"""What a run has to bring about to be `ok`, besides ending as it should (`@expect`).

A backup that exits 0 and leaves an empty file has failed, and nobody would know until it is needed. What is
looked at is what is kept: the output as it is stored (both its ends, without secrets), the result, the files
as they are when the run has ended. All that blocks or computes is done in a thread, and a pattern that runs
wild is given up, so that a clumsy test costs its own script's `ok` and nothing else.

Rejected: `re`, which holds the interpreter's lock however long a pattern takes.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import regex

from schedd.host.threads import Threads
from schedd.schedule import Expectation, FileTest, JsonTest
from schedd.timetable import words

PATTERN_S = 2.0
"""A pattern that has not been found by then is not going to be."""

PATIENCE_S = 15.0
TOO_LONG = f"@expect could not be looked at within {PATIENCE_S:g} s: a file system may hang"

_MISSING = object()


class Expectations:
    """Has tests looked at in threads of its own, and answers in time whatever they hang on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._threads = Threads(2, "runner-expect")

    def ask(
        self,
        tests: Sequence[Expectation],
        *,
        output: bytes,
        result: str | None,
        now_ms: int,
        then: Callable[[str | None], None],
    ) -> None:
        """Call `then`, once, with what `judge` returns."""
        look = partial(judge, tests, output=output, result=result, now_ms=now_ms)
        judged = self._loop.run_in_executor(self._threads, look)
        answer: asyncio.Future[str | None] = self._loop.create_future()
        answer.add_done_callback(lambda told: then(told.result()))
        late = self._loop.call_later(PATIENCE_S, _answer, answer, TOO_LONG)
        judged.add_done_callback(partial(_answer_with, answer))
        answer.add_done_callback(lambda _: late.cancel())

    def close(self) -> None:
        """Look at nothing more."""
        self._threads.shutdown()


def fine_codes(tests: Sequence[Expectation]) -> frozenset[int]:
    """Return the exit codes that are as good as 0; 0 alone where no `@expect exit` says otherwise."""
    return frozenset(code for test in tests for code in test.exit_codes) or frozenset({0})


def to_look_at(tests: Sequence[Expectation]) -> tuple[Expectation, ...]:
    """Return those that ask for more than an exit code."""
    return tuple(test for test in tests if not test.exit_codes)


def judge(tests: Sequence[Expectation], *, output: bytes, result: str | None, now_ms: int) -> str | None:
    """Return a sentence on the first test that does not hold, None when all do (blocking)."""
    for test in tests:
        fault = _fault(test, output, result, now_ms)
        if fault is not None:
            return f"@expect {test.text}: {fault}"
    return None


def _answer(future: "asyncio.Future[str | None]", fault: str | None) -> None:
    if not future.done():
        future.set_result(fault)


def _answer_with(future: "asyncio.Future[str | None]", judged: "asyncio.Future[str | None]") -> None:
    _answer(future, judged.result())


def _fault(test: Expectation, output: bytes, result: str | None, now_ms: int) -> str | None:
    if test.stdout is not None:
        return _of_output(test.stdout, output)
    if test.json is not None:
        return _of_result(test.json, result)
    return None if test.file is None else _of_file(test.file, now_ms)


def _of_output(pattern: str, output: bytes) -> str | None:
    text = output.decode(errors="replace")
    try:
        found = regex.search(pattern, text, timeout=PATTERN_S, concurrent=True)
    except TimeoutError:
        return f"the pattern was not found within {PATTERN_S:g} s; make it simpler"
    if found is not None:
        return None
    return "the output does not match" if output else "there was no output"


def _of_result(test: JsonTest, result: str | None) -> str | None:
    if result is None:
        return "the script returned nothing"
    value = _member(msgspec.json.decode(result), test.path)
    if value is _MISSING:
        return f"the result has no {_written(test.path)}"
    shown = _shown(value)
    if not test.operator:
        return f"it is {shown}" if value is None or value is False else None
    if test.operator in {"==", "!="}:
        same = _same(value, test.value)
        return None if same is (test.operator == "==") else f"it is {shown}"
    if not _comparable(value, test.value):
        return f"it is {shown}, which cannot be compared with {_shown(test.value)}"
    return None if _holds(value, test.operator, test.value) else f"it is {shown}"


def _member(value: object, path: Sequence[str | int]) -> object:
    for step in path:
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return _MISSING
            value = value[step]
        else:
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return _MISSING
            value = value[step]
    return value


def _same(one: object, other: object) -> bool:
    """JSON's equality: `true` is not 1, and 1.0 is."""
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _comparable(one: object, other: object) -> bool:
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (one, other))
    return numbers or (isinstance(one, str) and isinstance(other, str))


def _holds(value: object, operator: str, bound: object) -> bool:
    match operator:
        case "<":
            return value < bound  # type: ignore[operator, no-any-return]  # both numbers, or both strings
        case "<=":
            return value <= bound  # type: ignore[operator, no-any-return]
        case ">":
            return value > bound  # type: ignore[operator, no-any-return]
        case _:
            return value >= bound  # type: ignore[operator, no-any-return]


def _of_file(test: FileTest, now_ms: int) -> str | None:
    try:
        found = os.stat(test.path)
    except OSError as error:
        return f"{test.path}: {error.strerror}"
    size, age_ms = found.st_size, now_ms - found.st_mtime_ns // 1_000_000
    sized = test.larger_than_bytes is not None or test.smaller_than_bytes is not None
    if sized and not stat.S_ISREG(found.st_mode):
        return f"{test.path} is not a regular file"
    if test.larger_than_bytes is not None and size <= test.larger_than_bytes:
        return f"{test.path} has only {size:,} bytes"
    if test.smaller_than_bytes is not None and size >= test.smaller_than_bytes:
        return f"{test.path} has {size:,} bytes"
    if test.younger_than_ms is not None and age_ms >= test.younger_than_ms:
        return f"{test.path} was last written {_ago(age_ms)}"
    if test.older_than_ms is not None and age_ms <= test.older_than_ms:
        return f"{test.path} was written {_ago(age_ms)}"
    return None


def _ago(age_ms: int) -> str:
    return f"{words.of_length(age_ms // 1000)} ago" if age_ms >= 1000 else "just now"


def _written(path: Sequence[str | int]) -> str:
    return "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in path) or "value"


def _shown(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:79] + "…"
