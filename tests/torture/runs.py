"""What the scripts themselves saw, against what the fires log says of them.

A run that began has exactly one line, and that line says that it ran. It began once, not before its slot, and
never beside another one where only one may be alive.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.whole.checker import Line, seconds

COARSE_S = 0.02
"""/proc/uptime counts hundredths of a second."""


@dataclass(frozen=True)
class Note:
    """One line of the side file; `seen` is `alone` or `clash` at the beginning, the exit code at the end."""

    what: str
    run_id: str
    script: str
    pid: int
    at_s: float
    seen: str


@dataclass
class Run:
    """What is known of one run; where no end was noted it was killed, nobody knows when."""

    begun: Note
    ended: Note | None = None


def read(notes: Path, *, boot_s: float) -> list[Note]:
    """Return all notes, with their times since the epoch; `boot_s` is when the uptime was 0."""
    found = []
    for line in notes.read_text().splitlines() if notes.exists() else ():
        what, run_id, script, pid, up, seen = line.split()
        found.append(Note(what, run_id, script, int(pid), boot_s + float(up), seen))
    return found


def of(notes: Iterable[Note]) -> tuple[dict[str, Run], list[str]]:
    """Put the notes together by run, and say what is odd about them."""
    runs: dict[str, Run] = {}
    complaints = []
    for note in notes:
        if note.what == "end":
            runs[note.run_id].ended = note
        elif note.run_id in runs:
            complaints.append(f"{note.script}: run {note.run_id} began twice")
        else:
            runs[note.run_id] = Run(note)
        if note.seen == "clash":
            complaints.append(f"{note.script}: run {note.run_id} began while another one was alive")
    return runs, complaints


def prove(runs: Mapping[str, Run], lines: Iterable[Line], at_once: Mapping[str, int | None]) -> Iterator[str]:
    """Yield what the lines say of runs that is not what the runs saw."""
    by_id = {line["runId"]: line for line in lines}
    for run_id, run in runs.items():
        line = by_id.get(run_id)
        if line is None:
            yield f"{run.begun.script}: run {run_id} began and has no line"
        else:
            yield from _compare(run, line)
    for line in by_id.values():
        if line["status"] == "ok" and (line["runId"] not in runs or runs[line["runId"]].ended is None):
            yield f"{line['scriptPath']}: ok, but it did not come to its end: {line}"
    yield from _crowds(runs.values(), at_once)


def _compare(run: Run, line: Line) -> Iterator[str]:
    if line["scriptPath"] != run.begun.script:
        yield f"{run.begun.script}: its line is of another script: {line}"
    if "startedAt" not in line:
        yield f"{run.begun.script}: ran, and its line does not say so: {line}"
    if "slot" in line and run.begun.at_s < seconds(line["slot"]) - COARSE_S:
        yield f"{run.begun.script}: ran before its time, at {run.begun.at_s:.2f}: {line}"
    if run.ended is not None and line.get("exitCode") not in (None, int(run.ended.seen)):
        yield f"{run.begun.script}: exited with {run.ended.seen}: {line}"


def _crowds(runs: Iterable[Run], at_once: Mapping[str, int | None]) -> Iterator[str]:
    """Yield where more runs of a script were alive than may be, as far as their ends were noted."""
    steps: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for run in runs:
        if run.ended is not None and run.ended.at_s - COARSE_S > run.begun.at_s:
            steps[run.begun.script] += [(run.begun.at_s, 1), (run.ended.at_s - COARSE_S, -1)]
    for script, changes in steps.items():
        limit, alive = at_once[script], 0
        for at_s, change in sorted(changes):
            alive += change
            if limit is not None and alive > limit:
                yield f"{script}: {alive} runs were alive at {at_s:.2f}, {limit} may be"
