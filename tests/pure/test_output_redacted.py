"""Secrets in output: replaced whole, wherever a chunk ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.runner.output import REDACTED, Redactor

# Two letters only, so that secrets overlap, repeat and start within each other all the time.
SECRETS = st.lists(st.text("ab", min_size=1, max_size=6).map(str.encode), max_size=4)
CHUNKS = st.lists(st.text("abc", max_size=8).map(str.encode), max_size=12)


def redacted(chunks: list[bytes], secrets: list[bytes]) -> bytes:
    made = Redactor(secrets)
    return b"".join([*map(made.feed, chunks), made.finish()])


def replaced(text: bytes, secrets: list[bytes]) -> bytes:
    """The obvious way, for a whole text: at each place the longest secret that starts there."""
    done, at = b"", 0
    while at < len(text):
        here = max((secret for secret in secrets if text.startswith(secret, at)), key=len, default=b"")
        done += REDACTED if here else text[at : at + 1]
        at += len(here) or 1
    return done


@given(CHUNKS, SECRETS)
def test_chunks_make_no_difference(chunks: list[bytes], secrets: list[bytes]) -> None:
    assert redacted(chunks, secrets) == replaced(b"".join(chunks), secrets)


@given(CHUNKS, SECRETS)
def test_what_has_been_let_through_never_ends_within_a_secret_that_came_whole(
    chunks: list[bytes], secrets: list[bytes]
) -> None:
    made, out = Redactor(secrets), b""
    for chunk in chunks:
        out += made.feed(chunk)
        for secret in secrets:
            assert secret not in out.replace(REDACTED, b"|")


@given(st.lists(st.binary(max_size=20)))
def test_without_secrets_everything_passes_at_once(chunks: list[bytes]) -> None:
    made = Redactor([])
    assert [made.feed(chunk) for chunk in chunks] == chunks
    assert made.finish() == b""


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_secret_in_two_pieces_is_found(cut: int) -> None:
    text = b"token=hunter2hunter2 end"
    assert redacted([text[: 5 + cut], text[5 + cut :]], [b"hunter2hunter2"]) == b"token=[redacted] end"


def test_only_what_could_be_a_secret_waits() -> None:
    made = Redactor([b"hunter2"])
    assert made.feed(b"nothing here, h") == b"nothing here, "
    assert made.feed(b"ello") == b"hello"
