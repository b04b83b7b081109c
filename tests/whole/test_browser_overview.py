"""The first look: is everything fine, what failed and why, what runs, what comes next."""

import random
import re
import time
from collections.abc import Callable

from playwright.sync_api import Browser, Locator, Page, expect

from schedd.fire import Entry, Fire, Kind, Outcome, Reason, Status, ran
from schedd.host.identity import run_ids
from schedd.ledger.facts import Down, Ended, Fact, Up, Watermark, encode
from schedd.timetable.instant import Slot
from tests.whole.browser import Dashboard, token
from tests.whole.child import Child

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


def test_more_failures_than_one_answer_holds_are_all_counted(child: Child, chromium: Browser) -> None:
    count, now_s = 1_800, int(time.time())
    child.write("bad.sh", f"#!/bin/sh\n{NEVER}exit 1\n")
    entries = [failed("bad.sh", now_s - 40 * (count - each)) for each in range(count)]
    facts: list[Fact] = [Up(at=0, boot_id="0", version="1"), *(Ended(entry=each) for each in entries)]
    facts += [Watermark(slot=Slot(now_s)), Down(at=now_s * 1000, why="SIGTERM")]
    child.state.mkdir()
    (child.state / "fires.log").write_bytes(b"".join(map(encode, entries)))
    (child.state / "ledger.log").write_bytes(b"".join(map(encode, facts)))
    dash = Dashboard(child.start(), chromium)
    page = dash.open()
    counted = page.locator(".counts > div").filter(has_text="failed in 24 h").locator("dd")
    expect(counted).to_have_text(re.compile(r"1\D800"))
    expect(page.get_by_role("heading", level=1)).to_have_text("1 script is failing.")
    expect(panel(page, "failures")).to_contain_text(re.compile(r"Only the newest 1\D000"))
    dash.trigger("bad.sh", wait=True)
    expect(counted).to_have_text(re.compile(r"1\D801"))
    dash.close()


def failed(script: str, at_s: int) -> Entry:
    outcome = Outcome(
        status=Status.ERROR,
        reason=Reason.EXIT,
        error="exit code 1",
        started_ms=at_s * 1000 - 20,
        ended_ms=at_s * 1000,
        duration_ms=20,
        exit_code=1,
    )
    fire = Fire(run_ids(random.getrandbits)(at_s * 1000), script, "0 0 1 1 *", Kind.MANUAL, None)
    return ran(fire, outcome, host="test")


def test_what_could_not_be_registered_is_told_to_who_may_only_read(dashboard: Start) -> None:
    dash = dashboard({"good.sh": f"{NEVER}true\n", "bad.sh": "# @schedule at noon\ntrue\n"})
    dash.token = token(dash.child, "reader", "read")
    banner = dash.open().locator(".banner.is-error")
    expect(banner).to_contain_text("1 file could not be registered")
    expect(banner).to_contain_text("bad.sh:2")
