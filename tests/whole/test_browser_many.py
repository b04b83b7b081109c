"""Ten thousand schedules: they are there, they scroll, and the one that is meant is found."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from bench import page as bench
from tests.whole import browser
from tests.whole.browser import Dashboard
from tests.whole.child import Child

MANY = 10_000
MOST_NODES = 4_000
"""Not half an element for each schedule: what is out of sight is not there."""
MOST_MEDIAN_MS = 200
"""Loose, for a busy machine; `python -m bench.page` measures."""


@pytest.fixture(scope="module")
def dash(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Dashboard]:
    """Look at that many; the daemon takes seconds to start, so the module has one."""
    child = Child(tmp_path_factory.mktemp("many"))
    bench.populate(child, MANY)
    made = Dashboard(child.start(), chromium)
    yield made
    made.close()
    child.close()


def test_all_are_counted_and_few_are_in_the_document(dash: Dashboard) -> None:
    page = dash.open("#/schedules")
    browser.until(page, bench.USABLE)
    expect(page.locator("main")).to_contain_text(re.compile("10[,\u202f\u2009 .]?000"))
    assert page.evaluate("document.querySelectorAll('*').length") < MOST_NODES
    height = page.evaluate("document.documentElement.scrollHeight")
    assert height > MANY * 20, "the scroll bar tells how many there are"


def test_they_scroll_to_the_end_at_speed(
    dash: Dashboard, record_property: Callable[[str, object], None]
) -> None:
    page = dash.open("#/schedules")
    browser.until(page, bench.USABLE)
    found = bench.scroll(page, seconds=2)
    for name, value in (("median", found.quantile(0.5)), ("p99", found.quantile(0.99))):
        record_property(f"frame_{name}_ms", round(value, 1))
    assert found.most_nodes < MOST_NODES
    assert found.quantile(0.5) < MOST_MEDIAN_MS
    page.keyboard.press("End")
    expect(page.get_by_text("job-09999.sh").first).to_be_in_viewport()


def test_a_search_finds_the_one_at_once(dash: Dashboard) -> None:
    page = dash.open("#/schedules")
    browser.until(page, bench.USABLE)
    page.keyboard.press("/")
    page.keyboard.type("job-07311")
    expect(page.locator(".windowed-row")).to_have_count(1)
    expect(page.locator(".windowed-row")).to_contain_text("group-073/job-07311.sh")
    page.get_by_role("searchbox").fill("")
    browser.until(page, bench.USABLE)


def test_a_change_of_one_is_seen_among_all(dash: Dashboard) -> None:
    page = dash.open("#/schedules")
    page.get_by_role("searchbox").fill("job-00042")
    row = page.locator(".windowed-row")
    expect(row).to_have_count(1)
    dash.trigger("group-000/job-00042.sh", wait=True)
    expect(row.locator(".status, .spark g").first).to_contain_text("ok")


def test_the_palette_finds_one_of_them(dash: Dashboard) -> None:
    page = dash.open("#/")
    page.keyboard.press("Control+k")
    page.keyboard.type("job-04711")
    expect(page.get_by_role("option").first).to_contain_text("job-04711.sh")
    page.keyboard.press("Escape")


def test_other_views_stand_as_many_too(dash: Dashboard) -> None:
    for place in ("#/", "#/timeline", "#/load"):
        page = dash.open(place)
        assert page.evaluate("document.querySelectorAll('*').length") < MOST_NODES
