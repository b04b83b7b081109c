"""docs/first-hour.md as a program: its commands are typed on a machine, and what they show is held to it.

The document is the only script there is: every line after `$ ` in it is run, by root, on a terminal of the
lab, and what follows the line is what has to be seen. Whatever differs from one hour to the next (instants,
ids, durations, numbers of processes) is alike in what is compared, so the document has real ones. Two marks,
which nobody sees on the page, stand before a block:

    <!-- soon -->   what is shown takes a moment to become true: ask until it is
    <!-- host -->   what is shown depends on the host: only the subjects of its lines are compared

`python -m tests.whole.first_hour` lives through the hour and writes what has changed into the document.

Rejected: a transcript beside the document (they drift apart); a test that knows the commands (so do they).
"""

import difflib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.whole import packages
from tests.whole.systemd_lab import ROOT, Lab

DOCUMENT = ROOT / "docs" / "first-hour.md"
SOON = "<!-- soon -->"
HOST = "<!-- host -->"
BLOCK = "```console"
END = "```"
NAME = "web1"
COLUMNS = 110
SOON_S = 20
AGAIN_S = 0.2
RETURN = "\a"
"""A carriage return of the terminal, on its way through pipes that take it for the end of a line."""
TERMINAL = (
    *("env", "--ignore-environment", "--chdir=/root", "HOME=/root", "SHELL=/bin/bash", "TERM=xterm"),
    *("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"),
    *("NO_COLOR=1", "PAGER=cat", f"COLUMNS={COLUMNS}", "DEBIAN_FRONTEND=noninteractive"),
    *("sh", "-c", r'script --quiet --echo=never --command "$0" /dev/null | tr "\r" "\a"'),
)

_CLOCK = r"\d\d:\d\d(:\d\d(\.\d+)?)?( (UTC|CES?T)\b|Z\b)?"
ALIKE = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "RUN"),
    (re.compile(rf"(([A-Z][a-z]{{2}} )?\d{{4}}-\d\d-\d\d[ T]|[A-Z][a-z]{{2}} [ \d]\d )?{_CLOCK}"), "WHEN"),
    (re.compile(r"\bin \d+ \w+\b|\b\d+ ?\w+ ago\b|\bnow\b"), "AWAY"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|min|h|d)\b"), "LONG"),
    (re.compile(r"(?<=\[)\d+(?=\])|(?<=PID: )\d+|(?<=[UG]ID )\d+"), "ID"),
    (re.compile(r"\d+(?= files and directories)|(?<=service: )\d+\.\d+"), "MANY"),
    (re.compile(r'("(?:\w+Ms|outputBytes|cursor)": ).+'), r"\1MANY,"),
    (re.compile(r" {2,}|\t"), "  "),
)
UNTOLD = re.compile(r"(Processing triggers for .*|.* the scripts directory was read again)\n")
"""What there is of it depends on the host, or on how quickly was typed."""
SUBJECT = re.compile(r"[✓!✗] (\w+) ")


@dataclass(frozen=True, slots=True)
class Step:
    """A command, and what it shows."""

    command: str
    shown: str
    soon: bool = False
    host: bool = False

    def alike(self) -> list[str]:
        """Return what is compared of what is shown, in lines."""
        if self.host:
            return sorted(match[1] for line in self.shown.splitlines() if (match := SUBJECT.match(line)))
        text = UNTOLD.sub("", self.shown)
        for pattern, name in ALIKE:
            text = pattern.sub(name, text)
        return [line.rstrip() for line in text.splitlines()]


def steps(document: str) -> list[Step]:
    """Return the commands of a document."""
    return [piece for piece in _pieces(document) if isinstance(piece, Step)]


def rewritten(document: str, seen: list[Step]) -> str:
    """Return a document with what was seen, where that is not alike; instants alone are no reason."""
    fresh = iter(seen)
    text = []
    for piece in _pieces(document):
        if isinstance(piece, str):
            text.append(piece)
            continue
        step = next(fresh)
        shown = piece.shown if step.alike() == piece.alike() else step.shown
        text.append(_typed(piece.command) + shown)
    return "".join(text)


def differences(document: str, seen: list[Step]) -> list[str]:
    """Return how what was seen differs from a document, in lines; none when all is as it says."""
    lines: list[str] = []
    for said, saw in zip(steps(document), seen, strict=True):
        sides = said.alike(), saw.alike()
        difference = list(difflib.unified_diff(*sides, "in the document", "seen", lineterm=""))
        if difference:
            lines += [f"$ {said.command}", *difference]
    return lines


def lived(lab: Lab, document: str) -> list[Step]:
    """Type all commands of a document, one after the other, and return what they showed."""
    return [_lived(lab, step) for step in steps(document)]


def prepare(lab: Lab, package: Path, directory: Path) -> None:
    """Leave a machine as the document finds it: two packages in root's home, and nothing of schedd."""
    packages.prepare(lab)
    lab.run("hostname", NAME)
    home = lab.path("/root")
    shutil.copy(package, home)
    later = packages.newer(package, directory)
    shutil.copy(later, home / package.name.replace("-1_", "-2_"))


def _pieces(document: str) -> Iterator[str | Step]:
    """Cut a document into what is not typed, and steps."""
    marks: set[str] = set()
    inside, typed, shown = False, list[str](), list[str]()
    for line in document.splitlines(keepends=True):
        text = line.rstrip("\n")
        opens = inside and text.startswith("$ ")
        if typed and (opens or text == END):
            yield Step("\n".join(typed), "".join(shown), soon=SOON in marks, host=HOST in marks)
            typed, shown = [], []
        if opens:
            typed = [text[2:]]
        elif typed and not shown and text.startswith("> "):
            typed.append(text[2:])
        elif typed:
            shown.append(line)
        else:
            marks = {text} if text in {SOON, HOST} else marks if text == BLOCK else set()
            inside = text == BLOCK
            yield line


def _typed(command: str) -> str:
    return "$ " + command.replace("\n", "\n> ") + "\n"


def _lived(lab: Lab, step: Step) -> Step:
    deadline = time.monotonic() + SOON_S
    while True:
        saw = replace(step, shown=_show(lab, step.command))
        if not step.soon or saw.alike() == step.alike() or time.monotonic() > deadline:
            return saw
        time.sleep(AGAIN_S)


def _show(lab: Lab, command: str) -> str:
    """Return what a terminal shows in the end: what a line was overwritten with, and not what by."""
    printed = lab.run(*TERMINAL, command).stdout
    lines = [line.rstrip(RETURN).rpartition(RETURN)[2].rstrip() for line in printed.splitlines()]
    return "".join(f"{line}\n" for line in lines)


def write() -> None:
    """Live through the hour, and write what has changed into the document."""
    before = DOCUMENT.read_text()
    with tempfile.TemporaryDirectory(prefix="schedd-first-hour-") as directory, Lab() as lab:
        package = packages.build(Path(directory, "package"))
        prepare(lab, package, Path(directory))
        seen = lived(lab, before)
    sys.stdout.writelines(f"{line}\n" for line in differences(before, seen))
    DOCUMENT.write_text(rewritten(before, seen))


if __name__ == "__main__":
    write()
