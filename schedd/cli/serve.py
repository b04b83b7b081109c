"""`schedd serve`: the daemon, in the foreground."""

import click

from schedd import config
from schedd.cli.flags import absolute, setting_option
from schedd.cli.options import config_option


@click.command("serve")
@setting_option("scripts_dir", "DIR")
@setting_option("state_dir", "DIR")
@setting_option("listen", "HOST:PORT")
@setting_option("socket", "PATH")
@config_option
def serve_verb(
    *,
    scripts_dir: str | None,
    state_dir: str | None,
    listen: str | None,
    socket: str | None,
    config_file: str | None,
) -> int:
    """Run the daemon, in the foreground.

    Every setting can stand in the configuration file or in the environment; `schedd config` shows them all.
    """
    flags = {
        "scripts_dir": absolute(scripts_dir),
        "state_dir": absolute(state_dir),
        "listen": listen,
        "socket": absolute(socket),
    }
    # Not before it is needed: `schedd serve --help` has no use for a daemon.
    from schedd.daemon import compose  # noqa: PLC0415

    return compose.run(lambda: config.load(file=config_file, flags=flags))
