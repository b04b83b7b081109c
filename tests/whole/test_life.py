"""A life of the daemon: started, asked, reloaded, stopped; each by the means that people use."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.whole.child import Child

TICKS = "#!/bin/sh\n# @schedule @every 1s\necho tick\n"
SLEEPS = "#!/bin/sh\n# @schedule 0 0 1 1 *\nsleep 30\n"
IGNORES_TERM = "#!/bin/sh\n# @schedule 0 0 1 1 *\ntrap '' TERM\nsleep 30 & wait\nsleep 30\n"
RETURNS = '# @schedule 0 0 1 1 *\ndef main():\n    return {"rows": 3}\n'


def in_flight(child: Child) -> list[str]:
    status, answer = child.ask("GET", "/api/v1/exec/runs")
    assert status == 200
    return [run["runId"] for run in answer["runs"]]


def trigger_without_waiting(child: Child, script: str) -> str:
    status, answer = child.ask(
        "POST", "/api/v1/exec/schedules/trigger", {"scriptPath": script, "wait": False}
    )
    assert status == 202, answer
    until(lambda: answer["runId"] in in_flight(child))
    return str(answer["runId"])


def until(holds: object, within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_script_fires_by_itself_and_leaves_its_line_and_its_output(child: Child) -> None:
    child.write("default/ticks.sh", TICKS)
    child.start()
    line = child.wait_for_lines(1, status="ok")[0]
    assert line["scriptPath"] == "default/ticks.sh"
    assert line["kind"] == "schedule"
    assert 0 <= line["latenessMs"] < 5_000
    assert child.ask("GET", f"/api/v1/exec/runs/{line['runId']}/output") == (200, "tick\n")


def test_a_trigger_answers_when_the_run_is_over(child: Child) -> None:
    child.write("default/returns.py", RETURNS)
    child.start()
    answer = child.schedules("trigger", method="POST", body={"scriptPath": "default/returns.py"})
    assert answer["triggered"] is True
    assert answer["status"] == "ok"
    entry = child.schedules("history?scriptPath=default/returns.py")["entries"][0]
    assert entry["returnPreview"] == '{"rows":3}'
    assert entry["runId"] == answer["runId"]


def test_a_trigger_registers_a_script_that_no_reload_has_seen(child: Child) -> None:
    child.start()
    child.write("default/new.py", RETURNS)
    answer = child.schedules("trigger", method="POST", body={"scriptPath": "default/new.py"})
    assert answer["status"] == "ok"
    listed = child.schedules("list")["schedules"]
    assert [schedule["scriptRel"] for schedule in listed] == ["default/new.py"]


def test_hang_up_reads_the_scripts_again(child: Child) -> None:
    child.start()
    child.write("default/ticks.sh", TICKS)
    assert child.process is not None
    child.process.send_signal(signal.SIGHUP)
    child.wait_for_lines(1, status="ok")


def test_the_last_good_registration_outlives_the_daemon(child: Child) -> None:
    path = child.write("ticks.sh", "#!/bin/sh\n# @schedule @every 1s\n# @token secret-word\necho $0\n")
    child.start()
    child.wait_for_lines(1, status="ok")
    path.write_text(path.read_text().replace("@every 1s", "every blue moon"))
    child.kill()
    assert "secret-word" not in (child.state / "ledger.log").read_text()
    child.start()
    (listed,) = child.schedules("list")["schedules"]
    assert (listed["status"], listed["expression"]) == ("stale", "@every 1s")
    child.wait_for_lines(3, status="ok")


def test_term_waits_for_the_runs_and_dies_of_the_signal(child: Child) -> None:
    child.write("naps.sh", "#!/bin/sh\n# @schedule 0 0 1 1 *\nsleep 1; echo done\n")
    child.start()
    trigger_without_waiting(child, "naps.sh")
    assert child.stop() == -signal.SIGTERM
    (line,) = child.lines()
    assert (line["status"], line["durationMs"] >= 900) == ("ok", True)


def test_a_second_signal_stops_the_runs_now(child: Child) -> None:
    child.write("sleeps.sh", SLEEPS)
    child.start()
    trigger_without_waiting(child, "sleeps.sh")
    assert child.process is not None
    child.process.send_signal(signal.SIGTERM)
    until(lambda: "draining" in child.said())
    assert child.stop() == -signal.SIGTERM
    (line,) = child.lines()
    assert (line["status"], line["reason"]) == ("error", "stopped")


def test_the_drain_limit_ends_runs_that_ignore_term(child: Child) -> None:
    child.settings.write_text('drain = "200ms"\ngrace = "200ms"\n')
    child.write("stubborn.sh", IGNORES_TERM)
    child.start()
    trigger_without_waiting(child, "stubborn.sh")
    child.stop()
    (line,) = child.lines()
    assert (line["reason"], line["signal"]) == ("stopped", "SIGKILL")


def test_slots_that_come_due_while_draining_are_skipped_by_name(child: Child) -> None:
    child.write("naps.sh", "#!/bin/sh\n# @schedule 0 0 1 1 *\nsleep 2.5\n")
    child.write("ticks.sh", TICKS)
    child.start()
    trigger_without_waiting(child, "naps.sh")
    child.stop()
    drained = [line for line in child.lines() if line.get("reason") == "draining"]
    assert drained
    assert {line["status"] for line in drained} == {"skipped_overload"}


def test_a_run_that_outlives_a_killed_daemon_is_stopped_before_the_next_one_starts(child: Child) -> None:
    child.write("sleeps.sh", "#!/bin/sh\n# @schedule 0 0 1 1 *\nexec sleep 31.4159\n")
    child.start()
    run_id = trigger_without_waiting(child, "sleeps.sh")
    until(lambda: alive("31.4159"))
    child.kill()
    assert alive("31.4159")
    child.start()
    assert not alive("31.4159")
    (line,) = child.wait_for_lines(1)
    assert (line["runId"], line["status"], line["reason"]) == (run_id, "error", "interrupted")


def alive(argument: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if command[:1] == [b"sleep"] and argument.encode() in command:
            return True
    return False


def test_the_daemon_uses_all_descriptors_and_scripts_get_the_limit_it_was_given(child: Child) -> None:
    child.write("limits.sh", "#!/bin/sh\n# @schedule 0 0 1 1 *\nsleep 0.1\nulimit -n\n")
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = 512
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        child.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))
    assert child.process is not None
    assert f"{hard} " in Path(f"/proc/{child.process.pid}/limits").read_text().split("Max open files")[1]
    answer = child.schedules("trigger", method="POST", body={"scriptPath": "limits.sh"})
    assert child.ask("GET", f"/api/v1/exec/runs/{answer['runId']}/output") == (200, f"{soft}\n")


def test_a_second_daemon_on_the_same_state_is_refused(child: Child) -> None:
    child.start()
    command = [sys.executable, "-m", "schedd", "serve", f"--scripts-dir={child.scripts}"]
    command += [f"--state-dir={child.state}", "--listen=127.0.0.1:0", f"--socket={child.socket}.2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert str(child.state) in done.stderr
    assert str(child.process.pid if child.process else "") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_one_clear_sentence(child: Child) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = child.spawn("--listen", f"127.0.0.1:{port}")
        assert process.wait(30) != 0
    assert f"127.0.0.1:{port}" in child.said()
    assert "Traceback" not in child.said()


def test_a_missing_scripts_directory_is_one_clear_sentence(child: Child) -> None:
    child.scripts.rmdir()
    assert child.spawn().wait(30) == 2
    assert str(child.scripts) in child.said()
    assert "Traceback" not in child.said()


def test_a_state_directory_without_permission_is_one_clear_sentence(child: Child) -> None:
    child.state.mkdir(mode=0o500)
    without_power: list[str] = []
    if os.geteuid() == 0:
        os.chown(child.state, 65534, 65534)
        without_power = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    command = [sys.executable, "-m", "schedd", "serve", f"--scripts-dir={child.scripts}"]
    command += [f"--state-dir={child.state}", "--listen=", f"--socket={child.socket}"]
    done = subprocess.run([*without_power, *command], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode in (1, 2)
    assert str(child.state) in done.stderr
    assert "Traceback" not in done.stderr
