"""What scripts print, line by line in the journal: with its fields, by priority, and never waited for."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from schedd.fire import Fire, Kind, RunId
from schedd.host.journald import Journal
from schedd.runner import journaling
from schedd.runner.journaling import Journaling, Tap
from schedd.timetable.instant import Slot
from tests.machine.journal_entries import parsed
from tests.machine.running import DEADLINE_S, Workshop, workshop

NOW_MS = 1_795_514_400_123
RUN_ID = RunId("01890a5d-ac96-774b-bcce-b302099a8057")


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    """A stand-in for journald's end, which only reads when it is asked to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "journal"))
        server.setblocking(False)
        yield server


@pytest.fixture
def journal(journald: socket.socket) -> Iterator[Journal]:
    made = Journal(journald.getsockname())
    yield made
    made.close()


@pytest_asyncio.fixture
async def shop(tmp_path: Path, journal: Journal) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path, journal=journal) as made:
        yield made


async def entries(journald: socket.socket, until: str) -> list[dict[str, str]]:
    """Read entries up to the one with this message."""
    loop, found = asyncio.get_running_loop(), list[dict[str, str]]()
    async with asyncio.timeout(DEADLINE_S):
        while not found or found[-1]["MESSAGE"] != until:
            found.append(parsed(await loop.sock_recv(journald, 1 << 20)))
    return found


def waiting(journald: socket.socket) -> list[dict[str, str]]:
    """Read the entries that are there."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(parsed(journald.recv(1 << 20)))
    return found


def tapped(journal: Journal) -> tuple[Journaling, Tap]:
    """Return the way of one run's output to the journal."""
    sending = Journaling(asyncio.get_running_loop(), journal)
    tap = sending.tap(Fire(RUN_ID, "a.sh", "@hourly", Kind.MANUAL, None))
    assert tap is not None
    return sending, tap


async def everything(sending: Journaling, journald: socket.socket) -> list[dict[str, str]]:
    """Read all that is sent, as it comes."""
    heard = list[dict[str, str]]()
    async with asyncio.timeout(DEADLINE_S):
        while sending._turning is not None:
            heard += waiting(journald)
            await asyncio.sleep(0)
    return heard + waiting(journald)


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_line_has_the_fields_of_its_run(shop: Workshop, journald: socket.socket) -> None:
    script = shop.script("default/says.sh", "echo hello\necho oops >&2\nprintf unfinished\n")
    run_id = shop.start(script, slot=1_700_000_000)
    found = await entries(journald, "unfinished")
    assert [entry["MESSAGE"] for entry in found] == ["hello", "oops", "unfinished"]
    assert found[0] == {
        "MESSAGE": "hello",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "says.sh",
        "SCHEDD_SCRIPT": "default/says.sh",
        "SCHEDD_RUN_ID": run_id,
        "SCHEDD_SLOT": "2023-11-14T22:13:20.000Z",
        "SCHEDD_KIND": "schedule",
    }


async def test_lines_come_while_the_run_is_on(shop: Workshop, journald: socket.socket) -> None:
    run_id = shop.start(shop.script("waits.sh", "echo begun\nexec sleep 60\n"))
    await entries(journald, "begun")
    assert [live for live, *_ in shop.runner.live()] == [run_id]


async def test_a_secret_does_not_reach_the_journal(
    tmp_path: Path, journal: Journal, journald: socket.socket
) -> None:
    policy = {"redact": ("house-key",), "redact_patterns": ("ghp_[0-9]+",)}
    async with workshop(tmp_path, journal=journal, output=policy) as shop:
        text = "printf 'a hou'; sleep 0.05; echo se-key; echo ghp_123; echo s3same\n"
        shop.start(shop.script("tells.sh", text, secrets=("s3same",)))
        found = [entry["MESSAGE"] for entry in await entries(journald, "[redacted]")]
        while len(found) < 3:
            found += [entry["MESSAGE"] for entry in await entries(journald, "[redacted]")]
    assert found == ["a [redacted]", "[redacted]", "[redacted]"]


async def test_nothing_is_sent_when_it_is_turned_off(
    tmp_path: Path, journal: Journal, journald: socket.socket
) -> None:
    async with workshop(tmp_path, journal=journal, output={"journal": False}) as shop:
        await shop.run(shop.script("says.sh", "echo hello\n"))
    assert waiting(journald) == []


@pytest.mark.parametrize(
    ("line", "message", "priority"),
    [
        (b"<3>broken\n", "broken", "3"),
        (b"<0>\xc3\xa4\n", "ä", "0"),
        (b"<7>caf\xe9\r\n", "caf\ufffd", "7"),
        (b"<8>no priority\n", "<8>no priority", "6"),
        (b"see <3>\n", "see <3>", "6"),
        (b"a\x00b\xe2\x80\xa8c\n", "a\0b\u2028c", "6"),
    ],
)
async def test_a_prefix_says_the_priority(
    journal: Journal, journald: socket.socket, line: bytes, message: str, priority: str
) -> None:
    _, tap = tapped(journal)
    tap.feed(line, NOW_MS)
    await turns()
    assert [(entry["MESSAGE"], entry["PRIORITY"]) for entry in waiting(journald)] == [(message, priority)]


async def test_all_pieces_of_a_line_have_its_priority_and_blank_lines_are_no_entries(
    journal: Journal,
    journald: socket.socket,
) -> None:
    _, tap = tapped(journal)
    tap.feed(b"\n  \n<4>" + b"x" * 20_000 + b"<1>y\n\nz\n", NOW_MS)
    await turns()
    assert [(entry["PRIORITY"], len(entry["MESSAGE"])) for entry in waiting(journald)] == [
        ("4", 16_381),
        ("4", 3_623),
        ("6", 1),
    ]


async def test_runs_take_turns(journal: Journal, journald: socket.socket) -> None:
    sending, loud = tapped(journal)
    loud.feed(b"\n" * 2 * journaling.LINES_A_TURN, NOW_MS)
    quiet = sending.tap(Fire(RUN_ID, "quiet.sh", "@hourly", Kind.SCHEDULE, Slot(1_700_000_000)))
    assert quiet is not None
    loud.feed(b"loud\n" * 100, NOW_MS)
    quiet.feed(b"quiet\n", NOW_MS)
    sent = [entry["MESSAGE"] for entry in await everything(sending, journald)]
    assert sent.index("quiet") <= journaling.LINES_A_TURN
    assert sent.count("loud") == 100


async def test_what_comes_too_fast_is_counted_and_said(journal: Journal, journald: socket.socket) -> None:
    sending, tap = tapped(journal)
    for _ in range(100):
        tap.feed((b"flood" * 100 + b"\n") * 20, NOW_MS)
    tap.close()
    heard = await everything(sending, journald)
    lines = [entry["MESSAGE"] for entry in heard]
    assert sending.dropped == 2000 - lines.count("flood" * 100) > 0
    size = 501 * sending.dropped
    assert f"… {sending.dropped:,} lines ({size:,} bytes) not sent to the journal" in lines
    assert {entry["PRIORITY"] for entry in heard if entry["MESSAGE"].startswith("…")} == {"4"}
    assert all(entry["SCHEDD_RUN_ID"] == RUN_ID for entry in heard)


async def test_a_journal_that_is_full_gets_the_rest_when_there_is_room(
    journal: Journal, journald: socket.socket
) -> None:
    sending, tap = tapped(journal)
    wanted = [f"line {n}" for n in range(600)]
    tap.feed("".join(f"{line}\n" for line in wanted).encode(), NOW_MS)
    heard = await everything(sending, journald)
    assert ([entry["MESSAGE"] for entry in heard], sending.dropped) == (wanted, 0)


async def test_a_journal_that_takes_nothing_for_long_loses_what_waits(
    journal: Journal, journald: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journaling, "PATIENCE_S", 0.0)
    sending, tap = tapped(journal)
    tap.feed(b"line\n" * 5000, NOW_MS)
    async with asyncio.timeout(DEADLINE_S):
        while not sending.dropped:
            await turns(1)
    assert sending.dropped == 5000 - len(waiting(journald))
    tap.feed(b"again\n", NOW_MS)
    gap, again = await everything(sending, journald)
    assert "not sent to the journal" in gap["MESSAGE"]
    assert again["MESSAGE"] == "again"


async def test_a_journal_that_is_not_there_does_not_disturb_a_run(tmp_path: Path) -> None:
    nobody = Journal(str(tmp_path / "nobody"))
    async with workshop(tmp_path, journal=nobody) as shop:
        outcome = await shop.run(shop.script("prints.sh", "echo hello\n"))
    nobody.close()
    assert outcome.output_bytes == 6
    assert shop.runner.journaling.dropped == 1
