"""What is kept of output: the head, the tail, and an exact count of what is between."""

import re

from hypothesis import given
from hypothesis import strategies as st

from schedd.runner.audience import Follower
from schedd.runner.output import HeadAndTail, left_out

CHUNKS = st.lists(st.binary(max_size=40), max_size=20)
ROOM = st.integers(min_value=0, max_value=60)


def kept(chunks: list[bytes], head_bytes: int, tail_bytes: int) -> HeadAndTail:
    made = HeadAndTail(head_bytes=head_bytes, tail_bytes=tail_bytes)
    for chunk in chunks:
        made.feed(chunk)
    return made


@given(CHUNKS, ROOM, ROOM)
def test_what_fits_is_kept_as_it_is(chunks: list[bytes], head_bytes: int, tail_bytes: int) -> None:
    whole = b"".join(chunks)
    made = kept(chunks, head_bytes, max(tail_bytes, len(whole) - head_bytes))
    assert (made.kept(), made.left_out_bytes) == (whole, 0)


@given(CHUNKS, ROOM, ROOM)
def test_what_does_not_fit_is_kept_at_both_ends_and_counted(
    chunks: list[bytes], head_bytes: int, tail_bytes: int
) -> None:
    whole = b"".join(chunks) + b"x" * (head_bytes + tail_bytes + 1)
    made = kept([*chunks, b"x" * (head_bytes + tail_bytes + 1)], head_bytes, tail_bytes)
    missing = len(whole) - head_bytes - tail_bytes
    assert made.total_bytes == len(whole)
    assert made.left_out_bytes == missing
    assert made.kept().startswith(whole[:head_bytes])
    assert made.kept().endswith(whole[len(whole) - tail_bytes :])
    assert left_out(missing) in made.kept()


@given(CHUNKS, ROOM, ROOM)
def test_the_borders_of_chunks_do_not_show(chunks: list[bytes], head_bytes: int, tail_bytes: int) -> None:
    at_once = kept([b"".join(chunks)], head_bytes, tail_bytes)
    assert kept(chunks, head_bytes, tail_bytes).kept() == at_once.kept()


def test_the_line_between_stands_on_a_line_of_its_own() -> None:
    assert (
        kept([b"ab", b"c" * 1_234_567, b"yz"], 2, 2).kept() == "ab\n… 1,234,567 bytes left out …\nyz".encode()
    )
    assert kept([b"a\n", b"c" * 10, b"yz"], 2, 2).kept() == "a\n\n… 10 bytes left out …\nyz".encode()


def test_memory_stays_bounded_whatever_the_chunks() -> None:
    made = HeadAndTail(head_bytes=10, tail_bytes=10)
    for _ in range(1000):
        made.feed(b"x" * 7)
        assert len(made.head) + len(made._tail) <= 10 + 2 * 10 + 7


@given(CHUNKS)
def test_the_last_line_is_the_last_that_is_not_blank(chunks: list[bytes]) -> None:
    made = kept([*chunks, b"\nthe end\n\n  \n"], 30, 40)
    assert made.last_line() == "the end"


def test_nothing_printed_has_no_last_line() -> None:
    assert kept([], 10, 10).last_line() == ""


@given(st.lists(st.one_of(st.none(), st.binary(min_size=1, max_size=30)), max_size=40), st.integers(1, 60))
def test_a_follower_gets_each_byte_or_its_count(steps: list[bytes | None], room_bytes: int) -> None:
    follower = Follower(room_bytes=room_bytes)
    fed, got, missed = b"", b"", 0
    for step in [*steps, None]:
        if step is not None:
            follower.feed(step, 0)
            fed += step
            continue
        taken = follower.take()
        gap = re.search(r"\n… ([\d,]+) bytes left out …\n\Z".encode(), taken)
        if gap is not None:
            missed += int(gap[1].replace(b",", b""))
            taken = taken[: gap.start()]
        assert len(taken) <= room_bytes
        got += taken
    assert len(got) + missed == len(fed)
    assert missed or got == fed
