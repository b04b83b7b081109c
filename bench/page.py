"""The page with 10,000 schedules: its size, when it is there, when it can be used, how it moves.

`python -m bench.page` starts a daemon with so many scripts, each with a past of some days, and looks at it
with the Chromium of the tests. All is on one machine, so the network costs nothing; the daemon and the
browser share the processor.

"There" is the first contentful paint of the signed-in page, cold; "drawn" is when what the view is for is
there, and the main thread answers a key. While it moves, each frame's length is taken from
requestAnimationFrame: without a screen the browser draws 60 frames a second at most.
"""

import gzip
import random
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from bench import __main__ as bench
from bench.row import Row
from schedd.fire import Entry, Fire, Kind, Outcome, Reason, RunId, Status, ran
from schedd.host import identity
from schedd.ledger.facts import Down, Ended, Up, Watermark, encode
from schedd.timetable.instant import Slot
from tests.whole import browser
from tests.whole.browser import Dashboard
from tests.whole.child import Child

PART = "page"
SCRIPTS = 10_000
ROUNDS = 5
DAYS = 5
SLOW_MS = 50
FAILED_SHARE = 0.02
BUDGET_BYTES = 150 * 1024
PAGE = Path(__file__).parent.parent / "schedd" / "web" / "page"
USABLE = "document.querySelectorAll('.windowed-row').length > 10"
VERDICT = "!!document.querySelector('.lookout:not([aria-busy])')"
DRAWN = "!!document.querySelector('.timeline:not([aria-busy=true]) .timeline-row canvas')"
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
MOVE = """async ([seconds, key]) => {
    const frames = [];
    const end = performance.now() + seconds * 1000;
    let before = performance.now(), most = 0;
    while (performance.now() < end) {
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        frames.push(now - before);
        before = now;
        if (key) {
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        } else {
            scrollBy(0, 400);
            if (scrollY + innerHeight + 2 >= document.documentElement.scrollHeight) scrollTo(0, 0);
        }
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
class Moved:
    """Some seconds of scrolling, or of a key that is held down."""

    frames_ms: list[float]
    most_nodes: int
    heap_bytes: int

    def quantile(self, share: float) -> float:
        """Return the length that so many of the frames do not exceed, in milliseconds."""
        return sorted(self.frames_ms)[min(len(self.frames_ms) - 1, int(share * len(self.frames_ms)))]


def populate(child: Child, count: int) -> None:
    """Write so many scripts, in folders of a hundred, that come due at all hours."""
    for number in range(count):
        text = f"#!/bin/sh\n# @schedule {_when(number)}\n# @tags team-{number % 7}\ntrue\n"
        child.write(_script(number), text)


def age(child: Child, count: int, now_s: int) -> None:
    """Write the past of so many scripts: a line for each day, some of which failed."""
    draw = random.Random(count)
    new_run_id = identity.run_ids(draw.getrandbits)
    midnight = now_s // 86_400 * 86_400
    due = (
        (midnight - day * 86_400 + number % 1440 * 60, number)
        for day in range(DAYS)
        for number in range(count)
    )
    entries = [_line(slot, number, new_run_id, draw) for slot, number in sorted(due) if slot < now_s - 60]
    facts = [
        Up(at=(now_s - DAYS * 86_400) * 1000, boot_id="0", version="1"),
        *(Ended(entry=x) for x in entries),
    ]
    facts += [Watermark(slot=Slot(now_s)), Down(at=now_s * 1000, why="SIGTERM")]
    child.state.mkdir(exist_ok=True)
    (child.state / "fires.log").write_bytes(b"".join(map(encode, entries)))
    (child.state / "ledger.log").write_bytes(b"".join(map(encode, facts)))


def _line(slot: int, number: int, new_run_id: Callable[[int], RunId], draw: random.Random) -> Entry:
    failed, took_ms = draw.random() < FAILED_SHARE, draw.randrange(20, 90_000)
    started_ms = slot * 1000 + 5
    outcome = Outcome(
        status=Status.ERROR if failed else Status.OK,
        reason=Reason.EXIT if failed else None,
        error="exit code 1" if failed else None,
        started_ms=started_ms,
        ended_ms=started_ms + took_ms,
        duration_ms=took_ms,
        exit_code=int(failed),
    )
    fire = Fire(new_run_id(started_ms), _script(number), _when(number), Kind.SCHEDULE, Slot(slot))
    return ran(fire, outcome, host="bench")


def _script(number: int) -> str:
    return f"group-{number // 100:03}/job-{number:05}.sh"


def _when(number: int) -> str:
    return f"{number % 60} {number // 60 % 24} * * *"


def load(dash: Dashboard, place: str, usable: str) -> Load:
    """Open a view in a new profile."""
    tab = dash.new_tab()
    page = tab.page
    page.add_init_script(f"sessionStorage.setItem('schedd.token', {dash.token!r})")
    begun = time.perf_counter()
    page.goto(f"{dash.origin}/{place}", wait_until="commit")
    browser.until(page, usable, within_ms=60_000)
    page.keyboard.press("/")
    browser.until(page, "document.activeElement.matches('input')")
    usable_ms = (time.perf_counter() - begun) * 1000
    paint_ms = float(page.evaluate(PAINT))
    tab.context.close()
    return Load(paint_ms, usable_ms)


def scroll(page: Page, *, seconds: float = 4) -> Moved:
    """Scroll a list as fast as somebody with a wheel would not."""
    return _moved(page, seconds, None)


def hold(page: Page, key: str, *, seconds: float = 4) -> Moved:
    """Press a key in every frame."""
    return _moved(page, seconds, key)


def _moved(page: Page, seconds: float, key: str | None) -> Moved:
    found: dict[str, Any] = page.evaluate(MOVE, [seconds, key])
    return Moved(found["frames"], found["most"], found["heapBytes"])


def compressed() -> Iterator[tuple[str, int, int]]:
    """Yield each file of the page, its size, and its size on the wire."""
    for path in sorted(PAGE.rglob("*")):
        if path.is_file() and path.suffix in (".html", ".css", ".js", ".mjs", ".svg"):
            data = path.read_bytes()
            yield str(path.relative_to(PAGE)), len(data), len(gzip.compress(data, 9))


def rows() -> Iterator[Row]:
    """Measure."""
    yield from _sizes()
    with tempfile.TemporaryDirectory(prefix="schedd-page-") as base, browser.chromium() as started:
        child = Child(Path(base))
        try:
            populate(child, SCRIPTS)
            age(child, SCRIPTS, int(time.time()))
            child.start()
            dash = Dashboard(child, started)
            yield from _with_many(dash)
            dash.close()
        finally:
            child.close()


def _sizes() -> Iterator[Row]:
    files = list(compressed())
    wire, whole = sum(each[2] for each in files), sum(each[1] for each in files)
    ratio = f"{wire / BUDGET_BYTES:.2f} × 150 KiB"
    yield Row(PART, f"the whole page on the wire, {len(files)} files", f"{wire / 1024:.1f} KiB", ratio=ratio)
    yield Row(PART, "the same, not compressed", f"{whole / 1024:.0f} KiB")


def _with_many(dash: Dashboard) -> Iterator[Row]:
    yield Row(PART, f"the list of {SCRIPTS:,} on the wire", f"{_list_bytes(dash) / 1024:,.0f} KiB")
    for name, place, usable in (("overview", "#/", VERDICT), ("schedules", "#/schedules", USABLE)):
        loads = [load(dash, place, usable) for _ in range(ROUNDS)]
        yield _times(f"{name}, cold: first contentful paint", [each.paint_ms for each in loads])
        yield _times(f"{name}, cold: drawn, and a key answered", [each.usable_ms for each in loads])
    page = dash.open("#/schedules")
    browser.until(page, USABLE, within_ms=60_000)
    yield from _frames("schedules, scrolling", scroll(page))
    page = dash.open("#/timeline")
    browser.until(page, DRAWN, within_ms=60_000)
    yield from _frames("timeline, scrolling", scroll(page))
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1500)
    yield from _frames("timeline, moving sideways", hold(page, "ArrowLeft", seconds=3))


def _times(what: str, found_ms: list[float]) -> Row:
    median, least, most = statistics.median(found_ms), min(found_ms), max(found_ms)
    return Row(PART, what, f"{median:.0f} ms", f"{least:.0f} ms", f"{most:.0f} ms")


def _frames(what: str, moved: Moved) -> Iterator[Row]:
    longest = f"{max(moved.frames_ms):.0f} ms"
    yield Row(
        PART, f"{what}: a frame", f"{moved.quantile(0.5):.1f} ms", f"{min(moved.frames_ms):.1f} ms", longest
    )
    yield Row(PART, f"{what}: 99 of 100 frames within", f"{moved.quantile(0.99):.1f} ms")
    slow = sum(each > SLOW_MS for each in moved.frames_ms)
    yield Row(PART, f"{what}: frames over {SLOW_MS} ms", f"{slow} of {len(moved.frames_ms)}")
    yield Row(PART, f"{what}: elements, at most", f"{moved.most_nodes:,}")
    yield Row(PART, f"{what}: memory of the JavaScript", f"{moved.heap_bytes / 1e6:.0f} MB")


def _list_bytes(dash: Dashboard) -> int:
    headers = {"Authorization": f"Bearer {dash.token}", "Accept-Encoding": "gzip"}
    url = f"{dash.origin}/api/v1/exec/schedules/list"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        return len(answer.read())


if __name__ == "__main__":
    bench.run(PART)
