"""Where log lines go and in which form: the journal's socket, a terminal, a pipe; and that nobody waits."""

import logging
import os
import pty
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.fire import Entry, Fire, Kind, Reason, RunId, Status
from schedd.host import journald
from schedd.host.journald import Event, Journal, about
from schedd.timetable.instant import Slot
from tests.machine.journal_entries import parsed

RUN_ID = RunId("01890a5d-ac96-774b-bcce-b302099a8057")
LOG = logging.getLogger("schedd.test")


@pytest.fixture(autouse=True)
def _the_root_logger_is_put_back() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    for handler in root.handlers:
        handler.close()
    logging.captureWarnings(capture=False)
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def journald_socket(tmp_path: Path) -> Iterator[socket.socket]:
    """A stand-in for journald's end, which only reads when it is asked to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "journal"))
        server.settimeout(2)
        yield server


@pytest.fixture
def into_the_journal(journald_socket: socket.socket, tmp_path: Path) -> journald.Lines:
    """Logging as in a service, whose stderr is the journal."""
    with open(tmp_path / "stderr", "wb") as file:
        status = os.fstat(file.fileno())
        return journald.configure(
            "INFO",
            environ={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
            fd=file.fileno(),
            journal_socket=journald_socket.getsockname(),
        )


def entry(server: socket.socket) -> dict[str, str]:
    """Return the next entry."""
    return parsed(server.recv(1 << 20))


@pytest.mark.usefixtures("into_the_journal")
def test_a_line_in_the_journal_names_its_source_and_priority(journald_socket: socket.socket) -> None:
    LOG.warning("%d scripts", 3)
    fields = entry(journald_socket)
    assert fields.pop("CODE_LINE").isdigit()
    assert fields == {
        "MESSAGE": "3 scripts",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "schedd",
        "CODE_FILE": __file__,
        "CODE_FUNC": "test_a_line_in_the_journal_names_its_source_and_priority",
    }


@pytest.mark.usefixtures("into_the_journal")
def test_a_line_about_a_fire_carries_its_fields(journald_socket: socket.socket) -> None:
    fire = Fire(RUN_ID, "default/cron/cleanup.py", "0 9 * * 1-5", Kind.SCHEDULE, Slot(1_700_000_000))
    LOG.info("failed", extra=about(Event.FAILED, fire))
    fields = entry(journald_socket)
    assert {name: fields[name] for name in fields if name.startswith(("SCHEDD_", "MESSAGE_ID"))} == {
        "MESSAGE_ID": Event.FAILED,
        "SCHEDD_SCRIPT": "default/cron/cleanup.py",
        "SCHEDD_RUN_ID": RUN_ID,
        "SCHEDD_KIND": "schedule",
        "SCHEDD_SLOT": "2023-11-14T22:13:20.000Z",
    }


def test_a_line_about_an_ended_fire_says_how_and_why() -> None:
    ended = Entry(
        ts="2023-11-14T22:13:21.000Z",
        script_path="a.py",
        expression="* * * * *",
        run_id=RUN_ID,
        status=Status.ERROR,
        duration_ms=1000,
        kind=Kind.MANUAL,
        reason=Reason.EXIT,
    )
    assert about(Event.FAILED, entry=ended) == {
        "MESSAGE_ID": Event.FAILED,
        "SCHEDD_SCRIPT": "a.py",
        "SCHEDD_RUN_ID": RUN_ID,
        "SCHEDD_KIND": "manual",
        "SCHEDD_STATUS": "error",
        "SCHEDD_REASON": "exit",
    }


@pytest.mark.usefixtures("into_the_journal")
def test_a_newline_in_a_value_cannot_become_a_field(journald_socket: socket.socket) -> None:
    evil = "a.py\nPRIORITY=0\n_UID=0"
    LOG.info("read %s", evil, extra=about(script=evil))
    fields = entry(journald_socket)
    assert fields["MESSAGE"] == f"read {evil}"
    assert fields["SCHEDD_SCRIPT"] == evil
    assert fields["PRIORITY"] == "6"
    assert "_UID" not in fields


@pytest.mark.usefixtures("into_the_journal")
def test_a_traceback_is_part_of_the_message(journald_socket: socket.socket) -> None:
    try:
        int("seen")
    except ValueError:
        LOG.exception("it broke")
    message = entry(journald_socket)["MESSAGE"]
    assert message.startswith("it broke\nTraceback (most recent call last):\n")
    assert message.endswith("ValueError: invalid literal for int() with base 10: 'seen'")


@pytest.mark.usefixtures("into_the_journal")
def test_a_huge_line_is_cut_and_stays_text(journald_socket: socket.socket) -> None:
    LOG.info("x%s", "ä" * 1_000_000)
    message = entry(journald_socket)["MESSAGE"]
    assert message.endswith("ä…")
    assert len(message.encode()) <= journald.VALUE_BYTES + 3


def test_a_line_whose_arguments_do_not_fit_is_not_lost(
    journald_socket: socket.socket, into_the_journal: journald.Lines
) -> None:
    into_the_journal.handle(
        LOG.makeRecord("schedd", logging.INFO, __file__, 1, "%d scripts", ("many",), None)
    )
    assert entry(journald_socket)["MESSAGE"] == "%d scripts ('many',)"


@pytest.mark.usefixtures("into_the_journal")
def test_a_name_that_is_not_text_is_shown(journald_socket: socket.socket) -> None:
    LOG.info("read %s", os.fsdecode(b"caf\xe9.py"))
    assert entry(journald_socket)["MESSAGE"] == "read caf\\udce9.py"


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2)],
)
def test_levels_become_syslog_priorities(
    journald_socket: socket.socket, into_the_journal: journald.Lines, level: int, priority: int
) -> None:
    logging.getLogger().setLevel(logging.DEBUG)
    LOG.log(level, "x")
    assert entry(journald_socket)["PRIORITY"] == str(priority)
    assert into_the_journal.dropped == 0


def test_a_stalled_journal_is_not_waited_for_and_the_loss_is_said(
    journald_socket: socket.socket, into_the_journal: journald.Lines
) -> None:
    sent = 0
    while into_the_journal.dropped < 7:
        LOG.info("line %d", sent)
        sent += 1
    for number in range(sent - 7):
        assert entry(journald_socket)["MESSAGE"] == f"line {number}"
    LOG.info("there is room again")
    notice, line = entry(journald_socket), entry(journald_socket)
    assert notice["MESSAGE"] == "7 log lines were lost: whoever reads them did not keep up"
    assert notice["PRIORITY"] == "4"
    assert line["MESSAGE"] == "there is room again"
    assert into_the_journal.dropped == 7


@given(st.text(), st.text(alphabet="\n=A\0\x85\u2028"))
def test_any_value_comes_out_of_the_journal_as_it_went_in(first: str, second: str) -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server,
    ):
        server.bind(f"{directory}/journal")
        journal = Journal(server.getsockname())
        assert journal.send({"MESSAGE": first, "SCHEDD_SCRIPT": second})
        journal.close()
        assert entry(server) == {"MESSAGE": first, "SCHEDD_SCRIPT": second}


def test_a_journal_that_is_gone_is_counted_and_does_not_disturb(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "nobody"))
    assert journal.send({"MESSAGE": "hello"}) is False
    journal.close()


def test_a_stream_that_is_not_the_journal_of_this_process_gets_text() -> None:
    """As when somebody redirects stderr of a service, or starts schedd from a service's shell."""
    ours, theirs = os.pipe()
    journald.configure("INFO", environ={"JOURNAL_STREAM": "8:1"}, fd=theirs)
    LOG.info("plain")
    assert os.read(ours, 100) == b"<6>plain\n"
    os.close(ours)
    os.close(theirs)


def test_each_line_of_a_message_in_a_pipe_has_its_priority_and_no_control_characters() -> None:
    ours, theirs = os.pipe()
    journald.configure("INFO", environ={}, fd=theirs)
    LOG.error("first\n<0>second\x1b[2J\r")
    assert os.read(ours, 200) == b"<3>first\n<3>  <0>second\\x1b[2J\\x0d\n"
    os.close(ours)
    os.close(theirs)


def test_a_full_pipe_is_not_waited_for_and_the_loss_is_said() -> None:
    ours, theirs = os.pipe()
    lines = journald.configure("INFO", environ={}, fd=theirs)
    while not lines.dropped:
        LOG.info("x" * 3000)
    while len(os.read(ours, 1 << 16)) == 1 << 16:
        pass
    LOG.info("there is room again")
    assert os.read(ours, 1 << 16).decode().splitlines() == [
        "<4>1 log lines were lost: whoever reads them did not keep up",
        "<6>there is room again",
    ]
    os.close(ours)
    os.close(theirs)


def test_a_reader_that_went_away_is_no_reason_to_stop() -> None:
    ours, theirs = os.pipe()
    lines = journald.configure("INFO", environ={}, fd=theirs)
    os.close(ours)
    LOG.info("to nobody")
    assert lines.dropped == 1
    os.close(theirs)


def test_a_terminal_gets_plain_lines_with_the_time() -> None:
    ours, terminal = pty.openpty()
    journald.configure("INFO", environ={}, fd=terminal)
    LOG.warning("careful")
    assert b" WARNING careful\r\n" in os.read(ours, 200)
    os.close(ours)
    os.close(terminal)


def test_warnings_are_log_lines_and_debug_lines_are_left_out() -> None:
    code = (
        "import logging, warnings; from schedd.host import journald; journald.configure('INFO', environ={});"
        "logging.debug('no'); warnings.warn('old'); logging.info('yes')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "UserWarning: old" in done.stderr
    assert done.stderr.endswith("\n<6>yes\n")
    assert "no\n" not in done.stderr


def test_every_class_of_event_is_explained_in_the_catalog() -> None:
    catalog = (Path(__file__).parents[2] / "systemd" / "schedd.catalog").read_text()
    assert re.findall(
        r"^-- ([0-9a-f]{32})\nSubject: .+\nDefined-By: schedd\n\n\w", catalog, re.MULTILINE
    ) == list(Event)
    assert set(re.findall(r"@([A-Z_]+)@", catalog)) <= set(journald.FIELDS)


def test_every_field_is_in_the_operations_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert not [name for name in journald.FIELDS if f"`{name}`" not in guide]
