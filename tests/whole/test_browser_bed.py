"""The bed of the browser's tests catches what no page may do; a guard that cannot bark is none."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser

from tests.whole import browser
from tests.whole.browser import Tab

POLICY = "default-src 'none'; script-src 'self'; connect-src *; style-src 'self'"
SCRIPTS = {
    "raises": "throw new Error('by itself')",
    "complains": "console.error('so it is')",
    "asks": "fetch('http://192.0.2.7/elsewhere').catch(() => {})",
    "rewrites": "document.body.setAttribute('style', 'color: red')",
    "behaves": "document.body.append('fine')",
}
Visit = Callable[[str], Tab]


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.strip("/").removesuffix(".js")
        script = self.path.endswith(".js")
        page = f"<!doctype html><html lang=en><title>x</title><body><script src=/{name}.js></script>"
        body = (SCRIPTS[name] if script else page).encode()
        self.send_response(200 if name in SCRIPTS else 404)
        self.send_header("Content-Type", "text/javascript" if script else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Look at one of these pages."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        origin = f"http://127.0.0.1:{server.server_address[1]}"
        context = chromium.new_context()

        def look(name: str) -> Tab:
            tab = Tab(context, origin)
            tab.page.goto(f"{origin}/{name}", wait_until="load")
            tab.page.wait_for_timeout(200)
            return tab

        yield look
        context.close()
        server.shutdown()
        serving.join()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", "raised: by itself"),
        ("complains", "wrote to the console: so it is"),
        ("asks", "asked another host: http://192.0.2.7/elsewhere"),
        ("rewrites", "policy: style-src-attr inline"),
    ],
)
def test_what_no_page_may_do_fails_the_test_unless_it_is_forgiven(visit: Visit, name: str, said: str) -> None:
    tab = visit(name)
    with pytest.raises(AssertionError, match=said):
        tab.check()
    tab.forgive("itself|so it is|elsewhere|ERR_|policy|style")
    tab.check()


def test_a_page_that_behaves_passes(visit: Visit) -> None:
    tab = visit("behaves")
    tab.check()
    assert tab.page.inner_text("body") == "fine"


def test_axe_sees_what_is_wrong_under_a_strict_policy(visit: Visit) -> None:
    tab = visit("behaves")
    assert not any("image-alt" in each for each in browser.axe(tab.page))
    tab.page.evaluate("document.body.append(Object.assign(new Image(), {width: 9, height: 9}))")
    assert any("image-alt" in each for each in browser.axe(tab.page))
