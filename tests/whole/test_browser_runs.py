"""What a person does to scripts and runs on the page: start, watch, stop, pause, replay, reload."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.whole import browser
from tests.whole.browser import Dashboard

Start = Callable[..., Dashboard]

NEVER = '# @schedule "0 0 1 1 *"\n'
"""Due so rarely that only a test starts it."""
HOSTILE = '<img src=x onerror="document.title=1">'
MARKUP = f"""{NEVER}# @label <b>bold</b>
# @description <script>document.title="owned"</script>
echo '<script>document.title="owned"</script>{HOSTILE}'
printf '\\033[31mred\\033[0m \\033]0;owned\\007plain\\n'
exit 3
"""


def term(page: Page) -> Locator:
    return page.get_by_role("log", name="Output of the run")


def run_page(dash: Dashboard, script: str, **more: object) -> Page:
    """Start a script beside the page and open the page of its run."""
    run_id = dash.trigger(script, **more)["runId"]
    return dash.open(f"#/run/{run_id}")


def registered(dash: Dashboard) -> set[str]:
    return {item["scriptRel"] for item in dash.child.schedules("list")["schedules"]}


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def test_the_output_of_a_run_appears_as_it_is_printed(dashboard: Start) -> None:
    waits = f"{NEVER}echo first\nuntil [ -e go ]; do sleep 0.05; done\necho second\n"
    dash = dashboard({"a.sh": waits})
    page = run_page(dash, "a.sh")
    expect(term(page)).to_contain_text("first")
    expect(term(page)).not_to_contain_text("second")
    (dash.child.scripts / "go").touch()
    expect(term(page)).to_contain_text("second")
    expect(page.locator(".page-sub")).to_contain_text("ok")
    expect(page.get_by_text("Evidence", exact=True)).to_be_visible()


def test_the_box_of_the_output_is_as_high_as_its_lines_up_to_a_limit(dashboard: Start) -> None:
    dash = dashboard({"one.sh": f"{NEVER}echo one line\n", "many.sh": f"{NEVER}seq 2000\n"})
    heights = []
    for name in ("one.sh", "many.sh"):
        page = dash.open(f"#/run/{dash.trigger(name, wait=True)['runId']}")
        expect(page.get_by_role("log")).to_contain_text({"one.sh": "one line", "many.sh": "2000"}[name])
        heights.append(page.get_by_role("log").evaluate("box => box.clientHeight / innerHeight"))
    assert heights[0] < 0.15
    assert 0.4 < heights[1] < 0.7


def test_markup_in_names_and_output_stays_text(dashboard: Start) -> None:
    name = "<img src=x onerror=alert(1)>.sh"
    dash = dashboard({name: MARKUP})
    page = run_page(dash, name)
    expect(term(page)).to_contain_text(HOSTILE)
    expect(term(page)).to_contain_text("red plain")
    expect(term(page).locator(".ansi-1")).to_have_text("red")
    for place in ("#/history", "#/schedules", "#/", f"#/script/{quote(name)}"):
        page.evaluate("place => { location.hash = place }", place)
        browser.settled(page)
        expect(page.locator("main")).to_contain_text(re.compile("<img src=x onerror|<b>bold</b>"))
        assert page.locator("main img, main script, main b").count() == 0
    assert "owned" not in page.title()


def test_a_flood_of_output_is_bounded_on_the_page_and_says_so(dashboard: Start) -> None:
    dash = dashboard({"flood.sh": f"{NEVER}seq 1 30000\n"})
    page = run_page(dash, "flood.sh")
    expect(term(page)).to_contain_text("30000")
    assert page.locator(".term-row").count() <= 4_000
    expect(page.get_by_text("not shown here")).to_be_visible()


def test_who_scrolls_up_is_left_there_until_they_go_on(dashboard: Start) -> None:
    text = f"{NEVER}seq 1 400\ni=0; while [ ! -e go ]; do i=$((i+1)); echo more $i; sleep 0.05; done\n"
    dash = dashboard({"a.sh": text})
    page = run_page(dash, "a.sh")
    expect(term(page)).to_contain_text("more 3")
    term(page).evaluate("box => { box.scrollTop = 100 }")
    button = page.get_by_role("button", name=re.compile("new line|To the end"))
    expect(button).to_contain_text("new line")
    assert term(page).evaluate("box => box.scrollTop") == 100
    button.click()
    expect(button).to_have_count(0)
    assert term(page).evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight < 8")
    (dash.child.scripts / "go").touch()


def test_a_run_is_stopped_after_a_question(dashboard: Start) -> None:
    dash = dashboard({"long.sh": f"{NEVER}echo here\nsleep 600\n"})
    page = run_page(dash, "long.sh")
    expect(term(page)).to_contain_text("here")
    page.get_by_role("button", name="Stop", exact=True).click()
    dialog(page).get_by_role("button", name="Stop it").click()
    expect(dialog(page)).to_contain_text("stopped")
    dialog(page).get_by_role("button", name="Done").click()
    expect(page.locator(".page-sub")).to_contain_text("stopped")
    expect(page.get_by_role("button", name="Run again")).to_be_visible()


def test_a_trigger_shows_how_its_run_ended(dashboard: Start) -> None:
    dash = dashboard({"bad.sh": f"{NEVER}echo no disk >&2\nexit 4\n"})
    page = dash.open("#/script/bad.sh")
    page.get_by_role("button", name="Run now").click()
    dialog(page).get_by_role("button", name="Run it now").click()
    expect(dialog(page)).to_contain_text("exit code 4")
    dialog(page).get_by_role("link", name="Open the run").click()
    expect(dialog(page)).to_have_count(0)
    expect(term(page)).to_contain_text("no disk")


def test_a_guarded_script_says_so_and_is_run_all_the_same(dashboard: Start) -> None:
    dash = dashboard({"guarded.sh": f"{NEVER}# @token open-sesame\necho fine\n"})
    page = dash.open("#/script/guarded.sh")
    expect(page.locator("main")).not_to_contain_text("open-sesame")
    page.get_by_role("button", name="Run now").click()
    expect(dialog(page)).to_contain_text("@token")
    dialog(page).get_by_role("button", name="Run it all the same").click()
    expect(dialog(page)).to_contain_text("It ended well")


def test_a_pause_has_a_note_and_an_end_and_is_resumed(dashboard: Start) -> None:
    dash = dashboard({"a.sh": f"{NEVER}true\n"})
    page = dash.open("#/script/a.sh")
    page.get_by_role("button", name="Pause", exact=True).click()
    dialog(page).get_by_label("4 hours").check(force=True)
    dialog(page).get_by_label(re.compile("^Note")).fill("the <database> moves")
    dialog(page).get_by_role("button", name="Pause", exact=True).click()
    expect(dialog(page)).to_have_count(0)
    expect(page.locator("main")).to_contain_text("the <database> moves")
    expect(page.locator("main")).to_contain_text(re.compile("in (4 h|3 h 59 min)"))
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.locator("main")).not_to_contain_text("the <database> moves")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()


def test_a_reload_is_compared_before_it_is_applied(dashboard: Start) -> None:
    dash = dashboard(
        {"stays.sh": f"{NEVER}true\n", "goes.sh": f"{NEVER}true\n", "turns.sh": f"{NEVER}true\n"}
    )
    dash.child.write("new.sh", f"#!/bin/sh\n{NEVER}true\n").chmod(0o755)
    dash.child.write("turns.sh", '#!/bin/sh\n# @schedule "5 5 * * *"\ntrue\n')
    dash.child.write("broken.sh", "#!/bin/sh\n# @schedule every blue moon\n").chmod(0o755)
    (dash.child.scripts / "goes.sh").unlink()
    page = dash.open("#/reload")
    expect(page.locator(".page-sub")).to_contain_text("Would be: 1 refused, 1 added, 1 changed, 1 removed.")
    expect(page.locator(".diff.is-failed")).to_contain_text("broken.sh:2")
    expect(page.locator(".diff.is-failed")).to_contain_text("every blue moon")
    assert registered(dash) == {"goes.sh", "stays.sh", "turns.sh"}
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".page-sub")).to_contain_text("Done: 1 refused, 1 added, 1 changed, 1 removed.")
    assert registered(dash) == {"new.sh", "stays.sh", "turns.sh"}


def test_the_history_is_filtered_by_its_address(dashboard: Start) -> None:
    dash = dashboard({"good.sh": f"{NEVER}true\n", "bad.sh": f"{NEVER}exit 9\n"})
    for script in ("good.sh", "bad.sh"):
        dash.trigger(script, wait=True)
    page = dash.open("#/history?status=error")
    expect(page.locator(".history-row")).to_have_count(1)
    expect(page.locator(".history-row")).to_contain_text("exit code 9")
    page.locator("select[name=status]").select_option("ok")
    expect(page.locator(".history-row")).to_contain_text("good.sh")
    assert "status=ok" in page.url
    page.locator(".history-row").get_by_role("button").click()
    expect(page.locator(".evidence")).to_contain_text("journalctl SCHEDD_RUN_ID=")


def test_what_ends_meanwhile_comes_to_the_top_of_the_history(dashboard: Start) -> None:
    dash = dashboard({"a.sh": f"{NEVER}true\n", "b.sh": f"{NEVER}exit 1\n"})
    dash.trigger("a.sh", wait=True)
    page = dash.open("#/history")
    expect(page.locator(".history-row")).to_have_count(1)
    dash.trigger("b.sh", wait=True)
    expect(page.locator(".history-row")).to_have_count(2)
    expect(page.locator(".history-row").first).to_contain_text("b.sh")


def test_who_reads_further_down_is_told_how_many_are_new(dashboard: Start) -> None:
    dash = dashboard({"a.sh": f"{NEVER}true\n", "b.sh": f"{NEVER}exit 1\n"})
    for _ in range(40):
        dash.trigger("a.sh", wait=True)
    page = dash.open("#/history")
    expect(page.locator(".history-row")).to_have_count(40)
    page.mouse.move(600, 500)
    page.mouse.wheel(0, 600)
    browser.until(page, "scrollY > 300")
    dash.trigger("b.sh", wait=True)
    dash.trigger("b.sh", wait=True)
    chip = page.get_by_role("button", name="2 new")
    expect(chip).to_be_visible()
    expect(page.locator(".history-row")).to_have_count(40)
    chip.click()
    expect(page.locator(".history-row").first).to_contain_text("b.sh")
    browser.until(page, "scrollY === 0")


def test_the_attempts_for_one_slot_stand_together(dashboard: Start) -> None:
    dash = dashboard({"a.sh": '# @schedule "@every 4s"\n# @retry 1 every 1s\nexit 2\n'})
    (second,) = dash.child.wait_for_lines(1, attempt=2)[:1]
    page = dash.open(f"#/run/{second['runId']}")
    attempts = page.locator("section", has_text="Attempts").locator(".entry-line")
    expect(attempts).to_have_count(2)
    expect(attempts.nth(1)).to_have_attribute("aria-current", "true")


def test_why_is_asked_for_a_time_on_the_script_s_own_clock(dashboard: Start) -> None:
    dash = dashboard({"a.sh": '# @schedule "0 6 * * *"\n# @timezone Asia/Tokyo\ntrue\n'})
    page = dash.open("#/script/a.sh")
    page.get_by_label("At, on the clock of Asia/Tokyo").fill("2026-01-02T06:00")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".verdict")).to_contain_text("2026-01-02 06:00 JST")
    expect(page.locator(".verdict")).to_contain_text("journalctl")


@pytest.mark.parametrize("place", ["#/history", "#/script/fails.sh", "#/reload", "run"])
def test_these_views_are_for_everybody_and_fit_a_phone(dashboard: Start, place: str) -> None:
    dash = dashboard({"fails.sh": f"{NEVER}# @tags a,b\nprintf '\\033[31mred\\033[0m\\n'; exit 5\n"})
    run_id = dash.trigger("fails.sh", wait=True)["runId"]
    page = dash.open(f"#/run/{run_id}" if place == "run" else place)
    assert browser.axe(page) == []
    page.set_viewport_size(browser.PHONE)  # type: ignore[arg-type]
    assert browser.sideways(page) == 0
    page.emulate_media(color_scheme="dark")
    assert browser.axe(page) == []
    browser.shot(page, f"views-{place.removeprefix('#/').partition('/')[0]}")
