"""The effective configuration: one frozen `Config`, and where each of its values came from.

`load` reads the sources in their order, later wins: defaults, `schedd.toml`, `schedd.d/*.toml`,
`SCHEDD_*`, flags. It collects everything that is wrong before it raises, so that a person corrects a
configuration once. `settings` is the table, `values` reads one value, `sources` the files and the
environment, `places` says where things are when nobody does.

Rejected: one class with a default in each field (the help, the bounds and the reference file would be
copies that drift); nested tables in the file (27 settings don't need a second level, and a flat name is
the same everywhere).
"""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from schedd.config import places as known_places
from schedd.config import sources, values
from schedd.config.address import Address
from schedd.config.places import Places
from schedd.config.settings import BY_NAME, SETTINGS, Config, LogLevel, Origin, Plain, Setting
from schedd.errors import ConfigError

__all__ = ["SETTINGS", "Address", "Config", "LogLevel", "Origin", "Places", "Setting", "changed", "load"]

DEFAULT = "default"


def load(
    *,
    file: str | None = None,
    flags: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
    places: Places | None = None,
    optional: bool = False,
) -> Config:
    """Read all sources and return the effective configuration.

    Args:
        file: replaces the configuration file and its drop-ins.
        flags: texts by setting name; None = not given.
        environ: the environment; None = this process's.
        places: where things are by default; None = as `places.find` says.
        optional: pass over files that may not be read.

    Raises:
        ConfigError: all that is wrong, one line for each.
    """
    environ = os.environ if environ is None else environ
    places = places or known_places.find(environ, uid=os.geteuid())
    file = file or environ.get("SCHEDD_CONFIG") or None
    files = sources.config_files(places.file) if file is None else [file]
    said = sources.gather(files=files, environ=environ, flags=flags or {}, optional=optional)
    config, problems = _settle(_defaults(places) + said.given)
    if config is None or said.problems or problems:
        raise ConfigError("\n".join([*said.problems, *problems]))
    return config


def changed(old: Config, new: Config) -> tuple[Setting, ...]:
    """Return the settings whose values differ; `live` of each says whether it needs a restart."""
    return tuple(s for s in SETTINGS if getattr(old, s.field) != getattr(new, s.field))


def _defaults(places: Places) -> list[sources.Given]:
    placed = places.defaults
    usual = known_places.SYSTEM.defaults
    given = []
    for setting in SETTINGS:
        value: Plain = placed.get(setting.name, setting.default)
        moved = value != usual.get(setting.name, setting.default)
        origin = f"{DEFAULT} ({places.why})" if moved else DEFAULT
        given.append(sources.Given(name=setting.name, value=value, origin=origin, place=origin))
    return given


def _settle(given: list[sources.Given]) -> tuple[Config | None, list[str]]:
    """Read what was given in its order; a value that is overruled later must be right all the same."""
    settled: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    places: dict[str, str] = {}
    problems = []
    for one in given:
        setting = BY_NAME[one.name]
        try:
            settled[setting.field] = values.read(setting, one.value)
        except ValueError as problem:
            problems.append(f"{one.place}: {one.name}: {problem}")
            continue
        origins[one.name] = Origin(one.origin, values.as_toml(one.value))
        places[one.name] = one.place
    if len(origins) < len(SETTINGS):
        return None, problems
    config = Config(**settled, origins=MappingProxyType(origins))
    return config, problems + _contradictions(config, places)


def _contradictions(config: Config, places: Mapping[str, str]) -> list[str]:
    listen, encrypted = config.listen, config.tls_cert is not None
    if config.tls_key is not None and not encrypted:
        return [f"{places['tls_key']}: tls_key: a key without a certificate; set tls_cert too"]
    if listen is not None and not listen.loopback and not config.behind_proxy and not encrypted:
        advice = "set tls_cert, or put a proxy with TLS before it and set behind_proxy = true"
        found = f"{listen} can be reached from other hosts, and would not be encrypted"
        return [f"{places['listen']}: listen: {found}; {advice}"]
    return []
