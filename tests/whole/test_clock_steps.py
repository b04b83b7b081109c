"""The whole program on a clock that is set while it runs, and through the two nights when clocks change.

libfaketime stands between the daemon and the clocks of the host. It turns what the alarm is set to into the
host's time, so an alarm rings when it should; only that the clock was set it cannot tell a timer, so that the
daemon finds out at its next heartbeat. The watchdog's setting makes those frequent.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pure import oracle
from tests.whole import checker
from tests.whole.child import Child

LIBRARY = "faketime/libfaketimeMT.so.1"
WATCHDOG_US = 400_000
AT_REST = "@every 2s"
"""Due in every even second: in the odd ones the clock can be set while nothing runs."""

SCRIPTS: dict[str, tuple[str, Callable[[int], bool]]] = {
    "even.sh": (AT_REST, lambda s: s % 2 == 0),
    "minutes.sh": ("* * * * *", lambda s: s % 60 == 0),
    "newest.sh": ("* * * * *\n# @catchup last", lambda s: s % 60 == 0),
    "all.sh": ("*/2 * * * *\n# @catchup all", lambda s: s % 120 == 0),
    "off.sh": ("* * * * *\n# @enabled false", lambda s: s % 60 == 0),
}
DUE = {script: is_due for script, (_, is_due) in SCRIPTS.items()}


def faked(**settings: str) -> dict[str, str]:
    """Return the environment in which libfaketime tells the time."""
    found = [str(path) for path in Path("/usr/lib").glob(f"*/{LIBRARY}")]
    assert found, f"{LIBRARY} is not installed. Run: sudo apt-get install faketime"
    return {"LD_PRELOAD": found[0], "NO_FAKE_STAT": "1", "TZ": "UTC", **settings}


class Faked:
    """A daemon whose wall clock can be set."""

    def __init__(self, child: Child, timestamp_file: Path) -> None:
        self.child = child
        self._file = timestamp_file
        self._ahead_s = 0
        self.set(0)
        for script, (header, _) in SCRIPTS.items():
            child.write(script, f"#!/bin/sh\n# @schedule {header}\nexit 0\n")
        settings = {
            "FAKETIME_TIMESTAMP_FILE": str(timestamp_file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "WATCHDOG_USEC": str(WATCHDOG_US),
        }
        child.start(env=faked(**settings))
        self.first_s = int(self.now_s()) + 1

    def now_s(self) -> float:
        return time.time() + self._ahead_s

    def set(self, by_s: int) -> None:
        """Set the clock."""
        self._ahead_s += by_s
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._ahead_s:+d}\n")
        new.replace(self._file)

    def set_at_rest(self, by_s: int) -> int:
        """Set the clock in an odd second, when all is told; return the newest slot before that."""
        until(lambda: self.now_s() % 2 > 1.2 and self.newest_slot() == int(self.now_s()) - 1, self.child)
        newest = self.newest_slot()
        self.set(by_s)
        return newest

    def newest_slot(self) -> int:
        """The slot of the newest run that has ended."""
        slots = (checker.seconds(line["slot"]) for line in self.ran("even.sh")[-1:])
        return next(slots, 0)

    def ran(self, script: str) -> list[dict[str, Any]]:
        return [
            line for line in self.child.lines() if line["scriptPath"] == script and line["status"] == "ok"
        ]

    def next_fire(self, script: str = "even.sh") -> int:
        listed = self.child.schedules("list")["schedules"]
        (found,) = (schedule for schedule in listed if schedule["scriptRel"] == script)
        return checker.seconds(found["nextFire"])

    def fires_after(self, slot: int) -> None:
        """Wait until a slot after this one has run."""
        until(lambda: self.newest_slot() > slot, self.child)

    def steps_ms(self, count: int) -> list[int]:
        """The steps that the ledger knows, as soon as there are so many."""

        def steps() -> list[int]:
            *lines, _ = (self.child.state / "ledger.log").read_bytes().split(b"\n")
            facts = map(json.loads, lines)
            return [fact["stepMs"] for fact in facts if fact["fact"] == "clock"]

        until(lambda: len(steps()) >= count, self.child)
        return steps()

    def ready(self) -> bool:
        asked_s = time.monotonic()
        status, _ = self.child.ask("GET", "/readyz")
        return status == 200 and time.monotonic() - asked_s < 1

    def stop_and_check(self, *times: tuple[int, int]) -> list[dict[str, Any]]:
        """Stop; fail unless each slot in these times (from, to) is told once; return the lines."""
        self.child.stop()
        lines, complaints = checker.read_strictly(self.child.state)
        assert not complaints
        for first_s, last_s in times:
            checker.check(lines, DUE, first_s=first_s, last_s=last_s)
        return lines


@pytest.fixture
def clock(child: Child, tmp_path: Path) -> Faked:
    return Faked(child, tmp_path / "clock")


def until(holds: Callable[[], bool], child: Child, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, child.said()[-2000:]
        time.sleep(0.02)


def about(step_ms: int, seconds: int) -> bool:
    return abs(step_ms - seconds * 1000) < 100


def test_ten_minutes_ahead_are_a_gap_that_every_script_accounts_for(clock: Faked) -> None:
    clock.fires_after(0)
    newest = clock.set_at_rest(600)
    (step_ms,) = clock.steps_ms(1)
    assert about(step_ms, 600)
    assert "the clock was set ahead by 600.0 s" in clock.child.said()
    clock.fires_after(newest + 602)
    assert clock.next_fire() in range(int(clock.now_s()), int(clock.now_s()) + 3)
    assert clock.ready()
    caught = clock.child.wait_for_lines(1, scriptPath="newest.sh", kind="catchup", status="ok")
    lines = clock.stop_and_check((clock.first_s, int(clock.now_s()) - 2))
    (missed,) = (x for x in lines if x["scriptPath"] == "even.sh" and x.get("reason") == "missed")
    assert checker.seconds(missed["slot"]) == newest + 2
    assert missed["count"] in range(269, 280)
    assert len(caught) == 1


def test_five_minutes_back_fire_nothing_again(clock: Faked) -> None:
    clock.fires_after(0)
    newest = clock.set_at_rest(-300)
    (step_ms,) = clock.steps_ms(1)
    assert about(step_ms, -300)
    assert "the clock was set back by 300.0 s" in clock.child.said()
    time.sleep(3)
    assert clock.newest_slot() == newest
    assert clock.next_fire() == newest + 2
    assert clock.ready()
    clock.set(300)
    assert about(clock.steps_ms(2)[1], 300)
    clock.fires_after(newest + 2)
    clock.stop_and_check((clock.first_s, int(clock.now_s()) - 2))


def test_a_little_back_is_waited_out(clock: Faked) -> None:
    clock.fires_after(0)
    newest = clock.set_at_rest(-6)
    assert clock.next_fire() == newest + 2
    assert about(clock.steps_ms(1)[0], -6)
    clock.fires_after(newest)
    assert clock.now_s() >= newest + 2
    lines = clock.stop_and_check((clock.first_s, int(clock.now_s()) - 2))
    assert not [line for line in lines if line.get("reason") == "missed"]


def test_four_hours_back_count_anew_from_the_time_that_the_clock_shows(clock: Faked) -> None:
    clock.fires_after(0)
    newest = clock.set_at_rest(-4 * 3600)
    set_s = int(clock.now_s())
    assert about(clock.steps_ms(1)[0], -4 * 3600)
    until(lambda: set_s < clock.newest_slot() < set_s + 60, clock.child)
    assert clock.next_fire() in range(int(clock.now_s()), int(clock.now_s()) + 3)
    assert clock.ready()
    # It takes a heartbeat until it is known that the clock was set.
    noticed_s = set_s + 2
    clock.stop_and_check((clock.first_s, newest + 1), (noticed_s, int(clock.now_s()) - 2))


NIGHT = {
    "fixed.sh": "30 2 * * *",
    "wild.sh": "*/15 2 * * *",
    "four.sh": "0,15,30,45 2 * * *",
    "hourly.sh": "0 * * * *",
    "tens.sh": "*/10 * * * *",
    "off.sh": "5 2,3 * * *\n# @enabled false",
}
ZONE = "Europe/Berlin"
FAST = 900


@pytest.mark.parametrize(
    ("begin", "change", "end"),
    [
        ("2027-03-28 00:00:00", "2027-03-28T01:00Z", "2027-03-28T01:30Z"),
        ("2027-10-30 23:00:00", "2027-10-31T00:00Z", "2027-10-31T02:10Z"),
    ],
    ids=["spring", "autumn"],
)
def test_a_night_in_which_the_clocks_change_has_the_slots_that_cron_has(
    child: Child, begin: str, change: str, end: str
) -> None:
    for script, header in NIGHT.items():
        child.write(script, f"#!/bin/sh\n# @schedule {header}\n# @timezone {ZONE}\nexit 0\n")
    child.start(env=faked(FAKETIME=f"@{begin} x{FAST}"))
    listed = child.schedules("list")["schedules"]
    first_s = 1 + max(checker.seconds(schedule["registeredAt"]) for schedule in listed)
    last_s = checker.seconds(end)
    assert len(listed) == len(NIGHT)
    assert first_s < checker.seconds(change), "the daemon took too long to start: the night has begun"
    until(lambda: any(checker.seconds(line["slot"]) >= last_s for line in child.lines()), child, within_s=60)
    child.stop()
    lines, complaints = checker.read_strictly(child.state)
    assert not complaints
    walked = (first_s - first_s % 60, last_s + 7200)
    slots = {
        script: set(oracle.starts(header.partition("\n")[0], ZONE, *walked))
        for script, header in NIGHT.items()
    }
    due = {script: found.__contains__ for script, found in slots.items()}
    counts = checker.check(lines, due, first_s=first_s, last_s=last_s)
    assert counts["tens.sh"] >= (last_s - first_s) // 600
    assert "clock was set" not in child.said()
