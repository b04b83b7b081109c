"""schedd.socket: the API answers from boot on, whatever the service does; off unless somebody wants it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.packages import SOCKET, asked, install, soon
from tests.whole.systemd_lab import Lab

UNIT = "/usr/lib/systemd/system/schedd.socket"


@pytest.fixture(scope="module")
def service(lab: Lab, package: Path) -> Lab:
    """A machine on which schedd was just installed."""
    install(lab, package)
    return lab


@pytest.fixture
def activated(service: Lab) -> Iterator[Lab]:
    """The same with the socket, in the order that the unit's first lines name."""
    service.run("systemctl", "stop", "schedd.service")
    service.run("systemctl", "enable", "--now", "schedd.socket")
    yield service
    service.run("systemctl", "disable", "--now", "schedd.socket")
    service.run("systemctl", "restart", "schedd.service")


def socket_file(lab: Lab) -> tuple[str, str, int]:
    """Return the owner, the group and the mode of the socket."""
    found = lab.path(SOCKET)
    owner, group = lab.output("stat", "--format=%U %G", SOCKET).split()
    return owner, group, found.stat().st_mode & 0o777


def test_the_unit_has_nothing_that_systemd_would_mend_or_ignore(service: Lab) -> None:
    done = service.run("systemd-analyze", "verify", "--recursive-errors=no", UNIT)
    assert done.stdout + done.stderr == ""


def test_the_socket_is_off_and_the_service_makes_its_own(service: Lab) -> None:
    assert service.show("schedd.socket", "ActiveState") == "inactive"
    assert service.show("schedd.socket", "UnitFileState") == "disabled"
    assert asked(service)["total"] == 0
    assert socket_file(service) == ("schedd", "schedd", 0o660)


def test_a_connection_starts_the_service_and_is_answered(activated: Lab) -> None:
    assert activated.show("schedd.service", "ActiveState") == "inactive"
    assert socket_file(activated) == ("root", "schedd", 0o660)
    assert asked(activated)["total"] == 0
    assert activated.show("schedd.service", "ActiveState") == "active"


def test_the_group_reaches_the_socket_before_and_after_a_first_start(activated: Lab) -> None:
    ask = ("setpriv", "--reuid=nobody", "--clear-groups", "--regid=schedd", "schedd", "list")
    for _ in range(2):
        assert activated.run(*ask).returncode == 0
    stranger = activated.run(*ask[:2], "--clear-groups", "--regid=nogroup", *ask[4:], check=False)
    assert stranger.returncode == 3


def test_a_restart_refuses_and_drops_nobody(activated: Lab) -> None:
    over, problems, answers = threading.Event(), [], []

    def ask_on_and_on() -> None:
        while not over.is_set():
            try:
                answers.append(asked(activated))
            except (OSError, AssertionError) as problem:
                problems.append(repr(problem))

    askers = [threading.Thread(target=ask_on_and_on) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        soon(lambda: answers, "the first answer")
        for _ in range(2):
            before = len(answers)
            activated.run("systemctl", "restart", "schedd.service")
            soon(lambda: len(answers) > before + 8, "answers after the restart")  # noqa: B023 # used at once
    finally:
        over.set()
        for asker in askers:
            asker.join()
    assert problems == []


def test_the_socket_outlives_a_daemon_that_is_killed(activated: Lab) -> None:
    asked(activated)
    killed = activated.show("schedd.service", "MainPID")
    activated.run("kill", "-KILL", killed)
    assert asked(activated)["total"] == 0
    assert activated.show("schedd.service", "MainPID") not in (killed, "0")


def test_the_daemon_stops_and_leaves_the_socket_to_systemd(activated: Lab) -> None:
    asked(activated)
    activated.run("systemctl", "stop", "schedd.service")
    assert activated.show("schedd.socket", "SubState") == "listening"
    assert asked(activated)["total"] == 0
