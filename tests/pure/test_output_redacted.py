"""Secrets in output: replaced whole, wherever a chunk ends, and however long a line is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.runner import redaction
from schedd.runner.redaction import CONTEXT_BYTES, LINE_BYTES, REDACTED, Redaction, Redactor

# Two letters only, so that secrets overlap, repeat and start within each other all the time.
SECRETS = st.lists(st.text("ab", min_size=1, max_size=6), max_size=4)
CHUNKS = st.lists(st.text("abc", max_size=8).map(str.encode), max_size=12)
LINES = st.lists(st.text("abc \n", max_size=8).map(str.encode), max_size=16)
PATTERNS = st.lists(
    st.sampled_from(["ab+", "(?<=c)a", "^b", "c$", r"a\s?b", "(?i)CA", r"\bac\b", "[^b]{3}", "b.*c"]),
    max_size=3,
    unique=True,
)


def redacted(chunks: list[bytes], secrets: list[str], patterns: list[str] | None = None) -> bytes:
    made = Redactor(Redaction(secrets, patterns or []))
    return b"".join([*map(made.feed, chunks), made.finish()])


def replaced(text: bytes, secrets: list[str]) -> bytes:
    """The obvious way, for a whole text: at each place the longest secret that starts there."""
    done, at = b"", 0
    while at < len(text):
        here = max((each for each in secrets if text.startswith(each.encode(), at)), key=len, default="")
        done += REDACTED if here else text[at : at + 1]
        at += len(here) or 1
    return done


def line_by_line(text: bytes, patterns: list[str]) -> bytes:
    """The obvious way for patterns: each line by itself, each byte that any of them matches marked."""
    return b"\n".join(_marked(line, patterns) for line in text.split(b"\n"))


def _marked(line: bytes, patterns: list[str]) -> bytes:
    spans = sorted(m.span() for p in patterns for m in re.finditer(p.encode(), line) if m.group())
    done, at = b"", 0
    while spans:
        start, end = spans.pop(0)
        while spans and spans[0][0] < end:
            end = max(end, spans.pop(0)[1])
        done += line[at:start] + REDACTED
        at = end
    return done + line[at:]


@given(CHUNKS, SECRETS)
def test_chunks_make_no_difference(chunks: list[bytes], secrets: list[str]) -> None:
    assert redacted(chunks, secrets) == replaced(b"".join(chunks), secrets)


@given(CHUNKS, SECRETS)
def test_what_has_been_let_through_never_ends_within_a_secret_that_came_whole(
    chunks: list[bytes], secrets: list[str]
) -> None:
    made, out = Redactor(Redaction(secrets)), b""
    for chunk in chunks:
        out += made.feed(chunk)
        for secret in secrets:
            assert secret.encode() not in out.replace(REDACTED, b"|")


@given(st.lists(st.binary(max_size=20)))
def test_without_secrets_everything_passes_at_once(chunks: list[bytes]) -> None:
    made = Redactor(Redaction())
    assert [made.feed(chunk) for chunk in chunks] == chunks
    assert made.finish() == b""


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_secret_in_two_pieces_is_found(cut: int) -> None:
    text = b"token=hunter2hunter2 end"
    assert redacted([text[: 5 + cut], text[5 + cut :]], ["hunter2hunter2"]) == b"token=[redacted] end"


def test_only_what_could_be_a_secret_waits() -> None:
    made = Redactor(Redaction(["hunter2"]))
    assert made.feed(b"nothing here, h") == b"nothing here, "
    assert made.feed(b"ello") == b"hello"


@given(LINES, PATTERNS)
def test_a_pattern_is_looked_for_in_each_line_wherever_its_chunks_end(
    chunks: list[bytes], patterns: list[str]
) -> None:
    assert redacted(chunks, [], patterns) == line_by_line(b"".join(chunks), patterns)


@given(LINES, SECRETS, PATTERNS)
def test_nothing_of_a_secret_stays_though_a_pattern_takes_a_part_of_it(
    chunks: list[bytes], secrets: list[str], patterns: list[str]
) -> None:
    text = b"".join(chunks)
    out = redacted(chunks, secrets, patterns)
    assert redacted([text], secrets, patterns) == out
    for secret in secrets:
        assert secret.encode() not in out.replace(REDACTED, b"|")


def test_two_that_overlap_are_replaced_as_one() -> None:
    text = b"key-abprodcdefgh and prod\n"
    assert redacted([text], ["prod"], ["key-[a-z]{12}"]) == b"[redacted] and [redacted]\n"
    assert redacted([b"password=pa$$word1\n"], ["pa$$word1"], [r"password=\w+"]) == b"[redacted]\n"


def test_a_line_waits_for_its_end_where_there_are_patterns() -> None:
    made = Redactor(Redaction([], ["secret[0-9]+"]))
    assert made.feed(b"one\ntwo sec") == b"one\n"
    assert made.feed(b"ret12") == b""
    assert made.feed(b"34\nthree") == b"two [redacted]\n"
    assert made.finish() == b"three"


@pytest.mark.parametrize("chunk_bytes", [1000, 4096, 16384, 65536])
@pytest.mark.parametrize("at", [0, LINE_BYTES - 10, LINE_BYTES, 16380, 50_000])
def test_a_match_in_an_endless_line_is_found_wherever_it_is(chunk_bytes: int, at: int) -> None:
    text = b"." * at + b"ghp_0123456789" + b"." * 70_000
    chunks = [text[i : i + chunk_bytes] for i in range(0, len(text), chunk_bytes)]
    assert redacted(chunks, [], ["ghp_[0-9]{10}"]) == b"." * at + REDACTED + b"." * 70_000


def test_what_a_pattern_looks_back_at_may_have_been_let_through() -> None:
    lead = b"." * 20_000 + b"token="
    for held in range(-12, 12):
        text = lead + b"abc " + b"." * (LINE_BYTES + held)
        assert b"abc" not in redacted([text[:20_010], text[20_010:], b"\n"], [], ["(?<=token=)[a-z]+"])


def test_a_match_without_an_end_takes_the_rest_of_its_line_and_nothing_else() -> None:
    text = b"before\nkey=" + b"x" * 200_000 + b" tail\nafter\n"
    chunks = [text[i : i + 16_384] for i in range(0, len(text), 16_384)]
    assert redacted(chunks, [], [r"key=\S+"]) == b"before\n[redacted]\nafter\n"


def test_what_waits_is_bounded_whatever_comes() -> None:
    texts, patterns = ["cab", "x" * 5000], ["abc", r"=\S+", "x+"]
    for text in (b"abc" * 100_000, b"=" + b"y" * 300_000, b"\n" * 300_000, b"x" * 300_000, b"\0" * 300_000):
        made = Redactor(Redaction(texts, patterns))
        for at in range(0, len(text), 16_384):
            made.feed(text[at : at + 16_384])
            assert len(made._waiting) <= CONTEXT_BYTES + 2 * LINE_BYTES + 5000 + 16_384


def test_bytes_that_are_no_text_are_looked_at_too() -> None:
    text = b"\xff\x00 key=\xe9t\xe9 \n"
    assert redacted([text], [], [r"key=\S+"]) == b"\xff\x00 [redacted] \n"
    assert redacted(["Schlüssel=42\n".encode()], [], ["Schlüssel=[0-9]+"]) == b"[redacted]\n"


def test_a_pattern_that_runs_wild_costs_what_it_was_looked_for_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wild = b"x" * 4000 + b"\n"
    made = Redactor(Redaction([], ["(x+x+)+y"]))
    assert made.feed(b"before\n") == b"before\n"
    assert made.feed(wild) == b"[redacted]\n"
    assert made.feed(wild + b"rest") == b"[redacted]\n"
    assert made.feed(b" of it\n") == b"rest of it\n"
    (said,) = caplog.messages
    assert "a pattern of redact_patterns takes longer" in said


def test_an_endless_line_is_given_up_up_to_its_end() -> None:
    made = Redactor(Redaction([], ["(x+x+)+y"]))
    wild = b"x" * 2 * LINE_BYTES
    assert made.feed(wild) + made.feed(wild) + made.feed(b"x\nafter\n") == b"[redacted]\nafter\n"


def test_a_whole_text_leaves_no_trace_in_the_stream() -> None:
    made = Redactor(Redaction(["hunter2"], ["ghp_[0-9]+"]))
    made.feed(b"first hun")
    assert made.whole(b"a hunter2 ghp_12") == b"a [redacted] [redacted]"
    assert made.feed(b"ter2\n") == b"first [redacted]\n"


def test_a_text_is_found_as_json_spells_it() -> None:
    made = Redactor(Redaction(['a"b\nü']))
    assert made.whole(rb'{"t":"a\"b\n\u00fc"}') == b'{"t":"[redacted]"}'
    assert made.whole('{"t":"a\\"b\\nü"}'.encode()) == b'{"t":"[redacted]"}'


def test_without_more_texts_the_same_redaction_serves_all() -> None:
    made = Redaction(["hunter2"], ["x+"])
    assert made.also(()) is made
    assert made.also(("hunter2",)) is made
    assert Redactor(made.also(("another",))).whole(b"hunter2 another xx") == b" ".join([REDACTED] * 3)


def test_no_more_is_asked_for_at_once_than_patterns_can_be_looked_for_in() -> None:
    assert Redactor(Redaction(["hunter2"])).block_bytes is None
    assert Redactor(Redaction([], ["x+"])).block_bytes == redaction.BLOCK_BYTES
