"""What scripts do that are hostile or clumsy, what becomes of it, and that nothing of it is left.

Each test is a row of the table in docs/running.md ("Scripts that misbehave"), in its order; its docstring is
what the row says that was tried. The daemon runs as root, which is the worst case, without a control group,
which is the weaker of the two worlds; who could endanger the machine runs as `nobody`.
"""

import contextlib
import os
import pwd
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schedd.host import processes
from tests.whole.child import Child

ROW = re.compile(r"^\| (.+?) \| .+ \|$", re.MULTILINE)
RUNNING = Path(__file__).parents[2] / "docs" / "running.md"
AS_NOBODY = "# @user nobody\n"
MB = 1 << 20


@pytest.fixture(scope="module")
def daemon() -> Iterator[Child]:
    """One daemon for all of them, in a directory that everybody can get to."""
    assert os.geteuid() == 0, "only root may run scripts as somebody else: run `sudo make test`"
    base = Path(tempfile.mkdtemp(prefix="schedd-hostile-"))
    base.chmod(0o755)
    made = Child(base, settings='allowed_users = ["nobody"]\ngrace = "300ms"\n')
    # What is started on first use is there before anything is counted.
    for name, header in (("cold.sh", ""), ("limited.sh", "# @files 999\n"), ("warm.py", "")):
        made.write(name, f"# @schedule @yearly\n{header}")
    made.start()
    for name in ("cold.sh", "limited.sh", "warm.py"):
        made.schedules("trigger", method="POST", body={"scriptPath": name})
    yield made
    said = made.said()
    assert made.stop() == -signal.SIGTERM
    assert "Traceback" not in said
    shutil.rmtree(base)


@pytest.fixture
def run(daemon: Child) -> Iterator[Callable[..., dict[str, Any]]]:
    """Runs a script to its end, and looks whether the daemon is as well as before."""
    before = _counts(daemon)

    def run(name: str, text: str, *, header: str = "") -> dict[str, Any]:
        mark = "//" if name.endswith("js") else "#"
        daemon.write(name, f"{mark} @schedule @yearly\n{header}{text}")
        daemon.schedules("reload", method="POST", body={})
        return again(name)

    def again(name: str) -> dict[str, Any]:
        answer = daemon.schedules("trigger", method="POST", body={"scriptPath": name, "force": True})
        (line,) = daemon.wait_for_lines(1, runId=answer["runId"])
        assert _of_run(line["runId"]) == []
        return line

    run.again = again  # type: ignore[attr-defined]
    yield run
    assert daemon.process is not None
    assert daemon.process.poll() is None, daemon.said()[-2000:]
    _until(lambda: _counts(daemon) <= before, f"{_counts(daemon)} are no more than {before}")


Run = Callable[..., dict[str, Any]]


def test_a_fork_bomb_is_bounded_and_ended(run: Run) -> None:
    """a fork bomb, with `@pids`"""
    header = f"{AS_NOBODY}# @pids 40\n# @timeout 3s\n"
    line = run("bombs.sh", "bomb() { bomb | bomb & }\nbomb\nsleep 0.3\nexit 9\n", header=header)
    assert line["status"] in {"error", "timeout"}
    assert _of_user("nobody") == []


def test_a_daemon_is_ended_with_the_run(run: Run) -> None:
    """a daemon of its own: `setsid`, forked twice"""
    assert run("daemons.sh", "(setsid sh -c 'sleep 400.1 & sleep 400.1 &' &)\nsleep 0.05\n")["status"] == "ok"
    assert _sleeping("400.1") == []


def test_a_daemon_that_hides_is_ended_with_the_run(run: Run) -> None:
    """the same, without the variables that it is known by"""
    assert run("hides.sh", "(env -i setsid sleep 400.2 &)\nsleep 0.05\n")["status"] == "ok"
    assert _sleeping("400.2") == []


def test_a_flood_is_counted_and_not_kept(daemon: Child, run: Run) -> None:
    """1 GiB of output, without a newline"""
    line = run("floods.sh", "head -c 1073741824 /dev/zero\n")
    assert (line["status"], line["outputBytes"], line["outputTruncated"]) == ("ok", 1024 * MB, True)
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    (peak_kb,) = re.findall(r"VmHWM:\s+(\d+)", status)
    assert int(peak_kb) < 200 * 1024


def test_what_ignores_term_is_killed(run: Run) -> None:
    """ignoring SIGTERM"""
    line = run("ignores_term.sh", "trap '' TERM\nwhile :; do sleep 0.05; done\n", header="# @timeout 200ms\n")
    assert (line["status"], line["signal"]) == ("timeout", "SIGKILL")


def test_what_closes_its_descriptors_goes_on(run: Run) -> None:
    """closing all its descriptors"""
    line = run("closes_all.py", "import os, time\nos.closerange(0, 999)\ntime.sleep(0.3)\nos._exit(4)\n")
    assert (line["status"], line["exitCode"]) == ("error", 4)
    assert line["durationMs"] >= 300


def test_what_deletes_itself_ends_well_once(run: Run) -> None:
    """deleting itself"""
    assert run("deletes_itself.sh", 'rm "$0"\necho still here\n')["status"] == "ok"
    line = run.again("deletes_itself.sh")  # type: ignore[attr-defined]
    assert (line["status"], line["reason"]) == ("load_error", "unreadable")


def test_what_fills_its_memory_gets_no_more(run: Run) -> None:
    """filling its memory, with `@memory`"""
    line = run(
        "fills_memory.py",
        "kept = []\nwhile True: kept.append(bytearray(1 << 22))\n",
        header="# @memory 96M\n",
    )
    assert (line["status"], line["reason"], line["error"]) == ("error", "exception", "MemoryError")


def test_what_fills_a_file_is_ended_by_the_kernel(run: Run) -> None:
    """writing a file beyond the limit that it has for files"""
    line = run("fills_a_file.sh", "ulimit -f 1\nexec head -c 1M /dev/zero >$SCHEDD_STATE_DIR/big\n")
    assert (line["reason"], line["signal"]) == ("signal", "SIGXFSZ")


def test_a_result_that_is_too_large_is_cut(run: Run) -> None:
    """a result of 100 MB"""
    line = run("returns_much.sh", "head -c 100M /dev/zero | tr '\\0' x >$SCHEDD_RESULT\n")
    assert line["status"] == "ok"
    assert line["returnPreview"].startswith('{"$start":"xxx')


def test_a_pipe_or_a_link_is_no_result(run: Run) -> None:
    """a named pipe, or a link to somebody's file, in the place of the result"""
    assert "returnPreview" not in run("returns_a_pipe.sh", "mkfifo $SCHEDD_RESULT\n")
    assert "returnPreview" not in run("returns_a_link.sh", "ln -s /etc/passwd $SCHEDD_RESULT\n")


def test_what_stops_itself_is_ended_at_its_limit(run: Run) -> None:
    """stopping itself (SIGSTOP)"""
    line = run("stops_itself.sh", "kill -STOP $$\necho never\n", header="# @timeout 200ms\n")
    assert (line["status"], line["signal"]) == ("timeout", "SIGTERM")


def test_what_kills_its_group_is_told_by_the_signal(run: Run) -> None:
    """killing its own process group"""
    line = run("kills_its_group.sh", "sleep 400.3 &\nkill -KILL 0\n")
    assert (line["reason"], line["signal"]) == ("signal", "SIGKILL")
    assert _sleeping("400.3") == []


def test_nobody_may_kill_the_daemon(run: Run) -> None:
    """killing its parent, and its parent's group, as another user"""
    text = "kill -KILL $PPID\nkill -KILL -$(ps -o pgid= -p $PPID | tr -d ' ')\nexit 0\n"
    assert run("kills_its_parent.sh", text, header=AS_NOBODY)["status"] == "ok"


def test_a_run_that_kills_the_daemon_is_interrupted(tmp_path: Path) -> None:
    """the same, as the user of the daemon"""
    child = Child(tmp_path)
    try:
        child.write(
            "kills_the_daemon.sh",
            "# @schedule @yearly\nsetsid sleep 400.4 &\nkill -KILL $PPID\nsleep 400.4\n",
        )
        process = child.start().process
        assert process is not None
        body = {"scriptPath": "kills_the_daemon.sh", "wait": False}
        child.ask("POST", "/api/v1/exec/schedules/trigger", body)
        assert process.wait(20) == -signal.SIGKILL
        child.start()
        (line,) = child.wait_for_lines(1, scriptPath="kills_the_daemon.sh")
        assert (line["status"], line["reason"]) == ("error", "interrupted")
        assert _sleeping("400.4") == []
        child.stop()
    finally:
        child.close()


def test_what_renames_its_directory_ends_well_once(run: Run) -> None:
    """renaming the directory that it is in"""
    text = 'mv "$PWD" "$PWD-moved"\necho 1 >$SCHEDD_RESULT\n'
    assert run("moved/renames.sh", text)["returnPreview"] == "1"
    line = run.again("moved/renames.sh")  # type: ignore[attr-defined]
    assert (line["status"], line["reason"]) == ("load_error", "unreadable")


def test_outputs_that_are_removed_are_made_again(daemon: Child, run: Run) -> None:
    """removing the directory of all outputs"""
    line = run("removes_outputs.sh", f"rm -r {daemon.state}/output\necho here\n")
    assert line["status"] == "ok"
    assert daemon.ask("GET", f"/api/v1/exec/runs/{line['runId']}/output")[1] == "here\n"


def test_the_table_has_these_and_no_others() -> None:
    told = RUNNING.read_text().split("## Scripts that misbehave\n")[1].split("\n## ")[0]
    rows = ROW.findall(told)[1:]
    tried = [
        test.__doc__
        for name, test in globals().items()
        if name.startswith("test_") and test.__doc__ is not None
    ]
    assert rows == tried


def _counts(daemon: Child) -> tuple[int, int]:
    """How many dead children the daemon has, and how many descriptors, without those of requests."""
    assert daemon.process is not None
    pid = daemon.process.pid
    dead = [facts for facts in processes.everybody() if facts.parent == pid and facts.is_over]
    links = (Path(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
    return len(dead), sum("socket:" not in os.path.realpath(link) for link in links)


def _of_run(run_id: str) -> list[int]:
    pids = [facts.pid for facts in processes.everybody() if not facts.is_over]
    return [pid for pid in pids if processes.variable_of(pid, b"SCHEDD_RUN_ID") == run_id]


def _of_user(name: str) -> list[int]:
    uid = pwd.getpwnam(name).pw_uid
    found = []
    for facts in processes.everybody():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{facts.pid}").st_uid == uid:
                found.append(facts.pid)
    return found


def _sleeping(seconds: str) -> list[int]:
    found = []
    for facts in processes.everybody():
        with contextlib.suppress(OSError):
            argv = Path(f"/proc/{facts.pid}/cmdline").read_bytes().split(b"\0")
            if argv[0] == b"sleep" and seconds.encode() in argv:
                found.append(facts.pid)
    return found


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
