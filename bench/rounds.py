"""One burst: so many jobs for one contender, all due at one instant, and what came of it.

Each job writes down itself when it began (bench/floors/stamp.c, or a Python script when it has imported what
it needs), so all contenders are measured alike, whatever they say themselves: from the instant to the
beginning of the job. Only of what cannot write, as /bin/true, schedd's own log is taken.
"""

import json
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import usage
from bench.contenders.contender import PYTHON, Contender, Job
from bench.contenders.this import Schedd
from bench.floors import compiled

READY_BEFORE_S = 0.5
"""Who is not ready so long before the instant is given more time, in another try."""

LEADS_S = (2, 4, 8, 16, 32, 64, 128)
"""How long before the instant a contender is prepared and started: as short as it will do."""

QUIET_S = 15
"""When nothing has started for so long, nothing more will."""

LOOK_S = 0.1
SETTLES_S = 20
MINUTE_S = 60

Jobs = Callable[[Path, int], list[Job]]
"""Makes so many jobs that write into a file."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one burst."""

    late_s: list[float]
    """From the instant to the beginning of each job, in order."""

    lost: int
    twice: int
    used: usage.Usage


@dataclass(frozen=True, slots=True)
class Begun:
    """Where it is written down when each job began."""

    file: str
    read: Callable[[str, datetime], list[tuple[float, str]]]
    """Makes sense of it: seconds after the instant, and the job's name."""


class Rounds:
    """Bursts one after the other. Remembers how long each contender takes to get ready."""

    def __init__(self) -> None:
        self._tries: dict[tuple[str, int], int] = {}

    def one(
        self,
        contender: Contender,
        jobs: Jobs,
        count: int,
        *,
        begun: Begun | None = None,
        look: Callable[[Path], None] = lambda _: None,
    ) -> Seen:
        """Let a contender start so many jobs; `look` at its directory when it has ended."""
        known = contender.name, count
        for attempt in range(self._tries.get(known, 0), len(LEADS_S)):
            with tempfile.TemporaryDirectory(prefix="schedd-burst-") as directory:
                place = Path(directory)
                try:
                    seen = _attempt(
                        contender, jobs, count, place, begun=begun or STAMPED, lead_s=LEADS_S[attempt]
                    )
                finally:
                    contender.stop()
                if seen is not None:
                    look(place)
                    self._tries[known] = attempt
                    return seen
        raise AssertionError(f"{contender.name} was not ready with {count} jobs in {LEADS_S[-1]} s")


def _attempt(
    contender: Contender, jobs: Jobs, count: int, place: Path, *, begun: Begun, lead_s: int
) -> Seen | None:
    due = instant(lead_s, whole_minute=contender.each_minute_only)
    contender.prepare(place, jobs(place / STAMPED.file, count), due)
    contender.start()
    before = usage.settle(contender.pid, limit_s=max(0.0, due.timestamp() - READY_BEFORE_S - time.time()))
    if time.time() > due.timestamp() - READY_BEFORE_S:
        return None
    if isinstance(contender, Schedd) and contender.watched:
        contender.watch()
    time.sleep(due.timestamp() - time.time())
    file = Path(f"/proc/{contender.pid}/root{place}") / begun.file
    await_all(file, count)
    used = usage.settle(contender.pid, limit_s=SETTLES_S) - before
    return counted(begun.read(file.read_text(), due) if file.exists() else [], count, used)


def instant(lead_s: int, *, whole_minute: bool) -> datetime:
    """Return the instant at which the jobs are due."""
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=lead_s + 1)
    return soon + timedelta(seconds=-soon.second % MINUTE_S) if whole_minute else soon


def await_all(file: Path, count: int) -> None:
    """Wait until so many jobs have begun, or none begins any more."""
    size, deadline = 0, time.monotonic() + QUIET_S
    while time.monotonic() < deadline:
        time.sleep(LOOK_S)
        before, size = size, file.stat().st_size if file.exists() else 0
        if size > before:
            deadline = time.monotonic() + QUIET_S
            if file.read_bytes().count(b"\n") >= count:
                return


def stamped(text: str, due: datetime) -> list[tuple[float, str]]:
    """Read what the jobs wrote down: nanoseconds since the epoch, and their names."""
    due_ns = int(due.timestamp()) * 1_000_000_000
    lines = (line.split() for line in text.splitlines())
    return [((int(at_ns) - due_ns) / 1e9, name) for at_ns, name in lines]


def logged(text: str, due: datetime) -> list[tuple[float, str]]:  # noqa: ARG001
    """Read what schedd wrote down."""
    entries = (json.loads(line) for line in text.splitlines())
    return [(entry["latenessMs"] / 1e3, entry["scriptPath"]) for entry in entries]


STAMPED = Begun("stamps", stamped)
LOGGED = Begun("state/fires.log", logged)


def counted(begun: Sequence[tuple[float, str]], count: int, used: usage.Usage) -> Seen:
    """Count who was forgotten, and who was started more often than once."""
    starts = Counter(name for _, name in begun)
    late_s = sorted(after_s for after_s, _ in begun)
    return Seen(late_s, lost=count - len(starts), twice=starts.total() - len(starts), used=used)


def programs(stamps: Path, count: int) -> list[Job]:
    """Return jobs that do nothing but write down when they began."""
    stamp = str(compiled("stamp", static=True))
    return [
        Job(f"{number:06}", (stamp, str(stamps), f"{number:06}"), ".sh", f"#!{stamp} {stamps}", "")
        for number in range(count)
    ]


def nothings(stamps: Path, count: int) -> list[Job]:  # noqa: ARG001
    """Return jobs that are /bin/true."""
    return [Job(f"{number:06}", ("/bin/true",), ".sh", "#!/bin/true", "") for number in range(count)]


def pythons(imports: Sequence[str] = ()) -> Jobs:
    """Return what makes scripts in Python that write down when they have imported this, and can begin."""

    def jobs(stamps: Path, count: int) -> list[Job]:
        made = []
        for number in range(count):
            name = f"{number:06}"
            body = "".join(f"import {module}\n" for module in imports)
            # Both are in the interpreter before the script begins: they cost nothing.
            body += "import os, time\n"
            body += f"at = os.open({str(stamps)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
            body += f"os.write(at, b'%d {name}\\n' % time.time_ns())\n"
            script = stamps.with_name(f"{name}.py")
            script.write_text(body)
            made.append(Job(name, (PYTHON, str(script)), ".py", f"#!{PYTHON}", body))
        return made

    return jobs


def floor(*command: str | Path, count: int, at_s: float = 0) -> list[float]:
    """Let the loop in C start so many children at an instant; return when each was started, and the end."""
    loop = [compiled("spawn_loop"), str(at_s), str(count), *command]
    printed = subprocess.run(loop, check=True, capture_output=True, text=True).stdout
    return [int(line) / 1e9 for line in printed.splitlines()]


def stamped_floor(count: int) -> list[float]:
    """Let the loop in C start so many stamps at an instant; return how long after it each began, in order."""
    with tempfile.TemporaryDirectory(prefix="schedd-burst-") as directory:
        stamps = Path(directory) / "stamps"
        due = instant(0, whole_minute=False)
        floor(compiled("stamp", static=True), stamps, "%", count=count, at_s=due.timestamp())
        return sorted(after_s for after_s, _ in stamped(stamps.read_text(), due))
