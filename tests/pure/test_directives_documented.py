"""docs/directives.md and the code name the same directives, and the documented headers are good ones."""

import os
import re
from pathlib import Path

import pytest

from schedd.schedule import Catchup, FileStamp, Overlap, Schedule
from schedd.scripts import expectations, limits, values
from schedd.scripts.calendars.shelf import Shelf
from schedd.scripts.directives import HEADER_BYTES, REPEATABLE, SUPPORTED, UNSUPPORTED, read_header
from schedd.scripts.intake import MOST_BYTES
from schedd.scripts.registration import Defaults, Registrar, Source
from schedd.scripts.values import LONGEST_RETRY_MS, LONGEST_TIMEOUT_MS, MOST_RETRIES, MOST_RUNS
from schedd.timetable import duration, jitter

TEXT = (Path(__file__).parents[2] / "docs/directives.md").read_text()


def section(title: str) -> str:
    return re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)[1]


def rows(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `@?([^`]+)` \| (.*) \|$", text, re.MULTILINE))


def test_each_supported_directive_has_its_row_and_there_is_no_other():
    assert tuple(rows(section("Supported"))) == SUPPORTED


def test_each_reserved_name_is_listed_and_no_other():
    assert tuple(re.findall(r"`@([\w-]+)`", section("Reserved"))) == UNSUPPORTED


def test_each_overlap_policy_is_explained_and_no_other():
    assert tuple(rows(section("When a slot comes due and the script still runs"))) == tuple(Overlap)


def test_each_catchup_policy_is_explained_and_no_other():
    assert tuple(rows(section("When slots were missed"))) == tuple(Catchup)


@pytest.mark.parametrize(("written", "waits"), rows(section("When a fire failed")).items())
def test_the_waits_before_each_retry_are_those_of_the_table(written, waits):
    retry = values.retry(written)
    delays = [retry.delay_ms(attempt) for attempt in range(1, retry.limit + 1)]
    assert delays == [duration.parse_ms(wait) for wait in waits.split(", ")]


def test_the_rows_say_which_directives_may_repeat():
    may_repeat = {name for name, row in rows(section("Supported")).items() if "ay repeat" in row}
    assert may_repeat == REPEATABLE & set(SUPPORTED)


def test_the_numbers_are_those_of_the_code():
    assert f"first {HEADER_BYTES // 1024} KiB" in TEXT
    assert f"more than {MOST_BYTES // 2**20} MiB" in TEXT
    assert f"at most {LONGEST_TIMEOUT_MS // 86_400_000} days" in TEXT
    assert f"from 1 to {MOST_RUNS}" in TEXT
    assert f"from 1 to {MOST_RETRIES}" in rows(section("Supported"))["retry"]
    assert f"1s to {LONGEST_RETRY_MS // 86_400_000}d" in rows(section("Supported"))["retry"]
    assert f"1s to {jitter.MAX_S // 3600}h" in rows(section("Supported"))["jitter"]
    assert f"from 1% to {limits.MOST_CPU_PERCENT}%" in rows(section("Supported"))["cpu"]
    assert f"from 1 to {limits.MOST_PIDS}" in rows(section("Supported"))["pids"]
    assert f"from {limits.LEAST_FILES} to {limits.MOST_FILES}" in rows(section("Supported"))["files"]
    assert f"from {limits.LEAST_MEMORY_BYTES >> 20}M" in rows(section("Supported"))["memory"]
    assert f"at most {expectations.MOST_PATTERN_CHARS} characters" in TEXT
    assert f"Up to {expectations.MOST_EXPECTATIONS} tests" in TEXT


@pytest.mark.parametrize("written", rows(section("What a run needs")))
def test_each_documented_requirement_is_one(written):
    (requirement,) = values.requirements(written, path="/srv/job")
    assert f"{requirement.kind}:{requirement.name}" == written


@pytest.mark.parametrize("written", rows(section("What a run has to bring about")))
def test_each_documented_expectation_is_one(written):
    assert expectations.read(written, directory="/").text == written


@pytest.mark.parametrize("example", re.findall(r"```\w+\n(.*?)```", TEXT, re.DOTALL))
def test_the_examples_can_be_registered(example, tmp_path):
    (tmp_path / "holidays.txt").write_text("12-25 Christmas Day\n")
    defaults = Defaults(calendars_dir=str(tmp_path))
    shelf = Shelf(defaults.calendars_dir, trusted_uids={os.geteuid()})
    source = Source(script="a", path="/a", sha256="", stamp=FileStamp(1, 2, 3))
    found = Registrar(defaults, shelf).register(read_header(example.encode()), source)
    assert isinstance(found.schedule, Schedule)
    assert found.warnings == ()
