"""Who can tell whether the source of a script is right: the compiler of the interpreter that will run it.

Nobody can for a language that schedd does not know, or where options of the interpreter change what is
right (`node --import tsx`, `python3 -m`): then only a run will tell.

An interpreter is only started for this if nobody but root and the daemon's own user may write to it, and
never from within the scripts directory: to check a script must be safe even where to run it is not.
"""

import os
import stat
import sys
from dataclasses import dataclass

from schedd.runner.languages import node, python, shebang
from schedd.runner.languages.choice import Interpreter

HERE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "languages")
PYTHON_CHECK = os.path.join(HERE, "python_check.py")
SHELL_CHECK = os.path.join(HERE, "shell_check.py")
NODE_CHECK = os.path.join(HERE, "node_check.cjs")

SHELLS = frozenset({"sh", "ash", "dash", "bash", "ksh", "ksh93", "mksh", "zsh"})
PYTHONS = ("python", "pypy")

NODE_HEAP_MIB = 512
_WITH_OPTIONS = (*PYTHONS, *node.NODE_NAMES)

_ISOLATED = ("-I", "-S", "-B")
_ISOLATED_2 = ("-E", "-s", "-S", "-B")
_PARSES_MODULES = ("--no-warnings", "--experimental-vm-modules", "--expose-internals")
_TRANSFORM = "--experimental-transform-types"
# With these, Node accepts what only it and the loader know.
_LOADERS = ("-r", "--require", "--import", "--loader", "--experimental-loader", "--harmony", "--js-")


@dataclass(frozen=True, slots=True)
class Reader:
    """A checker, and what it is told of each script beside the path."""

    argv: tuple[str, ...]
    note: str
    stamp: tuple[int, int, int]
    """Of the interpreter's file: with another one, everything has to be read again."""
    name: str = ""
    """Of a shell, since what is right in one is wrong in another."""


def reader_of(interpreter: Interpreter, path: str, scripts_dir: str) -> Reader | None:
    """Return who can read the script at `path`; None if nobody can, or nobody that is believed.

    Raises CannotStartError when the options of the interpreter cannot be told.
    """
    executable, line = interpreter.executable, interpreter.line
    if executable is None:
        return None
    options = shebang.options(line, path) if line is not None and line.name.startswith(_WITH_OPTIONS) else []
    name = os.path.basename(executable)
    stamp = _believed(executable, scripts_dir)
    if stamp is None:
        return None
    if interpreter.family == "python":
        return _python(executable, stamp) if python.launchable(options) else None
    if interpreter.family == "node":
        if any(option.startswith(_LOADERS) for option in options):
            return None
        argv = (executable, f"--max-old-space-size={NODE_HEAP_MIB}", *_PARSES_MODULES, NODE_CHECK)
        return Reader(argv, "transform\t" if _TRANSFORM in options else "\t", stamp)
    if name not in SHELLS:
        return None
    return Reader((sys.executable, *_ISOLATED, SHELL_CHECK), f"{executable}\t", stamp, name)


def _python(executable: str, stamp: tuple[int, int, int]) -> Reader:
    """All virtual environments of one Python share its compiler, and need not be started each."""
    real = os.path.realpath(executable)
    if os.path.basename(real).startswith(PYTHONS):
        executable = real
    name = os.path.basename(executable)
    isolated = _ISOLATED_2 if name.startswith(("python2", "pypy2")) or name == "pypy" else _ISOLATED
    return Reader((executable, *isolated, PYTHON_CHECK), "", stamp)


def _believed(executable: str, scripts_dir: str) -> tuple[int, int, int] | None:
    """Return the stamp of an interpreter that may be started by whoever only wants to look."""
    real = os.path.realpath(executable)
    if f"{real}/".startswith(f"{scripts_dir}/"):
        return None
    try:
        info = os.stat(real)
    except OSError:
        return None
    if info.st_uid not in {0, os.geteuid()} or info.st_mode & stat.S_IWOTH:
        return None
    if info.st_mode & stat.S_IWGRP and info.st_gid not in {0, os.getegid()}:
        return None
    return info.st_ino, info.st_size, info.st_mtime_ns
