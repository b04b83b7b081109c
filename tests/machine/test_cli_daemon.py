"""The verbs that ask the daemon, against the real web layer on a Unix socket."""

from dataclasses import replace
from datetime import date

import pytest

from schedd.cli import screen
from schedd.fire import Fire, Kind, Outcome, Reason, RunId, Status
from schedd.host import journald
from schedd.planner.view import Awaited, Pace, Wait
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable
from schedd.web.control import Phase
from tests.api import serving
from tests.fake_control import NOW_MS, FakeControl, entry, failure
from tests.machine.cli import Shell
from tests.pure.calendars import closing, observed

FAILED = Outcome(
    status=Status.ERROR,
    reason=Reason.EXIT,
    error="exit code 7",
    exit_code=7,
    ended_ms=NOW_MS,
    duration_ms=1234,
)


@pytest.fixture
def control():
    return FakeControl()


@pytest.fixture
async def shell(control, tmp_path, capsys):
    async with serving(tmp_path, control, unix=True) as api:
        yield Shell(capsys, "--socket", api.bound.socket_path)


def terminal(monkeypatch, width=200):
    """Let the output go to a terminal, without colour."""
    wide = screen.Screen(terminal=True, width=width)
    monkeypatch.setattr(screen, "of", lambda _: wide)


def run_id_of(control):
    (run,) = control.runs()
    return run.fire.run_id


async def test_list_in_a_pipe_is_a_line_of_cells_for_each_script(control, shell):
    control.register("shop/a.py", expression="0 12 * * *")
    control.register("shop/b.py", enabled=False)
    control.entries.append(entry("shop/a.py", status=Status.TIMEOUT, reason=Reason.TIMEOUT))
    told = await shell.ask("list")
    assert told.code == 0
    assert told.rows == [
        [
            "scheduled",
            "shop/a.py",
            "0 12 * * *",
            "UTC",
            "2026-11-24T12:00:00.000Z",
            "timeout",
            "2026-11-24T10:00:00.123Z",
            "",
            "",
        ],
        ["disabled", "shop/b.py", "0 * * * *", "UTC", "", "", "", "", ""],
    ]


async def test_list_in_json_is_the_daemons_answer(control, shell):
    control.register("a.py")
    told = await shell.ask("list", "--json")
    assert (told.json["total"], told.json["schedules"][0]["scriptRel"]) == (1, "a.py")


async def test_a_name_with_control_characters_is_escaped(control, shell):
    control.register("a\x1b[2J\tb.py")
    told = await shell.ask("list")
    assert told.rows[0][1] == "a\\x1b[2J\\tb.py"


async def test_next_merges_the_slots_of_all_scripts_beyond_what_the_list_holds(control, shell):
    control.register("often.py", expression="* * * * *")
    control.register("seldom.py", expression="7 10 * * *")
    told = await shell.ask("next", "-n", "9")
    assert [row[0][11:16] for row in told.rows] == [
        "10:01",
        "10:02",
        "10:03",
        "10:04",
        "10:05",
        "10:06",
        "10:07",
        "10:07",
        "10:08",
    ]
    assert sorted(row[1] for row in told.rows[6:8]) == ["often.py", "seldom.py"]


async def test_next_ends_where_a_calendar_would_have_to_be_known(control, shell):
    tomorrow = observed(closing([date(2026, 11, 25)]), "skip")
    timetable = Timetable.parse("0 * * * *", "UTC", observance=tomorrow)
    control.register("a.py", timetable=timetable)
    control.register("b.py", expression="30 * * * *")
    told = await shell.ask("next", "-n", "50")
    assert [row[0][11:16] for row in told.rows][-2:] == ["14:30", "15:00"]
    assert told.err.startswith("note: later fires are left out: a.py observes a calendar")
    few = await shell.ask("next", "-n", "3")
    assert (len(few.rows), few.err) == (3, "")


async def test_next_leaves_out_what_will_not_fire(control, shell):
    control.register("a.py", enabled=False)
    control.register("b.py", expression="@at 2026-11-25T00:00Z")
    told = await shell.ask("next", "--json")
    assert told.json == [
        {"slot": "2026-11-25T00:00:00.000Z", "scriptPath": "b.py", "expression": "@at 2026-11-25T00:00Z"}
    ]


async def test_history_is_newest_first(control, shell):
    control.entries += [entry("b.py", at_ms=NOW_MS), entry("a.py", at_ms=NOW_MS - 1000, status=Status.ERROR)]
    told = await shell.ask("history")
    assert [row[3] for row in told.rows] == ["b.py", "a.py"]
    assert told.rows[1][:2] == ["2026-11-24T09:59:59.123Z", "error"]


async def test_history_shows_only_what_the_filters_choose(control, shell):
    control.entries += [
        entry("a.py", status=Status.ERROR, reason=Reason.EXIT, kind=Kind.MANUAL),
        entry("a.py"),
        entry("b.py", status=Status.ERROR, reason=Reason.EXIT, kind=Kind.MANUAL),
        entry("a.py", at_ms=NOW_MS - 10_000, status=Status.ERROR, reason=Reason.EXIT, kind=Kind.MANUAL),
    ]
    told = await shell.ask(
        "history",
        *("--script", "a.py", "--status", "error", "--reason", "exit", "--kind", "manual", "--rotated"),
        *("--since", "2026-11-24T10:00:00Z", "--until", "2026-11-24T11:00:00+01:00", "--json"),
    )
    assert told.json["total"] == 0
    told = await shell.ask(
        "history",
        *("--script", "a.py", "--status", "error", "--reason", "exit", "--kind", "manual", "--rotated"),
        *("--since", "2026-11-24T11:00:00+01:00", "--limit", "5", "--json"),
    )
    assert [line["runId"] for line in told.json["entries"]] == [control.entries[0].run_id]
    assert (told.json["limit"], told.json["includeRotated"]) == (5, True)


async def test_since_may_be_how_long_ago(control, shell):
    control.entries.append(entry("a.py", at_ms=1_000))
    assert (await shell.ask("history", "--since", "2h")).out == ""


@pytest.mark.parametrize(
    ("there", "options"), [(True, ()), (False, ()), (True, ("--status", "ok")), (True, ("--json",))]
)
async def test_history_on_a_terminal_ends_with_the_journals_command_for_the_newest_failure(
    control, shell, monkeypatch, tmp_path, there, options
):
    journal = tmp_path / "journal"
    if there:
        journal.touch()
    monkeypatch.setattr(journald, "JOURNAL_SOCKET", str(journal))
    terminal(monkeypatch)
    control.entries += [
        entry("a.py"),
        entry("a.py", at_ms=NOW_MS - 1000, status=Status.TIMEOUT, reason=Reason.TIMEOUT),
        entry("b.py", at_ms=NOW_MS - 2000, status=Status.ERROR, reason=Reason.EXIT),
    ]
    told = (await shell.ask("history", *options)).out
    hint = f"the newest failure: journalctl SCHEDD_RUN_ID={control.entries[1].run_id}\n"
    assert told.endswith(hint) is (there and not options)
    assert ("journalctl" in told) is (there and not options)


async def test_history_in_a_pipe_has_its_lines_alone(control, shell):
    control.entries.append(entry("a.py", status=Status.ERROR, reason=Reason.EXIT))
    assert len((await shell.ask("history")).rows) == 1


async def test_runs_shows_what_runs_and_what_is_held(control, shell):
    control.register("a.py")
    control.ends_at_once = None
    await shell.ask("trigger", "a.py", "--no-wait")
    told = await shell.ask("runs")
    assert told.rows == [
        ["running", "a.py", run_id_of(control), "manual", "2026-11-24T10:00:00.123Z", "", "77", "", ""]
    ]
    control.hold(run_id_of(control))
    assert (await shell.ask("runs")).rows[0][0] == "held"


async def test_runs_shows_what_a_held_fire_waits_for(control, shell, monkeypatch):
    control.register("a.py")
    control.ends_at_once = None
    await shell.ask("trigger", "a.py", "--no-wait")
    holder = Fire(RunId("01a20dac-5ed6-70bd-90ac-96eabf1dc791"), "b.py", "@daily", Kind.SCHEDULE, Slot(0))
    control.hold(run_id_of(control), wait=Wait(Awaited.LOCK, "database", holder))
    assert (await shell.ask("runs")).rows[0][-1] == "lock database"
    terminal(monkeypatch, width=240)
    assert f"the lock database (b.py, run {holder.run_id})" in (await shell.ask("runs")).out


async def test_list_shows_how_a_script_gets_along_whose_runs_outlast_its_interval(
    control, shell, monkeypatch
):
    control.register("a.py", expression="*/10 * * * *")
    pace = Pace(since=Slot(NOW_MS // 1000), slots=145, span_s=86_400, ran=48, p50_ms=1_620_000)
    control.seen["a.py"] = {"pace": pace}
    assert (await shell.ask("list")).rows[0][-1] == "48 of 144 a day"
    terminal(monkeypatch, width=200)
    told = await shell.ask("list")
    assert told.out.splitlines()[0].split()[-1] == "Lags"
    assert "! 48 of 144 a day, p50 27 min" in told.out


async def test_list_on_a_terminal_has_no_column_for_scripts_that_lag_when_none_does(
    control, shell, monkeypatch
):
    control.register("a.py")
    terminal(monkeypatch)
    assert "Lags" not in (await shell.ask("list")).out


async def test_trigger_waits_and_exits_with_0_when_it_ended_ok(control, shell):
    control.register("a.py")
    told = await shell.ask("trigger", "a.py")
    assert (told.code, told.err) == (0, "")
    assert told.rows[0][:3] == ["ok", "a.py", "12"]


async def test_trigger_exits_with_1_and_says_why_when_it_failed(control, shell):
    control.register("a.py")
    control.ends_at_once = FAILED
    told = await shell.ask("trigger", "a.py")
    assert told.code == 1
    assert told.rows[0][:3] == ["error", "a.py", "1234"]
    assert "exit code 7" in told.err


async def test_trigger_in_json_has_the_same_exit_code(control, shell):
    control.register("a.py")
    control.ends_at_once = FAILED
    told = await shell.ask("trigger", "a.py", "--json")
    assert (told.code, told.json["status"], told.json["triggered"]) == (1, "error", True)


async def test_trigger_without_waiting_prints_the_run(control, shell):
    control.register("a.py")
    control.ends_at_once = None
    told = await shell.ask("trigger", "a.py", "--no-wait")
    assert (told.code, told.out) == (0, f"{run_id_of(control)}\n")


async def test_trigger_of_a_guarded_script_needs_force(control, shell):
    control.register("a.py", guarded=True)
    told = await shell.ask("trigger", "a.py")
    assert (told.code, told.out, told.err) == (1, "", "schedd: script has @token: force must be true\n")
    assert (await shell.ask("trigger", "a.py", "--force")).code == 0


async def test_a_refusal_is_the_daemons_own_sentence_with_its_reason(control, shell):
    control.on_disk["a.py"] = "every blue moon"
    told = await shell.ask("trigger", "a.py")
    assert told.code == 1
    assert told.err.startswith("schedd: script is not schedulable: Invalid cron expression: 'every")


async def test_stop_stops_the_run(control, shell):
    control.register("a.py")
    control.ends_at_once = None
    await shell.ask("trigger", "a.py", "--no-wait")
    run_id = run_id_of(control)
    told = await shell.ask("stop", run_id)
    assert (told.code, told.out) == (0, f"stopping {run_id}\n")
    assert control.asked[-1][:2] == ("stop", run_id)
    assert (await shell.ask("stop", run_id)).err == "schedd: the run is over\n"


@pytest.mark.parametrize("run", ["../health", "a/b", "x?y", ""])
async def test_a_run_that_cannot_be_one_is_a_usage_error(shell, run):
    assert (await shell.ask("stop", run)).code == 2


async def test_output_of_an_unknown_run_is_an_error(shell):
    told = await shell.ask("output", "01890000-0000-7000-8000-000000000000")
    assert (told.code, told.out, told.err) == (1, "", "schedd: run not found\n")


async def test_reload_says_what_changed_and_exits_with_1_if_a_script_failed(control, shell):
    control.report = replace(
        control.report,
        added=("new.py",),
        kept=("bad.py", "edited.py"),
        removed=("gone.py",),
        changed=("edited.py",),
        failed=(failure("bad.py", "Invalid cron expression: 'x'", line=3),),
    )
    told = await shell.ask("reload")
    assert told.code == 1
    assert told.rows == [
        ["added", "new.py"],
        ["changed", "edited.py"],
        ["removed", "gone.py"],
        ["failed", "bad.py:3", "Invalid cron expression: 'x'"],
    ]


async def test_a_dry_run_of_a_reload_reloads_nothing(control, shell):
    told = await shell.ask("reload", "--dry-run", "--json")
    assert (told.code, told.json["dry_run"]) == (0, True)


async def test_while_it_drains_the_daemon_declines_in_its_own_words(control, shell):
    control.register("a.py")
    control.phase = Phase.DRAINING
    told = await shell.ask("trigger", "a.py")
    assert (told.code, told.err) == (1, "schedd: scheduler unavailable\n")
