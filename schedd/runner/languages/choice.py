"""Which family of languages a script belongs to.

What decides, in this order: the `@runtime` directive, a shebang that names something of its own (deno, uv,
a version of Python), the extension, the shebang. A script needs no execute bit where a runtime is known.
"""

import os

from schedd.runner.command import Tools
from schedd.runner.languages import node, program, python, shebang
from schedd.schedule import Schedule

PYTHON_SUFFIXES = (".py",)
NODE_SUFFIXES = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts")


class Languages:
    """Finds the command line of a script; remembers what it learned about interpreters."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._node = node.Nodes(tools)

    def command(self, schedule: Schedule, source: bytes) -> tuple[str, ...]:
        """Return the command line for a script, whose text (or, of a big file, its start) is `source`.

        May run `node --version` and wait for it: call it in a thread. Raises CannotStartError.
        """
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
