"""Programs: anything with a shebang, shell scripts by their extension, executables."""

import os
import shutil

from schedd.runner.command import CannotStartError
from schedd.runner.languages.shebang import Shebang

SHELLS = {".sh": "sh", ".bash": "bash"}


def command(path: str, line: Shebang | None, source: bytes, search: str) -> tuple[str, ...]:
    """Return the command line that the kernel would make of the script, with nothing left to look up.

    Raises CannotStartError when nothing says what runs it.
    """
    if line is not None:
        if line.windows:
            raise CannotStartError(
                f"{path}:1: the #! line ends in CR LF, so no such interpreter exists; save the file with LF"
            )
        return (by_line(path, line, search), *line.arguments, path)
    shell = SHELLS.get(os.path.splitext(path)[1])
    if shell is not None:
        return (found(shell, search, f"{path} is a script for it"), path)
    if os.access(path, os.X_OK) and b"\0" in source:
        return (path,)
    raise CannotStartError(
        f"{path}: nothing says how to run it; start it with a #! line, or name an interpreter with @runtime"
    )


def by_line(path: str, line: Shebang, search: str) -> str:
    """Return the absolute path of the interpreter that a `#!` line names, or raise CannotStartError."""
    if line.by_env:
        return found(line.program, search, f"the #! line of {path} asks for it")
    return existing(line.program, f"the #! line of {path}")


def found(name: str, search: str, why: str) -> str:
    """Return where the program `name` is on the PATH `search`, or raise CannotStartError."""
    place = shutil.which(name, path=search)
    if place is None:
        raise CannotStartError(f"{name} is not installed, or not on PATH ({search}); {why}")
    return os.path.abspath(place)


def existing(interpreter: str, where: str) -> str:
    """Return the interpreter if it can be run, else raise CannotStartError naming `where` it is asked for."""
    if os.path.isfile(interpreter) and os.access(interpreter, os.X_OK):
        return interpreter
    raise CannotStartError(
        f"{where} names {interpreter}, which does not exist or cannot be executed; install or correct it"
    )
