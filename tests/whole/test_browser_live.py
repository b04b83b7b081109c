"""What happens is seen without a reload, also after the link was lost."""

import itertools
import re
import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.whole.browser import Dashboard

Start = Callable[..., Dashboard]
NEVER = "# @schedule 0 0 1 1 *\n"
MARK = "document.body.dataset.mark = 'the same document'"
LOST = re.compile("lost|reconnect|cannot be reached|no answer", re.IGNORECASE)
NETWORK = "ERR_|Failed to fetch|NetworkError"


def same_document(dash: Dashboard) -> bool:
    return bool(dash.page.evaluate("document.body.dataset.mark") == "the same document")


def test_a_failure_appears_without_a_reload(dashboard: Start) -> None:
    dash = dashboard({"bad.sh": f"{NEVER}exit 17\n"})
    page = dash.open()
    page.evaluate(MARK)
    expect(page.locator("main")).not_to_contain_text("exit code 17")
    dash.trigger("bad.sh", wait=True)
    expect(page.locator("main")).to_contain_text("exit code 17")
    assert same_document(dash)


def test_a_run_appears_when_it_starts_and_goes_when_it_ends(dashboard: Start) -> None:
    dash = dashboard({"work.sh": f"{NEVER}while [ ! -e go ]; do sleep 0.05; done\n"})
    page = dash.open()
    running = page.get_by_role("region", name=re.compile("running", re.IGNORECASE))
    expect(running).not_to_contain_text("work.sh")
    dash.trigger("work.sh")
    expect(running).to_contain_text("work.sh")
    (dash.child.scripts / "go").touch()
    expect(running).not_to_contain_text("work.sh")


def test_a_script_appears_when_it_is_loaded_and_goes_when_it_is_gone(dashboard: Start) -> None:
    dash = dashboard({"old.sh": f"{NEVER}true\n"})
    page = dash.open("#/schedules")
    expect(page.get_by_text("old.sh").first).to_be_visible()
    dash.child.write("new.sh", f"#!/bin/sh\n{NEVER}true\n").chmod(0o755)
    (dash.child.scripts / "old.sh").unlink()
    dash.child.schedules("reload", method="POST", body={})
    expect(page.get_by_text("new.sh").first).to_be_visible()
    expect(page.get_by_text("old.sh")).to_have_count(0)


def test_a_pause_by_somebody_else_is_seen_with_its_note_and_its_end(dashboard: Start) -> None:
    dash = dashboard({"work.sh": f"{NEVER}true\n"})
    page = dash.open()
    dash.child.schedules("pause", method="POST", body={"all": True, "note": "the database moves"})
    expect(page.locator("main")).to_contain_text(re.compile("All scripts are paused by .*the database moves"))
    dash.child.schedules("resume", method="POST", body={"all": True})
    expect(page.locator("main")).not_to_contain_text("paused by")


def test_a_link_that_is_lost_is_said_and_found_again_with_what_was_missed(dashboard: Start) -> None:
    dash = dashboard({"bad.sh": f"{NEVER}exit 23\n"})
    dash.tab.forgive(NETWORK)
    page = dash.open()
    page.evaluate(MARK)
    dash.child.kill()
    expect(page.locator("body")).to_contain_text(LOST)
    dash.restart()
    dash.trigger("bad.sh", wait=True)
    expect(page.locator("main")).to_contain_text("exit code 23", timeout=20_000)
    expect(page.locator("body")).not_to_contain_text(LOST, timeout=20_000)
    assert same_document(dash)


def test_a_countdown_ticks_down_to_the_start_and_on_to_the_next(dashboard: Start) -> None:
    dash = dashboard({"often.sh": "# @schedule @every 7s\ntrue\n"})
    page = dash.open()
    coming = page.get_by_role("region", name=re.compile("next", re.IGNORECASE))
    expect(coming).to_contain_text("often.sh")
    seen: list[str] = []
    deadline = time.monotonic() + 12
    while len(seen) < 5 and time.monotonic() < deadline:
        text = coming.locator("time").first.inner_text()
        if not seen or seen[-1] != text:
            seen.append(text)
        page.wait_for_timeout(100)
    seconds = [int(found[0]) for text in seen if (found := re.findall(r"\d+", text))]
    assert len(seconds) >= 3, seen
    assert any(one - 1 == other for one, other in itertools.pairwise(seconds)), seen
