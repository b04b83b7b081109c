"""Lines that somebody else wrote: damaged records, what scripts print for the journal, requests' headers."""

import asyncio
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schedd.fire import Kind
from schedd.ledger import facts, history
from schedd.ledger.disk import Disk
from schedd.ledger.facts import AnyFact, Ended
from schedd.ledger.history import Query
from schedd.ledger.recovery import recover
from schedd.ledger.state import State
from schedd.runner.journaling import Journaling, Tap
from schedd.timetable.instant import Slot
from tests.api import SCHEDULES, serving
from tests.ledger_kit import claimed, ended, fire, held, registered, skipped, stretch

NOW_MS = 1_795_514_400_123
LINES = [
    facts.encode(fact)
    for number in range(1, 6)
    for fact in (
        registered(),
        claimed(fire(number)),
        held(fire(number, kind=Kind.MANUAL)),
        stretch(fire(number)),
        skipped(fire(number + 10)),
        ended(fire(number)),
        facts.Watermark(slot=Slot(NOW_MS // 1000 + number)),
        facts.Paused(at=NOW_MS, by="x", path=None, until=None),
    )
]
SPLINTERS = st.sampled_from(
    [
        b"",
        b"null",
        b"-1",
        b"1e999",
        b"[]",
        b"{}",
        b'"',
        b"\\ud800",
        b"\xff",
        b"\0",
        b"99999999999999999999",
        b"[" * 2000,
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A line of a record in which some bytes are others now, and none is a newline."""
    line = draw(st.sampled_from(LINES)).rstrip(b"\n")
    for _ in range(draw(st.integers(1, 3))):
        at, until = sorted(draw(st.tuples(st.integers(0, len(line)), st.integers(0, len(line)))))
        line = line[:at] + draw(SPLINTERS | st.binary(max_size=4)) + line[min(until, at + 12) :]
    return line.replace(b"\n", b" ") + b"\n"


GARBAGE = damaged() | st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"") + b"\n")


@settings(max_examples=500)
@given(lines=st.lists(GARBAGE, min_size=1, max_size=8))
def test_no_damaged_line_of_the_ledger_is_more_than_unknown(lines: list[bytes]) -> None:
    state = State()
    for line in lines:
        fact: AnyFact | None = facts.decode(line)
        if fact is not None:
            state.apply(fact)
    assert facts.decode(facts.encode(state.checkpoint(NOW_MS))) is not None


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    before=st.lists(GARBAGE, max_size=4),
    between=st.lists(GARBAGE, max_size=4),
    torn=st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")),
)
def test_recovery_finds_what_is_whole_among_what_is_not(
    before: list[bytes], between: list[bytes], torn: bytes
) -> None:
    with TemporaryDirectory() as directory:
        ledger, fires = Path(directory, "ledger.log"), Path(directory, "fires.log")
        whole = [ended(fire(number)) for number in (31, 32)]
        ledger.write_bytes(
            b"".join([*before, facts.encode(whole[0]), *between, facts.encode(whole[1]), torn])
        )
        fires.write_bytes(b"".join([*between, facts.encode(whole[0].entry), *before, torn]))
        found = recover(str(ledger), str(fires), Disk())
        assert whole[1].entry.run_id in {entry.run_id for entry in found.unpublished}
        assert found.bad_lines <= len(before) + len(between)
        again = recover(str(ledger), str(fires), Disk())
        assert (again.torn, again.unpublished) == ([], found.unpublished)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(lines=st.lists(st.integers(41, 60) | GARBAGE, max_size=12))
def test_the_history_has_every_whole_line_of_the_fires_log_in_its_order(lines: list[int | bytes]) -> None:
    entries = [ended(fire(line)).entry if isinstance(line, int) else line for line in lines]
    with TemporaryDirectory() as directory:
        path = Path(directory, "fires.log")
        path.write_bytes(
            b"".join(each if isinstance(each, bytes) else facts.encode(each) for each in entries)
        )
        page = history.read(str(path), Query(limit=100))
    whole = [each for each in reversed(entries) if not isinstance(each, bytes)]
    assert [each for each in page.entries if each in whole] == whole


class _Nobody(Journaling):
    """A journal that is not sent to: what would be sent is asked for."""

    def __init__(self) -> None:
        self.dropped = 0

    def wake(self, tap: Tap) -> None:
        pass


PRINTED = st.lists(
    st.sampled_from(
        [b"<3>", b"<7>", b"<8>", b"<>", b"<33>", b" <3>", b"\n", b"\r\n", b"\0", b"\xff", b"a", "ü".encode()]
    )
    | st.binary(max_size=12),
    max_size=20,
)


@settings(max_examples=500)
@given(chunks=PRINTED)
@example(chunks=[b"<", b"3", b">x\n"])
@example(chunks=[b"<3>\n", b"<3><4>x"])
@example(chunks=[b"<8>\r"])
def test_a_line_that_a_script_prints_has_the_priority_at_its_beginning_or_that_of_news(
    chunks: list[bytes],
) -> None:
    tap = Tap(_Nobody(), fire(1))
    for chunk in chunks:
        tap.feed(chunk, NOW_MS)
    tap.close()
    sent = []
    while (made := tap.entry()) is not None:
        sent.append(made)
        tap.sent()
    *lines, rest = b"".join(chunks).decode(errors="replace").split("\n")
    wanted = []
    for line in [*(line.removesuffix("\r") for line in lines), rest]:
        priority, text = re.fullmatch(r"(?:<([0-7])>)?(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
        if text.strip():
            wanted.append((text, priority or "6"))
    assert [(entry["MESSAGE"], entry["PRIORITY"]) for entry in sent if entry] == wanted
    assert {entry["SYSLOG_IDENTIFIER"] for entry in sent if entry} <= {"a.py"}


NAMES = st.sampled_from(
    [
        *(
            b"Host",
            b"Authorization",
            b"Content-Length",
            b"Transfer-Encoding",
            b"Connection",
            b"Expect",
            b"Upgrade",
        ),
        *(
            b"Last-Event-ID",
            b"If-None-Match",
            b"If-Modified-Since",
            b"Range",
            b"Origin",
            b"Cookie",
            b"Accept",
        ),
        *(
            b"Accept-Encoding",
            b"Content-Encoding",
            b"Idempotency-Key",
            b"X-HTTP-Method-Override",
            b"Forwarded",
        ),
    ]
) | st.binary(min_size=1, max_size=12)
CONTENTS = st.binary(max_size=40) | st.sampled_from(
    [
        b"-1",
        b"chunked",
        b"99999999999999999999",
        b"Bearer ",
        b"Basic !",
        b"bytes=9-1",
        b'W/"',
        b"gzip, br;q=x",
        b"a" * 9000,
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(requests=st.lists(st.lists(st.tuples(NAMES, CONTENTS), max_size=6), min_size=5, max_size=8))
@example(requests=[[(b"Expect", b"\x80")]])
def test_no_header_of_a_request_is_a_5xx(requests: list[list[tuple[bytes, bytes]]]) -> None:
    async def ask() -> None:
        with TemporaryDirectory() as directory:
            async with serving(Path(directory)) as api:
                api.control.register("a.py")
                own = (
                    f"Host: localhost\r\nAuthorization: Bearer {api.admin}\r\nConnection: close\r\n".encode()
                )
                for headers in requests:
                    line = f"GET {SCHEDULES}/list HTTP/1.1\r\n".encode()
                    fields = b"".join(name + b": " + content + b"\r\n" for name, content in headers)
                    came = await api.raw(line + own + fields + b"\r\n")
                    assert not re.match(rb"HTTP/1\.[01] 5", came), (headers, came)

    asyncio.run(ask())


def test_the_lines_above_are_of_every_kind_that_is_damaged() -> None:
    assert {type(facts.decode(line)) for line in LINES} >= {
        Ended,
        facts.Claimed,
        facts.Watermark,
        facts.Stretch,
    }
