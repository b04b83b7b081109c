"""What a run prints, heard from the real daemon while it runs, and asked for on the command line."""

import contextlib
import http.client
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machine.cli import PROGRAM, child_environment
from tests.whole.child import Child

SCRIPT = """#!/bin/sh
# @schedule @yearly
echo one
while [ ! -e {go} ]; do sleep 0.02; done
echo two hunter2
echo ghp_123 >&2
exit 3
"""
SETTINGS = 'redact = ["hunter2"]\nredact_patterns = ["ghp_[0-9]+"]\n'


@pytest.fixture
def waiting(child: Child, tmp_path: Path) -> tuple[Child, str]:
    """A daemon, and a run that has printed a line and waits for the file `go`."""
    child.settings.write_text(f"watch = false\n{SETTINGS}")
    child.write("default/waits.sh", SCRIPT.format(go=tmp_path / "go"))
    child.start()
    asked = {"scriptPath": "default/waits.sh", "wait": False}
    status, answer = child.ask("POST", "/api/v1/exec/schedules/trigger", asked)
    assert status == 202, answer
    return child, answer["runId"]


@contextlib.contextmanager
def listening(child: Child, run_id: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
    """Listen to a run."""
    with contextlib.closing(http.client.HTTPConnection("localhost")) as connection:
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(20)
        connection.sock.connect(str(child.socket))
        path = f"/api/v1/exec/runs/{run_id}/output?follow=true"
        connection.request("GET", path, headers={"Accept": "text/event-stream", **headers})
        with connection.getresponse() as response:
            yield response


def events(response: http.client.HTTPResponse, count: int | None = None) -> list[tuple[str, int | None, Any]]:
    """Read so many events, or all."""
    found, fields = [], dict[str, str]()
    while line := response.readline().decode():
        name, _, value = line.rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            number = int(fields["id"]) if "id" in fields else None
            found.append((fields["event"], number, json.loads(fields["data"])))
            fields = {}
            if len(found) == count:
                break
    return found


def test_a_run_is_heard_to_its_end_and_one_that_comes_back_goes_on(
    waiting: tuple[Child, str], tmp_path: Path
) -> None:
    child, run_id = waiting
    with listening(child, run_id) as listener:
        assert [event[:2] for event in events(listener, 1)] == [("line", 4)]
        (tmp_path / "go").touch()
        two, key, end = events(listener)
    assert (two[2]["text"], two[2]["n"], key[2]["text"]) == ("two [redacted]", 2, "[redacted]")
    assert (end[0], end[2]["status"], end[2]["reason"], end[2]["exitCode"]) == ("end", "error", "exit", 3)
    with listening(child, run_id, **{"Last-Event-ID": str(two[1])}) as again:
        rest = events(again)
    assert [(event[0], event[1], event[2].get("text")) for event in rest] == [
        ("line", key[1], "[redacted]"),
        ("end", None, None),
    ]


def test_the_command_line_follows_a_script_and_exits_with_how_it_ended(
    waiting: tuple[Child, str], tmp_path: Path
) -> None:
    child, run_id = waiting
    command = [*PROGRAM, "output", "-f", "default/waits.sh", "--socket", str(child.socket)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=child_environment()
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "one\n"
        (tmp_path / "go").touch()
        out, err = following.communicate()
    assert (following.returncode, out) == (1, "two [redacted]\n[redacted]\n")
    assert err == "schedd: the run ended with error: exit code 3: [redacted]\n"
    assert child.ask("GET", f"/api/v1/exec/runs/{run_id}")[1]["entry"]["outputBytes"] == 24
