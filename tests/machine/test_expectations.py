"""`@expect`: a run that exits 0 and did not do what it is for has failed, and says what was missing."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schedd.fire import Outcome, Reason, Status
from schedd.schedule import Expectation, FileTest, JsonTest
from tests.machine.running import Workshop, workshop


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path) as made:
        yield made


async def _run(shop: Workshop, text: str, *tests: Expectation) -> Outcome:
    return await shop.run(shop.script("is_expected_to.sh", text + "\n", expect=tests))


def _fault(outcome: Outcome) -> str | None:
    if outcome.status is Status.OK:
        return None
    assert (outcome.status, outcome.reason) == (Status.ERROR, Reason.UNEXPECTED)
    return outcome.error


CODES = Expectation(text="exit 0,3", exit_codes=(0, 3))


@pytest.mark.parametrize(("code", "status"), [(0, Status.OK), (3, Status.OK), (1, Status.ERROR)])
async def test_other_exit_codes_can_be_as_good_as_0(shop: Workshop, code: int, status: Status) -> None:
    outcome = await _run(shop, f"exit {code}", CODES)
    assert (outcome.status, outcome.exit_code) == (status, code)


async def test_0_is_a_failure_where_only_another_code_is_expected(shop: Workshop) -> None:
    outcome = await _run(shop, "exit 0", Expectation(text="exit 3", exit_codes=(3,)))
    assert (outcome.status, outcome.reason, outcome.exit_code) == (Status.ERROR, Reason.EXIT, 0)


def _stdout(pattern: str) -> Expectation:
    return Expectation(text=f"stdout /{pattern}/", stdout=pattern)


async def test_a_pattern_is_found_in_the_output(shop: Workshop) -> None:
    assert _fault(await _run(shop, "echo copied 12 files", _stdout(r"copied \d+ files"))) is None


@pytest.mark.parametrize(
    ("text", "fault"), [("echo copied nothing", "the output does not match"), (":", "there was no output")]
)
async def test_a_pattern_that_is_not_found_is_named(shop: Workshop, text: str, fault: str) -> None:
    error = _fault(await _run(shop, text, _stdout(r"copied \d+")))
    assert error == rf"@expect stdout /copied \d+/: {fault}"


async def test_a_pattern_that_runs_wild_costs_its_own_script_alone(shop: Workshop) -> None:
    wild = shop.script("prints_many_x.sh", "printf %050000d 0 | tr 0 x\n", expect=(_stdout("(x+x+)+y"),))
    run_id = shop.start(wild)
    other = await shop.run(shop.script("is_quick.sh", "echo fine\n", expect=(_stdout("fine"),)))
    assert other.status is Status.OK
    assert run_id not in {end.fire.run_id for end in shop.reports}
    assert "make it simpler" in str(_fault(await shop.ended(run_id)))


RESULT = json.dumps({"rows": 12, "name": "böse", "ok": True, "none": None, "list": [{"n": 1.5}], "no": False})


@pytest.mark.parametrize(
    ("test", "fault"),
    [
        (JsonTest(("rows",), ">", 0), None),
        (JsonTest(("rows",), ">", 12), "it is 12"),
        (JsonTest(("rows",), ">=", 12), None),
        (JsonTest(("rows",), "<", 12.5), None),
        (JsonTest(("rows",), "<=", 11), "it is 12"),
        (JsonTest(("rows",), "==", 12.0), None),
        (JsonTest(("rows",), "!=", 12), "it is 12"),
        (JsonTest(("ok",), "==", True), None),
        (JsonTest(("ok",), "==", 1), "it is true"),
        (JsonTest(("name",), "==", "böse"), None),
        (JsonTest(("name",), ">", 3), 'it is "böse", which cannot be compared with 3'),
        (JsonTest(("list", 0, "n"), "==", 1.5), None),
        (JsonTest(("list", 1), ""), "the result has no .list[1]"),
        (JsonTest(("rows", "deeper"), ""), "the result has no .rows.deeper"),
        (JsonTest(("rows",), ""), None),
        (JsonTest(("no",), ""), "it is false"),
        (JsonTest(("none",), ""), "it is null"),
    ],
)
async def test_a_member_of_the_result_is_compared(shop: Workshop, test: JsonTest, fault: str | None) -> None:
    asked = Expectation(text="json …", json=test)
    error = _fault(await _run(shop, f"echo '{RESULT}' > $SCHEDD_RESULT", asked))
    assert error == (None if fault is None else f"@expect json …: {fault}")


async def test_without_a_result_nothing_can_be_compared(shop: Workshop) -> None:
    asked = Expectation(text="json .rows", json=JsonTest(("rows",), ""))
    assert _fault(await _run(shop, "exit 0", asked)) == "@expect json .rows: the script returned nothing"


@pytest.mark.parametrize(
    ("bounds", "fault"),
    [
        ({}, None),
        ({"larger_than_bytes": 999}, None),
        ({"larger_than_bytes": 1000}, "{} has only 1,000 bytes"),
        ({"smaller_than_bytes": 1001}, None),
        ({"smaller_than_bytes": 1000}, "{} has 1,000 bytes"),
        ({"younger_than_ms": 60_000}, None),
        ({"older_than_ms": 60_000}, "{} was written "),
    ],
)
async def test_a_file_is_looked_at_after_the_run(
    shop: Workshop, tmp_path: Path, bounds: dict[str, Any], fault: str | None
) -> None:
    dump = tmp_path / "dump.sql"
    asked = Expectation(text="file", file=FileTest(path=str(dump), **bounds))
    error = _fault(await _run(shop, f"head -c 1000 /dev/zero > {dump}", asked))
    assert (error or "").startswith("" if fault is None else "@expect file: " + fault.format(dump))
    assert (error is None) is (fault is None)


async def test_a_file_from_yesterday_is_not_todays(shop: Workshop, tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    asked = Expectation(text="file", file=FileTest(path=str(dump), younger_than_ms=3_600_000))
    error = _fault(await _run(shop, f"touch -d '-2 hours' {dump}", asked))
    assert str(error).startswith(f"@expect file: {dump} was last written 2 hours")


async def test_a_file_that_is_not_there_is_a_fault(shop: Workshop, tmp_path: Path) -> None:
    asked = Expectation(text="file", file=FileTest(path=str(tmp_path / "none")))
    error = _fault(await _run(shop, "exit 0", asked))
    assert error == f"@expect file: {tmp_path / 'none'}: No such file or directory"


async def test_the_first_fault_is_told(shop: Workshop) -> None:
    outcome = await _run(shop, "echo one", _stdout("one"), _stdout("two"), _stdout("three"))
    assert "/two/" in str(_fault(outcome))


async def test_a_run_that_failed_by_itself_says_so(shop: Workshop) -> None:
    outcome = await _run(shop, "echo broken; exit 9", _stdout("fine"))
    assert (outcome.reason, outcome.error) == (Reason.EXIT, "exit code 9: broken")


async def test_what_goes_wrong_is_known_by_what_the_output_keeps_not_by_what_it_hides(tmp_path: Path) -> None:
    async with workshop(tmp_path, output={"redact": ("hunter2",)}) as shop:
        error = _fault(await _run(shop, "echo the word is hunter2", _stdout("hunter2")))
    assert error == "@expect stdout /hunter2/: the output does not match"
