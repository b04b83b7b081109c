"""The first line of a script, read as the kernel reads it (execve(2)).

schedd looks at the line itself instead of leaving it to the kernel: a script then needs no execute bit, an
interpreter that is missing can be named, and `#!/usr/bin/env bash` costs one exec less.
"""

import os
import shlex
from dataclasses import dataclass

from schedd.runner.command import CannotStartError

LINE_BYTES = 255
"""The kernel reads no further (BINPRM_BUF_SIZE)."""


@dataclass(frozen=True, slots=True)
class Shebang:
    """What a `#!` line asks for."""

    program: str
    """A path, or with `by_env` the name that is to be found on PATH."""
    arguments: tuple[str, ...]
    by_env: bool
    windows: bool
    """The line ends in CR LF, which the kernel takes for a part of the name."""

    @property
    def name(self) -> str:
        """The program's name without its directories."""
        return os.path.basename(self.program)


def parse(source: bytes) -> Shebang | None:
    """Read the first line of a script; None when it is no `#!` line."""
    if not source.startswith(b"#!"):
        return None
    raw = source[2:LINE_BYTES].split(b"\n", 1)[0]
    line = raw.decode(errors="surrogateescape").strip(" \t\r")
    program, _, rest = line.replace("\t", " ").partition(" ")
    rest = rest.strip()
    windows = raw.endswith(b"\r")
    if not program:
        return None
    found = _by_env(rest) if os.path.basename(program) == "env" else None
    if found is not None:
        return Shebang(found[0], tuple(found[1:]), by_env=True, windows=windows)
    return Shebang(program, (rest,) if rest else (), by_env=False, windows=windows)


def options(line: Shebang, path: str) -> list[str]:
    """Return the options that the line of the script at `path` gives to its interpreter, one by one.

    Raises CannotStartError for a quote that is not closed.
    """
    try:
        return [word for argument in line.arguments for word in shlex.split(argument)]
    except ValueError:
        given = " ".join(line.arguments)
        raise CannotStartError(f"{path}:1: the #! line has a quote that is not closed: {given}") from None


def _by_env(rest: str) -> list[str] | None:
    """Return the command of `env NAME` or `env -S NAME ARG…`; None for what env has to do itself."""
    try:
        words = shlex.split(rest.removeprefix("-S")) if rest.startswith("-S") else [rest]
    except ValueError:
        return None
    plain = words and words[0] and not words[0].startswith("-") and "=" not in words[0]
    return words if plain and " " not in words[0] else None
