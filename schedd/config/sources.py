"""Where settings are given: files, the environment and flags, each with the place to name in an error.

TOML's own reader says where a file is malformed but not where a key stands, so the line is looked up
afterwards; it is only ever shown.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schedd.config.settings import BY_NAME
from schedd.config.values import from_text

FILE_BYTES = 1 << 20
LIKENESS = 0.8
"""How near an unknown SCHEDD_ variable must be to one of ours to be taken for a slip of the pen."""

INSIDE_A_RUN = "SCHEDD_RUN_ID"
NOT_SETTINGS = frozenset(
    {
        # what the command line reads
        "SCHEDD_CONFIG",
        "SCHEDD_URL",
        "SCHEDD_TOKEN",
        "SCHEDD_TOKEN_FILE",
        # what a script is told
        INSIDE_A_RUN,
        "SCHEDD_SCRIPT",
        "SCHEDD_SLOT",
        "SCHEDD_SLOT_EPOCH",
        "SCHEDD_KIND",
        "SCHEDD_ATTEMPT",
        "SCHEDD_PREV_SLOT",
        "SCHEDD_LAST_OK_SLOT",
        "SCHEDD_DEADLINE",
        "SCHEDD_RESULT",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One setting as one source gives it, in the terms of a TOML file."""

    name: str
    value: object
    origin: str
    place: str
    """The origin, for a file with the line."""


@dataclass(slots=True)
class Sources:
    """What all sources say, in their order, and what is wrong with them."""

    given: list[Given]
    problems: list[str]


def gather(
    *, files: Iterable[str], environ: Mapping[str, str], flags: Mapping[str, str | None], optional: bool
) -> Sources:
    """Read all sources. With `optional`, a file that may not be read is passed over (a client needs none)."""
    sources = Sources([], [])
    for path in files:
        _read_file(path, sources, optional=optional)
    _read_environment(environ, sources)
    for name, text in flags.items():
        if text is not None:
            flag = f"--{name.replace('_', '-')}"
            value = from_text(BY_NAME[name], text)
            sources.given.append(Given(name=name, value=value, origin=flag, place=flag))
    return sources


def config_files(main: str) -> list[str]:
    """Return the configuration file and its drop-ins, those that exist, in the order of reading.

    What cannot be looked at is in the list too: to read it will say why.
    """
    folder = os.path.join(os.path.dirname(main), "schedd.d")
    files = [main] if _may_exist(main) else []
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".toml") and name[0] != ".")
    except (FileNotFoundError, NotADirectoryError):
        return files
    except OSError:
        return [*files, folder]
    return files + [os.path.join(folder, name) for name in names]


def _may_exist(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _read_file(path: str, sources: Sources, *, optional: bool) -> None:
    try:
        with open(path, "rb") as file:
            raw = file.read(FILE_BYTES + 1)
    except PermissionError:
        if not optional:
            sources.problems.append(f"{path}: may not be read; give the daemon's user the right to")
        return
    except OSError as problem:
        sources.problems.append(f"{path}: cannot be read: {problem.strerror}")
        return
    if len(raw) > FILE_BYTES:
        sources.problems.append(f"{path}: is larger than {FILE_BYTES >> 20} MiB, so hardly a configuration")
        return
    _read_toml(path, raw, sources)


def _read_toml(path: str, raw: bytes, sources: Sources) -> None:
    try:
        text = raw.decode()
        table = tomllib.loads(text)
    except UnicodeDecodeError as problem:
        sources.problems.append(f"{path}: is not UTF-8 (byte {problem.start}); save it as UTF-8")
        return
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        sources.problems.append(f"{path}: is not TOML: {_toml_problem(problem)}")
        return
    for name, value in table.items():
        place = f"{path}:{_line_of(name, text)}"
        if name in BY_NAME:
            sources.given.append(Given(name=name, value=value, origin=path, place=place))
        else:
            sources.problems.append(f"{place}: unknown setting {name!r}; {_nearest(name, value)}")


def _toml_problem(problem: Exception) -> str:
    text = str(problem)
    if text.startswith(("Invalid value", "Expected newline")):
        text += '; a text needs quotes, as in "10s"'
    return text[:1].lower() + text[1:]


def _line_of(name: str, text: str) -> int:
    key = re.escape(name)
    found = re.search(rf"""(?m)^[ \t]*\[*[ \t]*["']?{key}["']?[ \t]*[=.\]]""", text)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _nearest(name: str, value: object) -> str:
    near = difflib.get_close_matches(name.lower().replace("-", "_"), BY_NAME, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    if isinstance(value, dict):
        return "settings stand in no table: write them before the first [table]"
    return "`schedd config` lists them all"


def _read_environment(environ: Mapping[str, str], sources: Sources) -> None:
    variables = {setting.variable: setting for setting in BY_NAME.values()}
    for variable in sorted(name for name in environ if name.startswith("SCHEDD_")):
        if variable in NOT_SETTINGS or (variable == "SCHEDD_STATE_DIR" and INSIDE_A_RUN in environ):
            # A script's SCHEDD_STATE_DIR is its own directory, not the daemon's.
            continue
        if setting := variables.get(variable):
            value = from_text(setting, environ[variable])
            sources.given.append(Given(name=setting.name, value=value, origin=variable, place=variable))
        elif near := difflib.get_close_matches(
            variable[7:], [v[7:] for v in variables], n=1, cutoff=LIKENESS
        ):
            # Others are left alone: the environment is shared (Kubernetes sets SCHEDD_PORT by itself).
            sources.problems.append(f"{variable}: unknown setting; did you mean SCHEDD_{near[0]}?")
