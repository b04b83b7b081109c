"""`schedd token`: who may use the API over the network. It needs the state directory, not the daemon."""

import json
import os
import sys

import click

from schedd import config
from schedd.cli import moments, screen
from schedd.cli.flags import setting_option
from schedd.cli.main import HELP_NAMES, complain
from schedd.cli.options import config_option, json_option
from schedd.cli.screen import Cell, Column
from schedd.errors import StateError
from schedd.host.clock import SystemClock
from schedd.timetable.instant import to_ms
from schedd.web import tokens

DEFAULT_SCOPES = "read"

state_option = setting_option("state_dir", "DIR")


@click.group("token", context_settings={"help_option_names": HELP_NAMES})
def token_verb() -> None:
    """Make, list and revoke tokens for the API.

    The daemon sees a change at once, without a reload.
    """


@token_verb.command("add")
@click.argument("name")
@click.option(
    "--scopes",
    default=DEFAULT_SCOPES,
    show_default=True,
    metavar="LIST",
    help="What it allows: some of read, trigger and admin, separated by commas.",
)
@click.option(
    "--scripts", metavar="GLOB", help="Only for scripts whose relative path matches, such as 'shop/*'."
)
@json_option
@state_option
@config_option
def add(
    name: str,
    *,
    scopes: str,
    scripts: str | None,
    as_json: bool,
    state_dir: str | None,
    config_file: str | None,
) -> int:
    """Make a token and print it, once: only its hash is kept."""
    state = _state(state_dir, config_file)
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    token = tokens.add(state, name, scopes=wanted, scripts=scripts, now_ms=SystemClock().now_ms())
    click.echo(json.dumps({"name": name, "token": token}) if as_json else token)
    if sys.stderr.isatty():
        click.echo("This is the only time that it is shown.", err=True)
    return 0


@token_verb.command("list")
@json_option
@state_option
@config_option
def list_(*, as_json: bool, state_dir: str | None, config_file: str | None) -> int:
    """List the tokens: all about them but themselves."""
    known = tokens.read(_state(state_dir, config_file))
    if as_json:
        click.echo(json.dumps([_item(token) for token in known], ensure_ascii=False))
        return 0
    now_ms = SystemClock().now_ms()
    columns = (
        Column("Name"),
        Column("Scopes", folds=True),
        Column("Scripts", drop=1, folds=True),
        Column("Made", drop=2),
    )
    rows = [
        (
            Cell(token.name),
            Cell(",".join(token.scopes)),
            Cell(token.scripts or "", token.scripts or "all"),
            Cell(token.created_at, moments.distance(to_ms(token.created_at) - now_ms)),
        )
        for token in known
    ]
    screen.show(columns, rows, empty="There is no token; `schedd token add NAME` makes one.")
    return 0


@token_verb.command("revoke")
@click.argument("name")
@state_option
@config_option
def revoke(name: str, *, state_dir: str | None, config_file: str | None) -> int:
    """Make a token worthless, at once."""
    if not tokens.revoke(_state(state_dir, config_file), name):
        raise StateError(f"there is no token named {name!r}; `schedd token list` shows those that are")
    complain(f"the token {name} is revoked")
    return 0


def _state(state_dir: str | None, config_file: str | None) -> str:
    settings = config.load(file=config_file, flags={"state_dir": state_dir and os.path.abspath(state_dir)})
    if not os.path.isdir(settings.state_dir):
        raise StateError(
            f"{settings.state_dir}: there is no such directory; start the daemon once, or name --state-dir"
        )
    return settings.state_dir


def _item(token: tokens.Token) -> dict[str, object]:
    return {
        "name": token.name,
        "scopes": list(token.scopes),
        "scripts": token.scripts,
        "createdAt": token.created_at,
    }
