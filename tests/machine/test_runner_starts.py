"""What a script finds when it starts, and what happens when it cannot start."""

import asyncio
import contextlib
import hashlib
import json
import os
import resource
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schedd.fire import Outcome, Reason, Status
from schedd.host.clock import SystemClock
from schedd.runner import environment
from schedd.runner.output import OutputPolicy
from schedd.runner.runner import Runner
from schedd.runner.starts import PLAIN
from tests.machine.running import Workshop, children, descriptors, workshop

SLOT = 1_790_000_000
SLOT_IN_BERLIN = "2026-09-21T16:13:20+02:00"

ENVIRONMENT = 'env -0 > "$SCHEDD_STATE_DIR/env"\n'


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path) as made:
        yield made


async def variables(shop: Workshop, *, past: dict[str, Any] | None = None, **fields: Any) -> dict[str, str]:
    script = shop.script("keeps_its_environment.sh", ENVIRONMENT, **fields)
    outcome = await shop.run(script, **(past or {}))
    assert outcome.error is None
    text = (shop.state / "scripts" / script.script / "env").read_text()
    return dict(entry.split("=", 1) for entry in text.split("\0") if entry)


async def test_a_script_gets_exactly_the_documented_variables(shop: Workshop) -> None:
    past = {"slot": SLOT, "prev_slot": SLOT - 60, "last_ok_slot": SLOT - 120}
    found = await variables(shop, past=past, schedule_timeout_ms=60_000)
    assert set(found) - {"PWD", "SHLVL", "_", "OLDPWD"} == set(environment.VARIABLES)


async def test_a_script_is_told_its_slot_in_its_own_zone(shop: Workshop) -> None:
    past = {"slot": SLOT, "prev_slot": SLOT - 60, "last_ok_slot": SLOT - 120}
    found = await variables(shop, past=past, timezone="Europe/Berlin", schedule_timeout_ms=600_000)
    assert found["SCHEDD_SLOT"] == SLOT_IN_BERLIN
    assert found["SCHEDD_SLOT_EPOCH"] == str(SLOT)
    assert found["SCHEDD_PREV_SLOT"] == SLOT_IN_BERLIN.replace("13:20", "12:20")
    assert found["SCHEDD_LAST_OK_SLOT"] == SLOT_IN_BERLIN.replace("13:20", "11:20")
    assert found["SCHEDD_KIND"] == "schedule"
    assert found["TZ"] == "Europe/Berlin"
    assert found["SCHEDD_DEADLINE"].endswith(("+01:00", "+02:00"))


async def test_a_manual_run_has_no_slot(shop: Workshop) -> None:
    found = await variables(shop)
    assert found["SCHEDD_KIND"] == "manual"
    assert not {"SCHEDD_SLOT", "SCHEDD_SLOT_EPOCH", "SCHEDD_PREV_SLOT", "SCHEDD_DEADLINE"} & set(found)


async def test_nothing_of_the_daemons_environment_reaches_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "NOTIFY_SOCKET",
        "LISTEN_FDS",
        "WATCHDOG_USEC",
        "CREDENTIALS_DIRECTORY",
        "API_TOKEN",
        "SCHEDD_X",
    ):
        monkeypatch.setenv(name, "leaked")
    async with workshop(tmp_path) as shop:
        assert "leaked" not in (await variables(shop)).values()


async def test_env_is_stronger_than_its_file_and_schedd_than_both(shop: Workshop) -> None:
    env_file = shop.scripts / "job.env"
    env_file.write_text("# a comment\nexport A='from file'\nB=from file\n\nSCHEDD_KIND=forged\nC=\"x=y\"\n")
    found = await variables(
        shop, env_file=str(env_file), env=(("B", "from header"), ("SCHEDD_RUN_ID", "forged"))
    )
    assert (found["A"], found["B"], found["C"]) == ("from file", "from header", "x=y")
    assert found["SCHEDD_KIND"] == "manual"
    assert found["SCHEDD_RUN_ID"] != "forged"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot read the env file {}: No such file or directory"),
        ("A=1\nnonsense\n", "{}:2: expected NAME=value, found 'nonsense'"),
        ("A=1\n\nB C=2\n", "{}:3: expected NAME=value, found 'B C=2'"),
        (b"A=\xff\n", "{}:1: the line is not UTF-8"),
        (b"A=" + b"x" * 70_000, "the env file {} is larger than 64 KiB"),
        ("pipe", "the env file {} is not a regular file"),
    ],
)
async def test_a_bad_env_file_is_named_with_its_line(
    shop: Workshop, content: str | bytes | None, sentence: str
) -> None:
    env_file = shop.scripts / "job.env"
    if content == "pipe":
        os.mkfifo(env_file)
    elif content is not None:
        env_file.write_bytes(content.encode() if isinstance(content, str) else content)
    outcome = await shop.run(shop.script("exits_0.sh", "exit 0\n", env_file=str(env_file)))
    assert _refused(outcome) == sentence.format(env_file)


async def test_a_script_has_no_descriptor_but_three_and_no_input(shop: Workshop) -> None:
    os.set_inheritable(leaked := os.open("/dev/null", os.O_RDONLY), True)
    try:
        text = (
            "import os, sys\nfds = os.listdir('/proc/self/fd')\nprint(sorted(fds), repr(sys.stdin.read()))\n"
        )
        run_id = shop.start(shop.script("lists_its_descriptors.py", text))
        await shop.ended(run_id)
    finally:
        os.close(leaked)
    # The fourth is the directory that is being listed.
    assert await shop.runner.output(run_id) == b"['0', '1', '2', '3'] ''\n"


async def test_a_script_leads_a_session_of_its_own(shop: Workshop) -> None:
    text = "import os\nprint(os.getpid() == os.getsid(0) == os.getpgid(0) != os.getppid())\n"
    run_id = shop.start(shop.script("knows_its_session.py", text))
    await shop.ended(run_id)
    assert await shop.runner.output(run_id) == b"True\n"


async def test_cwd_umask_and_nice_are_those_of_the_header(shop: Workshop) -> None:
    text = "pwd\numask\nnice\n"
    run_id = shop.start(shop.script("shows.sh", text, cwd="/usr/share", umask=0o027, nice=7))
    await shop.ended(run_id)
    assert await shop.runner.output(run_id) == b"/usr/share\n0027\n7\n"


async def test_a_script_starts_in_its_own_directory(shop: Workshop) -> None:
    run_id = shop.start(shop.script("sub/shows.sh", "pwd\n"))
    await shop.ended(run_id)
    assert await shop.runner.output(run_id) == f"{shop.scripts}/sub\n".encode()


async def test_a_state_directory_is_the_scripts_own_and_stays(shop: Workshop) -> None:
    script = shop.script(
        "sub/counts.sh", "echo run >> $SCHEDD_STATE_DIR/log; wc -l < $SCHEDD_STATE_DIR/log\n"
    )
    for expected in (b"1\n", b"2\n"):
        run_id = shop.start(script)
        await shop.ended(run_id)
        assert await shop.runner.output(run_id) == expected
    mode = (shop.state / "scripts" / "sub" / "counts.sh").stat().st_mode
    assert stat.S_IMODE(mode) == 0o700


async def test_a_missing_script_is_a_load_error(shop: Workshop) -> None:
    script = shop.script("is_gone.sh", "exit 0\n")
    os.unlink(script.path)
    outcome = await shop.run(script)
    assert (outcome.status, outcome.reason, outcome.started_ms) == (
        Status.LOAD_ERROR,
        Reason.UNREADABLE,
        None,
    )
    assert outcome.error == f"{script.path} is gone: it was removed or renamed since it was registered"


async def test_a_script_that_became_a_pipe_does_not_hold_anybody_up(shop: Workshop) -> None:
    script = shop.script("became_a_pipe.sh", "exit 0\n")
    os.unlink(script.path)
    os.mkfifo(script.path)
    assert (await shop.run(script)).reason is Reason.UNREADABLE


async def test_a_script_that_deletes_itself_is_a_load_error_the_next_time(shop: Workshop) -> None:
    script = shop.script("deletes_itself.sh", 'rm -- "$0"\n')
    assert (await shop.run(script)).status is Status.OK
    assert (await shop.run(script)).status is Status.LOAD_ERROR


async def test_the_hash_is_that_of_what_ran(shop: Workshop) -> None:
    script = shop.script("changes.sh", "echo old\n")
    assert (await shop.run(script)).sha256 == script.sha256
    shop.script("changes.sh", "echo new and longer\n")
    run_id = shop.start(script)
    outcome = await shop.ended(run_id)
    assert outcome.sha256 == hashlib.sha256(b"echo new and longer\n").hexdigest()
    assert await shop.runner.output(run_id) == b"new and longer\n"


@pytest.mark.parametrize(
    ("fields", "text", "sentence"),
    [
        (
            {"cwd": "/nonexistent"},
            "exit 0\n",
            "cannot start in the directory /nonexistent: No such file or directory",
        ),
        ({}, "#!/opt/none/bin/perl\n", "names /opt/none/bin/perl, which does not exist"),
        ({}, "#!/usr/bin/env no-such-tool\n", "no-such-tool is not installed, or not on PATH"),
        ({}, "#!/bin/sh\r\nexit 0\r\n", ":1: the #! line ends in CR LF"),
        ({"runtime": "/opt/none/python"}, "exit 0\n", "names /opt/none/python, which does not exist"),
        ({"env": (("A", "x" * 3_000_000),)}, "exit 0\n", "its environment is too large"),
        ({"env": (("A", "a\0b"),)}, "exit 0\n", "embedded null byte in @env or @env-file"),
    ],
)
async def test_what_prevents_a_start_is_said_in_a_sentence(
    shop: Workshop, fields: dict[str, Any], text: str, sentence: str
) -> None:
    assert sentence in _refused(await shop.run(shop.script("does_not_start.sh", text, **fields)))


async def test_a_file_that_nothing_can_run_is_refused(shop: Workshop) -> None:
    error = _refused(await shop.run(shop.script("is_text", "hello\n", mode=0o755)))
    assert error.endswith(
        "nothing says how to run it; start it with a #! line, or name an interpreter with @runtime"
    )


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1, hard))
    taken = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        yield
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_run_without_room_for_descriptors_waits_for_it(shop: Workshop) -> None:
    script = shop.script("exits_0.sh", "exit 0\n")
    await shop.run(script)
    with no_descriptor_left():
        run_id = shop.start(script)
        await asyncio.sleep(0.1)
        assert run_id not in shop.begun
    assert (await shop.ended(run_id)).status is Status.OK


class HurriedClock(SystemClock):
    """Time flies: ten seconds are over in fifty milliseconds."""

    def monotonic(self) -> float:
        return super().monotonic() * 200


async def test_a_run_that_never_finds_room_is_an_error(tmp_path: Path) -> None:
    async with workshop(tmp_path, clock=HurriedClock()) as shop:
        script = shop.script("exits_0.sh", "exit 0\n")
        await shop.run(script)
        with no_descriptor_left():
            waiting = [shop.start(script) for _ in range(3)]
            outcomes = [await shop.ended(run_id) for run_id in waiting]
        assert ["Too many open files" in _refused(outcome) for outcome in outcomes] == [True] * 3
        assert (await shop.run(script)).status is Status.OK


async def test_after_300_runs_nothing_is_left(shop: Workshop) -> None:
    script = shop.script("prints_and_returns.sh", "echo here\necho 1 > $SCHEDD_RESULT\n")
    await shop.run(script)
    descriptors_before, children_before = descriptors(), children()
    for _ in range(300):
        shop.start(script)
    await shop.until(lambda: len(shop.reports) == 301)
    assert all(end.outcome.status is Status.OK for end in shop.reports)
    assert (descriptors(), children()) == (descriptors_before, children_before)


async def test_runs_start_in_the_order_of_their_launch(shop: Workshop) -> None:
    script = shop.script("exits_0.sh", "exit 0\n")
    await shop.run(script)
    launched = [shop.start(script) for _ in range(30)]
    await shop.until(lambda: len(shop.reports) == 31)
    assert list(shop.begun)[1:] == launched


async def test_cpu_time_is_the_runs_own(shop: Workshop) -> None:
    outcome = await shop.run(
        shop.script("works.py", "import time\nwhile time.process_time() < 0.1:\n    pass\n")
    )
    assert outcome.cpu_ms is not None
    assert 100 <= outcome.cpu_ms < 1000


async def test_peak_memory_is_told_only_when_it_is_the_runs_own(shop: Workshop) -> None:
    small = await shop.run(shop.script("is_small.sh", "exit 0\n"))
    own_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    text = f"x = b'x' * ({own_kb + 50_000} * 1024)\n"
    large = await shop.run(shop.script("is_large.py", text))
    assert small.max_rss_kb is None
    assert large.max_rss_kb is not None
    assert large.max_rss_kb > own_kb + 50_000


async def test_settings_can_change_between_runs(shop: Workshop) -> None:
    script = shop.script("prints.sh", "echo abcdefgh\nexit 1\n")
    _adopt(shop.runner, output=OutputPolicy(head_bytes=2, tail_bytes=2))
    run_id = shop.start(script)
    await shop.ended(run_id)
    assert await shop.runner.output(run_id) == "ab\n… 5 bytes left out …\nh\n".encode()


async def test_a_result_is_what_was_written_to_its_file(shop: Workshop) -> None:
    text = 'printf \'{"rows": 3,\\n "size": 1.50}\\n\' > $SCHEDD_RESULT\n'
    run_id = shop.start(shop.script("writes_a_result.sh", text))
    assert (await shop.ended(run_id)).result == '{"rows":3,"size":1.50}'
    assert await shop.runner.result(run_id) == '{"rows":3,"size":1.50}'


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("echo 12 rows > $SCHEDD_RESULT", {"$string": "12 rows"}),
        ("printf '\\377' > $SCHEDD_RESULT", {"$string": "\ufffd"}),
        ("head -c 100000 /dev/zero | tr '\\0' 1 > $SCHEDD_RESULT", {"$start": "1" * 1000, "$bytes": 100_000}),
        ("mkfifo $SCHEDD_RESULT", None),
        ("ln -s /etc/passwd $SCHEDD_RESULT", None),
        ("mkdir $SCHEDD_RESULT", None),
        (": > $SCHEDD_RESULT", None),
    ],
)
async def test_what_is_no_json_is_marked_and_what_is_no_file_is_nothing(
    shop: Workshop, text: str, result: Any
) -> None:
    outcome = await shop.run(shop.script("writes_a_result.sh", text + "\n"))
    assert outcome.status is Status.OK
    assert (None if outcome.result is None else json.loads(outcome.result)) == result


def _refused(outcome: Outcome) -> str:
    assert (outcome.status, outcome.reason, outcome.started_ms) == (Status.ERROR, Reason.SPAWN, None)
    assert outcome.error is not None
    return outcome.error


def _adopt(runner: Runner, **changed: Any) -> None:
    settings = {
        "grace_s": 1.0,
        "output": OutputPolicy(head_bytes=100, tail_bytes=100),
        "means": PLAIN,
    }
    runner.adopt(**{**settings, **changed})
