"""What the API gives out in a second, beside a bare aiohttp handler that returns the same bytes.

wrk asks (`.ci/need.sh wrk wrk` installs it), over TCP and with a token; the two servers take turns, each
alone with it on the machine. The daemon is a real one. In the last part a thousand of its scripts are due in
one second, and somebody keeps asking, over one connection and one request after the other.
"""

import contextlib
import http.client
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.beside import row_of
from bench.row import REPEATS, Row
from schedd.web import tokens
from tests.whole.child import Child

ROOT = Path(__file__).parent.parent
SCHEDULES = "/api/v1/exec/schedules"
LIST = f"{SCHEDULES}/list"
CONNECTIONS = 16
SECONDS = 1
BURST = 1_000
AHEAD_S = 5
WATCHED_S = 6.0
ASKED_IN_BURST = (
    LIST,
    f"{SCHEDULES}/history",
    f"{SCHEDULES}/recent?scriptPath=job-00007.sh",
    f"{SCHEDULES}/script?scriptPath=job-00007.sh",
    f"{SCHEDULES}/pauses",
    "/api/v1/exec/runs",
    "/healthz",
    "/readyz",
)
PAUSE_S = 0.002
A_SECOND = "{:,.0f}/s".format


def rows() -> Iterator[Row]:
    """Measure the list, small and large, what has not changed, and a busy second."""
    subprocess.run([ROOT / ".ci" / "need.sh", "wrk", "wrk"], check=True)
    with daemon(100) as (child, token):
        yield from small(child, token)
    with daemon(10_000) as (child, token):
        yield from large(child, token)
    yield from busy()


def small(child: Child, token: str) -> Iterator[Row]:
    """Ask for 100 schedules."""
    url = child.url()
    with bare(fetched(url, token)) as floor:
        own, least = turns(lambda: asked(url + LIST, token), lambda: asked(floor))
        yield row_of("api", "the list of 100", own, unit=A_SECOND, beside=least, named="bare aiohttp")
        with changing(child):
            own, least = turns(lambda: asked(url + LIST, token), lambda: asked(floor))
        yield row_of(
            "api", "the same, one changes each second", own, unit=A_SECOND, beside=least, named="bare aiohttp"
        )
        tag = tag_of(url, token)
        own, least = turns(lambda: asked(url + LIST, token, tag=tag), lambda: asked(f"{floor}/hello"))
        yield row_of(
            "api", "304, nothing has changed", own, unit=A_SECOND, beside=least, named="bare aiohttp's hello"
        )


def large(child: Child, token: str) -> Iterator[Row]:
    """Ask for 10,000 schedules."""
    url = child.url()
    with bare(fetched(url, token)) as floor:
        own, least = turns(lambda: asked(url + LIST, token), lambda: asked(floor))
        yield row_of("api", "the list of 10,000", own, unit=A_SECOND, beside=least, named="bare aiohttp")
        tag = tag_of(url, token)
        own, least = turns(lambda: asked(url + LIST, token, tag=tag), lambda: asked(f"{floor}/hello"))
        what = "304, none of 10,000 has changed"
        yield row_of("api", what, own, unit=A_SECOND, beside=least, named="bare aiohttp's hello")


def turns(own: Callable[[], float], least: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Measure both some times, one after the other."""
    own()
    both = [(own(), least()) for _ in range(REPEATS)]
    return [each for each, _ in both], [each for _, each in both]


def asked(url: str, token: str = "", *, tag: str = "") -> float:
    """Return how many requests a second are answered."""
    headers = [("Authorization", f"Bearer {token}")] if token else []
    headers += [("If-None-Match", tag)] if tag else []
    given = [part for name, value in headers for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *given, url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in said, said
    assert "Socket errors" not in said, said
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


@contextlib.contextmanager
def daemon(scripts: int, expression: str = "", settings: str = "") -> Iterator[tuple[Child, str]]:
    """A daemon with so many scripts, and a token that may read them."""
    with tempfile.TemporaryDirectory(prefix="schedd-api-") as base:
        child = Child(Path(base), settings=settings)
        for number in range(scripts):
            when = expression or f"{number % 60} {number // 60 % 24} 29 2 *"
            child.write(f"job-{number:05}.sh", f"#!/bin/sh\n# @schedule {when}\n# @tags team-{number % 7}\n")
        child.state.mkdir()
        now_ms = time.time_ns() // 1_000_000
        token = tokens.add(str(child.state), "bench", scopes=["read"], now_ms=now_ms)
        try:
            yield child.start(), token
        finally:
            child.close()


@contextlib.contextmanager
def bare(body: bytes) -> Iterator[str]:
    """Start the floor."""
    with tempfile.NamedTemporaryFile(prefix="schedd-bare-") as file:
        file.write(body)
        file.flush()
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.bare", file.name], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def changing(child: Child) -> Iterator[None]:
    """Pause and resume one script, once a second."""
    over = threading.Event()

    def change() -> None:
        verbs = ("pause", "resume")
        while not over.wait(1):
            child.schedules(verbs[0], method="POST", body={"scriptPath": "job-00007.sh"})
            verbs = verbs[::-1]

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def busy() -> Iterator[Row]:
    """Ask all the time while a thousand scripts start and end."""
    found: dict[str, list[float]] = {path: [] for path in ASKED_IN_BURST}
    every: list[float] = []
    for _ in range(REPEATS):
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=AHEAD_S)
        when = f"{due.second} {due.minute} {due.hour} {due.day} {due.month} *"
        with daemon(BURST, when, f"max_running = {BURST}") as (child, token):
            in_burst = watched(child, token, due.timestamp())
        took = sorted(each for some in in_burst.values() for each in some)
        every.append(quantile(took, 0.99))
        for path, some in in_burst.items():
            found[path].append(quantile(sorted(some), 0.99))
    yield row_of("api", f"p99 of any GET while {BURST:,} scripts start and end", every)
    worst = max(found, key=lambda path: statistics.median(found[path]))
    yield row_of("api", f"the slowest of them, {worst.removeprefix(SCHEDULES)}", found[worst])


def watched(child: Child, token: str, due_s: float) -> Mapping[str, list[float]]:
    """Return how long each request took that was sent from the moment on until all fires are over."""
    time.sleep(max(0.0, due_s - time.time()))
    connection = http.client.HTTPConnection(child.url().removeprefix("http://"))
    found: dict[str, list[float]] = {path: [] for path in ASKED_IN_BURST}
    ended = time.monotonic() + WATCHED_S
    fires_log = child.state / "fires.log"
    while time.monotonic() < ended and fires_log.read_bytes().count(b"\n") < BURST:
        for path in ASKED_IN_BURST:
            before = time.perf_counter()
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            found[path].append(time.perf_counter() - before)
            assert answer.status == 200, (path, answer.status)
            time.sleep(PAUSE_S)
    connection.close()
    return found


def quantile(ordered: list[float], share: float) -> float:
    """Return what so many of them do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def fetched(url: str, token: str) -> bytes:
    """Return the body of the list."""
    return _list(url, token)[0]


def tag_of(url: str, token: str) -> str:
    """Return the tag of the list."""
    return _list(url, token)[1]


def _list(url: str, token: str) -> tuple[bytes, str]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    connection.request("GET", LIST, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return body, answer.getheader("ETag", "")
