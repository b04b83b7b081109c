"""The file of the results: what `make bench` measured, and a section for each measurement that takes longer.

Each is written without the others, so that one does not wipe out what took hours.
"""

import re
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


def keep(text: str, *, section: str = "", path: Path = RESULTS) -> None:
    """Put the text of a section in its place, or at the end; without a name it is all before the first."""
    old = path.read_text() if path.exists() else "# Results\n"
    begin, *rest = re.split(r"^## ", old, flags=re.MULTILINE)
    parts = {"": begin} | {title: body for title, _, body in (each.partition("\n") for each in rest)}
    parts[section] = text
    begin = parts.pop("").strip()
    path.write_text("\n\n".join([begin, *(f"## {each}\n\n{parts[each].strip()}" for each in parts)]) + "\n")
