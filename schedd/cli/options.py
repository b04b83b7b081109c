"""The options that several verbs share: how to print, which configuration, and where the daemon is."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(),
    metavar="FILE",
    help="Read this file instead of the usual ones.  [SCHEDD_CONFIG]",
)


def daemon_options(command: Command) -> Command:
    """Add where the daemon is: its socket, or its address and a token."""
    for option in (
        click.option(
            "--token-file",
            type=click.Path(),
            metavar="FILE",
            help="Read the token for --url from this file.  [SCHEDD_TOKEN_FILE]",
        ),
        click.option(
            "--url", metavar="URL", help="Ask over HTTP, with the token in SCHEDD_TOKEN.  [SCHEDD_URL]"
        ),
        click.option(
            "--socket", type=click.Path(), metavar="PATH", help="Ask over this Unix socket.  [SCHEDD_SOCKET]"
        ),
    ):
        command = option(command)
    return command
