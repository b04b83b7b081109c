"""docs/architecture.md names rooms and modules that there are, and no room is left out."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text()
PICTURE, ROOMS = TEXT.split("```")[1], TEXT.split("## Rooms")[1].split("```")[1]


def modules() -> set[str]:
    return {path.stem for path in (ROOT / "schedd").rglob("*.py")}


def test_each_file_that_is_named_exists() -> None:
    named = set(re.findall(r"\b(\w+)\.py\b", TEXT))
    tests = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    assert named - modules() - tests == set()


def test_each_room_is_shown() -> None:
    rooms = {path.parent.name for path in (ROOT / "schedd").glob("*/__init__.py")}
    assert rooms == set(re.findall(r"^  (\w+)/", ROOMS, re.MULTILINE))


def test_all_that_starts_or_feeds_something_is_in_the_picture() -> None:
    starts = ("process", "launcher", "nurseries", "node_hosts")
    feeds = ("watching", "metering", "vitals", "front", "feed", "lately")
    counts = ("history", "tally", "calendar", "load", "recent")
    for name in starts + feeds + counts:
        assert name in modules()
        assert re.search(rf"\b{name}\b", PICTURE), name


def test_the_page_is_in_the_picture() -> None:
    assert (ROOT / "schedd" / "web" / "page" / "index.html").is_file()
    assert "page/" in PICTURE
