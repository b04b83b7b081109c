"""What a real systemd and a real journald make of what schedd tells them, through a stand-in daemon."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from schedd.host.journald import Event
from tests.whole.systemd_lab import Lab

ROOT = Path(__file__).parents[2]
DEADLINE_S = 10

STAND_IN = """
import logging, os, select, signal, sys, time
from schedd.host import journald
from schedd.host.systemd import Notifier

lines = journald.configure("INFO")
log = logging.getLogger("stand-in")
notifier = Notifier.from_environ()
signals, wake = os.pipe()
os.set_blocking(wake, False)
signal.set_wakeup_fd(wake)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, lambda *_: None)

def blocks_for_ever():
    while True:
        time.sleep(60)

log.info("set up", extra=journald.about(journald.Event.UP))
notifier.ready("0 schedules, next never")
assert not [name for name in os.environ if name.startswith(("NOTIFY_", "WATCHDOG_", "LISTEN_"))]
while True:
    notifier.alive()
    if not select.select([signals], [], [], notifier.watchdog_s)[0]:
        continue
    number = os.read(signals, 1)[0]
    if number == signal.SIGHUP:
        notifier.reloading(time.monotonic_ns() // 1000)
        log.warning("read\\nPRIORITY=0", extra=journald.about(script="default/cron/clean up.py"))
        notifier.ready("reloaded")
    elif number == signal.SIGUSR1:
        blocks_for_ever()
    else:
        notifier.stopping("draining")
        notifier.extend_timeout(30)
        select.select([], [], [], 1.5)
        log.info("drained")
        sys.exit(0)
"""

UNIT = f"""
[Service]
Type=notify
WatchdogSec=1
TimeoutStopSec=1
Restart=on-failure
RestartSec=0
ExecReload=/bin/kill -HUP $MAINPID
Environment=PYTHONPATH={ROOT}
ExecStart={sys.executable} /etc/stand-in.py
"""


@pytest.fixture(scope="module", autouse=True)
def _started(lab: Lab) -> None:
    lab.path("/etc/stand-in.py").write_text(STAND_IN)
    lab.path("/etc/systemd/system/stand-in.service").write_text(UNIT)
    lab.run("systemctl", "daemon-reload")
    lab.run("systemctl", "start", "stand-in")


def soon(holds: Callable[[], bool], what: str) -> None:
    """Wait until a fact holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S} s until {what}"
        time.sleep(0.02)


def entries(lab: Lab, *matches: str) -> list[dict[str, str]]:
    """Return journal entries."""
    return [json.loads(line) for line in lab.journal(*matches).splitlines()]


def messages(lab: Lab) -> list[str]:
    """Return the messages of the stand-in, and those about it."""
    return [entry["MESSAGE"] for entry in entries(lab, "--unit=stand-in")]


def test_start_waits_for_ready_and_the_status_is_shown(lab: Lab) -> None:
    assert lab.show("stand-in", "ActiveState") == "active"
    assert "0 schedules, next never" in lab.output("systemctl", "status", "stand-in")


def test_a_line_reaches_the_journal_with_its_fields_under_its_unit(lab: Lab) -> None:
    (entry,) = entries(lab, "--unit=stand-in", f"MESSAGE_ID={Event.UP}")
    assert entry["MESSAGE"] == "set up"
    assert entry["PRIORITY"] == "6"
    assert entry["SYSLOG_IDENTIFIER"] == "schedd"
    assert entry["CODE_FILE"] == "/etc/stand-in.py"
    assert entry["_SYSTEMD_UNIT"] == "stand-in.service"


def test_a_reload_ends_with_a_new_status_and_a_forged_field_stays_text(lab: Lab) -> None:
    lab.run("systemctl", "reload", "stand-in")
    soon(lambda: lab.show("stand-in", "StatusText") == "reloaded", "the reload is over")
    (entry,) = entries(lab, "SCHEDD_SCRIPT=default/cron/clean up.py")
    assert entry["MESSAGE"] == "read\nPRIORITY=0"
    assert entry["PRIORITY"] == "4"


def test_who_feeds_the_watchdog_lives(lab: Lab) -> None:
    before = lab.show("stand-in", "MainPID")
    time.sleep(1.5)  # longer than the watchdog waits for a sign of life: that none is missed is the point
    assert lab.show("stand-in", "MainPID") == before


def test_who_hangs_is_replaced_and_leaves_the_blocked_stack_in_the_journal(lab: Lab) -> None:
    before = lab.show("stand-in", "MainPID")
    lab.run("kill", "-USR1", before)
    soon(lambda: lab.show("stand-in", "NRestarts") == "1", "systemd restarts it")
    soon(lambda: lab.show("stand-in", "ActiveState") == "active", "it is ready again")
    assert lab.show("stand-in", "MainPID") != before
    said = "\n".join(messages(lab))
    assert "Watchdog timeout" in said
    assert "Fatal Python error: Aborted" in said
    assert "in blocks_for_ever" in said


def test_a_drain_may_last_longer_than_the_unit_allows_a_stop(lab: Lab) -> None:
    lab.run("systemctl", "stop", "stand-in")
    assert lab.show("stand-in", "Result") == "success"
    assert "drained" in messages(lab)
