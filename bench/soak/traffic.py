"""Those who use the daemon meanwhile: pages that poll, listeners, Prometheus, somebody who edits scripts.

Each is a thread, since what they do is wait; what they find out is put into deques.
"""

import http.client
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.soak import load
from bench.soak.subject import Subject

API = "/api/v1/exec"
POLLED = {
    "list": f"{API}/schedules/list",
    "history": f"{API}/schedules/history?limit=100",
    "failures": f"{API}/schedules/history?limit=100&status=error&includeRotated=true",
    "runs": f"{API}/runs",
    "metrics": "/metrics",
}
PING = "ping"
PINGED = f"{API}/health"
EVERY_S, PING_EVERY_S = 1.0, 0.1
LISTENERS = 4
EDIT_EVERY_S = 7.0
STOPS_WITHIN_S = 30


class Asked(NamedTuple):
    """One request: what for, how it was answered, and how long the whole answer took."""

    what: str
    status: int
    took_s: float


class Traffic:
    """Starts and ends the threads, and has what they found."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._over = threading.Event()
        self._etags: dict[str, str] = {}
        self._threads: list[threading.Thread] = []
        self.asked: deque[Asked] = deque()
        self.listened = 0
        self.edits = 0
        self.metrics = b""
        self.failures: deque[str] = deque(maxlen=100)

    def start(self) -> None:
        """Let them begin."""
        for what, path in POLLED.items():
            self._begin(f"poll {what}", partial(self._poll, what, path, EVERY_S))
        self._begin(PING, partial(self._poll, PING, PINGED, PING_EVERY_S))
        for number in range(LISTENERS):
            self._begin(f"listen {number}", self._listen)
        self._begin("edit", partial(self._edit, self._subject.scripts))

    def end(self) -> None:
        """Let them end: what goes wrong from now on is no matter."""
        self._over.set()

    def join(self) -> None:
        """Wait for their end; raises AssertionError if one does not."""
        for thread in self._threads:
            thread.join(STOPS_WITHIN_S)
            assert not thread.is_alive(), f"{thread.name} does not end"

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._watched, args=(name, work), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _watched(self, name: str, work: Callable[[], None]) -> None:
        """Do it again until it is over; what fails is kept, and counts."""
        while not self._over.is_set():
            try:
                work()
            except (OSError, http.client.HTTPException, AssertionError) as error:
                if not self._over.wait(EVERY_S):
                    self.failures.append(f"{name}: {type(error).__name__}: {error}")

    def _poll(self, what: str, path: str, every_s: float) -> None:
        """Ask again and again on one connection, as a page does."""
        connection = self._subject.connection()
        try:
            while not self._over.is_set():
                before = time.perf_counter()
                self._ask(connection, what, path)
                self._over.wait(max(0.0, every_s - (time.perf_counter() - before)))
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, what: str, path: str) -> None:
        headers = {"If-None-Match": self._etags[what]} if what in self._etags else {}
        before = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        self.asked.append(Asked(what, answer.status, time.perf_counter() - before))
        assert answer.status in (200, 304), f"{answer.status}: {body[:200]!r}"
        if what in POLLED and answer.headers["ETag"]:
            self._etags[what] = answer.headers["ETag"]
        if what == "metrics":
            self.metrics = body

    def _listen(self) -> None:
        """Follow the output of something that runs, to its end."""
        while not self._over.is_set():
            runs = self._subject.ask("GET", f"{API}/runs")["runs"]
            talking = [run["runId"] for run in runs if "/talks/" in run["scriptPath"]]
            if talking:
                self._hear(talking[-1])
            self._over.wait(EVERY_S / 4)

    def _hear(self, run_id: str) -> None:
        connection = self._subject.connection()
        try:
            connection.request("GET", f"{API}/runs/{run_id}/output?follow=true&format=sse")
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()[:200]
            heard = answer.read()
            assert b"event: end" in heard, "the stream of a run was cut"
            self.listened += 1
        finally:
            connection.close()

    def _edit(self, scripts: Path) -> None:
        while not self._over.wait(EDIT_EVERY_S):
            load.edit(scripts, self.edits)
            self.edits += 1


@dataclass(frozen=True, slots=True)
class Counted:
    """What is taken from one scrape of /metrics; counters since the daemon's start."""

    queue: int
    lags: int
    lag_s: float
    lag_up_to: dict[float, int]
    """How many lags were no longer than so many seconds."""

    @staticmethod
    def read(text: bytes) -> "Counted":
        """Read the exposition format."""
        values: dict[str, float] = {}
        for raw in text.split(b"\n"):
            if raw.startswith((b"schedd_loop_lag", b"schedd_ledger_queue")):
                name, _, value = raw.decode().rpartition(" ")
                values[name] = float(value)
        begin, end = 'schedd_loop_lag_seconds_bucket{le="', '"}'
        return Counted(
            queue=int(values["schedd_ledger_queue"]),
            lags=int(values["schedd_loop_lag_seconds_count"]),
            lag_s=values["schedd_loop_lag_seconds_sum"],
            lag_up_to={
                float(name.removeprefix(begin).removesuffix(end)): int(value)
                for name, value in values.items()
                if name.startswith(begin)
            },
        )

    def worst_lag_s(self, before: "Counted") -> float:
        """Return the bound of the highest bucket that something came into since then; 0 if nothing did."""
        worst, below = 0.0, 0
        for bound in sorted(self.lag_up_to):
            count = self.lag_up_to[bound] - before.lag_up_to[bound]
            if count > below:
                worst, below = bound, count
        return worst
