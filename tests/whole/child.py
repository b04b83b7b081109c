"""The program as a child process: started, asked over its socket, stopped, killed."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.whole import checker

STARTS_WITHIN_S = 30
STOPS_WITHIN_S = 30


class Child:
    """One daemon on its own scripts and state directories; it may be started again and again."""

    def __init__(self, base: Path, *, settings: str = "") -> None:
        self.scripts = base / "scripts"
        self.state = base / "state"
        self.socket = base / "api.sock"
        self.log = base / "stderr.log"
        self.settings = base / "schedd.toml"
        self.scripts.mkdir(exist_ok=True)
        # Tests say themselves when to reload, unless they are about the watcher.
        self.settings.write_text(settings if "watch" in settings else f"watch = false\n{settings}")
        self.before: list[str] = []
        """A command that becomes the daemon, such as setpriv with its options."""
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, script: str, text: str) -> Path:
        path = self.scripts / script
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def spawn(self, *flags: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start the daemon without waiting for it."""
        command = [*self.before, sys.executable, "-m", "schedd", "serve", "--config", str(self.settings)]
        places = {"scripts-dir": self.scripts, "state-dir": self.state, "socket": self.socket}
        command += [f"--{name}={place}" for name, place in places.items()]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--listen", "127.0.0.1:0", *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
            )
        return self.process

    def start(self, *flags: str, env: Mapping[str, str] | None = None) -> "Child":
        """Start the daemon and wait until it is ready."""
        process = self.spawn(*flags, env=env)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while True:
            assert process.poll() is None, self.said()[-2000:]
            assert time.monotonic() < deadline, self.said()[-2000:]
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.01)

    def ask(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send one request over the Unix socket; return the status and the decoded body."""
        connection = _UnixConnection(str(self.socket))
        try:
            data = None if body is None else json.dumps(body)
            sent = {} if data is None else {"Content-Type": "application/json"}
            connection.request(method, path, body=data, headers=sent | dict(headers or {}))
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(raw) if is_json else raw.decode()

    def schedules(self, verb: str, *, method: str = "GET", body: object = None) -> Any:
        """Ask one of the schedules' endpoints and return the body of its 200 answer."""
        status, answer = self.ask(method, f"/api/v1/exec/schedules/{verb}", body)
        assert status == 200, answer
        return answer

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop the daemon by a signal; return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(STOPS_WITHIN_S)

    def kill(self) -> None:
        """kill -9."""
        self.stop(signal.SIGKILL)

    def close(self) -> None:
        """End the daemon, if it is still there, and what it has left behind."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOPS_WITHIN_S)

    def said(self) -> str:
        """What the daemon logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def url(self) -> str:
        """The TCP address of the API, from the log."""
        found = re.findall(r"http://127\.0\.0\.1:\d+", self.said())
        return str(found[-1])

    def lines(self) -> list[dict[str, Any]]:
        """Every line of the fires log, rotated files first."""
        return checker.read(self.state)

    def wait_for_lines(self, count: int, *, within_s: float = 20, **wanted: object) -> list[dict[str, Any]]:
        """Wait until so many lines have these values, and return them."""
        deadline = time.monotonic() + within_s
        while True:
            found = [x for x in self.lines() if all(x.get(key) == value for key, value in wanted.items())]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, (wanted, self.lines()[-3:], self.said()[-2000:])
            time.sleep(0.02)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self._path)
