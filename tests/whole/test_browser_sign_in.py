"""Who comes to the page has to show a token, which stays in the tab and in headers."""

import subprocess
import sys
from collections.abc import Callable

from playwright.sync_api import Request, expect

from tests.whole.browser import Dashboard, settled, token

Start = Callable[..., Dashboard]
SCRIPTS = {"shop/export.sh": "# @schedule 0 0 1 1 *\ntrue\n"}
DOOR = "status of 401 .*/api/v1/exec/runs"
"""What Chromium writes when the page asks whether it needs a token: before a trusted socket it needs none."""


def test_without_a_token_nothing_is_told_but_how_to_get_one(dashboard: Start) -> None:
    dash = dashboard(SCRIPTS)
    dash.tab.forgive(DOOR)
    dash.page.goto(dash.origin)
    expect(dash.page.get_by_label("Token")).to_be_focused()
    expect(dash.page.locator("body")).to_contain_text("schedd token add")
    expect(dash.page.locator("body")).not_to_contain_text("export")


def test_a_token_is_typed_in_and_the_page_opens(dashboard: Start) -> None:
    dash = dashboard(SCRIPTS)
    dash.tab.forgive(DOOR)
    page = dash.page
    page.goto(f"{dash.origin}/#/schedules")
    page.get_by_label("Token").fill(f" {dash.token}\n")
    page.keyboard.press("Enter")
    settled(page)
    expect(page.get_by_text("shop/export.sh").first).to_be_visible()
    assert page.url.endswith("#/schedules")


def test_a_wrong_token_is_refused_in_words_and_asked_for_again(dashboard: Start) -> None:
    dash = dashboard(SCRIPTS)
    dash.tab.forgive("401")
    page = dash.page
    page.goto(dash.origin)
    page.get_by_label("Token").fill("schedd_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("token")
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage).length") == 0


def test_a_token_in_the_address_is_taken_wiped_and_never_sent_in_one(dashboard: Start) -> None:
    dash = dashboard(SCRIPTS)
    asked: list[Request] = []

    def ask(request: Request) -> None:  # playwright writes on what it calls: no bound builtin will do
        asked.append(request)

    dash.page.on("request", ask)
    page = dash.open()
    assert dash.token not in page.url
    page.go_back()
    assert dash.token not in page.url
    assert not [each.url for each in asked if dash.token in each.url]
    assert [each for each in asked if each.headers.get("authorization") == f"Bearer {dash.token}"]


def test_a_reload_keeps_one_signed_in_and_another_profile_is_not(dashboard: Start) -> None:
    dash = dashboard(SCRIPTS)
    dash.open("#/schedules").reload()
    expect(dash.page.get_by_text("shop/export.sh").first).to_be_visible()
    other = dash.new_tab()
    other.forgive(DOOR)
    other.page.goto(f"{dash.origin}/#/schedules")
    expect(other.page.get_by_label("Token")).to_be_visible()


def test_a_token_that_is_revoked_leads_back_to_the_door(dashboard: Start) -> None:
    dash = dashboard(SCRIPTS)
    dash.tab.forgive("401")
    page = dash.open("#/schedules")
    revoke = ("token", "revoke", "browser", "--state-dir", str(dash.child.state))
    subprocess.run([sys.executable, "-m", "schedd", *revoke], check=True, capture_output=True, timeout=60)
    page.evaluate("location.hash = '#/history'")
    expect(page.get_by_label("Token")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("does not know this token")
    expect(page.locator("body")).not_to_contain_text("shop/export.sh")


def test_one_who_may_only_read_is_told_so_when_they_want_more(dashboard: Start) -> None:
    dash = dashboard(SCRIPTS)
    dash.tab.forgive("403")
    dash.token = token(dash.child, "reader", "read")
    page = dash.open("#/script/shop/export.sh")
    page.keyboard.press("t")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Run it now").click()
    expect(dialog).to_contain_text("trigger")
    assert not dash.child.lines()


def test_whoever_signs_out_leaves_nothing_behind(dashboard: Start) -> None:
    dash = dashboard(SCRIPTS)
    page = dash.open("#/schedules")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage).length") == 0
    expect(page.locator("body")).not_to_contain_text("shop/export.sh")
