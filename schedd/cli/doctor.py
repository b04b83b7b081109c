"""`schedd doctor`: what is wrong on this host, each with its mend."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click

from schedd import config
from schedd.cli import client, screen, where
from schedd.cli.flags import absolute, setting_option
from schedd.cli.main import EXIT_FAILED
from schedd.cli.options import config_option, json_option
from schedd.config import Config
from schedd.daemon import checkup
from schedd.daemon.checkup import Finding, Level
from schedd.errors import ConfigError, ScheddError, UnreachableError

SIGNS = {
    Level.FINE: ("✓", screen.GOOD),
    Level.ODD: ("!", screen.WARN),
    Level.BAD: ("✗", screen.BAD),
}


@click.command("doctor")
@setting_option("scripts_dir", "DIR")
@setting_option("state_dir", "DIR")
@config_option
@json_option
def doctor_verb(
    *, scripts_dir: str | None, state_dir: str | None, config_file: str | None, as_json: bool
) -> int:
    """Say what is wrong on this host, and how to mend it.

    Looks at the daemon, its directories, the scripts and their interpreters, the clock, the zone data, the
    journal and the limits; changes nothing. Ask as root or as the daemon's user. Exits with 1 if
    something is bad.
    """
    found: list[Finding] = []
    flags = {"scripts_dir": absolute(scripts_dir), "state_dir": absolute(state_dir)}
    try:
        settings = config.load(file=config_file, flags=flags)
    except ConfigError as error:
        found = [
            Finding("configuration", Level.BAD, line, "mend it there") for line in str(error).splitlines()
        ]
        if not as_json:
            for finding in found:
                _show(finding)
    else:
        for finding in _all(settings):
            found.append(finding)
            if not as_json:
                _show(finding)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], ensure_ascii=False))
    return EXIT_FAILED if checkup.verdict(found) is Level.BAD else 0


def _all(settings: Config) -> Iterator[Finding]:
    yield from _daemon(settings)
    yield from checkup.examine(settings)


def _daemon(settings: Config) -> Iterator[Finding]:
    """Ask the daemon itself, over the socket of this configuration."""
    if settings.socket is None:
        yield Finding("daemon", Level.ODD, "there is no socket to ask it over", 'set socket = "…/api.sock"')
        return
    target = where.Target(socket=settings.socket, url=None, token=None)
    try:
        answer: dict[str, Any] = client.ask(target, "GET", "/health", has="phase")
        text = f"schedd {answer['version']}, {answer['phase']} since {answer['startedAt']}"
        if not answer["ready"]:
            yield Finding("daemon", Level.BAD, f"{text}, not ready", "journalctl -u schedd -p warning -e")
            return
        yield Finding("daemon", Level.FINE, text)
        yield _limits(client.ask(target, "GET", "/readyz", has="limits")["limits"])
    except UnreachableError as error:
        yield Finding("daemon", Level.BAD, str(error), "systemctl start schedd; journalctl -u schedd -e")
    except ScheddError as error:
        yield Finding("daemon", Level.ODD, str(error))


def _limits(kept: Mapping[str, str]) -> Finding:
    """Say what keeps each limit of a script, as the daemon has found it."""
    text = ", ".join(f"{name} by {how}" for name, how in kept.items())
    weak = [name for name in ("memory", "cpu", "pids") if kept.get(name) != "cgroup"]
    if not weak:
        return Finding("limits", Level.FINE, text)
    mend = "Delegate=cpu memory pids in the unit, on a host with cgroup v2"
    return Finding("limits", Level.ODD, f"{text}: only a cgroup keeps a whole run within them", mend)


def _show(finding: Finding) -> None:
    sign, colour = SIGNS[finding.level]
    piped = (finding.level.value, finding.subject, finding.what, finding.mend or "")
    screen.line([(f"{sign} ", colour), (f"{finding.subject:<14}", ""), (finding.what, "")], piped=piped)
    if finding.mend is not None and screen.of(sys.stdout).terminal:
        screen.line([(f"  {'':<14}→ {finding.mend}", screen.DIM)], piped=())
