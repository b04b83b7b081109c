"""The page about the ledger names every key and every fact that there is."""

import re
import typing
from pathlib import Path

import msgspec
import pytest

from schedd.fire import REASONS, Entry, Kind, Reason, Status
from schedd.ledger.facts import AnyFact, Fact, LastOutcome

PAGE = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text()


def rows(heading: str) -> dict[str, str]:
    """Return the rows of the first table under a heading, by the name in their first column."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE))


def keys(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def test_every_key_of_an_entry_is_explained_in_its_order() -> None:
    assert list(rows("fires.log")) == keys(Entry)


def test_every_fact_is_explained_with_its_keys() -> None:
    documented = {
        name: re.findall(r"`(\w+)`", row.split(" | ")[0]) for name, row in rows("ledger.log").items()
    }
    facts: tuple[type[Fact], ...] = typing.get_args(AnyFact)
    assert documented == {str(fact.__struct_config__.tag): keys(fact) for fact in facts}


def test_the_keys_of_a_last_outcome_are_named() -> None:
    assert " ".join(f"`{key}`" for key in keys(LastOutcome)) in PAGE


@pytest.mark.parametrize(
    "status", [s for s in Status if any(r in Reason for r in REASONS[s]) or s is Status.OK]
)
def test_every_status_of_a_line_is_named(status: Status) -> None:
    assert f"`{status}`" in rows("fires.log")["status"]


def test_every_kind_is_named() -> None:
    assert re.findall(r"`(\w+)`", rows("fires.log")["kind"]) == list(Kind)


def test_the_example_is_an_entry() -> None:
    line = next(text for text in PAGE.split("\n") if text.startswith('{"ts"'))
    assert msgspec.json.encode(msgspec.json.decode(line, type=Entry)) == line.encode()
