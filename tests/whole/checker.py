"""Proves the promise from the files alone: it shares nothing with schedd but the format of the fires log.

It is told which seconds are due by each script's expression, and from when to when the script was registered
for certain. Each due second of that time must be covered by exactly one line: of its own, or as part of a
span. While a reload or a start was under way nobody outside can know which registration held: then a second
may be covered or not, but never twice, and only if one of the registrations in question says that it is due.

Whatever does not hold is a complaint, a sentence; one lost slot must not hide another.
"""

import json
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

Line = dict[str, Any]
Due = Callable[[int], bool]

DECIDING = ("schedule", "catchup")
"""The kinds whose lines cover a slot; the other fires come on top."""
KINDS = (*DECIDING, "manual", "replay", "retry", "startup")
REASONS: dict[str, set[str | None]] = {
    "ok": {None},
    "error": {
        *("exit", "signal", "exception", "unexpected", "spawn", "out_of_memory"),
        *("stopped", "interrupted", "missed"),
    },
    "timeout": {"timeout"},
    "disabled": {"disabled", "paused", "maintenance", "blackout"},
    "load_error": {"preflight", "unreadable", "unsafe"},
    "incompatible": {"websocket"},
    "skipped_overload": {
        *("overlap", "overload", "lock", "hold_full", "superseded", "too_late", "draining"),
    },
}
FAILED = ("error", "timeout")
ALWAYS = ("ts", "scriptPath", "expression", "runId", "status", "durationMs", "kind")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
FOREVER_MS = 1 << 45
SHOWN = 5


@dataclass(frozen=True)
class Standing:
    """One way in which a script may be registered."""

    due: Due
    enabled: bool | None = True
    """None: nobody says."""
    jittered: bool = False
    """Its slots are moved by the script's offset."""

    def is_due(self, second: int, offset: int) -> bool:
        return self.due(second - offset if self.jittered else second)


@dataclass(frozen=True)
class Stretch:
    """A time in which a script stood in one of these ways (None: not registered); with one, for certain.

    It holds the slots after `after_ms`, up to and including `until_ms`.
    """

    after_ms: int
    until_ms: int
    standings: tuple[Standing | None, ...]

    @property
    def certain(self) -> bool:
        return len(self.standings) == 1

    def seconds(self) -> range:
        return range(self.after_ms // 1000 + 1, self.until_ms // 1000 + 1)

    def registered(self) -> Iterator[Standing]:
        return (standing for standing in self.standings if standing is not None)


@dataclass
class Script:
    """What is known of a script: how it stood, without gaps, and how often one fire of it may be tried."""

    stretches: Sequence[Stretch]
    tries: int | None = None
    """None: no matter."""
    jitter_s: int = 1
    """Its offset is a whole number of seconds below this; which one, the lines must show."""


@dataclass(frozen=True)
class Ban:
    """No slot after `after_ms`, up to and including `until_ms`, may run: of one script, or of all (None)."""

    script: str | None
    after_ms: int
    until_ms: int

    def holds(self, script: str, slot: int) -> bool:
        return self.script in (None, script) and self.after_ms < slot * 1000 <= self.until_ms


@dataclass
class Verdict:
    """What the lines prove: how many slots each script had, and what does not hold."""

    counts: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0


def check(lines: list[Line], due: Mapping[str, Due], *, first_s: int, last_s: int) -> dict[str, int]:
    """Return how many slots each script had; fail on any that is lost or told twice.

    `first_s` to `last_s` is the time in which every script was registered for certain, and for good.
    """
    after_ms, until_ms = first_s * 1000 - 1, last_s * 1000
    scripts = {}
    for path, is_due in due.items():
        one = Standing(is_due, enabled=None)
        before, after = Stretch(0, after_ms, (None, one)), Stretch(until_ms, FOREVER_MS, (None, one))
        scripts[path] = Script([before, Stretch(after_ms, until_ms, (one,)), after])
    verdict = prove(lines, scripts)
    assert not verdict.complaints, "\n".join(verdict.complaints[:20])
    return verdict.counts


def prove(lines: Sequence[Line], scripts: Mapping[str, Script], bans: Sequence[Ban] = ()) -> Verdict:
    """Look at everything that the lines of the fires log must show."""
    verdict = Verdict()
    verdict.complaints += _forms(lines)
    by_script: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_script[line["scriptPath"]].append(line)
    for path in sorted(by_script.keys() | scripts.keys()):
        if path not in scripts:
            verdict.complaints.append(f"{path}: has {len(by_script[path])} lines, and was never registered")
            continue
        _take_the_best(verdict, path, by_script[path], scripts[path])
        verdict.complaints += _banned(path, by_script[path], scripts[path], bans)
        verdict.complaints += _tries(path, by_script[path], scripts[path].tries)
    return verdict


# Slots.


@dataclass
class _Told:
    """The slots of one script, compared with its lines."""

    told: Counter[int]
    complaints: list[str]
    lost: list[int]
    twice: list[int]
    never_due: list[int]

    @property
    def wrong(self) -> int:
        return len(self.complaints) + len(self.lost) + len(self.twice) + len(self.never_due)


def _take_the_best(verdict: Verdict, path: str, lines: list[Line], script: Script) -> None:
    """Add the slots of a script to the verdict, moved by the one offset that explains its lines best."""
    moved = [_compare(lines, script, offset) for offset in range(script.jitter_s)]
    best = min(moved, key=lambda told: told.wrong)
    verdict.counts[path] = sum(best.told.values())
    verdict.lost += len(best.lost)
    verdict.doubled += len(best.twice)
    verdict.complaints += [f"{path}: {complaint}" for complaint in best.complaints]
    for what, seconds_ in (("lost", best.lost), ("told twice", best.twice), ("never due", best.never_due)):
        if seconds_:
            verdict.complaints.append(f"{path}: {what} {seconds_[:SHOWN]} ({len(seconds_)} in all)")


def _compare(lines: list[Line], script: Script, offset: int) -> _Told:
    told: Counter[int] = Counter()
    complaints: list[str] = []
    for line in lines:
        if line["kind"] in DECIDING and "slot" in line:
            told.update(_covered(line, script, offset, complaints))
    lost = [
        second
        for stretch in script.stretches
        if stretch.certain
        for standing in stretch.registered()
        for second in stretch.seconds()
        if standing.is_due(second, offset) and second not in told
    ]
    ends = [stretch.until_ms for stretch in script.stretches]
    never_due = [second for second in sorted(told) if not _may_be_due(second, script, ends, offset)]
    twice = sorted(second for second, count in told.items() if count > 1)
    return _Told(told, complaints, lost, twice, never_due)


def _covered(line: Line, script: Script, offset: int, complaints: list[str]) -> Iterable[int]:
    """Return the seconds that a line stands for; those of a span are due by one registration."""
    first = seconds(line["slot"])
    if "count" not in line:
        return [first]
    last = seconds(line["lastSlot"])
    span: list[int] = []
    for stretch in script.stretches:
        if stretch.after_ms < last * 1000 and first * 1000 <= stretch.until_ms:
            for standing in stretch.registered():
                span = [second for second in range(first, last + 1) if standing.is_due(second, offset)]
                if len(span) == line["count"] and span[0] == first and span[-1] == last:
                    return span
    complaints.append(f"a span that no registration explains (here {len(span)} would be due): {line}")
    return span


def _may_be_due(second: int, script: Script, ends: list[int], offset: int) -> bool:
    at = bisect_left(ends, second * 1000)
    return (
        at < len(ends)
        and script.stretches[at].after_ms < second * 1000
        and any(standing.is_due(second, offset) for standing in script.stretches[at].registered())
    )


def _banned(path: str, lines: list[Line], script: Script, bans: Sequence[Ban]) -> Iterator[str]:
    """Yield the slots that ran though they must not: disabled for certain, or paused; and the reverse."""
    for stretch in script.stretches:
        if all(standing is not None and standing.enabled is False for standing in stretch.standings):
            bans = [*bans, Ban(path, stretch.after_ms, stretch.until_ms)]
    for line in lines:
        if line["kind"] not in DECIDING or "slot" not in line:
            continue
        slot = seconds(line["slot"])
        if "startedAt" in line and any(ban.holds(path, slot) for ban in bans):
            yield f"{path}: ran while it was disabled or paused: {line}"
        if line.get("reason") == "disabled" and not any(
            stretch.after_ms < slot * 1000 <= stretch.until_ms
            and any(standing is not None and standing.enabled is not True for standing in stretch.standings)
            for stretch in script.stretches
        ):
            yield f"{path}: told as disabled, and was not: {line}"


# Fires that come on top.


def _tries(path: str, lines: list[Line], most: int | None) -> Iterator[str]:
    """Yield retries of what did not fail, and fires for slots that there never were."""
    slots: set[int] = set()
    failed: set[tuple[str | None, int]] = set()
    for line in lines:
        slot, attempt = line.get("slot"), line.get("attempt", 1)
        if slot is not None and line["kind"] in DECIDING:
            slots.update((seconds(slot),) if "count" not in line else range(*_bounds(line)))
        if line["status"] in FAILED:
            failed.add((slot, attempt))
    for line in lines:
        slot, attempt = line.get("slot"), line.get("attempt", 1)
        if line["kind"] in ("retry", "replay") and slot is not None and seconds(slot) not in slots:
            yield f"{path}: a {line['kind']} of a slot that has no line: {line}"
        if line["kind"] == "retry" and "startedAt" in line and (slot, attempt - 1) not in failed:
            yield f"{path}: a retry of what did not fail: {line}"
        if most is not None and attempt > most:
            yield f"{path}: tried more than {most} times: {line}"


def _bounds(span: Line) -> tuple[int, int]:
    return seconds(span["slot"]), seconds(span["lastSlot"]) + 1


# Lines.


def _forms(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the lines that are not what the format of the fires log says, and fires with two of them."""
    ids = Counter(line["runId"] for line in lines)
    doubled = [run_id for run_id, count in ids.items() if count > 1]
    if doubled:
        yield f"two lines for one fire: {doubled[:SHOWN]} ({len(doubled)} in all)"
    for line in lines:
        wrong = _wrong_with(line)
        if wrong:
            yield f"{wrong}: {line}"


def _wrong_with(line: Line) -> str | None:
    status, slot, started = line["status"], line.get("slot"), line.get("startedAt")
    if status not in REASONS or line.get("reason") not in REASONS[status]:
        return "the reason does not go with the status"
    if line["kind"] not in KINDS:
        return "no such kind"
    if (status == "ok") == ("error" in line):
        return "every status but ok has an error, and only those"
    if started is not None and started > line["ts"]:
        return "ended before it began"
    if slot is not None and started is not None and started < slot:
        return "ran before its time"
    if "count" in line and (started is not None or slot is None or line["lastSlot"] < slot):
        return "no span is like this"
    return None


def read(state: Path) -> list[Line]:
    """Every line of a state directory's fires log, oldest first, rotated files too."""
    return [json.loads(line) for file in _files(state) for line in file.read_bytes().split(b"\n") if line]


def read_strictly(state: Path) -> tuple[list[Line], list[str]]:
    """Return the lines that can be read, oldest first, and what is wrong with the files that hold them."""
    lines: list[Line] = []
    complaints: list[str] = []
    for file in _files(state):
        *whole, rest = file.read_bytes().split(b"\n")
        if rest:
            complaints.append(f"{file.name}: the last line is torn: {rest[:200]!r}")
        newest = ""
        for number, raw in enumerate(whole, start=1):
            line = _parsed(raw)
            if line is None:
                complaints.append(f"{file.name}:{number}: no line of a fires log: {raw[:200]!r}")
                continue
            if line["ts"] < newest:
                complaints.append(f"{file.name}:{number}: {line['ts']} comes after {newest}")
            newest = line["ts"]
            lines.append(line)
    return lines, complaints


def _parsed(raw: bytes) -> Line | None:
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    if not isinstance(line, dict) or any(key not in line for key in ALWAYS):
        return None
    instants = [line[key] for key in ("ts", "slot", "lastSlot", "startedAt") if key in line]
    if not all(isinstance(instant, str) and INSTANT.fullmatch(instant) for instant in instants):
        return None
    return line if UUID7.fullmatch(str(line["runId"])) else None


def _files(state: Path) -> list[Path]:
    """Return the segments of the fires log, oldest first."""
    named = re.compile(r"fires\.log(\.(\d+))?")
    found = [(match, path) for path in state.iterdir() if (match := named.fullmatch(path.name))]
    return [path for _, path in sorted(found, key=lambda one: int(one[0][2] or 0), reverse=True)]


def seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())
