"""What the daemon tells the journal and the service manager."""

import logging

import pytest

from schedd.daemon import record
from schedd.daemon.vitals import Vitals
from schedd.host.clock import SystemClock
from schedd.host.identity import run_ids
from schedd.host.systemd import Notifier
from schedd.ledger import facts
from schedd.planner.actions import KeptUp, Lagging
from schedd.planner.planner import Planner
from schedd.planner.quiet import ITS_END
from schedd.planner.view import Pace, Pause
from schedd.schedule import Lock
from schedd.scripts import catalogue
from schedd.scripts.directives import Problem
from schedd.timetable.instant import Slot
from tests.fake_ledger import MemoryLedger
from tests.pure.making import T0_MS, schedule


def test_a_warning_about_a_script_is_logged_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    record.tell_warnings((Problem("a.sh", "did you mean `@schedule`?", 1, 3),))
    (told,) = caplog.records
    assert (told.levelno, told.getMessage()) == (logging.WARNING, "a.sh:1:3: did you mean `@schedule`?")
    assert told.__dict__["SCHEDD_SCRIPT"] == "a.sh"


def test_a_thousand_warnings_are_a_hundred_lines_and_a_number(caplog: pytest.LogCaptureFixture) -> None:
    record.tell_warnings([Problem(f"{n}.sh", "odd", 1) for n in range(1000)])
    assert len(caplog.messages) == 101
    assert caplog.messages[-1] == "and 900 more; `schedd check` shows all"


@pytest.mark.parametrize(
    ("running", "told"), [(0, "0 runs in flight"), (1, "1 run in flight"), (2, "2 runs in flight")]
)
def test_a_drain_is_logged_with_how_many_runs_it_waits_for(
    caplog: pytest.LogCaptureFixture, running: int, told: str
) -> None:
    caplog.set_level(logging.INFO)
    record.tell_draining("SIGTERM", running)
    assert caplog.messages == [f"draining (SIGTERM): {told}"]


PACE = Pace(since=Slot(T0_MS // 1000), slots=145, span_s=86_400, ran=48, p50_ms=1_620_000)
LAGS = "its runs outlast its interval: every 10 min, really 48 a day"


def test_that_runs_outlast_their_interval_is_logged_when_it_begins_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    found = {"a.sh": schedule("a.sh")}.get
    record.tell_lagging([Lagging("a.sh", PACE, begins=True)], found)
    record.tell_lagging([Lagging("a.sh", PACE)], found)
    record.tell_lagging([KeptUp("a.sh")], found)
    first, second = caplog.messages
    assert first.startswith(f"a.sh: {LAGS}")
    assert second == "a.sh: its runs no longer outlast its interval"


def test_a_reload_warns_of_schedules_that_lag_and_of_locks_that_are_disagreed_about() -> None:
    schedules = (schedule("a.sh", lock=Lock("db", 2)), schedule("b.sh", lock=Lock("db")))
    diff = catalogue.compare({}, catalogue.Scan(schedules=schedules))
    warnings = record.report_of(diff, (), dry_run=True, lagging={"b.sh": PACE, "gone.sh": PACE}).warnings
    assert [warning.path for warning in warnings] == ["a.sh", "b.sh"]
    assert warnings[0].reason == "@lock db:2 counts as db:1, as b.sh has it"
    assert warnings[1].reason.startswith(LAGS)


@pytest.mark.parametrize(
    ("path", "by", "told"),
    [
        ("a.sh", ITS_END, ["a.sh: the pause has come to its end"]),
        (None, ITS_END, ["all scripts: the pause has come to its end"]),
        ("a.sh", "uid:0", []),
    ],
)
def test_a_pause_that_ends_by_itself_is_logged(
    caplog: pytest.LogCaptureFixture, path: str | None, by: str, told: list[str]
) -> None:
    caplog.set_level(logging.INFO)
    record.tell_resumed(facts.Resumed(at=T0_MS, by=by, path=path))
    assert caplog.messages == told


def test_the_status_says_when_everything_is_paused() -> None:
    planner = Planner(new_run_id=run_ids(), max_running=1, max_held=1)
    clock = SystemClock()
    vitals = Vitals(
        clock=clock, planner=planner, ledger=MemoryLedger(), notifier=Notifier(), prune=lambda _: None
    )
    assert vitals.status() == "0 schedules, 0 running"
    planner.pause(Pause(script="a.sh", since_ms=T0_MS, by="me"), T0_MS)
    assert vitals.status() == "0 schedules, 0 running"
    planner.pause(Pause(script=None, since_ms=T0_MS, by="me"), T0_MS)
    assert vitals.status() == "0 schedules, 0 running, maintenance"
