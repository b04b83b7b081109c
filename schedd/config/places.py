"""Where things are when nobody says: the system's places, or a person's own.

Root, and the service under whatever user it runs, have `/etc/schedd`, `/var/lib/schedd` and
`/run/schedd`. A person without root has the XDG base directories (XDG Base Directory Specification 0.8),
which is where a trial, or one's own schedules, belong. systemd tells a service its directories
(systemd.exec(5), RuntimeDirectory= and its kin); they count only when they are named `schedd`, since
whatever a service starts inherits them, and a script of another service that calls `schedd trigger` must
not look for the daemon in there.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

NAME = "schedd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The directories that the defaults are made of."""

    config_dir: str
    state_dir: str
    run_dir: str
    why: str
    """How they were chosen, for people."""

    @property
    def defaults(self) -> dict[str, str]:
        """The settings whose defaults depend on the place."""
        return {
            "scripts_dir": os.path.join(self.config_dir, "scripts"),
            "calendars_dir": os.path.join(self.config_dir, "calendars"),
            "state_dir": self.state_dir,
            "socket": os.path.join(self.run_dir, "api.sock"),
        }

    @property
    def file(self) -> str:
        """The configuration file; beside it is the directory of drop-ins, `schedd.d`."""
        return os.path.join(self.config_dir, "schedd.toml")


SYSTEM = Places(
    config_dir="/etc/schedd", state_dir="/var/lib/schedd", run_dir="/run/schedd", why="the system's places"
)


def find(environ: Mapping[str, str], *, uid: int) -> Places:
    """Return the places of a process with this environment and effective user id."""
    usual = SYSTEM if uid == 0 else _of_a_person(environ)
    given = {
        "config_dir": _from_systemd(environ, "CONFIGURATION_DIRECTORY"),
        "state_dir": _from_systemd(environ, "STATE_DIRECTORY"),
        "run_dir": _from_systemd(environ, "RUNTIME_DIRECTORY"),
    }
    if not any(given.values()):
        return usual
    base = SYSTEM if given["state_dir"] == SYSTEM.state_dir else usual
    return Places(
        config_dir=given["config_dir"] or base.config_dir,
        state_dir=given["state_dir"] or base.state_dir,
        run_dir=given["run_dir"] or base.run_dir,
        why="the service's directories",
    )


def _from_systemd(environ: Mapping[str, str], variable: str) -> str | None:
    for path in environ.get(variable, "").split(":"):
        if os.path.isabs(path) and os.path.basename(path) == NAME:
            return path
    return None


def _of_a_person(environ: Mapping[str, str]) -> Places:
    state_dir = os.path.join(_xdg(environ, "XDG_STATE_HOME", ".local/state"), NAME)
    run_home = environ.get("XDG_RUNTIME_DIR", "")
    return Places(
        config_dir=os.path.join(_xdg(environ, "XDG_CONFIG_HOME", ".config"), NAME),
        state_dir=state_dir,
        run_dir=os.path.join(run_home, NAME) if os.path.isabs(run_home) else state_dir,
        why="your own places, since you are not root",
    )


def _xdg(environ: Mapping[str, str], variable: str, below_home: str) -> str:
    given = environ.get(variable, "")
    if os.path.isabs(given):
        return given
    home = environ.get("HOME", "")
    return os.path.join(home if os.path.isabs(home) else os.path.expanduser("~"), below_home)
