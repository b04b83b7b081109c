"""What was almost a directive, or stands where nobody reads it: a warning, for nothing else would tell."""

import pytest

from schedd.scripts.directives import Header, Problem, read_header

# https://jsdoc.app and the pragmas of common tools: all of them stand in headers, none of them is ours.
FOREIGN = """abstract access alias async augments author borrows callback class classdesc constant constructs
copyright default deprecated enum event example exports external file fileoverview fires function generator
global hideconstructor ignore implements inheritdoc inner instance interface kind lends license listens member
memberof mixes mixin module name namespace override package param private property protected public readonly
returns return see since static summary this throws todo tutorial type typedef variation version yields
ts-check ts-nocheck ts-ignore ts-expect-error flow format prettier jest-environment preserve jsx jsxRuntime
eslint template internal remarks defaultValue decorator sealed virtual alpha beta api usage category
subpackage link uses method final var global method tagname""".split()  # noqa: SIM905


def test_a_second_block_is_not_read_and_a_schedule_in_it_is_pointed_out():
    header = read_header(b"/* Licence: MIT\n */\n/**\n * @schedule 0 5 * * *\n */\n// @label x\n")
    assert header.directives == ()
    assert [(warning.line, warning.reason) for warning in header.nearly] == [
        (4, "only the first comment block is read: did you mean `// @schedule`?")
    ]


def test_the_jsdoc_of_the_first_function_is_not_taken_for_a_lost_schedule():
    header = read_header(b"/* @schedule 0 5 * * * */\n/** @schedule x */\nfunction f() {}\n")
    assert header.get("schedule").value == "0 5 * * *"
    assert header.warnings == ()


@pytest.mark.parametrize(
    ("text", "line", "column", "code"),
    [
        ('"""Cleans up."""\n\n# @schedule 0 5 * * *\n', 3, 3, 1),
        ("#!/bin/sh\nset -eu\n#   @schedule '@every 90s'\n", 3, 5, 2),
        ("import os\n\n\n  // @schedule H 5 * * *\n", 4, 6, 1),
        ("const x = 1\n/**\n * @schedule */5 * * * *\n */\n", 3, 4, 1),
        ("/* Licence */ const x = 1\n/* @schedule @daily */\n", 2, 4, 1),
        ("\ufeffx\n# @label a\n-- @schedule 0 5 * * *\r\n", 3, 4, 1),
    ],
)
def test_a_schedule_below_the_code_is_pointed_out(text, line, column, code):
    header = read_header(text.encode())
    assert header.get("schedule") is None
    assert header.nearly == header.warnings
    assert [(warning.line, warning.column, warning.reason) for warning in header.warnings] == [
        (
            line,
            column,
            f"`@schedule` is not read here, since line {code} is code, which ends the header: move it up",
        )
    ]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("<!-- @schedule 0 5 * * * -->", 6),
        ("REM @schedule 0 5 * * *", 5),
        ("@schedule 0 5 * * *", 1),
        ("% @schedule @daily", 3),
    ],
)
def test_a_schedule_in_no_comment_is_told_which_comments_there_are(line, column):
    (warning,) = read_header(f"#!/bin/sh\n{line}\n".encode()).nearly
    assert (warning.line, warning.column) == (2, column)
    assert warning.reason == (
        "`@schedule` is not read here, where it stands in no comment: write `# @schedule` or `// @schedule`"
    )


def test_a_shebang_that_ends_in_cr_lf_is_named_and_the_header_is_read_all_the_same():
    header = read_header(b"\xef\xbb\xbf#!/bin/sh\r\n# @schedule 0 5 * * *\r\n")
    assert header.get("schedule").value == "0 5 * * *"
    assert [(warning.line, warning.reason) for warning in header.warnings] == [
        (1, "the #! line ends in CR LF, which hides the interpreter: use LF line ends")
    ]
    assert header.problems == header.nearly == ()


def test_lines_that_end_in_cr_alone_are_named():
    header = read_header(b"#!/bin/sh\r# @schedule 0 5 * * *\rexit 0\r")
    assert [warning.reason for warning in header.nearly] == [
        "the lines end in CR alone, so that all are one: use LF line ends"
    ]


@pytest.mark.parametrize(
    "below",
    [
        "# scripts with @schedule 0 5 * * * run daily",
        "# @schedule is what schedd looks for",
        "# @scheduled 0 5 * * *",
        "# @schedule",
        "text = '# @schedule 0 5 * * *'",
        "@schedule(0)",
    ],
)
def test_prose_and_code_about_schedules_are_not_taken_for_one(below):
    assert read_header(f"import os\n{below}\n".encode()).warnings == ()


def test_only_the_first_schedule_below_the_code_is_pointed_out_and_none_where_there_is_one_above():
    below = b"import os\n" + b"# @schedule 0 5 * * *\n" * 9
    assert len(read_header(below).warnings) == 1
    assert read_header(b"# @schedule 0 6 * * *\n" + below).warnings == ()
    assert len(read_header(b"# @schedul 0 6 * * *\n" + below).warnings) == 1


def test_names_are_case_sensitive_and_a_capital_is_a_near_miss():
    header = read_header(b"# @Schedule 0 5 * * *\n")
    assert header.directives == ()
    assert header.nearly[0].reason == "`@Schedule` is not a directive: did you mean `@schedule`?"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("@schedul", "@schedule"),
        ("@scheduled", "@schedule"),
        ("@shcedule", "@schedule"),
        ("@schedule:", "@schedule"),
        ("@timezon", "@timezone"),
        ("@time-zone", "@timezone"),
        ("@timeuot", "@timeout"),
        ("@overlapp", "@overlap"),
        ("@schedule_timeout", "@schedule-timeout"),
        ("@concurency", "@concurrent"),
        ("@cron", "@schedule"),
        ("@daily", "@schedule @daily"),
        ("@Reboot", "@schedule @reboot"),
        ("@every", "@schedule @every"),
        ("@catch-up", "@catchup"),
        ("@misfire", "@catchup"),
        ("@dead-line", "@deadline"),
        ("@jittr", "@jitter"),
        ("@random-delay", "@jitter"),
        ("@flock", "@lock"),
        ("@run-as", "@user"),
        ("@cpus", "@cpu"),
        ("@nofile", "@files"),
        ("@Retry", "@retry"),
        ("@retries:", "@retry"),
        ("@max-retries", "@retry"),
    ],
)
def test_a_near_miss_is_a_warning_with_the_suggestion(written, meant):
    header = read_header(f"# x\n#  {written} 1\n".encode(), "a.py")
    assert header.warnings == (
        Problem("a.py", f"`{written}` is not a directive: did you mean `{meant}`?", 2, 4),
    )
    assert header.directives == ()


@pytest.mark.parametrize("name", FOREIGN)
def test_the_tags_of_other_tools_are_ignored(name):
    assert read_header(f"/** @{name} {{string}} x */\n".encode()) == Header()


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("#@schedule 0 5 * * *", "# @schedule"),
        ("//@schedule 0 5 * * *", "// @schedule"),
        ("/// @schedule 0 5 * * *", "// @schedule"),
        ("## @schedule 0 5 * * *", "# @schedule"),
    ],
)
def test_a_prefix_that_is_no_prefix_is_pointed_out(line, instead):
    header = read_header(f"{line}\n".encode())
    assert header.directives == ()
    written = line.partition(" 0")[0]
    assert [warning.reason for warning in header.nearly] == [
        f"`{written}` is a plain comment: did you mean `{instead}`?"
    ]
