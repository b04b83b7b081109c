"""The dashboard in a real browser: one Chromium for a module, a new profile for each test, and no mercy.

A test fails by itself on whatever no page may do: ask another host for something, raise an error, break its
own content security policy, write an error to the console. `Tab.forgive` names the ones that a test is about.

The browser is the system's: playwright only steers it, and downloads nothing. Its calls are the blocking
ones, which read best in a test; they keep an event loop in the thread for as long as playwright lives. Tests
with a loop of their own would trip over it, so it lives for one module, and modules with a browser have none
of those.

Rejected: playwright's asynchronous calls (an `await` before each word; waiting for a daemon blocks them).
"""

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from schedd.web import tokens
from tests.whole.child import Child

CHROMIUM = ("chromium", "google-chrome", "google-chrome-stable", "chrome")
"""What it is called where; chromium-browser is left out, since Ubuntu's only asks for a snap."""
SCREENSHOTS = Path(__file__).parent.parent.parent / "var" / "screenshots"
ZONE = "America/New_York"
"""Where the one who looks is: five hours from the zone of most scripts, so that the two are told apart."""
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
SEEN_WITHIN_MS = 8_000
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions"),
    # Whatever is asked for by name beside the page itself is not found, instead of being waited for.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--force-color-profile=srgb",
)
WATCH_POLICY = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`))"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
Theme = Literal["light", "dark"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser, and end it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def executable() -> str:
    """Return the path of this machine's Chromium; CHROMIUM names another one."""
    named = os.environ.get("CHROMIUM")
    for name in [named] if named else CHROMIUM:
        if found := shutil.which(name):
            return found
    raise FileNotFoundError("No Chromium here. Run .ci/browser.sh, which says how to get one.")


class Tab:
    """One page in a browser profile of its own, and what it did that it must not do."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.context = context
        self.origin = origin
        self.page: Page = context.new_page()
        self.page.set_default_timeout(SEEN_WITHIN_MS)
        self.page.add_init_script(WATCH_POLICY)
        self.page.on("request", self._asked)
        self.page.on("console", self._wrote)
        self.page.on("pageerror", lambda error: self.sins.append(f"raised: {error}"))
        self.sins: list[str] = []
        self._forgiven: list[str] = []

    def forgive(self, pattern: str) -> None:
        """Let the page do what a test makes it do: a regular expression over the sentence."""
        self._forgiven.append(pattern)

    def check(self) -> None:
        """Fail if the page did something that no page may do."""
        bad = [each for each in self.sins if not any(re.search(one, each) for one in self._forgiven)]
        assert not bad, "\n".join(bad)

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.sins.append(f"asked another host: {request.url}")

    def _wrote(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.sins.append(f"wrote to the console: {message.text} ({message.location.get('url', '')})")


class Dashboard:
    """A real daemon with real scripts, and somebody who is signed in and looks at it."""

    def __init__(self, child: Child, browser: Browser, **profile: Any) -> None:
        self.child = child
        self.browser = browser
        self.token = token(child)
        self.origin = child.url()
        self.tabs: list[Tab] = []
        self.tab = self.new_tab(**profile)

    @property
    def page(self) -> Page:
        """The page of the first tab."""
        return self.tab.page

    def new_tab(
        self, *, theme: Theme = "light", phone: bool = False, still: bool = False, zone: str = ZONE
    ) -> Tab:
        """Open another profile; `still` is of one who wants no motion."""
        context = self.browser.new_context(
            viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
            color_scheme=theme,
            reduced_motion="reduce" if still else "no-preference",
            timezone_id=zone,
            locale="en-GB",
            has_touch=phone,
            is_mobile=phone,
            permissions=["clipboard-read", "clipboard-write"],
        )
        tab = Tab(context, self.origin)
        self.tabs.append(tab)
        return tab

    def open(self, place: str = "#/", tab: Tab | None = None) -> Page:
        """Sign in by the address, go to a place, and wait until the page is drawn and live."""
        page = (tab or self.tab).page
        if not page.url.startswith(self.origin):
            page.goto(f"{self.origin}/#token={self.token}")
            until(page, "!location.hash.includes('token=')")
        page.evaluate("place => { location.hash = place }", place)
        settled(page)
        return page

    def restart(self) -> None:
        """Start the daemon again where the page expects it, after it has gone."""
        self.child.start(f"--listen={urlsplit(self.origin).netloc}")

    def trigger(self, script: str, **more: object) -> dict[str, Any]:
        """Start a script beside the page, as another person would; return the answer."""
        return trigger(self.child, script, **more)

    def close(self) -> None:
        """Close the profiles, stop what runs, and then look at what the profiles did."""
        for tab in self.tabs:
            tab.context.close()
        calm(self.child)
        for tab in self.tabs:
            tab.check()


def settled(page: Page) -> None:
    """Wait until nothing more is being fetched for what is seen: the page says so itself."""
    expect(page.locator("main")).to_be_visible()
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)


def until(page: Page, expression: str, *, within_ms: int = SEEN_WITHIN_MS) -> None:
    """Wait until an expression holds; asked from here, since the policy forbids the page to eval it twice."""
    last = time.monotonic() + within_ms / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < last, f"never so: {expression}"
        page.wait_for_timeout(15)


def trigger(child: Child, script: str, **more: object) -> dict[str, Any]:
    """Start a script without waiting for its end; return the answer."""
    asked = {"scriptPath": script, "wait": False, **more}
    status, answer = child.ask("POST", "/api/v1/exec/schedules/trigger", asked)
    assert status < 300, answer
    return dict(answer)


def calm(child: Child) -> None:
    """Stop all runs, so that none outlives the daemon."""
    if child.process is None or child.process.poll() is not None:
        return
    for each in child.ask("GET", "/api/v1/exec/runs")[1]["runs"]:
        child.ask("POST", f"/api/v1/exec/runs/{each['runId']}/stop")


def token(child: Child, name: str = "browser", scopes: str = "read,trigger,admin") -> str:
    """Make a token as `schedd token add` does, without an interpreter of its own each time; return it."""
    now_ms = int(time.time() * 1000)
    return tokens.add(str(child.state), name, scopes=scopes.split(","), now_ms=now_ms)


def shot(page: Page, name: str, *, into: Path = SCREENSHOTS) -> None:
    """Write what is seen to NAME-{light,dark}-{desk,phone}.png; the folder is not part of the repository."""
    into.mkdir(parents=True, exist_ok=True)
    size = page.viewport_size
    for width, view in (("desk", DESK), ("phone", PHONE)):
        page.set_viewport_size(view)  # type: ignore[arg-type]
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            # Two frames: one in which the new size is seen by the page, one in which it has answered.
            page.evaluate(
                "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            page.screenshot(path=into / f"{name}-{theme}-{width}.png", animations="disabled")
    page.emulate_media(color_scheme="light")
    if size is not None:
        page.set_viewport_size(size)


def sideways(page: Page) -> int:
    """By how many pixels the page has to be scrolled to the side; nobody wants to."""
    # Less than none is the room that is kept for a scroll bar.
    return max(0, int(page.evaluate(SIDEWAYS)))


def axe(page: Page) -> list[str]:
    """Every violation of WCAG 2.2 A and AA and of axe's best practices, with the elements."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(_axe_source())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{each['id']} ({each['impact']}): {each['help']}\n  {node['html'][:200]}\n  {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"][:5]
    ]


@cache
def _axe_source() -> str:
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def scripts(child: Child, texts: Mapping[str, str]) -> None:
    """Write scripts by name; one without a first line of its own is a shell script."""
    for name, text in texts.items():
        child.write(name, text if text.startswith("#!") else f"#!/bin/sh\n{text}").chmod(0o755)
