"""`schedd pause` and `schedd resume`, and what the other verbs show of a pause."""

import re

import pytest

from schedd.fire import Kind
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable
from schedd.web.control import Phase
from tests.api import serving
from tests.fake_control import NOW_MS, FakeControl
from tests.machine.cli import Shell


@pytest.fixture
def control():
    control = FakeControl()
    control.register("a.py", expression="0 * * * *")
    return control


@pytest.fixture
async def shell(control, tmp_path, capsys):
    async with serving(tmp_path, control, unix=True) as api:
        yield Shell(capsys, "--socket", api.bound.socket_path)


def terminal(monkeypatch, columns=200):
    """Let stdout be a terminal; call it within the test, since pytest swaps stdout between its phases."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TZ", "UTC")


async def test_a_script_is_paused_with_its_note_and_its_end(control, shell):
    told = await shell.ask("pause", "a.py", "--note", "new disks", "--until", "2h")
    assert (told.code, told.err) == (0, "")
    assert told.rows == [["paused", "a.py", "2026-11-24T12:00:00.123Z", "new disks"]]
    made = control.paused["a.py"]
    assert (made.note, made.until_ms) == ("new disks", NOW_MS + 7_200_000)
    assert re.fullmatch(r"uid:\d+", made.by)


async def test_all_scripts_are_paused_and_resumed(control, shell):
    assert (await shell.ask("pause", "--all")).rows == [["paused", "*", "", ""]]
    assert list(control.paused) == [None]
    assert (await shell.ask("resume", "--all")).rows == [["resumed", "*"]]
    assert control.paused == {}


async def test_an_instant_is_understood_with_its_offset(control, shell):
    await shell.ask("pause", "a.py", "--until", "2026-11-25T08:00+01:00")
    assert control.paused["a.py"].until_ms == NOW_MS - 123 + 21 * 3_600_000


async def test_resuming_what_is_not_paused_is_no_failure(shell):
    told = await shell.ask("resume", "a.py")
    assert (told.code, told.rows) == (0, [["unchanged", "a.py"]])


async def test_a_script_that_is_resumed_in_maintenance_is_still_paused_and_says_so(shell):
    await shell.ask("pause", "a.py")
    await shell.ask("pause", "--all", "--note", "new disks")
    told = await shell.ask("resume", "a.py")
    assert (told.code, told.rows) == (0, [["resumed", "a.py"]])
    assert told.err == "schedd: all scripts are paused: new disks; `schedd resume --all` ends that\n"


@pytest.mark.parametrize("verb", ["pause", "resume"])
@pytest.mark.parametrize("target", [[], [""], [" "], ["a.py", "--all"]])
async def test_which_scripts_are_meant_is_never_guessed(control, shell, verb, target):
    told = await shell.ask(verb, *target)
    assert told.code == 2
    assert "--all" in told.err
    assert control.asked == []


@pytest.mark.parametrize("until", ["tomorrow", "2400", "2026-11-25T08:00", "", "-2h", "2026-11-25"])
async def test_an_end_that_is_none_is_a_usage_error(control, shell, until):
    told = await shell.ask("pause", "a.py", "--until", until)
    assert told.code == 2
    assert "neither an instant like" in told.err
    assert control.asked == []


async def test_an_end_that_has_passed_by_the_daemons_clock_is_refused_by_it(shell):
    told = await shell.ask("pause", "a.py", "--until", "2026-11-24T09:00Z")
    assert (told.code, told.err) == (1, "schedd: until must lie in the future\n")


@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_a_script_that_is_not_registered_is_an_error(shell, verb):
    told = await shell.ask(verb, "nowhere.py")
    assert (told.code, told.out, told.err) == (1, "", "schedd: script is not registered\n")


async def test_while_it_drains_the_daemon_pauses_nothing(control, shell):
    control.phase = Phase.DRAINING
    told = await shell.ask("pause", "a.py")
    assert (told.code, told.err) == (1, "schedd: scheduler unavailable\n")


async def test_json_is_the_daemons_answer(shell):
    paused = await shell.ask("pause", "--all", "--note", "x", "--json")
    resumed = await shell.ask("resume", "--all", "--json")
    assert (paused.json["all"], paused.json["note"], paused.json["until"]) == (True, "x", None)
    assert resumed.json == {"resumed": True, "scriptPath": None, "all": True, "pause": None}


# What other verbs show.


async def test_list_in_a_pipe_says_why_a_script_is_paused(shell):
    await shell.ask("pause", "a.py", "--note", "new disks", "--until", "2h")
    (row,) = (await shell.ask("list")).rows
    assert (row[0], row[4], row[7]) == ("paused", "2026-11-24T13:00:00.000Z", "new disks")


async def test_list_on_a_terminal_shows_a_pause_with_its_sign_and_its_note(control, shell, monkeypatch):
    control.register("b.py")
    await shell.ask("pause", "a.py", "--note", "new disks")
    await shell.ask("pause", "b.py")
    terminal(monkeypatch)
    titles, a, b = (await shell.ask("list")).out.splitlines()
    assert titles.split()[-1] == "Paused"
    assert a.startswith("‖ paused")
    assert a.endswith("new disks")
    assert re.search(r"by uid:\d+$", b)


async def test_list_on_a_terminal_says_once_that_everything_is_paused(control, shell, monkeypatch):
    control.register("b.py")
    await shell.ask("pause", "--all", "--note", "new disks", "--until", "2026-11-24T12:00Z")
    terminal(monkeypatch)
    first, _titles, *rows = (await shell.ask("list")).out.splitlines()
    assert re.fullmatch(r"All scripts are paused by uid:\d+ \(.* 12:00:00 UTC\): new disks", first)
    assert [row.split()[-1] for row in rows] == ["maintenance", "maintenance"]


async def test_list_on_a_terminal_has_no_column_for_pauses_when_there_are_none(shell, monkeypatch):
    terminal(monkeypatch)
    assert "Paused" not in (await shell.ask("list")).out


async def test_next_leaves_out_what_a_pause_covers(control, shell):
    control.register("b.py", expression="30 * * * *")
    await shell.ask("pause", "a.py", "--until", "2h")
    await shell.ask("pause", "b.py")
    told = await shell.ask("next", "-n", "7")
    assert {row[1] for row in told.rows} == {"a.py"}
    assert [row[0][11:16] for row in told.rows] == [f"{hour}:00" for hour in range(13, 20)]


async def test_next_moves_the_slots_of_a_script_with_jitter_also_beyond_what_the_list_holds(control, shell):
    timetable = Timetable.parse("0 * * * *", "UTC", seed="a.py", jitter_s=600)
    control.register("a.py", expression="0 * * * *", timetable=timetable)
    told = await shell.ask("next", "-n", "8", "--json")
    moved = {slot["slot"][14:19] for slot in told.json}
    assert moved == {f"{timetable.offset_s // 60:02}:{timetable.offset_s % 60:02}"}
    assert timetable.offset_s > 0


async def test_runs_shows_until_when_a_retry_waits(control, shell):
    control.ends_at_once = None
    await shell.ask("trigger", "a.py", "--no-wait")
    (run,) = control.runs()
    slot = Slot(NOW_MS // 1000)
    control.hold(run.fire.run_id, kind=Kind.RETRY, slot=slot, attempt=2, due_ms=NOW_MS + 60_000)
    (row,) = (await shell.ask("runs")).rows
    assert (row[0], row[3], row[7]) == ("held", "retry", "2026-11-24T10:01:00.123Z")


async def test_a_paused_script_is_triggered_only_with_force(shell):
    await shell.ask("pause", "a.py")
    told = await shell.ask("trigger", "a.py")
    assert (told.code, told.rows[0][0]) == (1, "disabled")
    assert (await shell.ask("trigger", "a.py", "--force")).code == 0
