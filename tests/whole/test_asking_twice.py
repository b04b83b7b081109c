"""A trigger repeated under its Idempotency-Key gets the fire that there is, whatever happened between."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.whole.child import Child

TRIGGER = "/api/v1/exec/schedules/trigger"


def asked(child: Child, key: str, script: str = "a.sh", **body: object) -> tuple[int, Any]:
    body |= {"scriptPath": script}
    return child.ask("POST", TRIGGER, body, headers={"Idempotency-Key": key})


def script(child: Child, does: str, name: str = "a.sh") -> None:
    child.write(name, f"# @schedule 0 0 1 1 *\n{does}\n")


def running(child: Child) -> list[str]:
    runs = child.ask("GET", "/api/v1/exec/runs")[1]["runs"]
    return [run["runId"] for run in runs if run["state"] == "running"]


def until(holds: Callable[[], bool], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_after_a_restart_the_key_still_stands_for_its_fire(child: Child) -> None:
    script(child, "exit 7")
    child.start()
    first = asked(child, "deploy 42")
    child.stop()
    child.start()
    assert asked(child, "deploy 42") == first
    assert first[1]["status"] == "error"
    assert asked(child, "deploy 43")[1]["runId"] != first[1]["runId"]
    # The answer and the history have the line at once, the file a moment later.
    assert len(child.wait_for_lines(2)) == 2


def test_a_run_that_died_with_the_daemon_is_not_run_again(child: Child, tmp_path: Path) -> None:
    script(child, f"echo >> {tmp_path}/ran; sleep 60")
    child.start()
    status, taken = asked(child, "k", wait=False)
    until(lambda: running(child) == [taken["runId"]])
    child.kill()
    child.start()
    repeated = asked(child, "k")
    assert (status, repeated[0]) == (202, 200)
    assert repeated[1]["runId"] == taken["runId"]
    assert (repeated[1]["status"], repeated[1]["reason"]) == ("error", "interrupted")
    assert (tmp_path / "ran").read_text() == "\n"


def test_whoever_asks_while_the_daemon_drains_waits_for_the_run_with_the_others(child: Child) -> None:
    script(child, "while [ ! -e go ]; do sleep 0.05; done; echo ended")
    child.start()
    taken = asked(child, "k", wait=False)[1]
    until(lambda: running(child) == [taken["runId"]])
    assert child.process is not None
    child.process.terminate()
    until(lambda: child.ask("GET", "/healthz")[1]["phase"] == "draining")
    answers: list[tuple[int, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(asked(child, "k")))
    asking.start()
    refused = asked(child, "another")
    (child.scripts / "go").touch()
    asking.join(10)
    assert refused[0] == 503
    assert [(status, body["runId"], body["status"]) for status, body in answers] == [
        (200, taken["runId"], "ok")
    ]


def test_many_that_ask_at_once_get_one_fire(child: Child) -> None:
    script(child, "sleep 0.2")
    child.start()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: asked(child, "k"), range(8)))
    assert len({body["runId"] for _, body in answers}) == 1
    assert len(child.wait_for_lines(1)) == 1


def test_a_key_gives_its_fire_also_when_the_script_has_gone(child: Child) -> None:
    script(child, "true")
    child.start()
    first = asked(child, "k")
    (child.scripts / "a.sh").unlink()
    child.schedules("reload", method="POST")
    assert asked(child, "k") == first


def test_a_key_of_a_skipped_fire_gives_the_skipped_fire(child: Child) -> None:
    script(child, "true")
    child.start()
    child.schedules("pause", method="POST", body={"all": True})
    first = asked(child, "k")
    child.schedules("resume", method="POST", body={"all": True})
    child.stop()
    child.start()
    assert first[1]["reason"] == "maintenance"
    assert asked(child, "k") == first


def test_a_key_that_belongs_to_another_script_is_a_conflict_after_a_restart_too(child: Child) -> None:
    script(child, "true")
    script(child, "true", "b.sh")
    child.start()
    asked(child, "k")
    child.stop()
    child.start()
    assert asked(child, "k", "b.sh")[0] == 409
