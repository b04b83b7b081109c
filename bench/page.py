"""The page with 10,000 schedules: its size, when it is there, when it can be used, how it scrolls.

`python -m bench.page` starts a daemon with so many scripts and looks at it with the Chromium of the tests.
All is on one machine, so the network costs nothing; the daemon and the browser share the processor.

"There" is the first contentful paint of the signed-in page, cold; "can be used" is when the rows of the
schedules are drawn and the main thread answers a key. While it scrolls, each frame's length is taken from
requestAnimationFrame: without a screen the browser draws 60 frames a second at most.
"""

import gzip
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from bench import results
from tests.whole import browser
from tests.whole.browser import Dashboard
from tests.whole.child import Child

SECTION = "Page"
SCRIPTS = 10_000
ROUNDS = 5
PAGE = Path(__file__).parent.parent / "schedd" / "web" / "page"
USABLE = "document.querySelectorAll('.windowed-row').length > 10"
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
SCROLL = """async (seconds) => {
    const frames = [];
    const end = performance.now() + seconds * 1000;
    let before = performance.now(), most = 0;
    while (performance.now() < end) {
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        frames.push(now - before);
        before = now;
        scrollBy(0, 400);
        if (scrollY + innerHeight + 2 >= document.documentElement.scrollHeight) scrollTo(0, 0);
        most = Math.max(most, document.querySelectorAll("*").length);
    }
    return { frames: frames.slice(2), most, heapBytes: performance.memory?.usedJSHeapSize ?? 0 };
}"""


@dataclass(frozen=True, slots=True)
class Load:
    """One cold load, in milliseconds."""

    paint_ms: float
    usable_ms: float


@dataclass(frozen=True, slots=True)
class Scroll:
    """Some seconds of scrolling."""

    frames_ms: list[float]
    most_nodes: int
    heap_bytes: int

    def quantile(self, share: float) -> float:
        """Return the length that so many of the frames do not exceed, in milliseconds."""
        return sorted(self.frames_ms)[min(len(self.frames_ms) - 1, int(share * len(self.frames_ms)))]


def populate(child: Child, count: int) -> None:
    """Write so many scripts, in folders of a hundred, that come due at all hours."""
    for number in range(count):
        when = f"{number % 60} {number // 60 % 24} * * *"
        text = f"#!/bin/sh\n# @schedule {when}\n# @tags team-{number % 7}\ntrue\n"
        child.write(f"group-{number // 100:03}/job-{number:05}.sh", text)


def load(dash: Dashboard) -> Load:
    """Open the schedules in a new profile."""
    tab = dash.new_tab()
    page = tab.page
    page.add_init_script(f"sessionStorage.setItem('schedd.token', {dash.token!r})")
    begun = time.perf_counter()
    page.goto(f"{dash.origin}/#/schedules", wait_until="commit")
    browser.until(page, USABLE, within_ms=60_000)
    page.keyboard.press("/")
    browser.until(page, "document.activeElement.matches('input')")
    usable_ms = (time.perf_counter() - begun) * 1000
    paint_ms = float(page.evaluate(PAINT))
    tab.context.close()
    return Load(paint_ms, usable_ms)


def scroll(page: Page, *, seconds: float = 4) -> Scroll:
    """Scroll a list as fast as somebody with a wheel would not."""
    found: dict[str, Any] = page.evaluate(SCROLL, seconds)
    return Scroll(found["frames"], found["most"], found["heapBytes"])


def compressed() -> Iterator[tuple[str, int, int]]:
    """Yield each file of the page, its size, and its size on the wire."""
    for path in sorted(PAGE.rglob("*")):
        if path.is_file() and path.suffix in (".html", ".css", ".js", ".mjs", ".svg"):
            data = path.read_bytes()
            yield str(path.relative_to(PAGE)), len(data), len(gzip.compress(data, 9))


def measure(started: Browser) -> str:
    """Return the table."""
    with tempfile.TemporaryDirectory(prefix="schedd-page-") as base:
        child = Child(Path(base))
        try:
            populate(child, SCRIPTS)
            child.start()
            dash = Dashboard(child, started)
            loads = [load(dash) for _ in range(ROUNDS)]
            page = dash.open("#/schedules")
            browser.until(page, USABLE, within_ms=60_000)
            return table(loads, scroll(page), _list_bytes(dash))
        finally:
            child.close()


def _list_bytes(dash: Dashboard) -> int:
    headers = {"Authorization": f"Bearer {dash.token}", "Accept-Encoding": "gzip"}
    url = f"{dash.origin}/api/v1/exec/schedules/list"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        return len(answer.read())


def table(loads: list[Load], scrolled: Scroll, list_bytes: int) -> str:
    """Write what was found."""
    files = list(compressed())
    of = statistics.median
    rows = [
        (
            "the whole page, compressed",
            f"{sum(each[2] for each in files) / 1024:.1f} KiB in {len(files)} files",
        ),
        ("uncompressed", f"{sum(each[1] for each in files) / 1024:.0f} KiB"),
        (f"the list of {SCRIPTS:,} on the wire", f"{list_bytes / 1024:,.0f} KiB"),
        ("first contentful paint, cold", f"{of(x.paint_ms for x in loads):.0f} ms"),
        (f"rows drawn and a key answered, {SCRIPTS:,} schedules", f"{of(x.usable_ms for x in loads):.0f} ms"),
        ("a frame while it scrolls: median", f"{scrolled.quantile(0.5):.1f} ms"),
        ("99 of 100 frames within", f"{scrolled.quantile(0.99):.1f} ms"),
        ("the longest frame", f"{max(scrolled.frames_ms):.0f} ms"),
        (
            "frames longer than 50 ms",
            f"{sum(x > 50 for x in scrolled.frames_ms)} of {len(scrolled.frames_ms)}",
        ),
        ("elements in the document, at most", f"{scrolled.most_nodes:,}"),
        ("memory of its JavaScript", f"{scrolled.heap_bytes / 1e6:.0f} MB"),
    ]
    head = [
        f"{SCRIPTS:,} schedules in headless Chromium on the daemon's machine; `python -m bench.page`:",
        "",
    ]
    return "\n".join(
        [*head, "| what | figure |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows)]
    )


def main() -> None:
    """Measure, show and keep."""
    with browser.chromium() as started:
        text = measure(started)
    print(text)
    results.keep(text, section=SECTION)


if __name__ == "__main__":
    main()
