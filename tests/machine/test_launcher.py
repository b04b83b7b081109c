"""Programs that need something done between fork and exec are started by the launcher; how they end."""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schedd.runner import process
from schedd.runner.child import Answer, Child, Exit, Failure
from schedd.runner.launcher import Launcher
from schedd.runner.order import Identity, Order
from tests.machine.running import DEADLINE_S, alive, children, descriptors, gone

NOBODY = Identity("nobody", 65534, 65534, (65534,), "/nonexistent")


class Bench:
    """A launcher, and what became of what it was given."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.null_fd = os.open(os.devnull, os.O_RDONLY)
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        process.shed_ignored_signals()  # as a runner does: nohup would have it otherwise
        self.launcher = Launcher(loop, cold=process.Cold(loop, stdin_fd=self.null_fd, soft_nofile=soft))

    async def run(self, *argv: str, **asked: Any) -> tuple[Exit, str]:
        """Start a program and wait for its end; raises what made it fail."""
        child, ended = await self.start(*argv, **asked)
        async with asyncio.timeout(DEADLINE_S):
            how = await ended
        said = b""
        while chunk := child.read():
            said += chunk
        child.close()
        return how, said.decode()

    async def start(self, *argv: str, **asked: Any) -> tuple[Child, "asyncio.Future[Exit]"]:
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[Child] = loop.create_future()
        ended: asyncio.Future[Exit] = loop.create_future()
        answer = Answer(begun.set_result, ended.set_result, lambda error: _fail(begun, error))
        order = Order(
            **{"argv": argv, "cwd": "/", "environment": {"PATH": "/usr/bin:/bin", "A": "ü"}, **asked}
        )
        self.launcher.start(order, answer)
        async with asyncio.timeout(DEADLINE_S):
            return await begun, ended


def _fail(begun: "asyncio.Future[Child]", error: Failure) -> None:
    begun.set_exception(error)


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    try:
        yield made
    finally:
        await made.launcher.close()
        os.close(made.null_fd)


async def test_a_program_gets_its_arguments_variables_and_directory(bench: Bench) -> None:
    how, said = await bench.run(
        "/bin/sh", "-c", 'pwd; echo "$A" "$1"; umask; exit 7', "sh", "é", cwd="/usr", umask=0o27
    )
    assert (how.code, how.signal, said) == (7, None, "/usr\nü é\n0027\n")


async def test_a_program_has_its_limits(bench: Bench) -> None:
    limits = ((resource.RLIMIT_NOFILE, 50, 60), (resource.RLIMIT_CPU, 5, 5))
    _, said = await bench.run("/bin/sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -t", rlimits=limits)
    assert said == "50\n60\n5\n"


async def test_a_limit_above_the_hard_one_is_the_hard_one(bench: Bench) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, said = await bench.run(
        "/bin/sh", "-c", "ulimit -Sn", rlimits=((resource.RLIMIT_NOFILE, hard + 1, hard + 1),)
    )
    assert said == f"{hard}\n"


async def test_a_program_joins_its_cgroup_before_it_begins(bench: Bench, tmp_path: Path) -> None:
    procs = tmp_path / "cgroup.procs"
    fd = os.open(procs, os.O_WRONLY | os.O_CREAT)
    _, said = await bench.run("/bin/cat", str(procs), cgroup_fd=fd)
    os.close(fd)
    assert said == "0"


async def test_a_program_has_no_descriptors_but_its_own(bench: Bench, tmp_path: Path) -> None:
    given = tmp_path / "input"
    given.write_text("given")
    fds = [os.open(given, os.O_RDONLY), os.open(tmp_path / "procs", os.O_WRONLY | os.O_CREAT)]
    _, said = await bench.run("/bin/sh", "-c", "ls /proc/self/fd; cat", stdin_fd=fds[0], cgroup_fd=fds[1])
    for fd in fds:
        os.close(fd)
    # The fourth is the directory that is being listed.
    assert said == "0\n1\n2\n3\ngiven"


async def test_a_program_leads_a_session_and_has_all_signals_at_their_defaults(bench: Bench) -> None:
    script = "cut -d' ' -f1,5,6 /proc/$$/stat; echo $$; grep -E 'Sig(Blk|Ign)' /proc/self/status"
    _, said = await bench.run("/bin/sh", "-c", script)
    stat, pid, *signals = said.splitlines()
    assert set(stat.split()) == {pid}
    # 32 and 33 are glibc's own: nothing but the kernel's words can set them, so what is above us may have.
    assert [int(line.split()[1], 16) & ~(0b11 << 31) for line in signals] == [0, 0]


@pytest.mark.parametrize(
    ("argv", "asked", "number", "about"),
    [
        (("/nonexistent/x",), {}, 2, "/nonexistent/x"),
        (("/etc/passwd",), {}, 13, "/etc/passwd"),
        (("/bin/true",), {"cwd": "/nonexistent"}, 2, "/nonexistent"),
        (("/bin/true",), {"environment": {"A": "x" * 3_000_000}}, 7, None),
        (("/bin/true",), {"environment": {"A": "x" * 150_000}}, 7, "/bin/true"),
    ],
)
async def test_what_cannot_be_started_is_told_as_the_kernel_tells_it(
    bench: Bench, argv: tuple[str, ...], asked: dict[str, Any], number: int, about: str | None
) -> None:
    with pytest.raises(OSError, match=r".") as failure:
        await bench.run(*argv, **asked)
    assert (failure.value.errno, failure.value.filename) == (number, about)
    assert (await bench.run("/bin/true"))[0].code == 0


async def test_a_program_runs_as_the_user_it_is_asked_for(bench: Bench) -> None:
    if os.getuid() != 0:
        with pytest.raises(PermissionError):
            await bench.run("/usr/bin/id", identity=NOBODY)
        return
    _, said = await bench.run(
        "/bin/sh", "-c", "id -u; id -g; id -G; grep NoNewPrivs /proc/self/status", identity=NOBODY
    )
    assert said.split()[:3] == ["65534"] * 3


async def test_a_signal_ends_it_and_is_told(bench: Bench) -> None:
    child, ended = await bench.start("/bin/sleep", "60")
    child.signal_group(signal.SIGTERM)
    assert (await ended).signal == "SIGTERM"
    child.close()


async def test_what_it_used_is_its_own(bench: Bench) -> None:
    how, _ = await bench.run("/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
    assert how.cpu_ms is not None
    assert 1 <= how.cpu_ms < 2000
    assert how.max_rss_kb is None, "a shell is smaller than the launcher, whose memory the kernel books on it"


async def test_a_launcher_that_died_is_started_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    before = set(children())
    child, ended = await bench.start("/bin/sleep", "60")
    (launcher,) = set(children()) - before
    os.kill(launcher, signal.SIGKILL)
    how = await ended
    assert (how.code, how.signal) == (None, None)
    assert how.lost == "the launcher, which ran it, was killed by SIGKILL; how the script ended is not known"
    await gone(child.pid)
    child.close()
    assert (await bench.run("/bin/true"))[0].code == 0
    assert "the launcher was killed by SIGKILL; the next script that needs it starts it again" in caplog.text


async def test_who_ends_the_launcher_ends_what_it_runs(bench: Bench) -> None:
    child, _ = await bench.start("/bin/sh", "-c", "sleep 60 & wait")
    await bench.launcher.close()
    await gone(child.pid)
    assert not alive(child.pid)
    child.close()


async def test_after_100_programs_at_once_nothing_is_left(bench: Bench) -> None:
    await bench.run("/bin/true")
    before = descriptors(), children()
    ended = await asyncio.gather(*(bench.run("/bin/echo", str(number)) for number in range(100)))
    assert [said for _, said in ended] == [f"{number}\n" for number in range(100)]
    assert (descriptors(), children()) == before
