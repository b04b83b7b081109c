"""Output as lines: each byte told once or counted, cut nowhere but at newlines, bounded, resumed anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.runner import lines
from schedd.runner.lines import LINE_BYTES, Backlog, Gap, Item, Line, Stretch, stretches
from schedd.runner.output import HeadAndTail

NOW_MS = 1_795_514_400_123
CHUNKS = st.lists(st.text("ab\nß\u2028\r", max_size=9).map(str.encode), max_size=12)


def told(chunks: list[bytes], **about: int) -> list[Item]:
    """Return what a listener hears that takes at once what comes."""
    backlog, heard = Backlog(**about), []
    for chunk in chunks:
        backlog.feed(chunk, NOW_MS)
        heard += backlog.take(10_000)
    backlog.close()
    return heard + backlog.take(10_000)


def texts(items: list[Item]) -> list[str]:
    return [item.text for item in items if isinstance(item, Line)]


def joined(items: list[Item]) -> list[tuple[int | None, str]]:
    """Put the pieces of each line together."""
    whole: list[tuple[int | None, str]] = []
    goes_on = False
    for item in items:
        assert isinstance(item, Line)
        if goes_on:
            assert whole[-1][0] == item.number
            whole[-1] = (item.number, whole[-1][1] + item.text)
        else:
            whole.append((item.number, item.text))
        goes_on = not item.whole
    return whole


@given(CHUNKS)
def test_lines_are_cut_at_newlines_and_nowhere_else(chunks: list[bytes]) -> None:
    text = b"".join(chunks).decode()
    wanted = [line.removesuffix("\r") for line in text.split("\n")[:-1]]
    rest = text.split("\n")[-1]
    assert joined(told(chunks)) == list(enumerate([*wanted, rest] if rest else wanted, start=1))


@given(CHUNKS, st.integers(0, 60))
def test_one_that_comes_back_goes_on_where_it_was(chunks: list[bytes], after: int) -> None:
    text = b"".join(chunks)
    backlog = Backlog([Stretch(0, text)], after=after)
    heard = [item for batch in lines.batches(backlog, 3) for item in batch]
    rest = Backlog([Stretch(0, text[after:])])
    assert texts(heard) == texts([item for batch in lines.batches(rest, 100) for item in batch])
    assert not heard or heard[-1].end == len(text)
    assert not heard or isinstance(heard[0], Line)
    if heard and isinstance(heard[0], Line):
        assert heard[0].number == text.count(b"\n", 0, after) + 1


@given(st.lists(st.one_of(st.none(), st.text("a\n", min_size=1, max_size=300).map(str.encode)), max_size=40))
def test_each_byte_is_told_or_counted_and_so_is_each_line(steps: list[bytes | None]) -> None:
    backlog, fed, heard = Backlog(room_bytes=1000), b"", []
    for step in [*steps, None]:
        if step is not None:
            backlog.feed(step, NOW_MS)
            fed += step
        else:
            heard += backlog.take(10_000)
    backlog.close()
    heard += backlog.take(10_000)
    at, newlines = 0, 0
    for item in heard:
        size = item.size_bytes if isinstance(item, Gap) else len(item.text) + item.whole
        counted = item.lines if isinstance(item, Gap) else int(item.whole)
        assert counted is not None
        assert isinstance(item, Gap) or item.number == newlines + 1
        at, newlines = at + size, newlines + counted
        assert item.end == at
    assert (at, newlines) == (len(fed), fed.count(b"\n"))
    gaps = [item.lines for item in heard if isinstance(item, Gap)]
    assert backlog.missed_lines == sum(map(int, filter(None, gaps)))


def test_a_slow_listener_costs_no_more_than_its_room() -> None:
    backlog = Backlog(room_bytes=10_000)
    for _ in range(100_000):
        backlog.feed(b"x\n", NOW_MS)
    assert len(backlog._queue) <= 101
    heard = backlog.take(1000)
    gap = heard[-1]
    assert isinstance(gap, Gap)
    assert gap.end == 200_000
    backlog.feed(b"again\n", NOW_MS)
    assert backlog.take(2) == [Line("again", NOW_MS, 200_006, 100_001, whole=True)]


@pytest.mark.parametrize("size", [LINE_BYTES - 1, LINE_BYTES, LINE_BYTES + 1, 5 * LINE_BYTES + 7])
def test_a_long_line_comes_in_bounded_pieces(size: int) -> None:
    text = b"x" * size + b"\nend\n"
    heard = told([text[i : i + 5000] for i in range(0, len(text), 5000)])
    assert joined(heard) == [(1, "x" * size), (2, "end")]
    assert all(len(text) <= LINE_BYTES for text in texts(heard))


def test_a_character_is_not_cut_in_two() -> None:
    text = ("a" + "ß" * LINE_BYTES + "😀" * LINE_BYTES).encode()
    heard = told([text[i : i + 4099] for i in range(0, len(text), 4099)])
    assert "".join(texts(heard)) == text.decode()
    assert "\ufffd" not in "".join(texts(heard))


def test_what_is_no_utf_8_is_shown_with_replacements_and_cut_all_the_same() -> None:
    assert texts(told([b"caf\xe9\n\x00\xff\n"])) == ["caf\ufffd", "\0\ufffd"]
    assert len(texts(told([b"\x80" * 100_000]))) == 7


def test_a_line_without_a_newline_ends_with_the_output() -> None:
    assert told([b"a\nno newline"])[-1] == Line("no newline", NOW_MS, 12, 2, whole=False)


def test_what_was_kept_is_told_without_a_time_and_what_is_missing_between_is_counted() -> None:
    backlog = Backlog([Stretch(0, b"one\ntw"), Stretch(100, b"st\nlast\n")])
    backlog.feed(b"now\n", NOW_MS)
    assert backlog.take(100) == [
        Line("one", None, 4, 1, whole=True),
        Line("tw", None, 6, 2, whole=False),
        Gap(94, None, 100),
        Line("st", None, 103, None, whole=True),
        Line("last", None, 108, None, whole=True),
        Line("now", NOW_MS, 112, None, whole=True),
    ]


@pytest.mark.parametrize(
    ("after", "first"),
    [
        (4, Line("tw", None, 6, 2, whole=False)),
        (6, Gap(94, None, 100)),
        (50, Gap(50, None, 100)),
        (103, Line("last", None, 108, None, whole=True)),
    ],
)
def test_one_that_comes_back_gets_no_more_of_the_gap_than_is_new_to_it(after: int, first: Item) -> None:
    backlog = Backlog([Stretch(0, b"one\ntw"), Stretch(100, b"st\nlast\n")], after=after)
    assert backlog.take(1) == [first]


def test_an_offset_behind_the_end_is_the_end() -> None:
    backlog = Backlog([Stretch(0, b"one\n")], after=10**17)
    assert backlog.take(1) == []
    backlog.feed(b"two\n", NOW_MS)
    assert backlog.take(2) == [Line("two", NOW_MS, 8, None, whole=True)]


def test_what_waits_can_be_given_up_and_is_counted() -> None:
    backlog = Backlog()
    backlog.feed(b"a\nb\nc\nd", NOW_MS)
    assert len(backlog.take(1)) == 1
    backlog.feed(b"\ne\n", NOW_MS)
    backlog.drop()
    backlog.drop()
    backlog.feed(b"f\n", NOW_MS)
    assert backlog.take(9) == [Gap(8, 4, 10), Line("f", NOW_MS, 12, 6, whole=True)]
    assert backlog.missed_lines == 4


@given(CHUNKS, st.integers(0, 20), st.integers(0, 20))
def test_what_is_stored_has_the_offsets_that_it_had_live(
    chunks: list[bytes], head_bytes: int, tail_bytes: int
) -> None:
    output = HeadAndTail(head_bytes=head_bytes, tail_bytes=tail_bytes)
    for chunk in chunks:
        output.feed(chunk)
    stored = stretches(output.kept(), truncated=output.left_out_bytes > 0)
    live = Backlog(output.stretches())
    assert list(lines.batches(Backlog(stored), 5)) == list(lines.batches(live, 5))


def test_a_script_may_print_the_line_that_counts_what_is_missing() -> None:
    assert stretches("a\n… 5 bytes left out …\nb".encode(), truncated=False)[0].at == 0
    assert len(stretches("a\n… 5 bytes left out …\nb".encode(), truncated=False)) == 1
