#!/usr/bin/env python3
"""man.py DIRECTORY PREFIX: write the man pages schedd.1, schedd.toml.5 and schedd-scripts.7.

They are made where they are installed, by the Python that schedd is installed into, out of what is true
anyway: the commands, the table of settings, and the documents in docs/. So there is no fourth place in
which to describe an option, and nothing to check in. PREFIX is only for the paths that the pages name.
"""

import datetime
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click
from roff import Document, UnknownMarkdownError, bold, escaped, example, heading, line, slug, tagged

from schedd import __version__
from schedd.cli.main import FAMILIES, VERBS, schedd
from schedd.config.places import SYSTEM
from schedd.config.settings import SETTINGS, Kind, Setting
from schedd.config.values import as_toml

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = {
    "schedd(1)": ("operations.md",),
    "schedd.toml(5)": ("operations.md",),
    "schedd-scripts(7)": ("directives.md", "time-rules.md"),
}
COMMON_TO = 4
"""An option that so many verbs have is described once, for all of them."""

ENVIRONMENT = {
    "SCHEDD_SOCKET": "The Unix socket of the daemon to ask, as --socket.",
    "SCHEDD_URL": "The address of the daemon to ask, as --url.",
    "SCHEDD_TOKEN": "The token for SCHEDD_URL; it never stands on a command line, which every user can read.",
    "SCHEDD_TOKEN_FILE": "The file that has the token, as --token-file.",
    "SCHEDD_CONFIG": "The configuration file, instead of the usual ones, as --config.",
    "SCHEDD_…": "Every other setting of schedd.toml(5), by its name in capitals: SCHEDD_GRACE=20s.",
    "NO_COLOR": "When it is set, nothing is printed in colour.",
}


def main(directory: str, prefix: str) -> None:
    """Write the pages into a directory that exists."""
    makers = {"schedd.1": commands_page, "schedd.toml.5": settings_page, "schedd-scripts.7": scripts_page}
    for name, make in makers.items():
        title, _, section = name.rpartition(".")
        # The first line is for man-db: the page has tables.
        lines = [
            "'\\\" t",
            f'.TH {title.upper()} {section} {_date()} "schedd {__version__}" "schedd"',
            *make(prefix),
        ]
        # A heading begins a paragraph by itself.
        text = re.sub(r"^(\.S[HS] .*)\n\.PP$", r"\1", "\n".join(lines), flags=re.MULTILINE)
        Path(directory, name).write_text(f"{text}\n", encoding="ascii")


def commands_page(prefix: str) -> Iterator[str]:
    """Write schedd(1)."""
    document = _document("operations.md", page="schedd(1)")
    before, exits, behind = document.around_table("Command line")
    common = _common_options()
    yield from _name("schedd", "the cron daemon whose jobs are scripts that schedule themselves")
    yield heading("SH", "SYNOPSIS")
    yield f"{bold('schedd')} \\fIVERB\\fR [\\fIOPTION\\fR ...] [\\fIARGUMENT\\fR ...]"
    yield from _section("DESCRIPTION", _paragraphs(schedd.help or ""), before)
    yield heading("SH", "VERBS")
    for family, verbs in FAMILIES.items():
        yield heading("SS", family)
        yield from (tagged(bold(name), escaped(verb.help, {})) for name, verb in verbs.items())
    yield heading("SH", "OPTIONS OF MANY VERBS")
    yield from common
    yield heading("SH", "THE VERBS ONE BY ONE")
    yield from _verbs(document, common)
    yield heading("SH", "EXIT STATUS")
    yield from (tagged(code, meaning) for code, meaning in exits[1:])
    yield behind
    yield heading("SH", "ENVIRONMENT")
    yield from (tagged(bold(name), escaped(text, {})) for name, text in ENVIRONMENT.items())
    yield from _files(prefix)
    yield from _see_also("schedd.toml(5)", "schedd-scripts(7)", "systemctl(1)", "journalctl(1)", "crontab(5)")


def settings_page(prefix: str) -> Iterator[str]:
    """Write schedd.toml(5)."""
    document = _document("operations.md", page="schedd.toml(5)")
    before, _, behind = document.around_table("Configuration")
    yield from _name("schedd.toml", "the settings of schedd")
    yield heading("SH", "SYNOPSIS")
    yield bold(SYSTEM.file)
    yield ".br"
    yield bold(os.path.join(SYSTEM.config_dir, "schedd.d", "*.toml"))
    yield from _section("DESCRIPTION", before)
    yield heading("SH", "SETTINGS")
    yield from map(_setting, SETTINGS)
    yield from _section("NOTES", behind)
    yield from _section("PLACES", document.body("Places"))
    yield heading("SH", "EXAMPLE")
    yield example('timezone = "Europe/Berlin"\ntimeout = "30m"\nmax_running = 64\nredact = ["hunter2"]')
    yield from _files(prefix)
    yield from _see_also("schedd(1)", "schedd-scripts(7)")


def scripts_page(prefix: str) -> Iterator[str]:
    """Write schedd-scripts(7)."""
    directives, rules = (_document(name, page="schedd-scripts(7)") for name in PAGES["schedd-scripts(7)"])
    yield from _name("schedd-scripts", "what a script of schedd says in its header, and when it fires")
    yield from _section("DESCRIPTION", directives.whole())
    yield from _section("TIME RULES", rules.whole())
    yield from _files(prefix)
    yield from _see_also("schedd(1)", "schedd.toml(5)", "crontab(5)")


def _name(title: str, what: str) -> Iterator[str]:
    yield heading("SH", "NAME")
    yield f"{escaped(title)} \\- {what}"


def _section(title: str, *bodies: str) -> Iterator[str]:
    yield heading("SH", title)
    yield from bodies


def _files(prefix: str) -> Iterator[str]:
    documents = os.path.join(prefix, "share/doc/schedd")
    files = {
        SYSTEM.file: "Settings; beside it schedd.d/*.toml, in the order of their names.",
        os.path.join(SYSTEM.config_dir, "scripts"): "The scripts.",
        os.path.join(SYSTEM.state_dir, "fires.log"): "One line of JSON for each fire: the record.",
        os.path.join(SYSTEM.run_dir, "api.sock"): "The socket of the daemon.",
        documents: "The documents that this page names by their file, such as running.md.",
    }
    yield heading("SH", "FILES")
    yield from (tagged(rf"\fI{escaped(path)}\fR", escaped(text, {})) for path, text in files.items())


def _see_also(*pages: str) -> Iterator[str]:
    yield heading("SH", "SEE ALSO")
    written = [f".BR {escaped(name)} ({section}" for name, section in (page.split("(") for page in pages)]
    yield ",\n".join(written)


def _setting(setting: Setting) -> str:
    kind = setting.kind.value
    if setting.kind is Kind.COUNT:
        kind = f"{kind} from {setting.least} to {setting.most}"
    change = "reload" if setting.live else "restart"
    facts = f"{kind}; default: {as_toml(setting.default)}; {setting.variable}; changed by a {change}"
    return tagged(bold(setting.name), f"{line(escaped(setting.help, {}))}\n.br\n({escaped(facts)})")


def _verbs(document: Document, common: list[str]) -> Iterator[str]:
    """Write what the documentation says of each verb, with its usage before and its options behind it."""
    told = {name: title for level, title in document.headings() if level == 3 for name in title.split(", ")}
    left = dict.fromkeys(VERBS)
    for verb in VERBS:
        if verb not in left:
            continue
        names = [name for name in told.get(verb, verb).split(", ") if name in left]
        for name in names:
            del left[name]
        yield heading("SS", escaped(", ".join(names), {}))
        yield from (usage for name in names for usage in _usages(name))
        yield document.body(told[verb]) if verb in told else _paragraphs(_command(verb).help or "")
        for name in names:
            yield from _options(name, without=common)


def _usages(verb: str) -> Iterator[str]:
    yield ".PP"
    for number, (words, command) in enumerate(_commands(verb)):
        context = click.Context(command, info_name=words)
        pieces = [rf"\fI{escaped(piece)}\fR" for piece in command.collect_usage_pieces(context)]
        yield from [".br"] * bool(number)
        yield " ".join([bold(f"schedd {words}"), *pieces])


def _options(verb: str, *, without: Sequence[str] = ()) -> Iterator[str]:
    """Write the options of a verb, under the verb's name where several share a section."""
    for words, command in _commands(verb):
        options = [_option(each) for each in command.params if isinstance(each, click.Option)]
        own = [option for option in options if option not in without]
        if own:
            yield f".PP\nOptions of {bold(f'schedd {words}')}:"
            yield from own


def _common_options() -> list[str]:
    counted = Counter(option for verb in VERBS for option in _options(verb))
    return [option for option, verbs in counted.items() if verbs >= COMMON_TO]


def _option(option: click.Option) -> str:
    names = ", ".join(map(bold, (*option.opts, *option.secondary_opts)))
    value = "" if option.is_flag else f" \\fI{escaped(option.metavar or _kind(option))}\\fR"
    return tagged(f"{names}{value}", line(escaped(option.help or "")))


def _kind(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return "N" if isinstance(option.type, click.types.IntParamType) else option.type.name.upper()


def _commands(verb: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a verb, or each of its own verbs where it has some."""
    command = _command(verb)
    if isinstance(command, click.Group):
        yield from ((f"{verb} {name}", below) for name, below in command.commands.items())
    else:
        yield verb, command


def _command(verb: str) -> click.Command:
    command = schedd.get_command(click.Context(schedd), verb)
    assert command is not None
    return command


def _paragraphs(text: str) -> str:
    return "\n".join(
        f".PP\n{line(escaped(' '.join(part.split()), {}))}" for part in text.replace("`", "").split("\n\n")
    )


def _document(name: str, *, page: str) -> Document:
    return Document((DOCS / name).read_text(encoding="utf-8"), partial(_locate, page=page, document=name))


def _locate(target: str, *, page: str, document: str) -> str:
    """Say where a link of a document leads, as seen from a page."""
    if "://" in target:
        return escaped(target)
    path, _, anchor = target.partition("#")
    name = path or document
    if not name.endswith(".md"):
        return ""
    title = next((title for title in _titles(name) if slug(title) == anchor), "")
    if anchor and not title:
        raise UnknownMarkdownError(f"{document}: nothing in {name} is called #{anchor}")
    holds = next((other for other, names in PAGES.items() if name in names), escaped(name))
    said = rf"\fI{escaped(title)}\fR" if title else ""
    if name in PAGES[page]:
        return said
    return f"{said} in {holds}" if said else holds


def _titles(name: str) -> list[str]:
    text = (DOCS / name).read_text(encoding="utf-8")
    return [title for _, title in Document(text, lambda _: "").headings()]


def _date() -> str:
    """Return the day of the newest document, or that of SOURCE_DATE_EPOCH (reproducible-builds.org)."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or max(path.stat().st_mtime for path in DOCS.iterdir())
    return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC).date().isoformat()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except UnknownMarkdownError as problem:
        sys.exit(f"man.py: {problem}")
