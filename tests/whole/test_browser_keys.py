"""The keyboard reaches everything: search, move, open, trigger, help, the palette."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.whole.browser import Dashboard, settled

Start = Callable[..., Dashboard]
NEVER = "# @schedule 0 0 1 1 *\n"
SCRIPTS = {f"{name}.sh": f"{NEVER}true\n" for name in ("alpha", "beta", "gamma")}
FOCUS = """(() => {
    const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement);
    return outlineStyle + boxShadow;
})()"""
SELECTED = "[aria-selected=true], [aria-current=true], .is-selected"


@pytest.fixture
def dash(dashboard: Start) -> Dashboard:
    """Three scripts."""
    return dashboard(SCRIPTS)


def test_a_slash_goes_to_the_search_and_escape_out_of_it(dash: Dashboard) -> None:
    page = dash.open("#/schedules")
    page.keyboard.press("/")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    expect(search).to_have_value("")
    page.keyboard.type("bet/jk")
    expect(search).to_have_value("bet/jk")
    page.keyboard.press("Escape")
    expect(search).not_to_be_focused()


def test_a_slash_elsewhere_leads_to_the_schedules(dash: Dashboard) -> None:
    page = dash.open("#/load")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page).to_have_url(re.compile(r"#/schedules$"))
    page.keyboard.type("bet")
    expect(page.get_by_text("alpha.sh")).to_have_count(0)


def test_a_slash_in_a_view_with_a_search_stays_there(dash: Dashboard) -> None:
    page = dash.open("#/history")
    page.keyboard.press("/")
    field = page.get_by_label("Script", exact=True)
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(field).not_to_be_focused()
    expect(page).to_have_url(re.compile(r"#/history$"))


def test_j_and_k_move_and_enter_opens(dash: Dashboard) -> None:
    page = dash.open("#/schedules")
    page.keyboard.press("j")
    expect(page.locator(SELECTED).locator("visible=true").filter(has_text="alpha.sh")).not_to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"#/script/beta\.sh$"))


def test_j_moves_in_the_history_and_enter_opens_the_evidence(dash: Dashboard) -> None:
    for name in ("alpha.sh", "beta.sh"):
        dash.trigger(name, wait=True)
    page = dash.open("#/history")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    line = page.get_by_role("listitem").filter(has_text="alpha.sh").last
    expect(line.get_by_label("Evidence", exact=True)).to_be_visible()


def test_p_pauses_the_script_that_is_open_and_resumes_it(dash: Dashboard) -> None:
    page = dash.open("#/script/alpha.sh")
    page.keyboard.press("p")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Note").fill("the disk is being changed")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.locator("main")).to_contain_text("the disk is being changed")
    page.keyboard.press("p")
    expect(page.locator("main")).not_to_contain_text("the disk is being changed")
    assert dash.child.schedules("pauses")["pauses"] == []


def test_t_starts_the_selected_script_after_a_question(dash: Dashboard) -> None:
    page = dash.open("#/schedules")
    page.keyboard.press("j")
    page.keyboard.press("t")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("alpha.sh")
    assert not dash.child.lines()
    expect(dialog.get_by_role("button", name="Run it now")).to_be_focused()
    page.keyboard.press("Enter")
    dash.child.wait_for_lines(1, scriptPath="alpha.sh", kind="manual")
    expect(dialog).to_contain_text(re.compile("ended well|ok"))


def test_a_question_mark_lists_the_keys_and_escape_closes(dash: Dashboard) -> None:
    page = dash.open()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    for key in ("/", "j", "k", "t", "Ctrl"):
        expect(dialog).to_contain_text(key)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_the_palette_finds_a_script_and_opens_it(dash: Dashboard) -> None:
    page = dash.open()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("gam")
    expect(page.get_by_role("option").first).to_contain_text("gamma.sh")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("gamma"))
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_palette_goes_to_each_view(dash: Dashboard) -> None:
    page = dash.open()
    for word, place in (("timeline", "#/timeline"), ("history", "#/history"), ("reload", "#/reload")):
        page.keyboard.press("Control+k")
        page.keyboard.type(word)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(re.escape(place)))


def test_letters_in_a_field_are_text_and_no_commands(dash: Dashboard) -> None:
    page = dash.open("#/schedules")
    page.get_by_role("searchbox").fill("")
    page.keyboard.type("tj?k")
    expect(page.get_by_role("searchbox")).to_have_value("tj?k")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_tab_begins_with_a_way_past_the_navigation_and_focus_is_seen(dash: Dashboard) -> None:
    page = dash.open()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('a, button')")
    assert page.evaluate(FOCUS) != "nonenone"
    page.keyboard.press("Enter")
    settled(page)


def test_after_a_dialog_the_focus_is_where_it_was(dash: Dashboard) -> None:
    page = dash.open("#/script/alpha.sh")
    button = page.get_by_role("button", name="Run now")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
