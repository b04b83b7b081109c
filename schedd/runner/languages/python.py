"""Python scripts: which interpreter, and by which way in.

A script goes through `python_launcher.py`, which runs it as `python script.py` would and then calls its
`main()`. Whether `main()` is to be called is decided here, once for each version of the file, and not at
each start: parsing costs as much as a third of the interpreter's own start. Options that the launcher
cannot stand behind (`-m`, `-i`, `-x`, …) get a plain `python script.py`.
"""

import os
import shutil
import sys

from schedd.runner.command import CannotStartError, Tools
from schedd.runner.languages import program, python_main, shebang
from schedd.runner.languages.shebang import Shebang

LAUNCHER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "python_launcher.py")

ANY_PYTHON = frozenset({"python", "python3"})
"""Names that ask for Python, not for one of them."""

HOST_PYTHON = "/usr/bin/python3"

WARM_BYTES = 256 * 1024
"""Larger scripts are compiled in their own process, where nobody waits for it."""

_FLAGS = frozenset("bBdEIOPqRsSuvWX")
_FLAGS_WITH_VALUE = frozenset("WX")


def interpreter(path: str, line: Shebang | None, tools: Tools, search: str) -> str:
    """Return the interpreter of a Python script. Raises CannotStartError when there is none.

    A shebang that names a path or a version is obeyed. Otherwise it is the configured one, the `python3` on
    PATH, the host's, and at last the one that the daemon itself was built on, without the daemon's packages.
    """
    if line is not None and not (line.by_env and line.name in ANY_PYTHON):
        return program.by_line(path, line, search)
    if tools.python is not None:
        return program.existing(tools.python, "the setting `python`")
    for candidate in (shutil.which("python3", path=search), HOST_PYTHON, os.path.realpath(sys.executable)):
        if candidate is not None and os.access(candidate, os.X_OK):
            return candidate
    raise CannotStartError(f"{path} needs Python, and there is none on PATH ({search}); install python3")


def command(path: str, executable: str, line: Shebang | None, source: bytes) -> tuple[str, ...]:
    """Return the command line for a Python script and its interpreter."""
    options = _options(line, path)
    if not launchable(options) or os.path.basename(executable).startswith("python2"):
        return (executable, *options, path)
    return (executable, *options, LAUNCHER, python_main.decide(source), path)


def warm(argv: tuple[str, ...], *, size_bytes: int) -> str | None:
    """Return how a nursery runs a script of this size and with this command line; None when it does not.

    A nursery is an interpreter without options. PyPy's memory is not made for being forked.
    """
    if len(argv) != 4 or argv[1] != LAUNCHER or size_bytes > WARM_BYTES:
        return None
    return None if os.path.basename(argv[0]).startswith("pypy") else argv[2]


def launchable(options: list[str]) -> bool:
    """Whether an interpreter with these options can be given the launcher in place of the script."""
    words = iter(options)
    for word in words:
        if len(word) < 2 or word[0] != "-":
            return False
        for at, flag in enumerate(word[1:], start=1):
            if flag not in _FLAGS:
                return False
            if flag in _FLAGS_WITH_VALUE:
                if at == len(word) - 1:
                    next(words, None)
                break
    return True


def _options(line: Shebang | None, path: str) -> list[str]:
    if line is None or not line.name.startswith(("python", "pypy")):
        return []
    return shebang.options(line, path)
