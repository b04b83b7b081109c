"""`schedd config`: the effective settings, and where each came from."""

import json
import sys

import click

from schedd import config
from schedd.cli import screen
from schedd.cli.options import config_option, json_option
from schedd.cli.screen import Cell, Column

HIDDEN = "***"


@click.command("config")
@config_option
@json_option
def config_verb(*, config_file: str | None, as_json: bool) -> int:
    """Print the effective settings and where each came from.

    It reads what `schedd serve` would read, so it checks a configuration too. In a pipe: name, value as
    in TOML, source; separated by tabs.
    """
    settings = config.load(file=config_file)
    if as_json:
        shown = {
            name: {"value": json.loads(_shown(name, origin)), "source": origin.source}
            for name, origin in settings.origins.items()
        }
        click.echo(json.dumps(shown, ensure_ascii=False))
        return 0
    rows = [
        (
            Cell(setting.name),
            Cell(_shown(setting.name, origin)),
            Cell(origin.source),
            Cell("" if setting.live else "restart"),
        )
        for setting in config.SETTINGS
        for origin in [settings.origins[setting.name]]
    ]
    columns = (
        Column("Setting"),
        Column("Value", folds=True),
        Column("From", folds=True),
        Column("Change by", drop=1),
    )
    screen.show(columns, [row if screen.of(sys.stdout).terminal else row[:3] for row in rows], empty="")
    return 0


def _shown(name: str, origin: config.Origin) -> str:
    """Return a value as TOML; what is redacted elsewhere is not shown here, of all places."""
    if name != "redact":
        return origin.text
    return json.dumps([HIDDEN for _ in json.loads(origin.text)])
