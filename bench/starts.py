"""What one run costs, from order to end: warm and cold, beside the interpreter alone and a bare spawn.

All ways are gone round 300 times, so that whatever else the machine does hits each of them alike. Figures
are the median and the worst of a hundred, and the median as a multiple of that of a bare spawn.
"""

import asyncio
import hashlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from bench.row import Row, shown
from schedd.fire import Ended, Fire, Kind
from schedd.host.clock import SystemClock
from schedd.host.identity import run_ids
from schedd.runner.command import Tools
from schedd.runner.environment import DEFAULT_PATH
from schedd.runner.languages.node import Nodes
from schedd.runner.launch import Launch
from schedd.runner.runner import Runner
from schedd.runner.starts import Means
from schedd.schedule import FileStamp, Mode, Schedule
from schedd.timetable.timetable import Timetable

ROUNDS = 300
FIRST_ROUNDS = 5
"""Not counted: nurseries start, files are read for the first time."""

PAUSE_S = 0.05
"""Before each run, since runs do not follow on each other's heels: what is made in advance has been made."""

PYTHON = "/usr/bin/python3"
MODULES = (
    "argparse",
    "csv",
    "datetime",
    "hashlib",
    "json",
    "logging",
    "pathlib",
    "sqlite3",
    "subprocess",
    "urllib.request",
)
TIMETABLE = Timetable.parse("@yearly", "UTC")
ENVIRONMENT = {"PATH": DEFAULT_PATH, "LANG": "C.UTF-8", "HOME": "/tmp"}
FLOOR = "a bare posix_spawn of /bin/true, awaited"

Way = Callable[[], Awaitable[None]]
WaysOf = Callable[["Bench", str], dict[str, Way]]


class Bench:
    """A runner, and scripts for it."""

    def __init__(self, root: Path, means: Means) -> None:
        root.mkdir()
        self.root = root
        self._over: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._new_run_id = run_ids()
        self.runner = Runner(
            clock=SystemClock(),
            report=self._report,
            started=lambda *_: None,
            state_dir=str(root / "state"),
            means=means,
        )

    def _report(self, ended: Ended) -> None:
        self._over.set_result(ended)

    def script(self, name: str, text: str, mode: Mode | None = None) -> Way:
        """Write a script; return what runs it once, and sees that it ends well."""
        path = self.root / name
        path.write_text(text)
        status = path.stat()
        schedule = Schedule(
            script=name,
            path=str(path),
            expression="@yearly",
            timezone="UTC",
            timetable=TIMETABLE,
            mode=mode,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            stamp=FileStamp(status.st_ino, status.st_size, status.st_mtime_ns),
        )

        async def run() -> None:
            self._over = asyncio.get_running_loop().create_future()
            run_id = self._new_run_id(time.time_ns() // 1_000_000)
            fire = Fire(run_id, name, "@yearly", Kind.MANUAL, None)
            self.runner.start(Launch(fire=fire, schedule=schedule))
            ended = await self._over
            assert ended.outcome.status == "ok", ended

        return run


def rows() -> Iterator[Row]:
    """Measure all ways of one run."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        python = venv(root / "venv")
        # One runner after the other: each takes all children of the process that are not its own for orphans.
        for ways in (without_imports, with_imports, with_types):
            took_s = asyncio.run(measured(ways, root / ways.__name__, python))
            yield from shown_rows(took_s)


def shown_rows(took_s: dict[str, list[float]]) -> Iterator[Row]:
    """Write down one round trip of ways."""
    floor_s = statistics.median(took_s[FLOOR])
    for what, each_s in took_s.items():
        median_s, worst_s = statistics.median(each_s), statistics.quantiles(each_s, n=100)[98]
        figure = f"{shown(median_s)} (p99 {shown(worst_s)}), {median_s / floor_s:.1f} times"
        yield Row("run", what, figure)


async def measured(ways_of: WaysOf, root: Path, python: str) -> dict[str, list[float]]:
    """Return how long each way took, round by round."""
    bench = Bench(root, Means(python=python, python_preload=MODULES if ways_of is with_imports else ()))
    try:
        ways = {FLOOR: alone("/bin/true"), **ways_of(bench, python)}
        took_s: dict[str, list[float]] = {what: [] for what in ways}
        for number in range(FIRST_ROUNDS + ROUNDS):
            for what, way in ways.items():
                await asyncio.sleep(PAUSE_S)
                before = time.perf_counter()
                await way()
                if number >= FIRST_ROUNDS:
                    took_s[what].append(time.perf_counter() - before)
    finally:
        await bench.runner.close()
    return took_s


def without_imports(bench: Bench, python: str) -> dict[str, Way]:
    """Return the ways of a program, and of a Python script of one line."""
    program = {"program: schedd": bench.script("true.sh", "#!/bin/true\n")}
    return program | languages(bench, "Python, no imports", "py", "x = 1\n", python)


def with_imports(bench: Bench, python: str) -> dict[str, Way]:
    """Return the ways of a Python script that imports what is preloaded."""
    text = "".join(f"import {module}\n" for module in MODULES)
    return languages(bench, f"Python, {len(MODULES)} modules, preloaded", "py", text, python)


def with_types(bench: Bench, python: str) -> dict[str, Way]:  # noqa: ARG001
    """Return the ways of a script in TypeScript."""
    node = Nodes(Tools(DEFAULT_PATH)).interpreter("bench", None, DEFAULT_PATH)
    return languages(bench, "TypeScript", "ts", "const x: number = 1;\nexport {};\n", node)


def languages(bench: Bench, what: str, suffix: str, text: str, interpreter: str) -> dict[str, Way]:
    """Return the three ways of a script."""
    warm, cold = bench.script(f"warm.{suffix}", text), bench.script(f"cold.{suffix}", text, Mode.COLD)
    single = alone(interpreter, str(bench.root / f"cold.{suffix}"))
    return {f"{what}: schedd warm": warm, f"{what}: schedd cold": cold, f"{what}: interpreter alone": single}


def alone(*argv: str) -> Way:
    """Return what spawns a program and waits for it."""

    async def run() -> None:
        spawn(argv)

    return run


def spawn(argv: tuple[str, ...]) -> None:
    """Spawn and wait, with nothing around it."""
    pid = os.posix_spawn(argv[0], argv, ENVIRONMENT)
    assert os.waitpid(pid, 0)[1] == 0


def venv(place: Path) -> str:
    """Make a clean environment of the host's Python; return its interpreter."""
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", place], check=True)
    return str(place / "bin" / "python")
