"""The first look: is everything fine, what failed and why, what runs, what comes next."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.whole.browser import Dashboard

Start = Callable[..., Dashboard]
NEVER = "# @schedule 0 0 1 1 *\n"


def panel(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=re.compile(title, re.IGNORECASE))


def test_when_all_is_fine_it_says_so_and_nothing_else_is_loud(dashboard: Start) -> None:
    dash = dashboard({"good.sh": f"{NEVER}true\n"})
    dash.trigger("good.sh", wait=True)
    page = dash.open()
    expect(page.locator("main")).to_contain_text(re.compile("everything is fine|all is well", re.IGNORECASE))
    assert page.locator("main .status.is-error").count() == 0


def test_a_failure_stands_there_with_its_reason_and_leads_to_its_run(dashboard: Start) -> None:
    dash = dashboard({"bad.sh": f"{NEVER}echo no space left >&2\nexit 28\n", "good.sh": f"{NEVER}true\n"})
    run_id = dash.trigger("bad.sh", wait=True)["runId"]
    page = dash.open()
    failures = panel(page, "fail")
    expect(failures).to_contain_text("bad.sh")
    expect(failures).to_contain_text("exit code 28")
    failures.locator(f"a[href*='{run_id}']").first.click()
    expect(page.locator("main")).to_contain_text("no space left")


def test_failures_that_share_an_exit_code_are_one_line_that_opens(dashboard: Start) -> None:
    names = ("a.sh", "b.sh")
    dash = dashboard(dict.fromkeys(names, f"{NEVER}exit 28\n"))
    run_ids = [dash.trigger(name, wait=True)["runId"] for name in names]
    failures = panel(dash.open(), "fail")
    expect(failures.get_by_role("listitem")).to_have_count(1)
    failures.get_by_role("button", name=re.compile("28")).click()
    for run_id in run_ids:
        expect(failures.locator(f"a[href*='{run_id}']")).to_be_visible()


def test_what_runs_is_shown_with_its_progress_against_the_usual_time(dashboard: Start) -> None:
    text = f"{NEVER}[ -e go ] && sleep 600 || sleep 0.3\n"
    dash = dashboard({"work.sh": text})
    for _ in range(3):
        dash.trigger("work.sh", wait=True)
    (dash.child.scripts / "go").touch()
    dash.trigger("work.sh")
    page = dash.open()
    running = panel(page, "running")
    expect(running).to_contain_text("work.sh")
    expect(running.get_by_role("progressbar").or_(running.locator("progress, meter"))).to_have_count(1)


def test_what_comes_next_is_listed_in_order_with_a_countdown(dashboard: Start) -> None:
    hours = {"night.sh": 3, "noon.sh": 11, "evening.sh": 19}
    dash = dashboard({name: f"# @schedule 10 {hour} * * *\ntrue\n" for name, hour in hours.items()})
    page = dash.open()
    items = sorted(dash.child.schedules("list")["schedules"], key=lambda item: str(item["nextFire"]))
    expected = [re.compile(re.escape(item["scriptRel"]) + r".*in \d+ (h|min|s)", re.DOTALL) for item in items]
    expect(panel(page, "next").get_by_role("listitem")).to_have_text(expected)


def test_without_scripts_it_says_what_to_do(dashboard: Start) -> None:
    page = dashboard({}).open()
    expect(page.locator("main")).to_contain_text("@schedule")


def test_a_script_that_could_not_be_loaded_is_named_with_its_line(dashboard: Start) -> None:
    dash = dashboard({"good.sh": f"{NEVER}true\n", "broken.sh": "# @schedule every blue moon\ntrue\n"})
    page = dash.open()
    expect(page.locator("main")).to_contain_text("broken.sh:2")
