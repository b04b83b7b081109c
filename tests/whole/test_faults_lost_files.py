"""Files of the daemon in other people's hands: removed, cut, edited, replaced. The record goes on."""

import json
import os
import shutil
import subprocess
import sys

from tests.whole.child import Child
from tests.whole.witness import Witness, green, reasons, red, until

GARBAGE = b'\x00\x00\x00\n{"half\n\xff\xfe not text\nnull\n[1,2,3]\n{}\n' + b"[" * 5000 + b"\n"


def history(child: Child, query: str = "") -> list[dict[str, object]]:
    entries: list[dict[str, object]] = child.schedules(f"history?limit=1000{query}")["entries"]
    return entries


def test_a_state_directory_that_was_removed_is_made_again_and_is_still_locked(child: Child) -> None:
    witness = Witness(child)
    witness.write("ticks.sh")
    child.start()
    witness.more(1)
    child.wait_for_lines(1, status="ok")
    shutil.rmtree(child.state)
    before = len(witness.ran())
    witness.more(2)
    child.wait_for_lines(1, status="ok")
    assert "was taken away" in child.said()
    command = [sys.executable, "-m", "schedd", "serve", f"--scripts-dir={child.scripts}", "--listen="]
    command += [f"--state-dir={child.state}", f"--socket={child.socket}.2"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert "in use by another schedd" in second.stderr
    assert reasons(child) == []
    child.kill()
    child.start()
    child.stop()
    told = [line for line in child.lines() if "startedAt" in line]
    assert len(told) >= len(witness.ran()) - before
    assert len({line["runId"] for line in told}) == len(told)


def test_garbage_in_the_fires_log_is_passed_over_and_history_goes_on(child: Child) -> None:
    witness = Witness(child)
    witness.write("ticks.sh")
    child.start()
    child.wait_for_lines(1, status="ok")
    with (child.state / "fires.log").open("ab") as file:
        file.write(GARBAGE)
    witness.more(2)
    until(lambda: len(history(child)) >= 3, child)
    child.stop()
    child.start()
    assert len(history(child)) >= 3
    child.stop()
    text = (child.state / "fires.log").read_bytes()
    assert text.count(GARBAGE) == 1
    lines = [json.loads(line) for line in text.split(b"\n") if line.startswith(b'{"ts"')]
    assert len({line["runId"] for line in lines}) == len(lines) >= 3


def test_a_fires_log_cut_in_the_middle_of_a_line_gets_whole_lines_from_then_on(child: Child) -> None:
    witness = Witness(child)
    witness.write("ticks.sh")
    child.start()
    child.wait_for_lines(2, status="ok")
    path = child.state / "fires.log"
    os.truncate(path, path.stat().st_size - 100)
    witness.more(2)
    until(lambda: len(history(child)) >= 3, child)
    child.stop()
    *whole, rest = path.read_bytes().split(b"\n")
    assert rest == b""
    broken = [line for line in whole if not line.endswith(b"}")]
    assert len(broken) == 1
    assert b"\0" not in path.read_bytes()


def test_a_fires_log_edited_in_place_keeps_what_was_edited_and_gets_what_comes(child: Child) -> None:
    witness = Witness(child)
    witness.write("ticks.sh")
    child.start()
    child.wait_for_lines(2, status="ok")
    path = child.state / "fires.log"
    subprocess.run(["sed", "-i", "s/ticks.sh/TICKS.sh/", str(path)], check=True)
    witness.more(2)
    until(lambda: len(history(child, "&scriptPath=ticks.sh")) >= 2, child)
    assert len(history(child, "&scriptPath=TICKS.sh")) >= 2
    child.stop()
    lines = child.lines()
    assert len({line["runId"] for line in lines}) == len(lines)


def test_a_directory_in_the_place_of_the_fires_log_is_named_until_it_is_gone(child: Child) -> None:
    witness = Witness(child)
    witness.write("ticks.sh")
    child.start()
    child.wait_for_lines(1, status="ok")
    path = child.state / "fires.log"
    path.unlink()
    path.mkdir()
    red(child, str(path), "Is a directory")
    ran = len(witness.ran())
    witness.more(2)
    status, answer = child.ask("GET", "/api/v1/exec/schedules/history")
    assert status == 503, answer
    path.rmdir()
    green(child)
    child.stop()
    told = [line for line in child.lines() if "startedAt" in line]
    assert len(told) >= len(witness.ran()) - ran + 1


def test_a_garbled_tokens_file_lets_nobody_in_by_tcp_and_hurts_nothing_else(child: Child) -> None:
    witness = Witness(child)
    witness.write("ticks.sh")
    child.start()
    path = child.state / "tokens.json"
    made = subprocess.run(
        [sys.executable, "-m", "schedd", "token", "add", "me", "--scopes=read", f"--state-dir={child.state}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    token = made.stdout.split()[-1]
    good = path.read_bytes()
    ask = [sys.executable, "-c", ASK, child.url(), token]
    assert subprocess.check_output(ask, text=True).strip() == "200"
    path.write_bytes(b'{"version": 1, "tokens": [{"name": "me", garbage')
    assert subprocess.check_output(ask, text=True).strip() in ("401", "503")
    assert str(path) in child.said()
    assert reasons(child) == []
    witness.more(1)
    path.write_bytes(good)
    assert subprocess.check_output(ask, text=True).strip() == "200"


ASK = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1] + "/api/v1/exec/schedules/list")
request.add_header("Authorization", "Bearer " + sys.argv[2])
try:
    print(urllib.request.urlopen(request, timeout=20).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""
