"""The verbs why, gaps and replay, against the real web layer on a Unix socket."""

import re

import pytest

from schedd.cli import screen
from schedd.fire import Reason, Status
from tests.api import serving
from tests.machine.cli import Shell
from tests.machine.test_web_why import failed, line, slot_text, with_past


@pytest.fixture
def control():
    control = with_past("a.py")
    control.entries = [line("a.py", hours) for hours in range(0, -11, -1) if hours != -1]
    control.entries.insert(0, failed("a.py", -1))
    return control


@pytest.fixture
async def shell(control, tmp_path, capsys):
    async with serving(tmp_path, control, unix=True) as api:
        yield Shell(capsys, "--socket", api.bound.socket_path)


@pytest.fixture
def terminal(monkeypatch):
    """Let the output go to a terminal of 200 columns, without colour."""
    wide = screen.Screen(terminal=True, width=200)
    monkeypatch.setattr(screen, "of", lambda _: wide)


async def test_why_in_a_pipe_is_the_verdict_and_then_the_evidence(control, shell):
    told = await shell.ask("why", "a.py", "--at", slot_text(-1))
    sentence = "a.py ran for its slot of Tue 2026-11-24 09:00 UTC and failed after 5 ms: exit code 7."
    assert told.code == 0
    assert told.rows[0] == ["ran_failed", "a.py", slot_text(-1), control.entries[0].run_id, sentence]
    assert told.rows[2] == [slot_text(-1), "due"]


async def test_why_in_json_is_the_daemons_answer(shell):
    told = await shell.ask("why", "a.py", "--at", "2026-11-24 09:00", "--json")
    assert (told.json["verdict"], told.json["slot"]) == ("ran_failed", slot_text(-1))


async def test_why_tells_a_person_the_sentence_first_and_the_command_last(control, shell, terminal):
    told = await shell.ask("why", "a.py", "--at", slot_text(-1))
    lines = told.out.splitlines()
    assert lines[0] == "✗ ran_failed"
    assert lines[1] == "a.py ran for its slot of Tue 2026-11-24 09:00 UTC and failed after 5 ms: exit code 7."
    assert lines[2] == ""
    assert lines[3].startswith("  ")
    assert lines[3].endswith("registered: 0 * * * * in UTC")
    assert lines[-2].startswith("next: ")
    assert lines[-1] == f"more: journalctl SCHEDD_RUN_ID={control.entries[0].run_id}"


async def test_why_refuses_a_time_with_the_daemons_sentence(shell):
    told = await shell.ask("why", "a.py", "--at", "noon")
    assert (told.code, told.err) == (
        1,
        "schedd: at must be an ISO 8601 instant such as 2026-01-31T09:00:00Z\n",
    )


async def test_gaps_are_findings(control, shell):
    told = await shell.ask("gaps", "--since", slot_text(-3))
    run_id = control.entries[0].run_id
    assert (told.code, told.rows) == (
        1,
        [["error", "exit", "a.py", slot_text(-1), slot_text(-1), "1", run_id]],
    )


async def test_no_gaps_are_no_findings(shell):
    told = await shell.ask("gaps", "--since", slot_text(-3), "--only", "missing")
    assert (told.code, told.out) == (0, "")


async def test_a_person_is_told_that_nothing_is_missing_and_not_that_all_ended_ok(shell, terminal):
    told = await shell.ask("gaps", "--since", slot_text(-3), "--only", "missing")
    assert re.fullmatch(r"No slot since .* is missing\.\n", told.out)


async def test_gaps_tell_a_person_what_nothing_is_on_record_about(control, shell, terminal):
    control.entries = [e for e in control.entries if e.slot != slot_text(-2)]
    told = await shell.ask("gaps", "--since", slot_text(-3), "--until", slot_text(-1))
    assert "? nothing on record" in told.out


async def test_replay_queues_what_is_asked_for(control, shell):
    told = await shell.ask("replay", "--since", slot_text(-3), "--only", "failed")
    (run,) = control.runs()
    assert (told.code, told.rows) == (0, [["a.py", slot_text(-1), run.fire.run_id]])


async def test_a_dry_replay_queues_nothing(control, shell, terminal):
    told = await shell.ask("replay", "--since", slot_text(-3), "--only", "failed", "--dry-run")
    assert "1 of 1 would be queued" in told.out
    assert not control.runs()


async def test_nothing_to_replay_is_said_to_a_person(shell, terminal):
    told = await shell.ask("replay", "--since", slot_text(-3), "--script", "a.py")
    assert (told.code, told.out) == (0, "There is nothing to run again.\n")


async def test_a_skipped_slot_is_a_gap_with_its_reason(control, shell):
    control.entries[0] = line(
        "a.py", -1, Status.SKIPPED_OVERLOAD, reason=Reason.OVERLAP, error="still running"
    )
    told = await shell.ask("gaps", "--since", slot_text(-3))
    assert told.rows[0][:2] == ["skipped_overload", "overlap"]
