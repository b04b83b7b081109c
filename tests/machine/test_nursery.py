"""Python scripts are run by forks of an interpreter that waits for them; what happens when that one dies."""

import dataclasses
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schedd.fire import Reason, Status
from schedd.runner.output import OutputPolicy
from schedd.runner.starts import Means
from schedd.schedule import Mode
from tests.machine.running import Workshop, alive, children, descriptors, gone, spare_of, workshop

PYTHON = "/usr/bin/python3"
TELLS_ITS_PARENT = "import os\ndef main():\n    return os.getppid()\n"


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path, means=Means(python=PYTHON)) as made:
        yield made


async def parent(shop: Workshop, name: str = "tells_its_parent.py", **fields: Any) -> int:
    """Run a script and return whose child it was: ours when it is cold."""
    script = dataclasses.replace(shop.script(name, TELLS_ITS_PARENT), **fields)
    outcome = await shop.run(script)
    assert outcome.result is not None, outcome
    return int(outcome.result)


def python_of_its_own(root: Path, **variables: str) -> str:
    """A program that is Python with these variables, and a file of its own."""
    program = root / "python3"
    exported = "".join(f"export {name}={value}\n" for name, value in variables.items())
    program.write_text(f'#!/bin/sh\n{exported}exec {PYTHON} "$@"\n')
    program.chmod(0o755)
    return str(program)


async def sleeping(shop: Workshop, name: str = "sleeps.py") -> tuple[str, int, int]:
    """Start a script that sleeps; return its run, its pid and its nursery."""
    text = "import os, time\nprint('asleep', os.getppid())\ntime.sleep(60)\n"
    run_id = shop.start(shop.script(name, text))
    await shop.printed(run_id, b"asleep")
    said = await shop.runner.output(run_id)
    assert said is not None
    return run_id, await shop.pid(run_id), int(said.split()[1])


def shown(pid: int, name: str) -> list[str]:
    return Path(f"/proc/{pid}/{name}").read_text().rstrip("\0").split("\0")


async def test_runs_are_forks_of_one_process(shop: Workshop) -> None:
    first, second = await parent(shop), await parent(shop, "another.py")
    assert first == second != os.getpid()


async def test_nothing_is_kept_from_one_run_to_the_next(shop: Workshop) -> None:
    text = "import os\ndef main():\n    n, os.n = getattr(os, 'n', 0), 1\n    return n\n"
    script = shop.script("leaves_a_mark.py", text)
    assert [(await shop.run(script)).result for _ in range(3)] == ["0", "0", "0"]


async def test_what_was_edited_runs_as_it_is_now(shop: Workshop) -> None:
    for number in range(3):
        script = shop.script("changes.py", f"def main():\n    return {number}\n")
        assert (await shop.run(script)).result == str(number)


async def test_random_numbers_differ_from_run_to_run(tmp_path: Path) -> None:
    async with workshop(tmp_path, means=Means(python=PYTHON, python_preload=("random",))) as shop:
        script = shop.script("draws.py", "import random\ndef main():\n    return random.random()\n")
        assert (await shop.run(script)).result != (await shop.run(script)).result


async def test_peak_memory_and_processor_time_are_the_runs_own(shop: Workshop) -> None:
    text = "import time\nx = b'x' * (60 << 20)\nwhile time.process_time() < 0.1:\n    pass\n"
    small = await shop.run(shop.script("is_small.py", ""))
    large = await shop.run(shop.script("is_large.py", text))
    assert small.max_rss_kb is not None
    assert large.max_rss_kb is not None
    assert small.max_rss_kb < 30_000 < 60_000 < large.max_rss_kb
    assert large.cpu_ms is not None
    assert 100 <= large.cpu_ms < 1000


async def test_proc_shows_the_script_and_its_run(shop: Workshop) -> None:
    run_id, pid, _ = await sleeping(shop)
    assert shown(pid, "cmdline") == [PYTHON, str(shop.scripts / "sleeps.py")]
    assert f"SCHEDD_RUN_ID={run_id}" in shown(pid, "environ")
    shop.runner.stop(run_id, Reason.STOPPED, "")
    await shop.ended(run_id)


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": Mode.COLD},
        {"env": (("PYTHONPATH", "/x"),)},
        {"env": (("LD_LIBRARY_PATH", "/x"),)},
        {"env": (("LC_ALL", "C"),)},
        {"env": (("LANG", "C"),)},
        {"env": (("HOME", "/x"),)},
        {"env": (("MALLOC_ARENA_MAX", "1"),)},
        {"env": (("LARGE", "x" * 100_000),)},
    ],
    ids=lambda fields: str(next(iter(fields.values())))[:30],
)
async def test_what_decides_at_the_start_of_an_interpreter_starts_one(
    shop: Workshop, fields: dict[str, Any]
) -> None:
    assert await parent(shop, **fields) == os.getpid()


async def test_a_large_script_is_compiled_in_its_own_process(shop: Workshop) -> None:
    text = TELLS_ITS_PARENT + "#" * 300_000
    assert (await shop.run(shop.script("is_large.py", text))).result == str(os.getpid())


async def test_variables_of_a_script_reach_it_and_what_it_starts(shop: Workshop) -> None:
    text = (
        "import os, subprocess\ndef main():\n    return [os.environ['A'], subprocess.getoutput('echo $A')]\n"
    )
    for value in ("one", "two", "ü"):
        outcome = await shop.run(shop.script("has_variables.py", text, env=(("A", value),)))
        assert outcome.result is not None
        assert json.loads(outcome.result) == [value, value]


async def test_each_script_has_the_time_of_its_own_zone(shop: Workshop) -> None:
    text = "import time\ndef main():\n    return time.localtime(0).tm_hour\n"
    for zone, hour in (("UTC", 0), ("Asia/Tokyo", 9), ("UTC", 0), ("Europe/Berlin", 1)):
        assert (await shop.run(shop.script("has_a_zone.py", text, timezone=zone))).result == str(hour)


async def test_directory_umask_and_nice_are_those_of_the_header(shop: Workshop) -> None:
    text = "import os\ndef main():\n    return [os.getcwd(), os.umask(0), os.nice(0)]\n"
    outcome = await shop.run(shop.script("looks.py", text, cwd="/usr/share", umask=0o027, nice=7))
    assert outcome.result == '["/usr/share",23,7]'


async def test_a_directory_that_is_not_there_is_named(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("starts_nowhere.py", "", cwd="/nonexistent"))
    assert (outcome.reason, outcome.started_ms) == (Reason.SPAWN, None)
    assert outcome.error is not None
    assert "cannot start in the directory /nonexistent: No such file or directory" in outcome.error


async def test_a_script_that_ignores_term_is_killed_after_the_grace(tmp_path: Path) -> None:
    async with workshop(tmp_path, grace_s=0.05, means=Means(python=PYTHON)) as shop:
        text = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('deaf')\ntime.sleep(60)\n"
        run_id = shop.start(shop.script("ignores_term.py", text))
        await shop.printed(run_id, b"deaf")
        assert shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
        outcome = await shop.ended(run_id)
    assert (outcome.signal, outcome.error) == ("SIGKILL", "stopped by a test")


async def test_a_run_whose_nursery_died_is_ended_and_told_as_interrupted(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    run_id, pid, nursery = await sleeping(shop)
    os.kill(nursery, signal.SIGKILL)
    outcome = await shop.ended(run_id)
    assert (outcome.status, outcome.reason) == (Status.ERROR, Reason.INTERRUPTED)
    assert (outcome.exit_code, outcome.signal) == (None, None)
    named = f"the Python nursery of {PYTHON}"
    assert outcome.error == f"{named}, which ran it, was killed by SIGKILL; how the script ended is not known"
    assert not alive(pid)
    assert "it is started again" in caplog.text
    assert await parent(shop) not in {nursery, os.getpid()}


async def test_a_fork_in_advance_that_somebody_ended_is_missed_by_nobody(shop: Workshop) -> None:
    nursery = await parent(shop)
    spare = await spare_of(nursery)
    os.kill(spare, signal.SIGKILL)
    assert [await parent(shop) for _ in range(3)] == [nursery] * 3
    assert await spare_of(nursery) != spare


async def test_a_fork_in_advance_goes_with_its_nursery(shop: Workshop) -> None:
    nursery = await parent(shop)
    spare = await spare_of(nursery)
    os.kill(nursery, signal.SIGKILL)
    await gone(spare)
    assert not alive(spare)


async def test_three_deaths_in_a_minute_are_enough(shop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        nursery = await parent(shop)
        assert nursery != os.getpid()
        os.kill(nursery, signal.SIGKILL)
    assert await parent(shop) == os.getpid()
    assert "killed by SIGKILL; its scripts are started cold for 10 minutes" in caplog.text


async def test_after_a_reload_what_died_is_tried_again(shop: Workshop) -> None:
    for _ in range(3):
        os.kill(await parent(shop), signal.SIGKILL)
    assert await parent(shop) == os.getpid()
    adopt(shop)
    assert await parent(shop) != os.getpid()


async def test_what_is_no_python_is_started_as_ever(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fake = tmp_path / "python-of-its-own"
    fake.write_text("#!/bin/sh\necho not me\nexit 3\n")
    fake.chmod(0o755)
    async with workshop(tmp_path, means=Means(python=str(fake))) as shop:
        outcomes = [await shop.run(shop.script("is_empty.py", "")) for _ in range(2)]
    assert [outcome.exit_code for outcome in outcomes] == [3, 3]
    told = [message for message in caplog.messages if "started cold" in message]
    ended = f"the Python nursery of {fake} ended with exit code 3: not me"
    assert told == [f"{ended}; its scripts are started cold for 10 minutes, or until a reload"]


async def test_modules_are_imported_once_for_all_runs(tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text("import os\nPID = os.getpid()\n")
    means = Means(python=python_of_its_own(tmp_path, PYTHONPATH=str(tmp_path)), python_preload=("heavy",))
    async with workshop(tmp_path, means=means) as shop:
        text = "import heavy, os\ndef main():\n    return heavy.PID == os.getppid()\n"
        script = shop.script("uses_it.py", text)
        assert [(await shop.run(script)).result for _ in range(2)] == ["true", "true"]


async def test_a_reload_sees_that_a_module_was_edited(tmp_path: Path) -> None:
    heavy = tmp_path / "heavy.py"
    heavy.write_text("X = 1\n")
    means = Means(python=python_of_its_own(tmp_path, PYTHONPATH=str(tmp_path)), python_preload=("heavy",))
    async with workshop(tmp_path, means=means) as shop:
        script = shop.script("uses_it.py", "import heavy\ndef main():\n    return heavy.X\n")
        assert (await shop.run(script)).result == "1"
        heavy.write_text("X = 22\n")
        assert (await shop.run(script)).result == "1"
        adopt(shop, means)
        assert (await shop.run(script)).result == "22"


async def test_a_reload_without_a_change_keeps_the_nursery(shop: Workshop) -> None:
    before = await parent(shop)
    adopt(shop, Means(python=PYTHON))
    assert await parent(shop) == before


async def test_a_module_that_cannot_be_preloaded_is_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    means = Means(python=PYTHON, python_preload=("no_such_module", "json"))
    async with workshop(tmp_path, means=means) as shop:
        script = shop.script("looks.py", "import sys\ndef main():\n    return 'json' in sys.modules\n")
        assert (await shop.run(script)).result == "true"
    assert "no_such_module cannot be preloaded: ModuleNotFoundError" in caplog.text


async def test_a_module_that_starts_a_thread_is_not_preloaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    busy = "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
    (tmp_path / "busy.py").write_text(busy)
    means = Means(
        python=python_of_its_own(tmp_path, PYTHONPATH=str(tmp_path)), python_preload=("json", "busy", "csv")
    )
    async with workshop(tmp_path, means=means) as shop:
        text = "import sys\ndef main():\n    return [n in sys.modules for n in ('json', 'busy', 'csv')]\n"
        assert (await shop.run(shop.script("looks.py", text))).result == "[true,false,true]"
    assert "busy is not preloaded: it starts a thread" in caplog.text


async def test_a_neighbour_is_imported_though_a_module_of_its_name_was_preloaded(tmp_path: Path) -> None:
    async with workshop(tmp_path, means=Means(python=PYTHON, python_preload=("csv",))) as shop:
        script = shop.script(
            "job/uses_its_neighbour.py", "import csv\ndef main():\n    return csv.__file__\n"
        )
        library = (await shop.run(script)).result
        neighbour = shop.scripts / "job" / "csv.py"
        neighbour.write_text("")
        assert (await shop.run(script)).result == json.dumps(str(neighbour)) != library


async def test_a_neighbour_never_gets_into_the_nursery(shop: Workshop) -> None:
    for name in ("resource", "json", "select", "_socket", "python_script", "atexit"):
        (shop.scripts / f"{name}.py").write_text("import os\nos._exit(66)\n")
    assert await parent(shop) == await parent(shop) != os.getpid()


async def test_an_interpreter_that_was_replaced_is_started_anew(tmp_path: Path) -> None:
    async with workshop(tmp_path, means=Means(python=python_of_its_own(tmp_path))) as shop:
        run_id, pid, before = await sleeping(shop)
        python_of_its_own(tmp_path, ANOTHER="one")
        assert await parent(shop) not in {before, os.getpid()}
        assert alive(pid), "what the old one ran goes on"
        shop.runner.stop(run_id, Reason.STOPPED, "")
        assert (await shop.ended(run_id)).signal == "SIGTERM"
        await gone(before)


async def test_each_interpreter_has_a_nursery_of_its_own(shop: Workshop, tmp_path: Path) -> None:
    own = python_of_its_own(tmp_path)
    assert await parent(shop) != await parent(shop, "other.py", runtime=own)


async def test_closing_the_runner_ends_the_nursery(tmp_path: Path) -> None:
    before = children()
    async with workshop(tmp_path, means=Means(python=PYTHON)) as shop:
        nursery = await parent(shop)
        assert alive(nursery)
    assert not alive(nursery)
    assert children() == before


async def test_after_200_runs_at_once_nothing_is_left(shop: Workshop) -> None:
    script = shop.script("prints.py", "print('here')\n")
    await shop.run(script)
    before = descriptors(), children(), len(os.listdir("/proc/self/task"))
    for _ in range(200):
        shop.start(script)
    await shop.until(lambda: len(shop.reports) == 201)
    assert {end.outcome.status for end in shop.reports} == {Status.OK}
    assert (descriptors(), children(), len(os.listdir("/proc/self/task"))) == before


async def test_many_large_environments_are_not_lost_on_the_way(shop: Workshop) -> None:
    script = shop.script(
        "counts.py", "import os\ndef main():\n    return len(os.environ['A'])\n", env=(("A", "x" * 60_000),)
    )
    await shop.run(script)
    for _ in range(50):
        shop.start(script)
    await shop.until(lambda: len(shop.reports) == 51)
    assert {end.outcome.result for end in shop.reports} == {"60000"}


async def test_a_python_newer_than_the_daemons_decides_itself_about_main(shop: Workshop) -> None:
    text = "def main():\n    return 1\n"
    script = shop.script("asks.py", text + "type X = int\n")
    outcome = await shop.run(script)
    assert outcome.reason is Reason.EXCEPTION, "the host's Python 3.11 cannot read it either, and says so"


def adopt(shop: Workshop, means: Means | None = None) -> None:
    shop.runner.adopt(grace_s=5.0, output=OutputPolicy(), means=means or Means(python=PYTHON))
