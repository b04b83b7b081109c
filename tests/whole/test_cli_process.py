"""The command line as a process: pipes, signals, terminals, and what it does not import."""

import asyncio
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios

import pytest

from schedd.fire import Outcome, Reason, Status
from tests.api import serving
from tests.fake_control import NOW_MS, FakeControl, entry
from tests.machine.cli import PROGRAM, child_environment

DEADLINE_S = 10
NAME = "default/cron/cleanup.py"
ENDED = Outcome(status=Status.OK, ended_ms=NOW_MS)


@pytest.fixture
def control():
    return FakeControl()


@pytest.fixture
async def start(control, tmp_path):
    """Start a verb as a child against a daemon: `await start("list")`."""
    children = []

    async with serving(tmp_path, control, unix=True) as api:

        async def begin(*argv):
            child = await asyncio.create_subprocess_exec(
                *PROGRAM,
                *argv,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=child_environment(SCHEDD_SOCKET=api.bound.socket_path),
            )
            children.append(child)
            return child

        yield begin
        for child in children:
            if child.returncode is None:
                child.kill()
            await child.communicate()


async def line_of(child):
    async with asyncio.timeout(DEADLINE_S):
        return (await child.stdout.readline()).decode()


async def rest_of(child):
    async with asyncio.timeout(DEADLINE_S):
        return await child.communicate()


async def trigger(control):
    control.register("a.py")
    return (await control.trigger("a.py", force=False, by="test")).run_id


async def test_output_prints_the_bytes_as_they_are(control, start):
    run_id = await trigger(control)
    control.outputs[run_id] = b"caf\xe9\r\n\x00\x1b[1mend"
    child = await start("output", run_id)
    assert await rest_of(child) == (b"caf\xe9\r\n\x00\x1b[1mend", b"")


async def test_output_follows_until_the_run_ends(control, start):
    control.ends_at_once = None
    run_id = await trigger(control)
    control.print(run_id, b"one\n")
    child = await start("output", "-f", run_id)
    assert await line_of(child) == "one\n"
    control.print(run_id, b"two\n")
    control.end(run_id, ENDED)
    assert await rest_of(child) == (b"two\n", b"")
    assert child.returncode == 0


async def test_what_comes_is_seen_at_once_in_a_pipe_and_an_interrupt_is_quiet(control, start):
    control.ends_at_once = None
    run_id = await trigger(control)
    child = await start("output", "-f", run_id)
    await control.followed.wait()
    control.print(run_id, b"\xff no newline")
    assert await child.stdout.readexactly(12) == b"\xff no newline"
    child.send_signal(signal.SIGINT)
    assert await rest_of(child) == (b"", b"")
    assert child.returncode == 130


async def test_history_follows_oldest_first_and_once_each_until_it_is_interrupted(control, start):
    control.entries += [entry("new.py", at_ms=NOW_MS), entry("old.py", at_ms=NOW_MS - 5)]
    child = await start("history", "-f")
    assert "old.py" in await line_of(child)
    assert "new.py" in await line_of(child)
    control.entries.insert(0, entry("same-instant.py", at_ms=NOW_MS))
    assert "same-instant.py" in await line_of(child)
    control.entries.insert(0, entry("newest.py", at_ms=NOW_MS + 5))
    assert "newest.py" in await line_of(child)
    child.send_signal(signal.SIGINT)
    assert await rest_of(child) == (b"", b"")
    assert child.returncode == 130


def test_a_reader_that_leaves_ends_it_quietly():
    child = subprocess.Popen(
        [*PROGRAM, "preview", "* * * * *", "-n", "10000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    )
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait(DEADLINE_S) == 141


def test_a_full_disk_is_one_sentence():
    with open("/dev/full", "w") as full:
        told = subprocess.run(
            [*PROGRAM, "config"], stdout=full, stderr=subprocess.PIPE, env=child_environment(), check=False
        )
    assert (told.returncode, told.stderr) == (1, b"schedd: No space left on device\n")


def test_a_closed_stdout_is_no_reason_to_crash():
    told = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "-", *PROGRAM, "config"],
        stderr=subprocess.PIPE,
        env=child_environment(),
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("argv", "unwanted"),
    [
        (["--help"], {"aiohttp", "rich", "asyncio", "croniter", "msgspec", "tomllib"}),
        (["history", "--help"], {"rich"}),
        (["preview", "* * * * *"], {"aiohttp", "rich", "msgspec", "tomllib"}),
        (["config"], {"aiohttp", "rich", "asyncio", "croniter"}),
    ],
)
def test_nothing_is_imported_that_is_not_used(argv, unwanted):
    program = (
        "import sys; from schedd.cli.main import main; main(sys.argv[1:]);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    child = [sys.executable, "-c", program, *argv]
    told = subprocess.run(
        child, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=child_environment(), check=True
    )
    assert not unwanted & set(told.stderr.decode().split())


def on_a_terminal(*argv, columns=80, **environ):
    """Run a verb on a terminal of its own; return all that it shows."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [*PROGRAM, *argv], stdout=its, stderr=its, env=child_environment(TERM="xterm", **environ)
    ) as child:
        os.close(its)
        shown = b""
        try:
            while chunk := os.read(ours, 65_536):
                shown += chunk
        except OSError:
            pass  # EIO: the child was the terminal's last user
        child.wait(DEADLINE_S)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_titles_words_and_distances():
    shown = on_a_terminal("preview", "30 2 * * *", "-z", "Europe/Berlin", "-n", "1", NO_COLOR="1")
    first, _, titles, row, *_notes = shown.splitlines()
    assert first == "At 02:30 every day (Europe/Berlin)"
    assert titles.split() == ["At", "In", "UTC"]
    assert " in " in row
    assert " CET " in row or " CEST " in row


def test_no_color_means_no_escape_at_all():
    assert "\x1b" in on_a_terminal("config")
    assert "\x1b" not in on_a_terminal("config", NO_COLOR="1")


def test_a_narrow_terminal_never_wraps_beyond_its_width():
    shown = on_a_terminal("preview", "* * * * *", columns=40, NO_COLOR="1")
    assert max(map(len, shown.splitlines())) <= 40
    assert "UTC" not in shown.splitlines()[2].split()


@pytest.fixture
async def place(control, tmp_path):
    """The socket of a daemon with a script, and a run of it in the history."""
    control.register(NAME)
    control.entries += [
        entry(NAME, at_ms=NOW_MS - 1),
        entry(NAME, at_ms=NOW_MS - 2, status=Status.ERROR, reason=Reason.EXIT, error="exit code 3"),
    ]
    async with serving(tmp_path, control, unix=True) as api:
        yield api.bound.socket_path


@pytest.mark.parametrize("columns", [80, 60])
async def test_a_terminal_of_any_width_shows_run_ids_and_names_whole(control, place, columns):
    shown = await asyncio.to_thread(
        on_a_terminal, "history", columns=columns, NO_COLOR="1", SCHEDD_SOCKET=place
    )
    titles, ok, failed = shown.splitlines()
    assert {"Status", "Script", "Run"} <= set(titles.split())
    assert all(control.entries[n].run_id in line and NAME in line for n, line in enumerate((ok, failed)))


@pytest.mark.parametrize("columns", [80, 60])
async def test_the_list_fits_a_usual_terminal_with_what_matters_most(place, columns):
    shown = await asyncio.to_thread(on_a_terminal, "list", columns=columns, NO_COLOR="1", SCHEDD_SOCKET=place)
    titles, line = shown.splitlines()
    assert {"Status", "Script", "Next", "Last"} <= set(titles.split())
    assert NAME in line
    assert max(map(len, (titles, line))) <= columns


@pytest.mark.parametrize(("printed", "told"), [(0, False), (12, True)])
async def test_how_to_see_an_output_is_only_said_when_there_is_one(control, place, printed, told):
    control.ends_at_once = Outcome(status=Status.OK, ended_ms=NOW_MS, output_bytes=printed)
    shown = await asyncio.to_thread(on_a_terminal, "trigger", NAME, SCHEDD_SOCKET=place)
    assert ("schedd output" in shown) is told


def test_a_terminal_without_our_signs_gets_escapes_and_no_traceback(tmp_path):
    shown = on_a_terminal("check", str(tmp_path / "nicht-da-\N{SNOWMAN}"), PYTHONIOENCODING="iso-8859-1")
    assert "\\u2603" in shown
    assert "Traceback" not in shown
