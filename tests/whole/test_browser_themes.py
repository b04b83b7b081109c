"""Every view can be used by everybody: in both themes, on a phone, without motion, with a screen reader."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.whole import browser, demo_world
from tests.whole.browser import Dashboard, Tab, Theme
from tests.whole.child import Child

Go = Callable[[str], Page]
Look = Callable[..., Go]
PLACES = {
    "overview": "#/",
    "schedules": "#/schedules",
    "timeline": "#/timeline",
    "load": "#/load",
    "history": "#/history",
    "script": "#/script/default/billing/sync-invoices.sh",
    "reload": "#/reload",
}
MOVING = """document.getAnimations().filter(each => each.playState === "running"
    && each.effect.getComputedTiming().activeDuration > 50)
    .map(each => each.animationName ?? each.transitionProperty)"""
BODY = "getComputedStyle(document.body).backgroundColor"
SMALL_TARGETS = """[...document.querySelectorAll("nav a, nav button, main button")].filter(each => {
    const { width, height } = each.getBoundingClientRect();
    return width && (width < 24 || height < 24);
}).map(each => each.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def dash(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Dashboard]:
    """Look at a world in which much happens; nothing here changes it, so the module has one."""
    child = Child(tmp_path_factory.mktemp("themes"))
    demo_world.build(child, int(time.time()), days=1)
    made = Dashboard(child.start(), chromium)
    demo_world.enliven(child)
    yield made
    made.close()
    child.close()


@pytest.fixture
def look(dash: Dashboard) -> Iterator[Look]:
    """Return a function that opens a profile, in which one goes from place to place."""
    tabs: list[Tab] = []

    def start(**profile: Any) -> Go:
        tabs.append(dash.new_tab(**profile))
        return lambda place: dash.open(place, tabs[0])

    yield start
    for tab in tabs:
        dash.tabs.remove(tab)
        tab.context.close()
        tab.check()


def each_view(dash: Dashboard) -> dict[str, str]:
    """Name all views; the run's is that of one in flight."""
    run_id = dash.child.ask("GET", "/api/v1/exec/runs")[1]["runs"][0]["runId"]
    return {**PLACES, "run": f"#/run/{run_id}"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_view(dash: Dashboard, look: Look, theme: Theme) -> None:
    go = look(theme=theme)
    found = {}
    for name, place in each_view(dash).items():
        found[name] = browser.axe(go(place))
    assert not any(found.values()), "\n".join(f"{name}: {x}" for name, them in found.items() for x in them)


def test_a_phone_shows_every_view_without_scrolling_sideways(dash: Dashboard, look: Look) -> None:
    go = look(phone=True)
    too_wide = {}
    for name, place in each_view(dash).items():
        too_wide[name] = browser.sideways(go(place))
    assert not any(too_wide.values()), too_wide


def test_what_can_be_touched_is_large_enough(look: Look) -> None:
    go = look(phone=True)
    page = go("#/")
    assert page.evaluate(SMALL_TARGETS) == []


def test_a_phone_has_a_menu_of_the_views_and_shows_the_state_of_the_link(look: Look) -> None:
    go = look(phone=True)
    page = go("#/")
    expect(page.get_by_text("live", exact=True)).to_be_in_viewport()
    menu, load = page.get_by_role("button", name="Menu"), page.get_by_role("link", name="Load", exact=True)
    expect(load).to_be_hidden()
    menu.click()
    expect(page.get_by_role("button", name="Sign out")).to_be_in_viewport()
    assert browser.axe(page) == []
    load.click()
    expect(page.get_by_role("heading", name="Load", level=1)).to_be_visible()
    expect(load).to_be_hidden()
    menu.click()
    page.keyboard.press("Escape")
    expect(load).to_be_hidden()
    expect(menu).to_be_focused()


def test_axe_finds_nothing_on_a_phone(look: Look) -> None:
    go = look(phone=True, theme="dark")
    for place in ("#/", "#/schedules", "#/timeline"):
        assert browser.axe(go(place)) == []


def test_who_wants_no_motion_gets_none(dash: Dashboard, look: Look) -> None:
    go = look(still=True)
    for place in each_view(dash).values():
        page = go(place)
        assert page.evaluate(MOVING) == []


def test_the_theme_follows_the_system_until_somebody_chooses_and_is_remembered(look: Look) -> None:
    go = look(theme="light")
    page = go("#/")
    light = page.evaluate(BODY)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(BODY)
    assert light != dark
    button = page.get_by_role("button", name="theme")
    seen = set()
    for _ in range(3):
        button.click()
        seen.add(page.evaluate(BODY))
    assert seen == {light, dark}
    chosen = page.evaluate(BODY)
    page.reload()
    browser.settled(page)
    assert page.evaluate(BODY) == chosen


def test_every_view_is_photographed_in_both_themes_and_widths(dash: Dashboard, look: Look) -> None:
    go = look()
    for name, place in each_view(dash).items():
        browser.shot(go(place), name)
        assert len(list(browser.SCREENSHOTS.glob(f"{name}-*-*.png"))) >= 4
