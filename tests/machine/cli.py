"""The command line, called as the console script calls it; in a thread, so that a server can answer it."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from schedd.cli.main import main

PROGRAM = [sys.executable, "-m", "schedd"]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]


class Shell:
    """Runs command lines, with the options behind each verb."""

    def __init__(self, capsys, *options: str) -> None:
        self._capsys = capsys
        self._options = options

    def run(self, *argv: str) -> Result:
        self._capsys.readouterr()
        code = main([*argv, *self._options])
        out, err = self._capsys.readouterr()
        return Result(code, out, err)

    async def ask(self, *argv: str) -> Result:
        async with asyncio.timeout(5):
            return await asyncio.to_thread(self.run, *argv)


def child_environment(**more: str) -> dict[str, str]:
    """Return an environment for a child that is ours: no settings of the person who tests."""
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", "TZ": "UTC"} | more
