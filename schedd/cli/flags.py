"""The options that give single settings, with the help of the table."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from schedd.config.settings import BY_NAME, Kind, Plain

Command = TypeVar("Command", bound=Callable[..., Any])

PATHS = frozenset({Kind.DIRECTORY, Kind.SOCKET})
"""What a shell completes as a path."""


def setting_option(name: str, metavar: str) -> Callable[[Command], Command]:
    """Return an option that gives one setting, with the help of the table."""
    setting = BY_NAME[name]
    shown = f"{setting.help}  [{setting.variable}; default: {_shown(setting.default)}]"
    kind = click.Path() if setting.kind in PATHS else click.STRING
    return click.option(f"--{name.replace('_', '-')}", name, type=kind, metavar=metavar, help=shown)


def absolute(path: str | None) -> str | None:
    """Return a flag's path: it is one of the shell's directory; empty stays empty, which means none."""
    return os.path.abspath(path) if path else path


def _shown(default: Plain) -> str:
    return str(default) or "none"
