"""docs/why.md says what the closed lists say, no more and no less."""

import re
from pathlib import Path

from schedd.insight.gaps import Only
from schedd.insight.verdict import Word

TEXT = (Path(__file__).parents[2] / "docs" / "why.md").read_text()


def told(heading: str) -> list[str]:
    """Return the first column of the first table behind a text."""
    lines = TEXT[TEXT.index(heading) :].splitlines()
    return [found[1] for line in lines if (found := re.match(r"\| `([a-z_]+)` \|", line))]


def test_every_verdict_is_described() -> None:
    assert told("## Verdicts")[: len(Word)] == [word.value for word in Word]


def test_every_choice_of_gaps_is_described() -> None:
    assert told("| `only` |")[-len(Only) :] == [only.value for only in Only]
