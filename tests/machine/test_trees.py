"""Nothing of a run outlives it, wherever it went: with a control group, and without.

Each test runs twice. What the control group cannot do here (see `cgroup_tree`) is limits; membership and
killing are the kernel's own.
"""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from schedd.fire import Reason, RunId, Status
from schedd.host import processes
from schedd.runner.limits import Keeping
from schedd.schedule import Mode
from tests.machine.cgroup_tree import real_groups
from tests.machine.running import DEADLINE_S, Workshop, children, workshop

PYTHON_DAEMON = """
import os, sys, time
def main():
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.write(write, b"here")
        for fd in range(3): os.close(fd)
        time.sleep(300)
    os.wait()
    os.read(read, 4)
"""


@pytest.fixture(params=["groups", "adoption"])
def keeping(request: pytest.FixtureRequest) -> Iterator[Keeping]:
    if request.param == "adoption":
        yield Keeping()
        return
    with real_groups("trees") as groups:
        yield Keeping(groups)


@pytest_asyncio.fixture
async def shop(tmp_path: Path, keeping: Keeping) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path, keeping=keeping) as made:
        yield made


@pytest.fixture
def mark() -> str:
    """A time to sleep that nobody else sleeps for."""
    return f"300.{secrets.randbelow(10**9):09}"


def sleepers(mark: str) -> list[int]:
    """Who sleeps for this time. What has ended has no command line any more."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            argv = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if argv[0].endswith(b"sleep") and mark.encode() in argv:
            found.append(int(name))
    return found


def of_run(run_id: RunId) -> list[int]:
    """Who was started with the id of this run, or shows it since."""
    pids = [facts.pid for facts in processes.everybody() if not facts.is_over]
    return [pid for pid in pids if processes.variable_of(pid, b"SCHEDD_RUN_ID") == run_id]


async def until(holds: object, what: str) -> None:
    assert callable(holds)
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "leaves",
    [
        "sleep {} &",
        "setsid sleep {} &",
        "setsid sh -c 'sleep {} & exec setsid sleep {}' &",
        "(setsid sh -c 'sleep {} & sleep {} & exit' &)",
        "nohup setsid sleep {} >/dev/null 2>&1 </dev/null &",
        "env -i setsid sleep {} &",
        "SCHEDD_RUN_ID=00000000-0000-0000-0000-000000000000 setsid sleep {} &",
        "env -i setsid sh -c 'setsid sleep {} & sleep {} &' &",
        "trap '' TERM HUP; setsid sleep {} &",
    ],
)
async def test_what_a_script_leaves_behind_is_gone_when_it_is_over(
    shop: Workshop, mark: str, leaves: str
) -> None:
    outcome = await shop.run(shop.script("leaves.sh", f"{leaves.format(mark, mark)}\nsleep 0.03\n"))
    assert outcome.status is Status.OK
    assert sleepers(mark) == []


async def test_what_job_control_puts_into_groups_of_their_own_is_gone(shop: Workshop, mark: str) -> None:
    await shop.run(
        shop.script("has_jobs.bash", f"set -m\nsleep {mark} &\nsleep {mark} | cat &\nsleep 0.03\n")
    )
    assert sleepers(mark) == []


@pytest.mark.parametrize("mode", [Mode.WARM, Mode.COLD])
async def test_a_daemon_of_python_is_gone(shop: Workshop, mode: Mode) -> None:
    run_id = shop.start(replace(shop.script("makes_a_daemon.py", PYTHON_DAEMON), mode=mode))
    outcome = await shop.ended(run_id)
    assert outcome.status is Status.OK, await shop.runner.output(run_id)
    assert of_run(run_id) == []


async def test_a_stopped_run_takes_with_it_what_left_its_session(shop: Workshop, mark: str) -> None:
    text = f"setsid sleep {mark} &\n(setsid sleep {mark} &)\nsleep {mark}\n"
    run_id = shop.start(shop.script("spreads.sh", text))
    await until(lambda: len(sleepers(mark)) == 3, "all sleep")
    stopped_s = asyncio.get_running_loop().time()
    shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
    assert (await shop.ended(run_id)).reason is Reason.STOPPED
    assert sleepers(mark) == []
    assert asyncio.get_running_loop().time() - stopped_s < 4, "nobody waited for the grace to be over"


async def test_what_left_the_session_is_told_to_end_as_the_rest_is(shop: Workshop) -> None:
    inner = "trap 'echo saved; exit' TERM; echo set; while :; do sleep 0.01; done"
    run_id = shop.start(shop.script("has_a_server.sh", f'setsid sh -c "{inner}" &\nwait\nwait\n'))
    await shop.printed(run_id, b"set")
    shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
    await shop.ended(run_id)
    assert b"saved" in (await shop.runner.output(run_id) or b"")


async def test_what_has_stopped_itself_heeds_the_signal_to_end(shop: Workshop) -> None:
    run_id = shop.start(
        shop.script("stops_itself.sh", "trap 'echo woken; exit 3' TERM\necho set\nkill -STOP $$\n")
    )
    await shop.printed(run_id, b"set")
    pid = await shop.pid(run_id)
    await until(
        lambda: (facts := processes.facts_of(pid)) is not None and facts.state == "T", "it has stopped"
    )
    shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
    outcome = await shop.ended(run_id)
    assert (outcome.exit_code, outcome.signal) == (3, None)


async def test_the_end_of_one_run_does_not_touch_another(shop: Workshop, mark: str) -> None:
    stays = shop.script("stays.sh", f"(setsid sleep {mark} &)\n(sleep {mark} &)\necho set\nexec sleep 60\n")
    run_id = shop.start(stays)
    await shop.printed(run_id, b"set")
    for _ in range(3):
        await shop.run(shop.script("leaves.sh", "(setsid sleep 300 &)\nsleep 0.02\n"))
    assert len(sleepers(mark)) == 2
    shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
    await shop.ended(run_id)
    assert sleepers(mark) == []


async def test_who_cannot_be_asked_whose_he_is_goes_with_the_last_who_may_have_started_him(
    tmp_path: Path, mark: str
) -> None:
    async with workshop(tmp_path) as shop:
        other = shop.start(shop.script("is_there_too.sh", "echo set\nexec sleep 60\n"))
        await shop.printed(other, b"set")
        await shop.run(shop.script("leaves.sh", f"(env -i setsid sleep {mark} &)\nsleep 0.02\n"))
        assert len(sleepers(mark)) == 1
        shop.runner.stop(other, Reason.STOPPED, "stopped by a test")
        await shop.ended(other)
        assert sleepers(mark) == []


async def test_what_was_to_be_left_alone_is_and_does_not_stay_a_zombie(shop: Workshop, mark: str) -> None:
    text = f"(setsid sleep {mark} &)\nsleep {mark} &\n(env -i setsid sleep {mark} &)\nsleep 0.03\n"
    outcome = await shop.run(shop.script("detaches.sh", text, detach=True))
    assert outcome.status is Status.OK
    left = sleepers(mark)
    assert len(left) == 3
    await shop.run(shop.script("exits_0.sh", "(setsid sleep 300 &)\nsleep 0.02\n"))
    assert sleepers(mark) == left
    for pid in left:
        os.kill(pid, 9)
    await until(lambda: not set(left) & {facts.pid for facts in processes.everybody()}, "all are waited for")


async def test_a_run_that_detaches_and_is_stopped_leaves_nothing(shop: Workshop, mark: str) -> None:
    run_id = shop.start(shop.script("detaches.sh", f"setsid sleep {mark} &\necho set\nwait\n", detach=True))
    await shop.printed(run_id, b"set")
    await until(lambda: sleepers(mark), "it sleeps")
    shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
    await shop.ended(run_id)
    assert sleepers(mark) == []


async def test_orphans_that_end_while_the_run_goes_on_are_waited_for(shop: Workshop) -> None:
    before = set(children())
    text = "for i in 1 2 3 4 5 6 7 8 9; do (setsid true &); done\necho set\nexec sleep 60\n"
    run_id = shop.start(shop.script("makes_orphans.sh", text))
    await shop.printed(run_id, b"set")
    pid = await shop.pid(run_id)

    def zombies() -> list[int]:
        facts = [processes.facts_of(child) for child in set(children()) - before - {pid}]
        return [fact.pid for fact in facts if fact is not None and fact.is_over]

    await until(lambda: not zombies(), "all are waited for")
    shop.runner.stop(run_id, Reason.STOPPED, "stopped by a test")
    await shop.ended(run_id)


async def test_children_that_others_of_this_process_have_started_are_left_to_them(shop: Workshop) -> None:
    with subprocess.Popen(["/bin/sh", "-c", "exit 7"]) as other:  # noqa: ASYNC220 - it is over at once
        await until(lambda: (facts := processes.facts_of(other.pid)) is None or facts.is_over, "it ended")
        await shop.run(shop.script("leaves.sh", "(setsid sleep 300 &)\nsleep 0.02\n"))
        assert other.wait() == 7


async def test_a_flood_of_daemons_leaves_none(shop: Workshop, mark: str) -> None:
    text = f"i=0\nwhile [ $i -lt 100 ]; do i=$((i+1)); (setsid sleep {mark} &); done\n"
    await shop.run(shop.script("makes_many.sh", text))
    assert sleepers(mark) == []


async def test_what_forks_all_the_time_is_hunted_down(shop: Workshop) -> None:
    # Each lives for a moment only, and is a child of nobody when it is looked for.
    text = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    end = time.monotonic() + 20\n"
        "    while time.monotonic() < end:\n"
        "        if os.fork():\n"
        "            os._exit(0)\n"
        "        time.sleep(0.002)\n"
        "time.sleep(0.05)\n"
    )
    run_id = shop.start(replace(shop.script("hops.py", text), mode=Mode.COLD))
    await shop.ended(run_id)
    await until(lambda: not of_run(run_id), "it was hit")


async def test_after_many_runs_descriptors_children_and_groups_are_what_they_were(
    shop: Workshop, keeping: Keeping
) -> None:
    script = shop.script("leaves.sh", "(setsid sleep 300 &)\nsleep 300 &\n")
    await shop.run(script)
    before, open_before = set(children()), len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        await shop.run(script)
    assert set(children()) == before
    assert len(os.listdir("/proc/self/fd")) == open_before
    assert keeping.groups is None or keeping.groups.found() == {}


async def test_what_a_group_has_used_is_what_all_of_it_has_used(tmp_path: Path) -> None:
    burns = f"{sys.executable} -c 'x = 0\nfor i in range(600000): x += i'"
    with real_groups("used") as groups:
        async with workshop(tmp_path, keeping=Keeping(groups)) as shop:
            # Not waited for by the script, so the kernel books it on nobody that wait4 tells of.
            outcome = await shop.run(shop.script("burns.sh", f"{burns} &\nsleep 0.3\n"))
    assert outcome.cpu_ms is not None
    assert outcome.cpu_ms > 15


async def test_the_end_of_a_run_closes_nothing_that_was_opened_since_it_began(shop: Workshop) -> None:
    run_id = shop.start(shop.script("waits.sh", "read -r _ <go\n", cwd=str(shop.state.parent)))
    os.mkfifo(shop.state.parent / "go")
    await until(shop.runner.live, "it runs")
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(50)]
    (shop.state.parent / "go").write_text("go\n")
    await shop.ended(run_id)
    for fd in opened:
        os.close(fd)
