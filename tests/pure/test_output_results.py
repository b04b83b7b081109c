"""Results: what is kept is JSON on one line, at most 64 KiB, and without secrets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.runner.redaction import Redaction, Redactor
from schedd.runner.result import normalised
from schedd.runner.store import RESULT_BYTES

NOTHING_SECRET = Redactor(Redaction())

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def kept(raw: bytes, redactor: Redactor = NOTHING_SECRET) -> str | None:
    return normalised(raw[: RESULT_BYTES + 1], size_bytes=len(raw), redactor=redactor)


@given(JSON, st.sampled_from([None, 2]))
def test_json_means_what_it_meant(value: object, indent: int | None) -> None:
    result = kept(json.dumps(value, indent=indent).encode())
    assert result is not None
    assert json.loads(result) == value
    assert "\n" not in result


@given(st.binary(max_size=200))
def test_whatever_was_written_json_is_kept(raw: bytes) -> None:
    result = kept(raw)
    if result is not None:
        json.loads(result, parse_constant=pytest.fail)


def test_numbers_stay_as_they_were_written() -> None:
    assert kept(b'{"a": 1.50, "b": 12345678901234567890123}') == '{"a":1.50,"b":12345678901234567890123}'


@pytest.mark.parametrize("raw", [b"12 rows", b"NaN", b"{'a': 1}", b'{"a": 1} {"b": 2}', b"\xff", b"[" * 5000])
def test_what_is_no_json_becomes_its_string_marked(raw: bytes) -> None:
    assert json.loads(kept(raw) or "") == {"$string": raw.decode(errors="replace")}


@pytest.mark.parametrize("raw", [b"", b" \n\t"])
def test_a_blank_file_is_no_result(raw: bytes) -> None:
    assert kept(raw) is None


@pytest.mark.parametrize("size", [RESULT_BYTES - 1, RESULT_BYTES, RESULT_BYTES + 1, 3 * RESULT_BYTES])
def test_more_than_64_kib_are_represented_by_their_start(size: int) -> None:
    result = kept(json.dumps("x" * (size - 2)).encode())
    assert result is not None
    assert len(result) <= RESULT_BYTES
    whole = json.loads(result)
    if size <= RESULT_BYTES:
        assert whole == "x" * (size - 2)
    else:
        assert whole["$bytes"] == size
        assert whole["$start"].startswith('"xxx')


def test_a_marked_string_must_fit_too() -> None:
    raw = b"\x01" * RESULT_BYTES
    assert json.loads(kept(raw) or "")["$bytes"] == RESULT_BYTES


def test_a_secret_number_makes_the_rest_a_string() -> None:
    result = kept(b'{"pin": 4711}', Redactor(Redaction(["4711"])))
    assert json.loads(result or "") == {"$string": '{"pin": [redacted]}'}
