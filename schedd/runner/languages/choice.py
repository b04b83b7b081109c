"""Which family of languages a script belongs to.

What decides, in this order: the `@runtime` directive, a shebang that names something of its own (deno, uv,
a version of Python), the extension, the shebang. A script needs no execute bit where a runtime is known.
"""

import os
from dataclasses import dataclass

from schedd.runner.command import Tools
from schedd.runner.languages import node, program, python, shebang
from schedd.runner.order import Family, Warm
from schedd.schedule import FileStamp, Mode, Schedule

PYTHON_SUFFIXES = (".py",)
NODE_SUFFIXES = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What a script is run by."""

    family: str
    """`python`, `node` or `program`."""
    executable: str | None
    """Its path; None for a program that needs none."""
    line: shebang.Shebang | None


class Languages:
    """Finds the command line of a script; remembers what it learned about interpreters."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._node = node.Nodes(tools)

    def command(
        self, schedule: Schedule, source: bytes, *, stamp: FileStamp, sha256: str
    ) -> tuple[tuple[str, ...], Warm | None]:
        """Return the command line for a script, and how an interpreter that waits takes it in, if one can.

        `source` is its text (or, of a big file, the start), `stamp` and `sha256` are those of the file. May
        run `node --version` and wait for it: call it in a thread. Raises CannotStartError.
        """
        argv = self._argv(schedule, source)
        return argv, self._warm(schedule, argv, stamp=stamp, sha256=sha256)

    def _warm(
        self, schedule: Schedule, argv: tuple[str, ...], *, stamp: FileStamp, sha256: str
    ) -> Warm | None:
        if schedule.mode is Mode.COLD:
            return None
        waits = node.can_wait(argv)
        how = "" if waits else python.warm(argv, size_bytes=stamp.size)
        if how is None:
            return None
        return Warm(
            family=Family.NODE if waits else Family.PYTHON,
            interpreter=argv[0],
            path=schedule.path,
            how=how,
            reused=waits and schedule.mode is Mode.WARM,
            key=schedule.vm_cache_key,
            sha256=sha256,
            stamp=stamp,
        )

    def _argv(self, schedule: Schedule, source: bytes) -> tuple[str, ...]:
        path = schedule.path
        line = shebang.parse(source)
        search = dict(schedule.env).get("PATH", self._tools.path)
        family, interpreter = _family(path, schedule.runtime, line)
        if family == "python":
            executable = interpreter or python.interpreter(path, line, self._tools, search)
            return python.command(path, executable, line, source)
        if family == "node":
            executable = interpreter or self._node.interpreter(path, line, search)
            return self._node.command(path, self._node.checked(executable), line)
        if interpreter is not None:
            return (program.existing(interpreter, f"@runtime of {path}"), path)
        return program.command(path, line, source, search)

    def interpreter(self, schedule: Schedule, source: bytes) -> Interpreter:
        """Return what will run a script, of whose text `source` is at least the first line.

        May wait, and raises, as `command` does.
        """
        path = schedule.path
        line = shebang.parse(source)
        search = dict(schedule.env).get("PATH", self._tools.path)
        family, named = _family(path, schedule.runtime, line)
        if family == "python":
            executable = named or python.interpreter(path, line, self._tools, search)
            return Interpreter(family, executable, line)
        if family == "node":
            executable = named or self._node.interpreter(path, line, search)
            return Interpreter(family, self._node.checked(executable), line)
        first = named or program.command(path, line, source, search)[0]
        return Interpreter(family, None if first == path else first, line)


def _family(path: str, runtime: str | None, line: shebang.Shebang | None) -> tuple[str, str | None]:
    """Return `python`, `node` or `program`, and the interpreter if `@runtime` names one by its path."""
    if runtime is not None:
        if runtime in {"python", "node", "program"}:
            return runtime, None
        return _kind(os.path.basename(runtime)), program.existing(runtime, f"@runtime of {path}")
    if line is not None:
        return _kind(line.name), None
    if path.endswith(PYTHON_SUFFIXES):
        return "python", None
    return ("node" if path.endswith(NODE_SUFFIXES) else "program"), None


def _kind(name: str) -> str:
    if name.startswith(("python", "pypy")):
        return "python"
    return "node" if name in {"node", "nodejs"} else "program"
