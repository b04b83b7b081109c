"""A Python script cannot tell, by what it does and sees, whether its interpreter was started for it.

Each script is run twice by the real runner, by a new interpreter and by a fork of one that was there, and
must print, return, raise and exit the same. What is bound to differ (process ids, addresses, times) is kept
out of what they print.
"""

import dataclasses
import os
import re
from pathlib import Path

import pytest

from schedd.fire import Outcome
from schedd.runner.starts import Means
from schedd.schedule import Mode, Schedule
from tests.machine.python_scripts import NEIGHBOURS, SCRIPTS
from tests.machine.running import Workshop, spare_of, workshop

PYTHON = "/usr/bin/python3"
ADDRESS = re.compile(r"0x[0-9a-f]{6,}")

GOES_FIRST = "import os\nos.first = 1\ndef main(): return os.getppid()\n"


PRELOAD = ("csv", "json", "logging", "threading", "subprocess", "asyncio", "tempfile", "gzip", "sqlite3")

TOUCHES_WHAT_IS_PRELOADED = (
    "has_a_neighbour_like_a_library",
    "has_a_thread_and_exits",
    "has_a_daemon_thread",
    "has_an_executor",
    "has_processes_by_fork",
    "runs_asyncio_processes",
    "logs_an_exception",
    "leaves_a_log_open",
    "leaves_a_gzip_open",
    "leaves_a_database_open",
    "leaves_a_temporary_directory",
    "leaves_a_file_in_a_library",
    "deletes_in_a_library",
    "shows_its_stack",
    "warns_when_compiled",
    "looks_at_its_files",
    "looks_at_its_signals",
    "finalizes",
)


@dataclasses.dataclass(frozen=True)
class Told:
    """What is known of a run that should not depend on how it was started."""

    status: str
    reason: str | None
    error: str | None
    exit_code: int | None
    signal: str | None
    result: str | None
    output: str
    files: dict[str, bytes]


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_script_cannot_tell_whether_its_interpreter_is_new(tmp_path: Path, name: str) -> None:
    told = await each_way(tmp_path, name, PYTHON, ())
    assert told["fork"] == told["cold"]
    assert told["fork made in advance"] == told["cold"]


@pytest.mark.parametrize("name", TOUCHES_WHAT_IS_PRELOADED)
async def test_nor_does_it_see_what_was_preloaded(tmp_path: Path, name: str) -> None:
    told = await each_way(tmp_path, name, PYTHON, PRELOAD)
    assert told["fork"] == told["cold"]
    assert told["fork made in advance"] == told["cold"]


async def each_way(root: Path, name: str, python: str, preload: tuple[str, ...]) -> dict[str, Told]:
    """Run a script in each way; the nursery has run another one before."""
    means = Means(python=python, python_preload=preload)
    told = {}
    async with workshop(root, means=means) as shop:
        first = await shop.run(shop.script("other/goes_first.py", GOES_FIRST))
        assert first.result not in {None, str(os.getpid())}, "it was no fork"
        script = make(shop, name)
        told["fork"] = await run(shop, script)
        spare = await spare_of(int(first.result or 0))
        told["fork made in advance"] = await run(shop, script)
        assert spare in {pid for pid, _ in shop.begun.values()} or (shop.scripts / name / "csv.py").exists()
    async with workshop(root, means=means) as shop:
        told["cold"] = await run(shop, dataclasses.replace(make(shop, name), mode=Mode.COLD))
    return told


async def run(shop: Workshop, script: Schedule) -> Told:
    directory = Path(script.path).parent
    tidy(directory)
    run_id = shop.start(script)
    outcome = await shop.ended(run_id)
    return tell(outcome, await shop.runner.output(run_id), directory)


def make(shop: Workshop, name: str) -> Schedule:
    """Write a script, with all that it may find beside it."""
    for path, text in NEIGHBOURS.items():
        place = shop.scripts / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    if name == "has_a_neighbour_like_a_library":
        (shop.scripts / name / "csv.py").write_text("")
    encoding = "latin-1" if name == "has_an_encoding" else "utf-8"
    return shop.script(f"{name}/script.py", SCRIPTS[name].encode(encoding), timezone="Europe/Berlin")


def tidy(directory: Path) -> None:
    """Remove what a run left."""
    for left in directory.glob("left*"):
        left.unlink()


def tell(outcome: Outcome, output: bytes | None, directory: Path) -> Told:
    return Told(
        outcome.status.value,
        outcome.reason and outcome.reason.value,
        outcome.error and ADDRESS.sub("0x", outcome.error),
        outcome.exit_code,
        outcome.signal,
        outcome.result,
        ADDRESS.sub("0x", (output or b"").decode(errors="replace")),
        {left.name: left.read_bytes() for left in directory.glob("left*") if left.is_file()},
    )
