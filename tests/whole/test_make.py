"""What a person meets first: make's help, its refusals, and `make run` from start to ^C."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.whole.systemd_lab import ROOT

DEADLINE_S = 20
TARGETS = ("run", "test", "torture", "check", "format", "bench", "soak", "install", "uninstall")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `make run` needs of a checkout, with one script."""
    for each in (".ci", "etc"):
        shutil.copytree(ROOT / each, tmp_path / each)
    shutil.rmtree(tmp_path / "etc" / "scripts")
    (tmp_path / "etc" / "scripts").mkdir()
    (tmp_path / "etc" / "scripts" / "hello.sh").write_text("#!/bin/sh\n# @schedule @yearly\necho hello\n")
    return tmp_path


@contextmanager
def run_in(checkout: Path) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """Start what `make run` starts, wait until the daemon is up, and yield it with all that it said."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [".ci/run.sh", sys.prefix]
    with subprocess.Popen(
        command, cwd=checkout, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as started:
        assert started.stdout is not None
        greeting = ""
        while ">up: " not in greeting:
            line = started.stdout.readline()
            assert line, greeting
            greeting += line
        try:
            yield started, greeting
        finally:
            started.kill()


def asked(greeting: str) -> dict[str, object]:
    """Ask the API as the greeting says."""
    url, token = re.findall(r"schedd at (http://\S+)/ +token: (\S+)", greeting)[0]
    request = urllib.request.Request(
        f"{url}/api/v1/exec/schedules/list", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request) as answer:
        told: dict[str, object] = json.load(answer)
    return told


def test_make_alone_says_what_there_is_on_one_screen() -> None:
    done = subprocess.run(
        ["make", "-C", ROOT, "--no-print-directory"], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 110
    assert all(any(line.startswith(f"make {target} ") for line in lines) for target in TARGETS)


def test_a_missing_program_is_named_with_the_command_that_installs_it() -> None:
    done = subprocess.run(
        [ROOT / ".ci" / "need.sh", "sh", "dash", "no-such-program", "some-package"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
        **({"user": "nobody", "cwd": "/"} if os.geteuid() == 0 else {}),
    )
    assert done.returncode == 1
    assert done.stderr == "schedd: not installed: some-package. Run: sudo apt-get install some-package\n"


def browser_of(ubuntu: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Ask for a browser on an Ubuntu whose Chromium only says that it is a snap."""
    (ubuntu / "os-release").write_text("NAME=Ubuntu\nID=ubuntu\n")
    stub = ubuntu / "chromium"
    stub.write_text("#!/bin/sh\necho 'requires the chromium snap' >&2\nexit 1\n")
    stub.chmod(0o755)
    path = {"PATH": f"{ubuntu}:/nowhere", "OS_RELEASE": str(ubuntu / "os-release")}
    for needed in ("sh", "dirname", "grep", "id"):
        (ubuntu / needed).symlink_to(shutil.which(needed) or "")
    command = [ROOT / ".ci" / "browser.sh"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=path | more)


def test_where_chromium_is_only_a_snap_its_tests_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    done = browser_of(tmp_path)
    assert done.returncode == 0
    assert done.stdout == "--ignore-glob=*/test_browser_*.py\n"
    assert "left out" in done.stderr
    assert "snap install chromium" in done.stderr


def test_where_nobody_reads_along_no_test_is_left_out(tmp_path: Path) -> None:
    done = browser_of(tmp_path, CI="true")
    assert done.returncode == 1
    assert not done.stdout


def test_a_browser_that_does_not_start_is_refused_by_name(tmp_path: Path) -> None:
    done = browser_of(tmp_path, CHROMIUM="/bin/false")
    assert done.returncode == 1
    assert done.stderr == (
        "schedd: CHROMIUM=/bin/false is not a browser that starts. Name another one, or none\n"
    )


def test_a_python_that_is_too_old_is_refused_in_one_line(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        [ROOT / ".ci" / "python.sh"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHON": str(old)},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("schedd: needs Python 3.11 or newer;")
    assert done.stderr.count("\n") == 1
    assert "apt-get install" in done.stderr


def test_make_run_starts_answers_and_ends_in_order_at_an_interrupt(checkout: Path) -> None:
    with run_in(checkout) as (started, greeting):
        assert asked(greeting)["total"] == 1
        started.send_signal(signal.SIGINT)
        assert started.wait(DEADLINE_S) == -signal.SIGINT
    assert '"fact":"down"' in (checkout / "var/state/ledger.log").read_text()


def test_the_second_run_keeps_the_token_and_the_state(checkout: Path) -> None:
    greetings = []
    for _ in range(2):
        with run_in(checkout) as (started, greeting):
            asked(greeting)
            greetings.append(greeting)
            started.send_signal(signal.SIGTERM)
            started.wait(DEADLINE_S)
    first, second = (re.findall(r"token: (\S+)", greeting) for greeting in greetings)
    assert first == second
    assert (checkout / "var/token").stat().st_mode & 0o077 == 0


def test_a_busy_port_is_not_in_the_way(checkout: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8173))
            taken.listen()
        except OSError:
            pass  # somebody else has it already, which is as good
        with run_in(checkout) as (_, greeting):
            assert "Port 8173 is taken" in greeting
            assert asked(greeting)["total"] == 1


def test_a_second_daemon_on_the_same_checkout_is_refused_in_one_line(checkout: Path) -> None:
    with run_in(checkout) as (_, greeting):
        asked(greeting)
        done = subprocess.run(
            [".ci/run.sh", sys.prefix],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("schedd: already running from here;")
        assert done.stderr.count("\n") == 1
