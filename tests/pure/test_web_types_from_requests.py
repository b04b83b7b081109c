"""From bytes and texts to requests: what is not refused is right, and a refusal is always ours."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.timetable import instant
from schedd.web import body, query, types
from schedd.web.answers import AnswerError

VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), max_size=2)
ZONES = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
    lambda offset: timedelta(minutes=offset // timedelta(minutes=1))
)


def status_of(call: Callable[[], object]) -> int | None:
    """Return the status that a call is refused with; None when it is not."""
    try:
        call()
    except AnswerError as error:
        return error.status
    return None


@given(st.dictionaries(st.sampled_from(["scriptPath", "force", "wait"]), VALUES))
def test_a_trigger_is_read_if_and_only_if_its_keys_have_their_types(given: dict[str, object]) -> None:
    path = given.get("scriptPath")
    good = (
        isinstance(path, str)
        and path.strip()
        and all(type(given.get(k, True)) is bool for k in ("force", "wait"))
    )
    raw = json.dumps(given).encode()
    if not good:
        assert status_of(lambda: body.parse(raw, types.TriggerRequest)) == 400
    else:
        read = body.parse(raw, types.TriggerRequest)
        assert (read.script_path, read.force, read.wait) == (
            path,
            given.get("force", False),
            given.get("wait", True),
        )


@given(st.binary())
def test_no_bytes_raise_anything_but_a_refusal(raw: bytes) -> None:
    for kind in (types.TriggerRequest, types.ReloadRequest, types.StopRequest):
        assert status_of(lambda kind=kind: body.parse(raw, kind)) in {None, 400}


@given(st.text())
def test_a_number_is_read_as_written_or_refused(text: str) -> None:
    try:
        read = query.number({"limit": text}, "limit", default=100, most=1000)
    except AnswerError:
        assert not (text.isascii() and text.isdigit() and int(text) > 0)
    else:
        assert read == min(int(text), 1000)


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), ZONES, st.booleans())  # noqa: DTZ001
def test_an_instant_is_rounded_into_its_bound(local: datetime, offset: timedelta, up: bool) -> None:
    sign, minutes = ("-" if offset < timedelta(0) else "+"), abs(offset) // timedelta(minutes=1)
    text = f"{local.isoformat(timespec='microseconds')}{sign}{minutes // 60:02}:{minutes % 60:02}"
    read = query.instant_ms({"since": text}, "since", up=up)
    assert read is not None
    exact = (local - offset).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    distance = timedelta(milliseconds=read) - exact
    assert timedelta(0) <= (distance if up else -distance) < timedelta(milliseconds=1)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_998), st.booleans())
def test_our_own_instants_are_read_back_exactly(at_ms: int, up: bool) -> None:
    year = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    text = instant.from_ms(at_ms)
    if year.year < 1000:
        text = text.rjust(24, "0")
    assert query.instant_ms({"since": text}, "since", up=up) == at_ms


@given(st.text())
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    given = {"since": text}
    assert status_of(lambda: query.instant_ms(given, "since", up=True)) in {None, 400}
    assert status_of(lambda: query.boolean(given, "since")) in {None, 400}


@pytest.mark.parametrize(
    "text", ["019357a0-0000-7000-8000-000000000000", "019357A0-0000-7000-8000-00000000000F"]
)
def test_a_run_id_is_read_in_either_case(text: str) -> None:
    assert query.run_id(text) == text.lower()


@pytest.mark.parametrize("text", ["", "7", "019357a0-0000-7000-8000-000000000000\n", "{019357a0}", "0" * 32])
def test_what_is_no_uuid_is_no_run_id(text: str) -> None:
    assert query.run_id(text) is None
