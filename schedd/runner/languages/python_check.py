"""Compiles Python files without running anything of them: `python -I -S -B python_check.py <list >answers`.

Runs in the interpreter that will run the scripts, since only that one knows its syntax, and compiles exactly
as `python_script.py` does. The list has one path on each line; each gets one line of JSON in return, in the
same order and at once, so that whoever reads knows which file ended this process if one does (an old parser
has no guard for its stack). See `schedd.runner.checkers` for the words of an answer.

Plain Python from 2.7 on.
"""

import json
import os

MEMORY_BYTES = 1024 * 1024 * 1024
CPU_S = 60
"""Who started this ends it much earlier, unless it died."""
TEXT_CHARS = 300
ODD = (MemoryError, RuntimeError, OverflowError, AttributeError, LookupError, EnvironmentError)
"""What the compiler raises when it has its own troubles; RecursionError is a RuntimeError."""


def main():
    # type: () -> None
    """Answer for each path of the list."""
    restrain()
    with os.fdopen(0, "rb") as given:
        paths = given.read().splitlines()
    for path in paths:
        answer = verdict(path)
        os.write(1, (json.dumps(answer) + "\n").encode("ascii"))


def restrain():
    # type: () -> None
    """Take little memory, leave no core, and let others go first."""
    import resource  # noqa: PLC0415 - not every interpreter has it

    os.nice(10)
    limits = ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_CORE, 0))
    for which, wanted in limits:
        hard = resource.getrlimit(which)[1]
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (most, hard))


def verdict(path):
    # type: (bytes) -> list[object]
    """Compile one file; return [word, line, column, text]."""
    source = b""
    try:
        with open(path, "rb") as file:
            source = file.read()
        compile(source, "<script>", "exec", dont_inherit=True)
    except SyntaxError as error:
        line = error.lineno or line_of(source, error.msg)
        column = error.offset if error.lineno and error.offset and error.offset > 0 else None
        return ["wrong", line or None, column, text_of(error, error.msg)]
    except ODD as error:
        return ["unknown", None, None, text_of(error, error)]
    except (TypeError, ValueError) as error:  # null bytes, in most versions
        return ["wrong", line_of(source, error), None, text_of(error, error)]
    return ["fine", None, None, ""]


def line_of(source, said):
    # type: (bytes, object) -> int | None
    """Return the line of what the compiler names without saying where: a null byte, an encoding."""
    if "null byte" in str(said):
        at = source.find(b"\0")
    elif "encoding" in str(said):
        at = source.find(b"coding", 0, 400)
    else:
        return None
    return source.count(b"\n", 0, at) + 1 if at >= 0 else None


def text_of(error, said):
    # type: (BaseException, object) -> str
    """Return the compiler's sentence with its kind."""
    name = type(error).__name__
    return (name + ": " + str(said) if str(said) else name)[:TEXT_CHARS]


if __name__ == "__main__":
    main()
