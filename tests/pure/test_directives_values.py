"""What the values of directives mean, and what is said of those that mean nothing."""

from dataclasses import replace

import pytest

from schedd.fire import Reason
from schedd.schedule import Catchup, FileStamp, Overlap, Schedule
from schedd.scripts.directives import SUPPORTED, UNSUPPORTED, Problem, read_header
from schedd.scripts.registration import Defaults, Registrar, Source
from schedd.timetable.timetable import Timetable

SCRIPT = "default/cron/job.py"


def register(*lines: str, script: str = SCRIPT, **defaults: object) -> Schedule | tuple[Problem, ...]:
    source = Source(script=script, path=f"/srv/{script}", sha256="ab" * 32, stamp=FileStamp(1, 2, 3))
    header = read_header("".join(f"# {line}\n" for line in lines).encode(), script)
    found = Registrar(Defaults(**defaults)).register(header, source)
    return found.schedule or found.problems


def accepted(*lines: str, **defaults: object) -> Schedule:
    result = register("@schedule 0 5 * * *", *lines, **defaults)
    assert isinstance(result, Schedule), [str(problem) for problem in result]
    return result


def refused(*lines: str) -> list[str]:
    result = register("@schedule 0 5 * * *", *lines)
    assert not isinstance(result, Schedule)
    return [problem.reason for problem in result]


def test_a_header_with_a_schedule_alone_gets_the_defaults():
    schedule = accepted(timezone="Europe/Berlin", timeout_ms=60_000)
    assert (schedule.script, schedule.path) == (SCRIPT, f"/srv/{SCRIPT}")
    assert schedule.expression == "0 5 * * *"
    assert schedule.timetable == Timetable.parse("0 5 * * *", "Europe/Berlin")
    assert schedule.timezone == "Europe/Berlin"
    assert (schedule.timeout_ms, schedule.schedule_timeout_ms) == (60_000, 60_000)
    assert (schedule.enabled, schedule.overlap, schedule.max_runs) == (True, Overlap.SKIP, 1)
    assert (schedule.catchup, schedule.catchup_within_ms) == (Catchup.NONE, None)
    assert (schedule.deadline_ms, schedule.retry) == (None, None)
    assert (schedule.guarded, schedule.secrets) == (False, ())
    assert (schedule.description, schedule.label, schedule.tags) == (None, None, ())
    assert (schedule.env, schedule.env_file, schedule.cwd) == ((), None, None)
    assert (schedule.umask, schedule.nice, schedule.runtime) == (None, None, None)
    assert (schedule.warnings, schedule.stale) == ((), None)


def test_the_expression_is_kept_as_it_was_written():
    result = register('@schedule "0  5 * * MON"')
    assert isinstance(result, Schedule)
    assert result.expression == "0  5 * * MON"


def test_a_hashed_expression_is_drawn_from_the_scripts_path():
    one, other = (register("@schedule H H * * *", script=script) for script in ("a.py", "b.py"))
    assert one.timetable != other.timetable


def test_scripts_with_the_same_timetable_share_it():
    registrar = Registrar(Defaults())
    header = read_header(b"# @schedule 0 5 * * *\n")
    sources = [
        Source(script=name, path=f"/{name}", sha256="", stamp=FileStamp(1, 2, 3)) for name in ("a.py", "b.py")
    ]
    one, other = (registrar.register(header, source).schedule for source in sources)
    assert one.timetable is other.timetable


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("every blue moon", "Invalid cron expression: 'every blue moon'"),
        ("0 0 30 2 *", "Invalid cron expression: '0 0 30 2 *' never fires"),
        ("61 * * * *", "Invalid cron expression: '61 * * * *'"),
    ],
)
def test_an_expression_is_refused_in_the_timetables_words_at_its_place(expression, reason):
    (problem,) = register(f"@schedule {expression}")
    assert problem.reason.startswith(reason)
    assert (problem.path, problem.line, problem.column) == (SCRIPT, 1, 13)
    assert problem.cause is Reason.PREFLIGHT


def test_a_bare_schedule_is_told_what_to_write():
    (problem,) = register("@schedule")
    assert problem.reason == "@schedule needs an expression, for example `30 2 * * *` or `@every 90s`"
    assert problem.column == 3


def test_an_unknown_zone_is_refused_at_the_zone():
    (problem,) = register("@schedule 0 5 * * *", "@timezone Europe/Berln")
    assert "Europe/Berln" in problem.reason
    assert (problem.line, problem.column) == (2, 13)


def test_a_bad_zone_does_not_hide_a_bad_expression():
    problems = register("@timezone Mars/Olympus", "@schedule every blue moon")
    assert [problem.line for problem in problems] == [1, 2]
    assert problems[1].reason == "Invalid cron expression: 'every blue moon'"


def test_an_unknown_default_zone_has_no_line_to_blame():
    problems = register("@schedule 0 5 * * *", timezone="Mars/Olympus")
    assert [problem.line for problem in problems] == [None]


@pytest.mark.parametrize(
    ("written", "limit_ms"),
    [
        ("20m", 1_200_000),
        ("1h30m", 5_400_000),
        ("1.5s", 1500),
        ("250", 250),
        ("0", 0),
        ("unlimited", 0),
        ("none", 0),
    ],
)
def test_a_timeout_is_a_duration_or_milliseconds_or_none_at_all(written, limit_ms):
    assert accepted(f"@timeout {written}", timeout_ms=99).timeout_ms == limit_ms


def test_the_limit_of_scheduled_fires_is_that_of_all_unless_it_is_given():
    assert accepted("@timeout 5s", timeout_ms=99).schedule_timeout_ms == 5000
    both = accepted("@timeout 5s", "@schedule-timeout 7s")
    assert (both.timeout_ms, both.schedule_timeout_ms) == (5000, 7000)
    alone = accepted("@schedule-timeout 7s", timeout_ms=99)
    assert (alone.timeout_ms, alone.schedule_timeout_ms) == (99, 7000)


@pytest.mark.parametrize("written", ["", "5 parsecs", "-5", "5 m", "1e3", "soon", "٣", "5.5", "9" * 400])
def test_what_is_no_timeout_is_told_what_to_write(written):
    (reason,) = refused(f"@timeout {written}")
    assert reason.endswith(
        "write a duration such as 90s, 20m or 1h30m, a number of milliseconds, or unlimited"
    )
    assert len(reason) < 200


@pytest.mark.parametrize("written", ["0s", "0m", "00"])
def test_no_time_at_all_is_not_taken_for_unlimited(written):
    (reason,) = refused(f"@timeout {written}")
    assert "is no time at all" in reason


@pytest.mark.parametrize("written", ["366d", "99999999999"])
def test_a_timeout_of_years_is_a_mistyped_one(written):
    (reason,) = refused(f"@timeout {written}")
    assert reason.endswith("is longer than 365d: write a shorter one, or unlimited")


@pytest.mark.parametrize(("written", "enabled"), [("true", True), ("false", False)])
def test_enabled_is_true_or_false(written, enabled):
    assert accepted(f"@enabled {written}").enabled is enabled


@pytest.mark.parametrize("written", ["", "yes", "False", "0"])
def test_enabled_is_nothing_else(written):
    assert refused(f"@enabled {written}") == [f"@enabled: {written!r} is neither: write true or false"]


@pytest.mark.parametrize("line", ["@websocket", "@websocket true"])
def test_websocket_scripts_cannot_be_scheduled(line):
    (problem,) = register("@schedule 0 5 * * *", line)
    assert problem.reason == "@websocket scripts cannot be scheduled: remove @websocket or @schedule"
    assert problem.cause is Reason.WEBSOCKET
    assert problem.line == 2


def test_websocket_false_changes_nothing():
    assert replace(accepted("@websocket false"), header="") == replace(accepted(), header="")


@pytest.mark.parametrize(
    ("written", "overlap"),
    [
        ("skip", Overlap.SKIP),
        ("queue", Overlap.QUEUE),
        ("queue-all", Overlap.QUEUE_ALL),
        ("replace", Overlap.REPLACE),
        ("allow", Overlap.ALLOW),
        ("Forbid", Overlap.SKIP),
        ("Replace", Overlap.REPLACE),
        ("Allow", Overlap.ALLOW),
    ],
)
def test_each_overlap_policy_has_its_names(written, overlap):
    assert accepted(f"@overlap {written}").overlap is overlap


def test_an_unknown_overlap_policy_is_answered_with_the_list():
    assert refused("@overlap forbid") == [
        "@overlap: 'forbid' is not a policy: write skip, queue, queue-all, replace, allow"
    ]


@pytest.mark.parametrize(
    ("lines", "max_runs"),
    [
        ([], 1),
        (["@overlap allow"], None),
        (["@overlap queue"], 1),
        (["@concurrent true"], None),
        (["@concurrent false"], 1),
        (["@concurrent 3"], 3),
        (["@overlap allow", "@concurrent 3"], 3),
        (["@overlap allow", "@concurrent false"], 1),
        (["@overlap queue", "@concurrent true"], None),
    ],
)
def test_how_many_runs_may_be_alive_at_once(lines, max_runs):
    assert accepted(*lines).max_runs == max_runs


@pytest.mark.parametrize("written", ["", "0", "-1", "many", "1001", "2.5", "9" * 400])
def test_a_number_of_runs_that_makes_no_sense_is_refused(written):
    (reason,) = refused(f"@concurrent {written}")
    assert reason.endswith("write true, false or a number from 1 to 1000")


def test_tokens_guard_the_script_and_are_secrets():
    schedule = accepted("@token swordfish", "@token 'xyzzy'")
    assert schedule.guarded
    assert schedule.secrets == ("swordfish", "xyzzy")


def test_a_token_that_is_refused_is_not_shown():
    assert refused("@token open sesame", "@token") == ["@token: write one word without spaces"] * 2


def test_description_label_and_tags_are_text():
    schedule = accepted(
        "@description  Removes: sessions, 'old' ones ", "@label Clean up", "@tags a, b c", "@tag d", "@tag a"
    )
    assert schedule.description == "Removes: sessions, 'old' ones"
    assert (schedule.label, schedule.name) == ("Clean up", "Clean up")
    assert schedule.tags == ("a", "b", "c", "d")


def test_env_is_a_list_of_names_and_values_in_order():
    schedule = accepted("@env B=1", "@env A=x = y", "@env EMPTY=", "@env QUOTED=' a b '", '@env "WHOLE=a b"')
    assert schedule.env == (("B", "1"), ("A", "x = y"), ("EMPTY", ""), ("QUOTED", " a b "), ("WHOLE", "a b"))


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "@env: '' sets nothing: write NAME=value"),
        ("NAME", "@env: 'NAME' sets nothing: write NAME=value"),
        ("2X=1", "@env: '2X' is not a name: write letters, digits and _, no space around the ="),
        ("A B=1", "@env: 'A B' is not a name: write letters, digits and _, no space around the ="),
        ("A = 1", "@env: 'A ' is not a name: write letters, digits and _, no space around the ="),
        ("=1", "@env: '' is not a name: write letters, digits and _, no space around the ="),
        (
            "SCHEDD_SLOT=1",
            "@env: 'SCHEDD_SLOT' is for schedd to set: choose a name without SCHEDD_ before it",
        ),
    ],
)
def test_what_is_no_environment_variable_is_refused(written, reason):
    assert refused(f"@env {written}") == [reason]


def test_a_variable_set_twice_is_refused():
    result = register("@schedule 0 5 * * *", "@env A=1", "@env A=1")
    assert [(problem.line, problem.reason) for problem in result] == [(3, "@env: 'A' is set twice: keep one")]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("job.env", "/srv/default/cron/job.env"),
        ("../../shared.env", "/srv/shared.env"),
        ("/etc/schedd/job.env", "/etc/schedd/job.env"),
    ],
)
def test_an_env_file_is_beside_the_script_or_named_in_full(written, path):
    assert accepted(f"@env-file {written}").env_file == path


def test_a_relative_env_file_stays_inside_the_scripts_directory():
    assert refused("@env-file ../../../etc/passwd") == [
        "@env-file: '../../../etc/passwd' leaves the scripts directory: write its absolute path"
    ]


@pytest.mark.parametrize(
    ("written", "path"),
    [("/var/tmp", "/var/tmp"), (".", "/srv/default/cron"), ("../..", "/srv"), ("../../..", "/")],
)
def test_the_working_directory_is_absolute_or_seen_from_the_script(written, path):
    assert accepted(f"@cwd {written}").cwd == path


@pytest.mark.parametrize("name", ["cwd", "env-file"])
def test_a_tilde_is_not_guessed_at(name):
    (reason,) = refused(f"@{name} ~/x")
    assert reason.endswith("write an absolute path")


@pytest.mark.parametrize(("written", "mask"), [("027", 0o027), ("0022", 0o022), ("777", 0o777)])
def test_a_umask_is_octal(written, mask):
    assert accepted(f"@umask {written}").umask == mask


@pytest.mark.parametrize("written", ["", "22", "8", "089", "7777", "u=rwx"])
def test_what_is_no_umask_is_refused(written):
    (reason,) = refused(f"@umask {written}")
    assert reason.endswith("write three octal digits, for example 027")


@pytest.mark.parametrize(("written", "nice"), [("10", 10), ("-5", -5), ("+5", 5), ("19", 19), ("-20", -20)])
def test_nice_is_a_small_number(written, nice):
    assert accepted(f"@nice {written}").nice == nice


@pytest.mark.parametrize("written", ["", "20", "-21", "low", "1.5"])
def test_what_is_not_nice_is_refused(written):
    (reason,) = refused(f"@nice {written}")
    assert reason.endswith("write a number from -20 to 19")


@pytest.mark.parametrize("written", ["python", "node", "program", "/opt/venv/bin/python"])
def test_a_runtime_is_one_of_three_or_an_interpreter(written):
    assert accepted(f"@runtime {written}").runtime == written


@pytest.mark.parametrize("written", ["", "ruby", "Python", "bin/python", "/opt/"])
def test_another_runtime_is_refused(written):
    (reason,) = refused(f"@runtime {written}")
    assert reason.endswith("write python, node, program, or an interpreter's absolute path")


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_this_version_lacks_is_refused_by_name_and_place(name):
    (problem,) = register("@schedule 0 5 * * *", f"@{name} x")
    assert problem.reason == f"@{name} is not supported by this version: remove it"
    assert (problem.line, problem.column) == (2, len(name) + 5)


@pytest.mark.parametrize("name", SUPPORTED)
def test_no_supported_directive_is_refused_for_its_name(name):
    assert not any("not supported" in str(problem) for problem in register("@schedule x", f"@{name} x"))


def test_all_problems_of_a_file_are_reported_in_the_order_of_its_lines():
    problems = register(
        "@nice cold",
        "@schedule every blue moon",
        "@retry 3",
        "@timeout soon",
        "@timeout 5s",
        "@env X",
        "@umask 9",
    )
    assert [problem.line for problem in problems] == [1, 2, 3, 4, 5, 6, 7]


def test_a_near_miss_does_not_stop_a_script_but_stays_with_it():
    assert accepted("@timezon Europe/Berlin").warnings == (
        "line 2: `@timezon` is not a directive: did you mean `@timezone`?",
    )


def test_long_values_are_cut_in_what_is_said_of_them():
    long = "9" * 1500
    reasons = refused(f"@runtime {long}", f"@env {long}", f"@env SCHEDD_{long}=1", f"@retry {long}")
    reasons += refused(f"@retry 1 every {long}", f"@catchup last {long}", f"@jitter {long}", f"@nice {long}")
    assert len(reasons) == 8
    assert all(len(reason) < 250 for reason in reasons)
