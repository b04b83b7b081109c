"""Names, tags, notes and errors are text: whatever they hold is shown, and none of it becomes the page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.whole import browser
from tests.whole.browser import Dashboard

Start = Callable[..., Dashboard]
IMAGE = "<img src=x onerror=document.title='owned'>"
SCRIPT = "<script>document.title='owned'</script>"
ATTRIBUTE = "\" autofocus onfocus=\"document.title='owned'"
LINK = "javascript:document.title='owned'"
NAME = f"{IMAGE}.sh"
TEXT = f"""# @schedule 0 0 1 1 *
# @label {SCRIPT}
# @description {IMAGE} {ATTRIBUTE}
# @tags <b>tag</b>, {LINK}
echo "{SCRIPT}" >&2
exit 3
"""
PLACES = ("#/", "#/schedules", "#/timeline", "#/load", "#/history", "#/reload")


@pytest.fixture
def dash(dashboard: Start) -> Dashboard:
    """A script that is hostile in every word, failed once, and is paused with a hostile note."""
    made = dashboard({NAME: TEXT, "spaces and 'quotes' & more.sh": "# @schedule 0 0 1 1 *\ntrue\n"})
    made.trigger(NAME, wait=True)
    note = {"scriptPath": NAME, "note": f"{IMAGE}{SCRIPT}"}
    made.child.schedules("pause", method="POST", body=note)
    return made


def is_clean(page: Page) -> None:
    """Nothing of what was said became an element, and nothing of it ran."""
    assert page.title() != "owned"
    assert (
        page.locator(
            "body img, body script:not([src]):not([type=importmap]), main b:not([class]), a[href^=javascript]"
        ).count()
        == 0
    )
    assert page.locator("[onerror], [onfocus], [autofocus][onfocus]").count() == 0


def test_no_view_makes_markup_of_what_scripts_say(dash: Dashboard) -> None:
    page = dash.open()
    for place in PLACES:
        dash.open(place)
        is_clean(page)
    expect(page.locator("body")).to_be_visible()


def test_a_hostile_name_is_shown_as_it_is_and_can_be_followed(dash: Dashboard) -> None:
    page = dash.open("#/schedules")
    page.locator("main a[href*='script/']", has_text="onerror").first.click()
    expect(page.locator("main")).to_contain_text(IMAGE)
    expect(page.locator("main")).to_contain_text("<b>tag</b>")
    is_clean(page)


def test_the_palette_and_its_dialogs_show_text(dash: Dashboard) -> None:
    page = dash.open()
    page.keyboard.press("Control+k")
    page.keyboard.type("onerror")
    expect(page.get_by_role("option").first).to_contain_text("onerror")
    is_clean(page)


def test_a_hostile_search_in_the_address_is_only_searched_for(dash: Dashboard) -> None:
    page = dash.open("#/schedules?q=%3Cimg%20src%3Dx%20onerror%3Ddocument.title%3D1%3E")
    is_clean(page)
    dash.open("#/history?scriptPath=%22%3E%3Cscript%3Edocument.title%3D'owned'%3C%2Fscript%3E")
    is_clean(page)
    dash.tab.forgive("404 .*schedules/script")
    dash.open(f"#/script/{'%3Cb%3Enone%3C%2Fb%3E'}")
    is_clean(page)


def test_the_answer_of_the_page_itself_allows_nothing_inline(dash: Dashboard) -> None:
    answer = dash.page.goto(dash.origin)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert browser.sideways(dash.page) == 0
