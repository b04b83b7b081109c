"""What the scripts of a campaign are like: headers, and bodies that note their own beginning and end.

The notes go to a side file that schedd knows nothing of. A script that may run only once at a time takes an
flock while it lives, and so does what it leaves behind: the kernel itself says whether two were alive at
once, whoever killed whom before. The time of a note is that of /proc/uptime: a shell can read it without
starting a process, and nobody can set it.
"""

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

OPTIONAL = ("catchup", "retry", "deadline", "jitter")
"""Directives that a campaign does without when this schedd refuses them."""

ONE, TWO, MANY = "one", "two", "many"
"""Directories, by how many runs of a script in them may be alive at once."""
AT_ONCE: dict[str, int | None] = {ONE: 1, TWO: 2, MANY: None}


@dataclass(frozen=True)
class Rhythm:
    """Which seconds are due: those with `second % period == phase` for one of the pairs, or of a list."""

    periods: tuple[tuple[int, int], ...] = ()
    at: tuple[int, ...] = ()
    jitter_s: int = 1

    def __call__(self, second: int) -> bool:
        return second in self.at or any(second % period == phase for period, phase in self.periods)


EXPRESSIONS: tuple[tuple[str, Rhythm], ...] = (
    ("@every 1s", Rhythm(((1, 0),))),
    ("* * * * * *", Rhythm(((1, 0),))),
    ("@every 2s", Rhythm(((2, 0),))),
    ("1-59/2 * * * * *", Rhythm(((2, 1),))),
    ("*/3 * * * * *", Rhythm(((3, 0),))),
    ("@every 3s", Rhythm(((3, 0),))),
    ("*/5 * * * * *", Rhythm(((5, 0),))),
    ("*/5 * * * * * | 3,33 * * * * *", Rhythm(((5, 0), (30, 3)))),
    ("@every 7s", Rhythm(((7, 0),))),
    ("*/10 * * * * *", Rhythm(((10, 0),))),
    ("@every 13s", Rhythm(((13, 0),))),
    ("7,22,37,52 * * * * *", Rhythm(((15, 7),))),
    ("*/20 * * * * *", Rhythm(((20, 0),))),
    ("* * * * *", Rhythm(((60, 0),))),
    ("*/2 * * * *", Rhythm(((120, 0),))),
    ("@every 90s", Rhythm(((90, 0),))),
)
WEIGHTS = (6, 5, 6, 5, 4, 4, 3, 3, 2, 2, 2, 1, 2, 1, 1, 1)
"""About 15 fires a second for 25 scripts."""
BURST = EXPRESSIONS[12]
NEVER = Rhythm()

BODIES: dict[str, tuple[str, ...]] = {
    "ends_well": ("finish 0",),
    "exits_7": ("echo no luck >&2", "finish 7"),
    "exits_75": ("finish 75",),
    "exits_78": ("finish 78",),
    "sleeps_a_moment": ("sleep 0.3", "finish 0"),
    "sleeps_for_long": ("sleep 2.7", "finish 0"),
    "ignores_term": ("trap '' TERM", "sleep 3", "finish 0"),
    "leaves_a_child": ("sleep 20 &", "finish 0"),
    "leaves_a_stubborn_child": ("(trap '' TERM; sleep 20) &", "finish 0"),
    "prints_a_lot": ("seq 1 20000", "finish 0"),
    "returns_something": ("""echo '{"done": true}' >"$SCHEDD_RESULT\"""", "finish 0"),
    "kills_itself": ("kill -9 $$",),
}
"""By what they do."""
LIKELY = ("ends_well", "exits_7", "sleeps_a_moment", "sleeps_for_long")


@dataclass(frozen=True)
class Source:
    """One script as it stands in its file."""

    path: str
    expression: str
    rhythm: Rhythm
    body: str = "ends_well"
    directives: tuple[tuple[str, str], ...] = ()
    enabled: bool = True
    broken: bool = False
    """Its header makes no sense."""
    once_in_s: int | None = None
    """It is due once, so long after it was written."""

    @property
    def place(self) -> str:
        return self.path.partition("/")[0]

    @property
    def tries(self) -> int:
        """How often one fire of it may be tried at most."""
        asked = 4 if self.body == "exits_75" else 1
        retry = dict(self.directives).get("retry")
        return asked if retry is None else max(asked, int(retry.split()[0]) + 1)

    def without(self, names: Collection[str]) -> "Source":
        """Return it without some directives."""
        kept = tuple((name, value) for name, value in self.directives if name not in names)
        rhythm = self.rhythm if "jitter" in dict(kept) else replace(self.rhythm, jitter_s=1)
        return replace(self, directives=kept, rhythm=rhythm)

    def written_at(self, now_s: int) -> "Source":
        """Return it as it is when it is written now: what is due once gets its moment."""
        if self.once_in_s is None:
            return self
        moment = now_s + self.once_in_s
        text = datetime.fromtimestamp(moment, UTC).strftime("@at %Y-%m-%dT%H:%M:%SZ")
        return replace(self, expression=text, rhythm=Rhythm(at=(moment,)), once_in_s=None)

    def text(self, notes: Path, locks: Path) -> str:
        """Return what stands in the file."""
        directives = [("schedule", "every blue moon" if self.broken else self.expression)]
        directives += [*self.directives, *(() if self.enabled else (("enabled", "false"),))]
        header = [f"# @{name} {value}" for name, value in directives]
        if self.path.endswith(".py"):
            return "\n".join((*header, PYTHON.replace("NOTES", str(notes)))) + "\n"
        lock = locks / self.path.replace("/", "_")
        taking = (f"exec 9>>{lock}", "flock -n 9 || seen=clash") if AT_ONCE[self.place] == 1 else ()
        lines = (
            "#!/bin/sh",
            *header,
            SHELL.replace("NOTES", str(notes)),
            *taking,
            *BEGUN,
            *BODIES[self.body],
        )
        return "\n".join(lines) + "\n"


SHELL = """\
seen=alone
note() { read -r up _ </proc/uptime; echo "$1 $SCHEDD_RUN_ID $SCHEDD_SCRIPT $$ $up $2" >>NOTES; }
finish() { note end "$1"; exit "$1"; }"""
BEGUN = ('note begin "$seen"',)
PYTHON = """\
import os

def note(what, seen):
    with open("/proc/uptime") as uptime, open("NOTES", "a") as notes:
        about = os.environ["SCHEDD_RUN_ID"], os.environ["SCHEDD_SCRIPT"], str(os.getpid())
        notes.write(" ".join((what, *about, uptime.read().split()[0], seen)) + "\\n")

def main():
    note("begin", "alone")
    note("end", "0")
    return {"attempt": os.environ["SCHEDD_ATTEMPT"]}"""


def draw(dice: random.Random, path: str, *, jitter_s: int) -> Source:
    """Return some source for this path; its jitter is the path's own, so that its offset stays the same."""
    expression, rhythm = dice.choices(EXPRESSIONS, weights=WEIGHTS)[0]
    body = dice.choice(LIKELY) if dice.random() < 0.6 else dice.choice(sorted(BODIES))
    once_in_s = dice.randint(2, 20) if dice.random() < 0.08 else None
    directives = [*_overlap(dice, path), *(each for draws in OPTIONS for each in draws(dice))]
    if jitter_s > 1 and once_in_s is None:
        directives.append(("jitter", f"{jitter_s}s"))
        rhythm = replace(rhythm, jitter_s=jitter_s)
    return Source(
        path=path,
        expression=expression,
        rhythm=rhythm,
        body=body,
        directives=tuple(directives),
        enabled=dice.random() > 0.1,
        once_in_s=once_in_s,
    )


def _overlap(dice: random.Random, path: str) -> list[tuple[str, str]]:
    if path.startswith(MANY):
        return [("overlap", "allow")]
    overlap = ("overlap", dice.choice(("skip", "queue", "queue-all", "replace")))
    return [overlap, ("concurrent", "2")] if path.startswith(TWO) else [overlap]


def _catchup(dice: random.Random) -> list[tuple[str, str]]:
    policy = dice.choice(("none", "last", "all", "last within 1h", "all within 62s"))
    return [("catchup", policy)] if dice.random() < 0.6 else []


def _retry(dice: random.Random) -> list[tuple[str, str]]:
    policy = dice.choice(("1 every 1s", "2 every 3s", "3 backoff 1s..4s", "0"))
    return [("retry", policy)] if dice.random() < 0.35 else []


def _deadline(dice: random.Random) -> list[tuple[str, str]]:
    return [("deadline", dice.choice(("1s", "3s", "2m")))] if dice.random() < 0.2 else []


def _timeout(dice: random.Random) -> list[tuple[str, str]]:
    return [("timeout", dice.choice(("500ms", "1s", "2s")))] if dice.random() < 0.25 else []


def _timezone(dice: random.Random) -> list[tuple[str, str]]:
    zone = dice.choice(("Asia/Kathmandu", "America/St_Johns", "Europe/Berlin"))
    return [("timezone", zone)] if dice.random() < 0.2 else []


OPTIONS: tuple[Callable[[random.Random], list[tuple[str, str]]], ...] = (
    _catchup,
    _retry,
    _deadline,
    _timeout,
    _timezone,
)
