"""`GET /events` on the real daemon: whoever listens and comes back hears of each line exactly once."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.whole.child import Child

KILLS = 3
HEARD = 6
"""Ends that are heard before each kill."""
SCRIPTS = {f"every_second_{n}.sh": f"exit {n % 2}" for n in range(4)} | {"long.sh": "sleep 30"}


@dataclass
class Ear:
    """Reads the events of one daemon after the other, as a page does."""

    last_id: str | None = None
    hellos: list[dict[str, Any]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)

    def listen(self, child: Child, *, until: int) -> None:
        """Listen until so many ends were heard in all; what is there by then is read too."""
        with _connected(child, self.last_id) as stream:
            for name, data in self._events(stream):
                self._take(name, data)
                if len(self.ended) >= until:
                    return
        raise AssertionError(f"the stream ended after {len(self.ended)}: {child.said()[-2000:]}")

    def _events(self, stream: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
        name, mark, data = "", None, ""
        while line := stream.readline().decode():
            key, _, value = line.rstrip("\n").partition(": ")
            if key == "event":
                name = value
            elif key == "id":
                mark = value
            elif key == "data":
                data = value
            elif line == "\n":
                self.last_id = mark or self.last_id
                if data:
                    yield name, json.loads(data)
                name, mark, data = "", None, ""

    def _take(self, name: str, data: Any) -> None:
        match name:
            case "hello":
                self.hellos.append(data)
            case "started":
                self.started.add(data["runId"])
            case "ended":
                self.ended.append(data["runId"])
            case "schedule":
                self.schedules[data["scriptRel"]] = data


@contextlib.contextmanager
def _connected(child: Child, last_id: str | None) -> Iterator[http.client.HTTPResponse]:
    with contextlib.closing(http.client.HTTPConnection("localhost", timeout=20)) as connection:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(20)
        connection.sock.connect(str(child.socket))
        connection.request(
            "GET", "/api/v1/exec/events", headers={} if last_id is None else {"Last-Event-ID": last_id}
        )
        answer = connection.getresponse()
        assert answer.status == 200
        yield answer


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child(tmp_path)
    for script, body in SCRIPTS.items():
        made.write(script, f"#!/bin/sh\n# @schedule @every 1s\n{body}\n")
    yield made
    made.close()


def test_over_kill_nine_each_line_is_heard_of_exactly_once(child: Child) -> None:
    ear = Ear()
    child.start()
    ear.listen(child, until=1)
    first = ear.ended[0]
    for number in range(KILLS):
        ear.listen(child, until=HEARD * (number + 1))
        child.kill()
        child.start()
    ear.listen(child, until=HEARD * (KILLS + 1))
    lines = [line["runId"] for line in child.lines()]
    lines = lines[lines.index(first) :]
    assert ear.ended == lines[: len(ear.ended)]
    assert [hello["resumed"] for hello in ear.hellos] == [False, *[True] * (KILLS + 1)]


def test_what_a_script_has_become_is_told_as_the_list_has_it(child: Child) -> None:
    ear = Ear()
    child.write("once.sh", "#!/bin/sh\n# @schedule @yearly\nexit 3\n")
    child.start()
    with _connected(child, None) as stream:
        events = ear._events(stream)
        assert next(events)[0] == "hello"
        ran = child.schedules("trigger", method="POST", body={"scriptPath": "once.sh"})
        while (told := ear.schedules.get("once.sh")) is None or told["lastFireRunId"] != ran["runId"]:
            ear._take(*next(events))
        listed = {item["scriptRel"]: item for item in child.schedules("list")["schedules"]}
        assert told == listed["once.sh"]
        assert ran["runId"] in ear.started
        assert ran["runId"] in ear.ended


def test_a_daemon_that_stops_says_so_and_ends_the_stream(child: Child) -> None:
    for script in SCRIPTS:
        (child.scripts / script).unlink()
    child.start()
    with _connected(child, None) as stream:
        events = Ear()._events(stream)
        assert next(events)[0] == "hello"
        assert child.stop() == -15
        name, data = list(events)[-1]
    assert (name, data["ready"]) == ("health", False)
