"""The timeline and the heat map: what fired and what comes, drawn, and told to those who see no drawing."""

import json
import re
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import Locator, Page, expect

from schedd.timetable import instant
from tests.whole import browser, demo_world
from tests.whole.browser import Dashboard
from tests.whole.child import Child

Start = Callable[..., Dashboard]

NEVER = '# @schedule "0 0 1 1 *"\n'
OFTEN = '# @schedule "*/5 * * * *"\n'
INK = """canvas => {
    const pen = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
    pen.drawImage(canvas, 0, 0);
    return pen.getImageData(0, 0, canvas.width, canvas.height).data
        .reduce((sum, value, index) => sum + (index % 4 === 3 && value > 0), 0);
}"""
"""How many pixels of a canvas are drawn on."""


def row(page: Page, script: str) -> Locator:
    """Return the part of a script's row that is drawn, which says in words what it shows."""
    return page.get_by_role("group", name=f"{script}: ")


def days_in_view(page: Page) -> str:
    return page.locator(".timeline-day").inner_text()


def cells(page: Page, kind: str) -> Locator:
    return page.get_by_role("table").locator(f".heat-cell.is-{kind}")


@pytest.fixture
def dash(dashboard: Start) -> Dashboard:
    """One that ran well, one that failed, and one with much to come."""
    made = dashboard(
        {"good.sh": f"{NEVER}true\n", "a/bad.sh": f"{NEVER}exit 4\n", "often.sh": f"{OFTEN}true\n"}
    )
    made.trigger("good.sh", wait=True)
    made.trigger("a/bad.sh", wait=True)
    return made


def test_what_fired_failed_and_comes_is_drawn_and_said(dash: Dashboard) -> None:
    page = dash.open("#/timeline")
    expect(row(page, "good.sh")).to_have_attribute("aria-label", "good.sh: 1 fired, 0 failed, 0 coming")
    expect(row(page, "a/bad.sh")).to_have_attribute("aria-label", "a/bad.sh: 1 fired, 1 failed, 0 coming")
    expect(row(page, "often.sh")).to_have_attribute("aria-label", re.compile("[1-9][0-9]+ coming$"))
    for script in ("good.sh", "a/bad.sh", "often.sh"):
        assert row(page, script).locator("canvas").evaluate(INK) > 20, script
    expect(page.get_by_role("img", name=re.compile("^All scripts: [2-9]"))).to_be_visible()


def test_a_run_that_ends_meanwhile_appears_by_itself(dash: Dashboard) -> None:
    page = dash.open("#/timeline")
    expect(row(page, "good.sh")).to_have_attribute("aria-label", re.compile(": 1 fired"))
    dash.trigger("good.sh", wait=True)
    expect(row(page, "good.sh")).to_have_attribute("aria-label", re.compile(": 2 fired"))


def test_what_runs_is_drawn_up_to_now_and_said(dashboard: Start) -> None:
    dash = dashboard({"long.sh": f"{NEVER}sleep 600\n"})
    page = dash.open("#/timeline")
    expect(row(page, "long.sh")).to_have_attribute("aria-label", "long.sh: 0 fired, 0 failed, 0 coming")
    before = row(page, "long.sh").locator("canvas").evaluate(INK)
    dash.trigger("long.sh")
    expect(row(page, "long.sh")).to_have_attribute("aria-label", re.compile(", 1 running$"))
    assert before == 0
    assert row(page, "long.sh").locator("canvas").evaluate(INK) > 0


def test_what_was_missed_is_told_from_what_failed(child: Child, dashboard: Start) -> None:
    demo_world.build(child, int(time.time()), days=3)
    dash = dashboard({})
    page = dash.open("#/load")
    missed = cells(page, "past").filter(has_text=re.compile(r"fired, (\d+ failed, )?\d+ missed")).first
    expect(missed).to_be_visible()
    dash.open("#/timeline")
    page.get_by_role("button", name="7 d").click()
    page.get_by_role("searchbox").fill("sync-invoices")
    page.get_by_role("button", name="Table").click()
    expect(page.get_by_role("row").filter(has=page.get_by_role("cell", name="missed"))).not_to_have_count(0)


def test_one_zooms_from_an_hour_to_thirty_days_by_button_and_key(dash: Dashboard) -> None:
    page = dash.open("#/timeline")
    zoom = page.get_by_role("group", name="Zoom")
    expect(zoom.get_by_role("button", pressed=True)).to_have_text("24 h")
    zoom.get_by_role("button", name="1 h", exact=True).click()
    expect(row(page, "often.sh")).to_have_attribute("aria-label", re.compile(" [45] coming$"))
    page.keyboard.press("-")
    expect(zoom.get_by_role("button", pressed=True)).to_have_text("6 h")
    zoom.get_by_role("button", name="30 d").click()
    expect(row(page, "often.sh")).to_have_attribute("aria-label", re.compile(r" \d\D?\d{3} coming$"))
    page.keyboard.press("+")
    expect(zoom.get_by_role("button", pressed=True)).to_have_text("7 d")


def test_who_goes_to_another_time_stays_there_until_they_come_back_to_now(dash: Dashboard) -> None:
    page = dash.open("#/timeline")
    now = page.get_by_role("button", name="Now")
    here = days_in_view(page)
    expect(page.locator(".timeline-flag")).to_be_visible()
    for _ in range(4):
        page.get_by_role("button", name="Earlier").click()
    expect(now).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".timeline-flag")).to_have_count(0)
    assert days_in_view(page) != here
    expect(row(page, "good.sh")).to_have_attribute("aria-label", "good.sh: 0 fired, 0 failed, 0 coming")
    page.keyboard.press("Home")
    expect(now).to_have_attribute("aria-pressed", "true")
    expect(row(page, "good.sh")).to_have_attribute("aria-label", re.compile(": 1 fired"))


def test_it_is_drawn_aside_with_the_mouse(dash: Dashboard) -> None:
    page = dash.open("#/timeline")
    box = row(page, "often.sh").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 400, y, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Now")).to_have_attribute("aria-pressed", "false")
    assert page.url.endswith("#/timeline"), "the click that ends it opens nothing"


def test_one_goes_from_mark_to_mark_by_key_and_opens_one(dash: Dashboard) -> None:
    page = dash.open("#/timeline")
    expect(row(page, "a/bad.sh")).to_have_attribute("aria-label", re.compile(": 1 fired"))
    page.get_by_role("link", name="bad.sh").focus()
    page.keyboard.press("Tab")
    expect(page.locator(".timeline-tip")).to_contain_text("1 failed")
    page.keyboard.press("Enter")
    expect(page.locator(".history-row")).to_have_count(1)
    expect(page.locator(".history-row")).to_contain_text("exit code 4")


def test_the_timeline_is_a_table_for_whom_that_serves_better(dash: Dashboard) -> None:
    page = dash.open("#/timeline")
    page.get_by_role("button", name="Table").click()
    table = page.get_by_role("table", name="What the timeline shows")
    line = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name="a/bad.sh"))
    expect(line.get_by_role("cell").nth(1)).to_have_text("failed")
    expect(table.get_by_role("row").filter(has_text="often.sh").first).to_contain_text("coming")
    assert browser.axe(page) == []


def test_the_rows_are_filtered_by_name(dash: Dashboard) -> None:
    page = dash.open("#/timeline")
    page.keyboard.press("/")
    page.keyboard.type("BAD")
    expect(page.locator(".timeline-row")).to_have_count(1)
    page.keyboard.type("nothing")
    expect(page.locator("main")).to_contain_text("No script has that in its name")


def test_no_name_of_the_axis_touches_another_nor_the_flag_nor_the_edge(dash: Dashboard) -> None:
    page = dash.open("#/timeline")
    for size in (browser.DESK, browser.PHONE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for zoom in ("1 h", "6 h", "24 h", "7 d", "30 d"):
            page.get_by_role("button", name=zoom, exact=True).click()
            page.wait_for_timeout(60)
            boxes = page.evaluate("""() => [...document.querySelectorAll(".timeline-axis > *")]
                .filter(each => each.textContent).map(each => each.getBoundingClientRect())
                .map(({ left, right }) => [left, right]).sort((a, b) => a[0] - b[0])""")
            edge = page.evaluate("document.querySelector('.timeline-axis').getBoundingClientRect().right")
            assert boxes[-1][1] <= edge + 1, (size, zoom)
            apart = [left - right for (_, right), (left, _) in pairwise(boxes)]
            assert min(apart, default=0) >= -1, (size, zoom, boxes)


def test_the_heat_map_says_the_hour_with_the_most(dash: Dashboard) -> None:
    page = dash.open("#/load")
    expect(page.locator(".heat-peak")).to_contain_text("The load is even: about 12 slots in an hour")


def test_a_peak_is_named_with_the_remedy(dashboard: Start) -> None:
    texts = {f"job-{n:02}.sh": f'# @schedule "{n} 3 * * *"\ntrue\n' for n in range(20)}
    page = dashboard(texts, zone="UTC").open("#/load")
    expect(page.locator(".heat-peak")).to_contain_text("Busiest: 03:00\N{EN DASH}04:00, 1")
    expect(page.locator(".heat-peak")).to_contain_text("spread them with H or @jitter")


def test_the_heat_map_is_a_table_of_hours_and_days(dash: Dashboard) -> None:
    page = dash.open("#/load")
    table = page.get_by_role("table", name="Fires and coming slots for each hour of each day")
    expect(table.get_by_role("columnheader")).to_have_count(25)
    expect(table.get_by_role("rowheader")).to_have_count(14)
    assert cells(page, "past").count() + cells(page, "coming").count() == 14 * 24
    here = table.locator(".is-now")
    expect(here).to_contain_text("2 fired, 1 failed")
    expect(here.locator(".heat-failed")).to_be_visible()
    expect(cells(page, "coming").last).to_contain_text("12 coming")


def test_a_cell_opens_what_fired_in_its_hour(dash: Dashboard) -> None:
    page = dash.open("#/load")
    page.get_by_role("table").locator(".is-now").click()
    expect(page.locator(".history-row").filter(has_text="bad.sh")).to_have_count(1)


def test_a_cell_of_misses_opens_their_lines(dash: Dashboard) -> None:
    """They were written down when the daemon was back, hours later."""
    hour_ms = int(time.time()) // 3600 * 3_600_000 - 5 * 3_600_000
    missed = {
        "ts": instant.from_ms(int(time.time() * 1000)),
        "scriptPath": "often.sh",
        "expression": "*/5 * * * *",
        "runId": "019a0000-0000-7000-8000-000000000001",
        "status": "error",
        "reason": "missed",
        "error": "schedd was not there to run it",
        "durationMs": 0,
        "kind": "schedule",
        "slot": instant.from_ms(hour_ms + 600_000),
        "lastSlot": instant.from_ms(hour_ms + 1_200_000),
        "count": 3,
    }
    with (dash.child.state / "fires.log").open("a") as log:
        log.write(json.dumps(missed, separators=(",", ":")) + "\n")
    page = dash.open("#/load")
    page.get_by_role("table").locator(".heat-cell", has_text="3 missed").click()
    expect(page.locator(".history-row")).to_have_count(1)
    expect(page.locator(".history-row")).to_contain_text("often.sh")
    expect(page.get_by_role("search")).to_contain_text("due from")


def test_a_cell_to_come_lists_its_scripts(dash: Dashboard) -> None:
    page = dash.open("#/load")
    cells(page, "coming").last.click()
    line = page.get_by_role("dialog").get_by_role("row").filter(has_text="often.sh")
    expect(line.get_by_role("cell").last).to_have_text("12")


def test_the_arrows_move_in_the_heat_map(dash: Dashboard) -> None:
    page = dash.open("#/load")
    cell = page.get_by_role("table").locator("[tabindex='0']")
    expect(cell).to_have_count(1)
    cell.focus()
    before = cell.get_attribute("data-at")
    page.keyboard.press("ArrowDown")
    row_before, hour_before = str(before).split("-")
    expect(page.locator(":focus")).to_have_attribute("data-at", f"{int(row_before) + 1}-{hour_before}")
    expect(page.get_by_role("table").locator("[tabindex='0']")).to_have_count(1)


def test_the_heat_map_counts_what_ends_meanwhile(dash: Dashboard) -> None:
    page = dash.open("#/load")
    here = page.get_by_role("table").locator(".is-now")
    expect(here).to_contain_text("2 fired")
    dash.trigger("good.sh", wait=True)
    expect(here).to_contain_text("3 fired")
