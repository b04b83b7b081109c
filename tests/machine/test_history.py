"""Reading the fires log backwards: what is found, in which order, and where a page ends."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedd.fire import Entry, Kind, Reason, Status
from schedd.ledger import backwards, facts, history
from schedd.ledger.history import MAX_LIMIT, Page, Query
from schedd.timetable.instant import from_ms, to_ms
from tests.ledger_kit import START_MS, run_id

SCRIPTS = ("default/a.py", "default/ü.py", 'odd/"quoted"\\.sh', "odd/\u2028line.py", "default/a.py2")
TEXTS = (
    "exit 1",
    "next\x85line",
    "para\u2029graph",
    '"scriptPath":"default/a.py"',
    '"status":"ok"',
    "tab\t\n nul\x00",
)


def entry(number: int, *, at_ms: int, rng: random.Random) -> Entry:
    status = rng.choice([Status.OK, Status.ERROR, Status.TIMEOUT])
    slots = sorted(at_ms - rng.randrange(0, 60_000, 1000) for _ in range(rng.choice([0, 1, 1, 2])))
    return Entry(
        ts=from_ms(at_ms),
        script_path=rng.choice(SCRIPTS),
        expression=rng.choice(["* * * * *", "0 3 * * *"]),
        run_id=run_id(number),
        status=status,
        duration_ms=rng.randrange(5000),
        kind=rng.choice(list(Kind)),
        reason=rng.choice([None, Reason.EXIT, Reason.SIGNAL]),
        error=rng.choice(TEXTS) if status is not Status.OK else None,
        slot=from_ms(slots[0]) if slots else None,
        last_slot=from_ms(slots[1]) if len(slots) == 2 else None,
        count=rng.randrange(2, 9) if len(slots) == 2 else None,
    )


def noise(rng: random.Random) -> bytes:
    return rng.choice(
        [
            b"",
            b"not json",
            b"\xff\xfe",
            b"\r",
            b'{"ts":"2026-',
            b'{"fact":"lost","at":1,"lines":3}',
            b'{"ts":"2020-01-01T00:00:00.000Z"}x',
            "\u2028\x85".encode(),
            b"[" * 5000,
            b"x" * 70_000,
            b"y" * 200_000,
        ]
    )


def write_log(directory: Path, seed: int, files: int, lines: int, *, torn: bool) -> Path:
    """Fill `fires.log` and its older files with entries in the order of `ts`, and with noise."""
    rng = random.Random(seed)
    number, at_ms = 0, START_MS
    for older in range(files - 1, -1, -1):
        parts = []
        for _ in range(rng.randrange(lines + 1)):
            if rng.random() < 0.1:
                parts.append(noise(rng) + b"\n")
                continue
            number += 1
            at_ms += rng.choice([0, 0, 1, 999, 60_000])
            parts.append(facts.encode(entry(number, at_ms=at_ms, rng=rng)))
        if torn and older == 0:
            parts.append(facts.encode(entry(10**6, at_ms=at_ms, rng=rng))[: rng.randrange(1, 150)])
        name = f"fires.log.{older}" if older else "fires.log"
        (directory / name).write_bytes(b"".join(parts))
    for path in directory.glob("fires.log.*"):
        if int(path.suffix[1:]) >= files:
            path.unlink()
    return directory / "fires.log"


def naive(path: Path, query: Query) -> list[Entry]:
    """Answer by reading everything into memory, as nobody should."""
    paths = [path, *sorted(path.parent.glob("fires.log.*"), key=lambda p: int(p.suffix[1:]))]
    found = []
    for one in paths if query.include_rotated else paths[:1]:
        for line in reversed(one.read_bytes().split(b"\n")[:-1]):
            try:
                known = Entry(**{snake(key): value for key, value in json.loads(line).items()})
            except (ValueError, TypeError, AttributeError, RecursionError):
                continue
            if wanted(known, query):
                found.append(known)
    return found


def snake(key: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in key)


def wanted(known: Entry, query: Query) -> bool:
    pairs = (
        (query.script, known.script_path),
        (query.status, known.status),
        (query.reason, known.reason),
        (query.kind, known.kind),
        (query.run_id, known.run_id),
    )
    at_ms = to_ms(known.ts)
    return (
        all(asked is None or asked == has for asked, has in pairs)
        and (query.since_ms is None or at_ms >= query.since_ms)
        and (query.until_ms is None or at_ms < query.until_ms)
        and has_slot_between(known, query.slot_since_ms, query.slot_until_ms)
    )


def has_slot_between(known: Entry, since_ms: int | None, until_ms: int | None) -> bool:
    if since_ms is until_ms is None:
        return True
    if known.slot is None:
        return False
    first_ms, last_ms = to_ms(known.slot), to_ms(known.last_slot or known.slot)
    return not (since_ms is not None and last_ms < since_ms) and not (
        until_ms is not None and first_ms >= until_ms
    )


def ids(entries: object) -> list[str]:
    return [e.run_id for e in entries]  # type: ignore[attr-defined]


def pages(
    path: Path, query: Query, *, scan_bytes: int, between: Callable[[], None] = lambda: None
) -> list[Page]:
    """Follow the cursors to the end."""
    read = [history.read(str(path), query, scan_bytes=scan_bytes)]
    while read[-1].cursor is not None:
        between()
        query = with_cursor(query, read[-1])
        read.append(history.read(str(path), query, scan_bytes=scan_bytes))
        assert len(read) < 5000
    return read


def with_cursor(query: Query, page: Page) -> Query:
    names = [name for name in Query.__dataclass_fields__ if name != "cursor"]
    return Query(**{name: getattr(query, name) for name in names}, cursor=page.cursor)


QUERIES = st.builds(
    Query,
    script=st.none() | st.sampled_from(SCRIPTS),
    since_ms=st.none() | st.integers(START_MS - 1, START_MS + 2_000_000),
    until_ms=st.none() | st.integers(START_MS - 1, START_MS + 2_000_000),
    slot_since_ms=st.none() | st.integers(START_MS - 60_000, START_MS + 2_000_000),
    slot_until_ms=st.none() | st.integers(START_MS - 60_000, START_MS + 2_000_000),
    status=st.none() | st.sampled_from([Status.OK, Status.ERROR]),
    reason=st.none() | st.just(Reason.EXIT),
    kind=st.none() | st.sampled_from(list(Kind)),
    run_id=st.none() | st.builds(run_id, st.integers(1, 60)),
    limit=st.integers(1, 40),
    include_rotated=st.booleans(),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    files=st.integers(1, 4),
    torn=st.booleans(),
    query=QUERIES,
    scan_bytes=st.sampled_from([1, 70_000, 32 * 1024 * 1024]),
)
def test_every_page_is_what_a_naive_reader_finds(
    tmp_path: Path, seed: int, files: int, torn: bool, query: Query, scan_bytes: int
) -> None:
    path = write_log(tmp_path, seed, files, 40, torn=torn)
    expected = naive(path, query)
    first = history.read(str(path), query)
    assert list(first.entries) == expected[: query.limit]
    assert first.truncated == (len(expected) > query.limit)
    assert (first.cursor is not None) == first.truncated
    everything = [e for page in pages(path, query, scan_bytes=scan_bytes) for e in page.entries]
    assert everything == expected


@pytest.fixture
def long_log(tmp_path: Path) -> Path:
    rng = random.Random(7)
    path = tmp_path / "fires.log"
    path.write_bytes(b"".join(facts.encode(entry(n, at_ms=START_MS + n * 10, rng=rng)) for n in range(6000)))
    assert path.stat().st_size > 1_000_000
    return path


@pytest.mark.parametrize(
    "query", [Query(limit=1000), Query(script="default/ü.py", limit=1000), Query(limit=7)]
)
def test_lines_across_the_edges_of_blocks_come_whole(long_log: Path, query: Query) -> None:
    assert list(history.read(str(long_log), query).entries) == naive(long_log, query)[: query.limit]


@pytest.mark.parametrize("number", [0, 1, 2999, 5998, 5999])
def test_since_is_inclusive_and_until_is_not(long_log: Path, number: int) -> None:
    at_ms = START_MS + number * 10
    assert ids(history.read(str(long_log), Query(since_ms=at_ms, until_ms=at_ms + 10)).entries) == [
        run_id(number)
    ]
    assert ids(history.read(str(long_log), Query(since_ms=at_ms + 1, until_ms=at_ms + 10)).entries) == []


def test_since_reads_only_what_it_must(long_log: Path) -> None:
    page = history.read(str(long_log), Query(since_ms=START_MS + 59_900, script="nowhere"), scan_bytes=10_000)
    assert page == Page(())


def test_a_scan_that_is_cut_short_says_where_it_goes_on(long_log: Path) -> None:
    page = history.read(str(long_log), Query(script="nowhere"), scan_bytes=300_000)
    assert page.entries == ()
    assert page.truncated
    rest = pages(long_log, with_cursor(Query(script="nowhere"), page), scan_bytes=300_000)
    assert not rest[-1].truncated
    assert 2 <= len(rest) <= 8


def test_a_cursor_goes_on_across_a_rotation(long_log: Path) -> None:
    everything = naive(long_log, Query())
    rotations = iter(range(100))

    def rotate() -> None:
        if next(rotations) % 2 == 0:
            for number in range(9, 0, -1):
                if (old := long_log.with_name(f"fires.log.{number}")).exists():
                    old.rename(long_log.with_name(f"fires.log.{number + 1}"))
            long_log.rename(long_log.with_name("fires.log.1"))
            long_log.write_bytes(facts.encode(entry(9999, at_ms=START_MS + 10**7, rng=random.Random(1))))

    for rotated in (False, True):
        read = pages(long_log, Query(limit=999, include_rotated=rotated), scan_bytes=10**9, between=rotate)
        assert [e for page in read for e in page.entries] == everything
        if not rotated:
            for path in long_log.parent.glob("fires.log*"):
                if path.stat().st_size > 100_000:
                    path.rename(long_log)
                else:
                    path.unlink(missing_ok=True)


def test_a_cursor_is_good_for_a_restored_copy(long_log: Path) -> None:
    first = history.read(str(long_log), Query(limit=10))
    text = long_log.read_bytes()
    long_log.unlink()
    (long_log.parent / "ballast").write_bytes(b"takes the inode")
    long_log.write_bytes(text)
    again = history.read(str(long_log), with_cursor(Query(limit=10), first))
    assert again.entries == tuple(naive(long_log, Query())[10:20])


@pytest.mark.parametrize(
    "cursor", ["", "x", "1-2", "-1-2-3", "zz-1-0123456789abcdef", "1-1-0123456789abcdeg", "é" * 9]
)
def test_a_malformed_cursor_is_refused_in_a_sentence(long_log: Path, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor is not one that this API gave out"):
        history.read(str(long_log), Query(cursor=cursor))


@pytest.mark.parametrize("cursor", ["10-1-0123456789abcdef", "ffffffffff-1-0123456789abcdef"])
def test_a_cursor_into_a_file_that_is_gone_is_refused_in_a_sentence(long_log: Path, cursor: str) -> None:
    with pytest.raises(ValueError, match="file that is gone"):
        history.read(str(long_log), Query(cursor=cursor))


def test_a_needle_in_another_field_is_no_match(tmp_path: Path) -> None:
    path = tmp_path / "fires.log"
    line = json.loads(facts.encode(entry(1, at_ms=START_MS, rng=random.Random(3))))
    line |= {"scriptPath": "default/b.py", "later": {"scriptPath": "default/a.py"}}
    path.write_bytes(msgspec.json.encode(line) + b"\n")
    assert history.read(str(path), Query(script="default/a.py")).entries == ()
    assert len(history.read(str(path), Query(script="default/b.py")).entries) == 1


def test_keys_of_a_newer_version_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "fires.log"
    line = json.loads(facts.encode(entry(1, at_ms=START_MS, rng=random.Random(3)))) | {"later": [1]}
    path.write_bytes(json.dumps(line).encode() + b"\n")
    assert ids(history.read(str(path), Query()).entries) == [run_id(1)]


def test_bad_lines_are_named_and_a_lost_line_is_none(tmp_path: Path) -> None:
    path = tmp_path / "fires.log"
    good = facts.encode(entry(1, at_ms=START_MS, rng=random.Random(3)))
    path.write_bytes(b"garbage\n" + good + b'{"fact":"lost","at":1,"lines":7}\n')
    page = history.read(str(path), Query())
    assert ids(page.entries) == [run_id(1)]
    assert page.bad == ("fires.log ending at byte 8",)


def test_a_line_that_is_too_long_is_passed_over_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "fires.log"
    rng = random.Random(3)
    first, last = (facts.encode(entry(n, at_ms=START_MS + n, rng=rng)) for n in (1, 2))
    path.write_bytes(first + b"z" * 5_000_000 + b"\n" + last)
    for query in (Query(), Query(since_ms=START_MS), Query(until_ms=START_MS + 99)):
        page = history.read(str(path), query)
        assert ids(page.entries) == [run_id(2), run_id(1)]
        assert len(page.bad) == 1
    split = pages(path, Query(), scan_bytes=1_200_000)
    assert ids(e for page in split for e in page.entries) == [run_id(2), run_id(1)]
    assert len(split) > 3


def test_a_limit_above_a_thousand_is_a_thousand(long_log: Path) -> None:
    assert len(history.read(str(long_log), Query(limit=10**6)).entries) == MAX_LIMIT


def test_no_log_at_all_is_an_empty_page(tmp_path: Path) -> None:
    assert history.read(str(tmp_path / "fires.log"), Query(include_rotated=True)) == Page(())


def test_a_number_missing_among_the_older_files_hides_none(tmp_path: Path) -> None:
    rng = random.Random(3)
    for number, name in enumerate(["fires.log.12", "fires.log.3", "fires.log"]):
        (tmp_path / name).write_bytes(facts.encode(entry(number, at_ms=START_MS + number, rng=rng)))
    for stranger in ("fires.log.gz", "fires.log.torn", "fires.log.1.gz", "fires.log.new", "fires.log.٣"):
        (tmp_path / stranger).write_bytes(b"?\n")
    page = history.read(str(tmp_path / "fires.log"), Query(include_rotated=True))
    assert ids(page.entries) == [run_id(2), run_id(1), run_id(0)]
    assert page.bad == ()


def test_a_file_with_two_names_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "fires.log"
    path.write_bytes(facts.encode(entry(1, at_ms=START_MS, rng=random.Random(3))))
    os.link(path, tmp_path / "fires.log.1")
    assert len(history.read(str(path), Query(include_rotated=True)).entries) == 1


def test_a_file_that_is_cut_back_while_it_is_read_ends_where_it_ends(long_log: Path) -> None:
    whole = long_log.read_bytes()
    for cut in (len(whole) - 100_000, 50, 0):
        with long_log.open("rb+") as file:
            lines = backwards.Backwards(file.fileno(), 0, len(whole), budget=backwards.Budget(10**9))
            file.truncate(cut)
            assert [found.line for found in lines] == whole[:cut].split(b"\n")[-2::-1]


def test_no_descriptor_is_left_open(long_log: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    history.read(str(long_log), Query(include_rotated=True))
    with pytest.raises(ValueError, match="cursor"):
        history.read(str(long_log), Query(cursor="x"))
    assert len(os.listdir("/proc/self/fd")) == before
