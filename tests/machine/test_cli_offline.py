"""The verbs that need no daemon: help, preview, check, config, token."""

import json
import os
import re

import click
import pytest

from schedd import __version__
from schedd.cli.main import VERBS, schedd
from schedd.web import tokens
from tests.machine.cli import Shell

DAILY = "# @schedule 30 2 * * *\n"


@pytest.fixture
def shell(capsys):
    return Shell(capsys)


@pytest.fixture
def scripts(tmp_path):
    root = tmp_path / "scripts"
    root.mkdir(mode=0o755)

    def write(name, text):
        path = root / name
        path.write_text(text)
        path.chmod(0o644)
        return str(path)

    write.root = str(root)
    return write


def test_the_help_names_every_verb_and_what_it_does(shell):
    told = shell.run("--help")
    assert told.code == 0
    for name, verb in VERBS.items():
        assert re.search(rf"^  {name} +{re.escape(verb.help)}$", told.out, re.MULTILINE)


@pytest.mark.parametrize("name", VERBS)
def test_the_help_of_a_verb_begins_with_its_line_in_the_list(name):
    command = schedd.get_command(click.Context(schedd), name)
    assert command.name == name
    assert command.help.splitlines()[0] == VERBS[name].help


@pytest.mark.parametrize("name", sorted(VERBS.keys() - {"serve", "output"}))
def test_every_verb_that_tells_something_can_tell_it_in_json(shell, name):
    verbs = ("token", "list") if name == "token" else (name,)
    assert "--json" in shell.run(*verbs, "--help").out


def test_the_version_is_that_of_the_package(shell):
    assert shell.run("--version").out == f"schedd {__version__}\n"


@pytest.mark.parametrize(("typed", "meant"), [("lst", "list"), ("histroy", "history"), ("tokn", "token")])
def test_an_unknown_verb_is_a_usage_error_with_the_nearest(shell, typed, meant):
    told = shell.run(typed)
    assert told.code == 2
    assert f"There is no verb {typed!r}; did you mean {meant!r}?" in told.err


@pytest.mark.parametrize("verb", ["simulate", "import"])
def test_verbs_that_do_not_exist_are_not_promised(shell, verb):
    assert shell.run(verb).code == 2
    assert not re.search(rf"^  {verb} ", shell.run("--help").out, re.MULTILINE)


@pytest.mark.parametrize("argv", [(), ("list", "--nonsense"), ("preview",), ("history", "--status", "fine")])
def test_a_usage_error_exits_with_2(shell, argv):
    told = shell.run(*argv)
    assert (told.code, told.out) == (2, "")


def test_preview_in_json_is_an_array_of_utc_instants(shell):
    told = shell.run(
        "preview",
        "30 2 * * 1-5",
        "--timezone",
        "Europe/Berlin",
        "--from",
        "2026-11-27T00:00",
        "--count",
        "2",
        "--json",
    )
    assert told.json == ["2026-11-27T01:30:00.000Z", "2026-11-30T01:30:00.000Z"]
    assert told.code == 0


def test_preview_in_a_pipe_is_one_instant_a_line(shell):
    told = shell.run("preview", "0 0 1 1 *", "--from", "2030-06-01", "-n", "2")
    assert told.out == "2031-01-01T00:00:00.000Z\n2032-01-01T00:00:00.000Z\n"


def test_preview_shows_what_comes_after_the_time_it_is_asked_from(shell):
    for time, first in (("08:59:59.9Z", "2030-01-01T09:00:00.000Z"), ("09:00Z", "2030-01-02T09:00:00.000Z")):
        told = shell.run("preview", "0 9 * * *", "--from", f"2030-01-01T{time}", "-n", "1")
        assert told.out == f"{first}\n"


def test_preview_reads_a_time_without_offset_in_its_zone(shell):
    told = shell.run("preview", "0 9 * * *", "-z", "Asia/Tokyo", "--from", "2030-01-01T08:59", "-n", "1")
    assert told.out == "2030-01-01T00:00:00.000Z\n"


def test_preview_says_what_a_clock_change_does(shell):
    told = shell.run("preview", "30 2 * * *", "-z", "Europe/Berlin", "--from", "2027-03-28", "-n", "1")
    assert told.out == "2027-03-28T01:00:00.000Z\n"
    assert "2027-03-28" in told.err


def test_preview_with_a_calendar_shows_what_runs_and_says_what_does_not(shell, tmp_path, monkeypatch):
    tmp_path.chmod(0o755)
    (tmp_path / "uk.txt").write_text("12-25 Christmas Day\n")
    monkeypatch.setenv("SCHEDD_CALENDARS_DIR", str(tmp_path))
    asked = ("preview", "0 9 * * *", "--from", "2030-12-24T12:00", "-n", "1")
    skipped, moved = (shell.run(*asked, "--calendar", f"uk {how}") for how in ("skip", "previous"))
    assert skipped.out == "2030-12-26T09:00:00.000Z\n"
    assert skipped.err == "note: Wed 2030-12-25 09:00 is left out (uk.txt: Christmas Day).\n"
    assert moved.out == "2030-12-26T09:00:00.000Z\n"
    wrong = shell.run(*asked, "--calendar", "ukk next")
    assert wrong.code == 2
    assert f"--calendar: there is no calendar ukk in {tmp_path}: did you mean uk?" in wrong.err


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("61 * * * *",), "Invalid cron expression"),
        (("0 0 30 2 *",), "never fires"),
        (("* * * * *", "-z", "Mars/Olympus"), "Unknown time zone"),
    ],
)
def test_preview_of_what_cannot_be_followed_is_one_sentence(shell, argv, sentence):
    told = shell.run("preview", *argv)
    assert (told.code, told.out) == (1, "")
    assert told.err.startswith("schedd: ")
    assert told.err.count("\n") == 1
    assert sentence in told.err


@pytest.mark.parametrize("time", ["yesterday", "2027-13-01", "12:00"])
def test_preview_from_a_time_that_is_none_is_a_usage_error(shell, time):
    assert shell.run("preview", "* * * * *", "--from", time).code == 2


def test_check_counts_the_scripts_and_exits_with_0(shell, scripts):
    scripts("a.py", DAILY)
    scripts("b.sh", DAILY)
    told = shell.run("check", scripts.root)
    assert (told.code, told.out) == (0, "2 scripts fine, 0 problems\n")


def test_check_names_file_line_and_column_of_a_problem_and_exits_with_1(shell, scripts):
    path = scripts("a.sh", "#!/bin/sh\n# @schedule every blue moon\n")
    told = shell.run("check", scripts.root)
    assert told.code == 1
    first, last = told.out.splitlines()
    assert re.fullmatch(rf"{re.escape(path)}:2:\d+: Invalid cron expression: 'every blue moon'.*", first)
    assert last == "0 scripts fine, 1 problem"


def test_check_warns_without_failing(shell, scripts):
    path = scripts("a.sh", DAILY + "# @timezon Europe/Berlin\n")
    told = shell.run("check", scripts.root)
    assert told.code == 0
    assert told.out.startswith(f"{path}:2:")
    assert ": warning: " in told.out
    assert told.out.endswith("1 script fine, 0 problems, 1 warning\n")


def test_check_in_json_says_the_same(shell, scripts):
    scripts("a.sh", "# @schedule 61 * * * *\n")
    told = shell.run("check", scripts.root, "--json")
    (problem,) = told.json["problems"]
    assert (told.code, told.json["scripts"], told.json["warnings"]) == (1, 0, [])
    assert (problem["path"], problem["line"]) == ("a.sh", 1)


def test_check_names_the_place_of_a_syntax_error(shell, scripts):
    path = scripts("a.py", DAILY + "x = (1,\n")
    told = shell.run("check", scripts.root)
    assert told.code == 1
    assert told.out.splitlines()[0] == f"{path}:2:5: SyntaxError: '(' was never closed"


def test_check_of_scripts_for_another_host_only_warns_of_what_is_missing_here(shell, scripts):
    scripts("a.sh", DAILY + "# @requires cmd:no-such\n")
    scripts("b.py", "#!/opt/none/python3\n" + DAILY)
    assert shell.run("check", scripts.root).code == 1
    told = shell.run("check", scripts.root, "--elsewhere")
    assert told.code == 0
    assert told.out.count(": warning: ") == 2
    scripts("c.sh", DAILY + "if\n")
    assert shell.run("check", scripts.root, "--elsewhere").code == 1


def test_check_shows_the_next_slots_of_each_script_in_utc(shell, scripts):
    scripts("a.sh", "# @schedule @at 2090-01-31T09:00\n# @timezone Asia/Tokyo\n")
    scripts("b.sh", "# @schedule 0 0 1 1 *\n")
    told = shell.run("check", scripts.root, "--next")
    first, second, last = told.out.splitlines()
    assert first.split("\t")[:2] == ["a.sh", "2090-01-31T00:00:00.000Z"]
    assert [cell[4:] for cell in second.split("\t")[1:]] == ["-01-01T00:00:00.000Z"] * 3
    assert last == "2 scripts fine, 0 problems"


def test_check_in_json_has_the_next_slots_when_asked(shell, scripts):
    scripts("a.sh", "# @schedule @at 2090-01-31T09:00Z\n")
    assert shell.run("check", scripts.root, "--json", "--next").json["next"] == {
        "a.sh": ["2090-01-31T09:00:00.000Z"]
    }
    assert "next" not in shell.run("check", scripts.root, "--json").json


def test_check_takes_defaults_from_the_configuration(shell, scripts, tmp_path):
    scripts("a.sh", DAILY)
    file = tmp_path / "c.toml"
    file.write_text(f'scripts_dir = "{scripts.root}"\n')
    assert shell.run("check", "--config", str(file)).out == "1 script fine, 0 problems\n"


def test_check_knows_whom_the_configuration_lets_scripts_run_as(shell, scripts, tmp_path):
    scripts("a.sh", DAILY + "# @user backup\n")
    file = tmp_path / "c.toml"
    file.write_text("")
    told = shell.run("check", scripts.root, "--config", str(file))
    assert told.code == 1
    assert "'backup' is not in the setting allowed_users" in told.out
    file.write_text('allowed_users = ["backup"]\n')
    assert shell.run("check", scripts.root, "--config", str(file)).code == 0


def test_check_of_a_directory_that_is_not_there_is_a_problem(shell, tmp_path):
    told = shell.run("check", str(tmp_path / "none"))
    assert told.code == 1
    assert str(tmp_path / "none") in told.out


def test_check_escapes_control_sequences_in_names(shell, scripts):
    scripts("a\x1b[31m.sh", "# @schedule 61 * * * *\n")
    told = shell.run("check", scripts.root)
    assert "\x1b" not in told.out
    assert "\\x1b[31m" in told.out


def test_config_says_where_each_value_comes_from(shell, tmp_path, monkeypatch):
    file = tmp_path / "c.toml"
    file.write_text('grace = "3s"\n')
    monkeypatch.setenv("SCHEDD_MAX_HELD", "7")
    rows = {name: (value, source) for name, value, source in shell.run("config", "--config", str(file)).rows}
    assert rows["grace"] == ('"3s"', str(file))
    assert rows["max_held"] == ("7", "SCHEDD_MAX_HELD")
    assert rows["drain"] == ('"30s"', "default")


def test_config_in_json_is_read_back(shell, monkeypatch):
    monkeypatch.setenv("SCHEDD_ALLOWED_UIDS", "1000, 1001")
    assert shell.run("config", "--json").json["allowed_uids"] == {
        "value": [1000, 1001],
        "source": "SCHEDD_ALLOWED_UIDS",
    }


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_config_does_not_show_what_is_to_be_redacted(shell, monkeypatch, options):
    monkeypatch.setenv("SCHEDD_REDACT", "hunter2, hunter3")
    told = shell.run("config", *options)
    assert "hunter" not in told.out
    assert '["***", "***"]' in told.out


def test_a_broken_configuration_exits_with_2_and_one_line_for_each_problem(shell, tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("grace = 3\nmax_hold = 1\n")
    told = shell.run("config", "--config", str(file))
    assert (told.code, told.out) == (2, "")
    assert [line.startswith(f"schedd: {file}:") for line in told.err.splitlines()] == [True, True]


def test_token_add_prints_the_token_alone_and_stores_only_its_hash(shell, tmp_path):
    told = shell.run("token", "add", "ci", "--scopes", "read,trigger", "--state-dir", str(tmp_path))
    assert (told.code, told.err) == (0, "")
    token = told.out.removesuffix("\n")
    stored = (tmp_path / tokens.FILE_NAME).read_text()
    assert token not in stored
    assert tokens.digest(token) in stored


def test_token_list_shows_all_but_the_token(shell, tmp_path):
    state = ("--state-dir", str(tmp_path))
    token = shell.run("token", "add", "ci", "--scripts", "shop/*", *state).out.strip()
    told = shell.run("token", "list", *state)
    assert told.rows[0][:3] == ["ci", "read", "shop/*"]
    assert token not in told.out
    assert shell.run("token", "list", "--json", *state).json[0]["scopes"] == ["read"]


def test_token_revoke_removes_it_and_says_when_there_is_none(shell, tmp_path):
    state = ("--state-dir", str(tmp_path))
    shell.run("token", "add", "ci", *state)
    assert shell.run("token", "revoke", "ci", *state).code == 0
    assert shell.run("token", "list", *state).out == ""
    told = shell.run("token", "revoke", "ci", *state)
    assert told.code == 1
    assert "no token named 'ci'" in told.err


def test_token_add_with_an_unknown_scope_exits_with_2(shell, tmp_path):
    told = shell.run("token", "add", "ci", "--scopes", "write", "--state-dir", str(tmp_path))
    assert (told.code, told.out) == (2, "")
    assert "unknown scope 'write'" in told.err


def test_token_needs_a_state_directory(shell, tmp_path):
    told = shell.run("token", "list", "--state-dir", str(tmp_path / "none"))
    assert told.code == 1
    assert told.err.count("\n") == 1


def test_a_relative_state_directory_is_one_of_the_shell(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("state")
    shell.run("token", "add", "ci", "--state-dir", "state")
    assert json.loads((tmp_path / "state" / tokens.FILE_NAME).read_text())["tokens"][0]["name"] == "ci"
