"""The modules of the dashboard: none is found out about only by reading another one."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "schedd" / "web" / "page"
IMPORT = re.compile(r'^(?:import|export)\b[^;]*?from "(\./[^"]+)"', re.MULTILINE)
PRELOADED = re.compile(r'<link rel="modulepreload" href="/page/([^"]+)">')


def imports(name: str, found: set[str]) -> set[str]:
    """Return the modules that one needs, and those need, with itself."""
    if name not in found:
        found.add(name)
        for path in IMPORT.findall((PAGE / name).read_text()):
            imports(str((PAGE / name).parent.joinpath(path).resolve().relative_to(PAGE)), found)
    return found


def test_all_that_every_view_needs_is_asked_for_at_once() -> None:
    needed = imports("main.js", set()) - {"main.js"}
    index = (PAGE / "index.html").read_text()
    preloaded = PRELOADED.findall(index)
    # The map says where the vendored modules find preact, and has to stand before the first module.
    assert set(preloaded) == needed | {"vendor/preact.mjs"}
    assert index.index("importmap") < index.index("modulepreload")
