"""The files of the dashboard: small, all from here, and those of others exactly as they were published."""

import hashlib
import re
from importlib import resources

from schedd.web import front

MOST_BYTES = 150 * 1_024
PAGE = resources.files("schedd.web") / "page"
NAMESPACES = {
    "http://www.w3.org/2000/svg",
    "http://www.w3.org/1998/Math/MathML",
    "http://www.w3.org/1999/xhtml",
}


def test_the_whole_page_is_small() -> None:
    assert sum(len(file.packed) for file in front.files().values()) < MOST_BYTES


def test_what_others_wrote_is_what_they_published() -> None:
    vendor = PAGE / "vendor"
    rows = [
        line.split()
        for line in (vendor / "PROVENANCE").read_text().splitlines()
        if re.search(r" [0-9a-f]{64}$", line)
    ]
    assert {row[0]: row[-1] for row in rows} == {
        found.name: hashlib.sha256(found.read_bytes()).hexdigest()
        for found in vendor.iterdir()
        if found.name != "PROVENANCE"
    }


def test_nothing_of_the_page_is_loaded_from_elsewhere() -> None:
    own = {name: file for name, file in front.files().items() if not name.startswith("vendor/")}
    found = {url for file in own.values() for url in re.findall(r"https?://[^\s\"'`)]+", file.plain.decode())}
    assert found - NAMESPACES == set()
