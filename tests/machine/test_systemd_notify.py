"""What reaches the service manager's socket, and what is taken from the environment."""

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedd.errors import ConfigError
from schedd.host.systemd import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The service manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "notify"))
        server.settimeout(2)
        yield server


@pytest.fixture
def notifier(manager: socket.socket) -> Iterator[Notifier]:
    """A notifier that speaks to it."""
    speaker = Notifier(manager.getsockname(), watchdog_s=15)
    yield speaker
    speaker.close()


def heard(server: socket.socket) -> dict[str, str]:
    """Return the variables of the next datagram."""
    return dict(line.split("=", 1) for line in server.recv(4096).decode().split("\n"))


def test_ready_comes_with_its_status(manager: socket.socket, notifier: Notifier) -> None:
    notifier.ready("12 schedules, 1 running")
    assert heard(manager) == {"READY": "1", "STATUS": "12 schedules, 1 running"}


def test_a_reload_says_when_it_began(manager: socket.socket, notifier: Notifier) -> None:
    notifier.reloading(123_456_789)
    assert heard(manager) == {"RELOADING": "1", "MONOTONIC_USEC": "123456789"}


def test_a_drain_asks_for_time_in_microseconds(manager: socket.socket, notifier: Notifier) -> None:
    notifier.stopping("draining")
    notifier.extend_timeout(2.5)
    assert heard(manager) == {"STOPPING": "1", "STATUS": "draining"}
    assert heard(manager) == {"EXTEND_TIMEOUT_USEC": "2500000"}


def test_the_watchdog_is_fed(manager: socket.socket, notifier: Notifier) -> None:
    notifier.alive()
    assert heard(manager) == {"WATCHDOG": "1"}


def test_a_script_name_with_a_newline_cannot_forge_a_message(
    manager: socket.socket, notifier: Notifier
) -> None:
    notifier.status("next evil\nSTOPPING=1\r\nWATCHDOG=trigger.py in 4 min")
    assert heard(manager) == {"STATUS": "next evil STOPPING=1 WATCHDOG=trigger.py in 4 min"}


def test_what_the_manager_had_no_room_for_goes_with_the_next_message(
    manager: socket.socket, notifier: Notifier
) -> None:
    full = 0
    manager.settimeout(0.2)
    while not notifier._unsent:
        notifier.status(f"number {full}")
        full += 1
    notifier.ready("all set up")
    notifier.status("newest")
    for number in range(full - 1):
        assert heard(manager) == {"STATUS": f"number {number}"}
    notifier.alive()
    assert heard(manager) == {"READY": "1", "STATUS": "newest", "WATCHDOG": "1"}


def test_an_abstract_socket_is_spoken_to() -> None:
    name = f"schedd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"\0{name}")
        server.settimeout(2)
        notifier = Notifier(f"@{name}")
        notifier.status("hello")
        assert heard(server) == {"STATUS": "hello"}
        notifier.close()


def test_without_a_manager_everything_is_silent() -> None:
    notifier = Notifier.from_environ({})
    notifier.ready("nobody listens")
    notifier.alive()
    notifier.close()
    assert notifier.watchdog_s is None
    assert notifier.sockets == {}


def test_a_manager_that_went_away_is_no_reason_to_stop(tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "gone"))
    notifier.ready("still here")
    assert notifier._unsent == {}
    notifier.close()


def test_the_variables_are_gone_once_read() -> None:
    environ = {
        "NOTIFY_SOCKET": "/run/nowhere",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
        "LISTEN_PID": "1",
        "LISTEN_FDS": "2",
        "LISTEN_FDNAMES": "api:api",
        "PATH": "/bin",
    }
    notifier = Notifier.from_environ(environ)
    assert environ == {"PATH": "/bin"}
    assert notifier.watchdog_s == 15
    assert notifier.sockets == {}, "they were for another process"
    notifier.close()


def test_a_watchdog_of_another_process_is_not_ours() -> None:
    assert Notifier.from_environ({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog_s is None


def test_a_watchdog_without_a_pid_is_ours() -> None:
    assert Notifier.from_environ({"WATCHDOG_USEC": "1000000"}).watchdog_s == 0.5


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "²"])
def test_a_malformed_variable_is_named(value: str) -> None:
    with pytest.raises(ConfigError, match="WATCHDOG_USEC must be a whole number"):
        Notifier.from_environ({"WATCHDOG_USEC": value})


ADOPT = """
import os, sys
for number, fd in enumerate(map(int, sys.argv[1:]), start=3):
    os.dup2(fd, number)
from schedd.host.systemd import Notifier
os.environ["LISTEN_PID"] = str(os.getpid())
passed = Notifier.from_environ().sockets
for name, sockets in passed.items():
    for each in sockets:
        print(name, each.getsockname(), each.get_inheritable(), each.gettimeout())
"""


def adopt(names: str, *fds: int) -> subprocess.CompletedProcess[str]:
    """Run a process that is passed `fds` as systemd would pass them."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in fds]
    try:
        return subprocess.run(
            [sys.executable, "-c", ADOPT, *map(str, high)],
            env={**os.environ, "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names},
            pass_fds=high,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for fd in high:
            os.close(fd)


def test_passed_sockets_are_adopted_by_name(tmp_path: Path) -> None:
    path = str(tmp_path / "api.sock")
    with socket.socket(socket.AF_UNIX) as unix, socket.create_server(("127.0.0.1", 0)) as tcp:
        unix.bind(path)
        unix.listen()
        address = tcp.getsockname()
        done = adopt("api:api", unix.fileno(), tcp.fileno())
    assert done.stdout.splitlines() == [f"api {path} False 0.0", f"api {address} False 0.0"], done.stderr


def test_a_passed_socket_that_does_not_listen_is_refused() -> None:
    with socket.socket(socket.AF_UNIX) as idle:
        done = adopt("api", idle.fileno())
    assert "ConfigError: Socket 3 (api) was passed but does not listen" in done.stderr


def test_a_passed_file_is_refused(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file:
        done = adopt("api", file.fileno())
    assert "ConfigError: Descriptor 3 (api) was passed as a socket, but:" in done.stderr
