"""`@requires`: what has to be there, looked at when a script is registered and before each run."""

import asyncio
import errno
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from schedd.fire import Reason, Status
from schedd.runner import requires
from schedd.runner.environment import DEFAULT_PATH
from schedd.runner.requires import Requirements, in_words, unmet
from schedd.schedule import Requirement
from tests.machine.running import Workshop, workshop

SH = "#!/bin/sh\necho ran\n"


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path) as made:
        yield made


def asked(*words: str) -> tuple[Requirement, ...]:
    return tuple(Requirement(*word.split(":", 1)) for word in words)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("cmd:no-such", "@requires cmd:no-such: no such program is installed, or not on PATH"),
        ("file:/nonexistent/x", "@requires file:/nonexistent/x: it is not there"),
        ("env:PGHOST", "@requires env:PGHOST: it is not set; give it with @env or @env-file"),
    ],
)
async def test_a_run_without_what_it_requires_is_a_load_error_that_names_it(
    shop: Workshop, word: str, sentence: str
) -> None:
    outcome = await shop.run(shop.script("a.sh", SH, requires=asked("cmd:sh", word)))
    assert (outcome.status, outcome.reason) == (Status.LOAD_ERROR, Reason.PREFLIGHT)
    assert outcome.error is not None
    assert outcome.error.startswith(sentence)
    assert outcome.output_bytes == 0


async def test_everything_that_is_missing_is_named_at_once(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("a.sh", SH, requires=asked("cmd:no-such", "env:PGHOST")))
    assert outcome.error is not None
    assert outcome.error.count("@requires") == 2


async def test_a_run_with_all_that_it_requires_runs(shop: Workshop) -> None:
    env_file = shop.scripts / "a.env"
    env_file.write_text("FROM_FILE=1\n")
    script = shop.script(
        "a.sh",
        SH,
        requires=asked(
            f"file:{env_file}", "cmd:sh", "env:FROM_FILE", "env:FROM_HEADER", "env:HOME", "env:SCHEDD_SLOT"
        ),
        env_file=str(env_file),
        env=(("FROM_HEADER", ""),),
    )
    assert (await shop.run(script)).status is Status.OK


async def test_it_is_looked_for_before_each_run(shop: Workshop, tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    script = shop.script("a.sh", SH, requires=asked(f"file:{mounted}"))
    assert (await shop.run(script)).reason is Reason.PREFLIGHT
    mounted.touch()
    assert (await shop.run(script)).status is Status.OK
    mounted.unlink()
    assert (await shop.run(script)).reason is Reason.PREFLIGHT


async def test_a_program_is_looked_for_on_the_path_of_the_script(shop: Workshop, tmp_path: Path) -> None:
    program = tmp_path / "own" / "pg_dump"
    program.parent.mkdir()
    program.touch(0o755)
    script = shop.script("a.sh", SH, requires=asked("cmd:pg_dump"), env=(("PATH", str(program.parent)),))
    assert (await shop.run(script)).status is Status.OK


async def test_runs_that_require_something_and_others_all_run(shop: Workshop, tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number in range(6):
        wanted = asked("file:/", "cmd:sh") if number % 2 else ()
        shop.start(shop.script(f"{number}.sh", f"#!/bin/sh\necho {number} >>{log}\n", requires=wanted))
    await shop.until(lambda: len(shop.reports) == 6)
    assert sorted(log.read_text().split()) == list("012345")


async def test_a_run_that_is_stopped_while_it_is_looked_for_is_stopped(shop: Workshop) -> None:
    run_id = shop.start(shop.script("a.sh", SH, requires=asked("file:/nonexistent")))
    await asyncio.sleep(0)
    shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
    outcome = await shop.ended(run_id)
    assert outcome.reason in {Reason.STOPPED, Reason.PREFLIGHT}
    assert len(shop.reports) == 1


def test_what_may_not_be_looked_at_may_be_there() -> None:
    assert in_words(PermissionError(errno.EACCES, "Permission denied")) is None
    assert in_words(OSError(errno.ENOTCONN, "Transport endpoint is not connected")) is not None


def test_a_link_that_leads_in_a_circle_is_not_there(shop_schedule, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    said = unmet(shop_schedule(asked(f"file:{tmp_path}/circle")), DEFAULT_PATH)
    assert said is not None
    assert "Too many levels of symbolic links" in said


def test_an_env_file_that_cannot_be_understood_is_named(shop_schedule, tmp_path: Path) -> None:
    env_file = tmp_path / "a.env"
    env_file.write_text("no equals sign\n")
    said = unmet(shop_schedule(asked("env:X"), env_file=str(env_file)), DEFAULT_PATH)
    assert said is not None
    assert said.startswith(f"{env_file}:1: ")


@pytest.fixture
def shop_schedule(tmp_path: Path):
    bench = Workshop(tmp_path)

    def make(wanted: tuple[Requirement, ...], **fields: object):
        return bench.script(f"s{time.monotonic_ns()}.sh", SH, requires=wanted, **fields)

    return make


@pytest.fixture
def dead_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A file whose disk answers only at the end of the test."""
    gate = threading.Event()

    def look(path: str) -> str | None:
        return "it is not there" if path == "/dead/file" and gate.wait(20) else None

    monkeypatch.setattr(requires, "fault_of_file", look)
    yield "/dead/file"
    gate.set()


async def test_a_dead_disk_holds_a_run_for_a_second_and_others_not_at_all(
    shop: Workshop, dead_disk: str
) -> None:
    hung = shop.start(shop.script("hung.sh", SH, requires=asked(f"file:{dead_disk}")))
    begun = time.monotonic()
    assert (await shop.run(shop.script("a.sh", SH, requires=asked("cmd:sh")))).status is Status.OK
    assert time.monotonic() - begun < 0.9
    outcome = await shop.ended(hung)
    assert (outcome.reason, outcome.error) == (
        Reason.PREFLIGHT,
        f"@requires file:{dead_disk}: the disk does not answer",
    )


def test_scripts_that_need_a_dead_disk_are_waited_for_as_often_as_there_are_threads(
    shop_schedule, dead_disk: str
) -> None:
    requirements = Requirements(DEFAULT_PATH, threads=1)
    begun = time.monotonic()
    for _ in range(20):
        said = requirements.lacking(shop_schedule(asked(f"file:{dead_disk}")))
        assert said is not None
        assert "does not answer" in said
    assert time.monotonic() - begun < 2.5
    assert requirements.lacking(shop_schedule(asked("cmd:sh"))) is None
    requirements.close()
