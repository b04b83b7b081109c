"""Where a header begins and ends, and which lines of it are directives."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedd.scripts.directives import (
    HEADER_BYTES,
    SUPPORTED,
    UNSUPPORTED,
    Header,
    Problem,
    has_schedule,
    may_have_directives,
    read_header,
)


def values(text: str) -> list[tuple[str, str]]:
    return [(found.name, found.value) for found in read_header(text.encode()).directives]


def reasons(header: Header) -> list[tuple[int | None, int | None, str]]:
    return [(problem.line, problem.column, problem.reason) for problem in header.problems]


@pytest.mark.parametrize("prefix", ["//", "#", "--", ";"])
def test_each_comment_prefix_starts_a_directive(prefix):
    assert values(f"{prefix} @schedule 0 5 * * *\n") == [("schedule", "0 5 * * *")]


@pytest.mark.parametrize("prefix", ["*", "REM", "%", "'", "<!--", ""])
def test_nothing_else_does(prefix):
    assert values(f"{prefix} @schedule 0 5 * * *\n") == []


def test_white_space_of_any_kind_may_stand_around_the_name():
    assert values("  #\t\t@schedule \t 0 5 * * * \t\n") == [("schedule", "0 5 * * *")]


def test_the_rest_of_the_line_is_the_value():
    assert values("# @description one # two // three @timeout 5\n") == [
        ("description", "one # two // three @timeout 5")
    ]


def test_a_directive_in_the_middle_of_a_comment_is_text():
    assert values("# set @schedule to 0 5 * * *\n") == []


@pytest.mark.parametrize(
    "between",
    [
        "#!/usr/bin/env node",
        "# -*- coding: utf-8 -*-",
        '"use strict"',
        "'use strict';",
        "",
        "   \t ",
        "// plain words",
        "#",
    ],
)
def test_what_may_stand_between(between):
    assert values(f"{between}\n# @schedule 0 5 * * *\n") == [("schedule", "0 5 * * *")]


@pytest.mark.parametrize(
    "code",
    ["import os", "x = 1", '"use strong"', "'use strict\"", "@decorator", "<?php", '"""docstring', "*/"],
)
def test_the_first_line_of_code_ends_the_header(code):
    assert values(f"# @label first\n{code}\n# @schedule 0 5 * * *\n") == [("label", "first")]


def test_a_shebang_is_no_place_for_a_directive():
    assert values("#! @schedule 0 5 * * *\n# @label x\n") == [("label", "x")]


def test_a_block_with_stars_is_read():
    block = "/**\n * Words.\n *\n * @schedule 0 5 * * *\n *   @timeout 5m\n */\nconst x = 1\n// @label no\n"
    assert values(block) == [("schedule", "0 5 * * *"), ("timeout", "5m")]


def test_a_block_without_stars_is_read():
    assert values("/*\n@schedule 0 5 * * *\n  @timeout 5m\n*/\n") == [
        ("schedule", "0 5 * * *"),
        ("timeout", "5m"),
    ]


def test_a_block_on_one_line_is_read():
    assert values("/* @schedule 0 5 * * 1 */\n// @label x\n") == [("schedule", "0 5 * * 1"), ("label", "x")]


def test_line_comments_may_stand_around_the_block():
    text = "// @label x\n/* @schedule 0 5 * * 1 */ // @timeout 5s\n\n# @nice 5\n"
    assert [name for name, _ in values(text)] == ["label", "schedule", "timeout", "nice"]


def test_code_behind_the_block_ends_the_header():
    assert values("/* @label x */ let y\n// @schedule 0 5 * * *\n") == [("label", "x")]


@pytest.mark.parametrize("text", ["/* @schedule */5 * * * * */\n", "/**\n * @schedule */5 * * * *\n */\n"])
def test_an_expression_that_ends_its_block_is_refused_once_with_the_way_out(text):
    header = read_header(text.encode())
    assert [reason for _, _, reason in reasons(header)] == [
        "the `*/` ends the comment block here: write `// @schedule */5 * * * *`"
    ]
    assert header.get("schedule").value == "*/5 * * * *"


def test_crlf_and_a_byte_order_mark_are_fine():
    data = b"\xef\xbb\xbf# @schedule 0 5 * * *\r\n\r\n# @label x\r\nimport os\r\n"
    header = read_header(data)
    assert [(found.value, found.line, found.column) for found in header.directives] == [
        ("0 5 * * *", 1, 13),
        ("x", 3, 10),
    ]
    assert header.problems == header.warnings == ()


@pytest.mark.parametrize("quote", ["'", '"'])
def test_matching_quotes_are_taken_off(quote):
    header = read_header(f"# @schedule {quote} 0 5 * * * {quote}\n".encode())
    assert header.directives[0].value == "0 5 * * *"
    assert header.directives[0].column == 15


@pytest.mark.parametrize("value", ["\"0 5 * * *'", '"', '"one" and "two"', "it's", 'say "so"'])
def test_other_quotes_stay(value):
    assert values(f"# @description {value}\n") == [("description", value)]


def test_the_same_directive_twice_is_a_problem_where_it_comes_again():
    header = read_header(b"# @schedule 0 5 * * *\n# x\n#   @schedule 0 6 * * *\n")
    assert reasons(header) == [(3, 5, "@schedule stands twice, first in line 1: keep one")]
    assert header.get("schedule").value == "0 5 * * *"


@pytest.mark.parametrize("name", ["env", "token", "tag", "expect"])
def test_those_that_make_lists_may_repeat(name):
    header = read_header(f"# @{name} a\n# @{name} b\n".encode())
    assert [found.value for found in header.all(name)] == ["a", "b"]
    assert header.problems == ()


def test_every_directive_knows_its_line_and_column():
    header = read_header(b"#!/bin/sh\n\n#  @timeout   5m\n# @websocket\n/* @label 'x' */\n")
    assert [(found.name, found.line, found.column) for found in header.directives] == [
        ("timeout", 3, 15),
        ("websocket", 4, 3),
        ("label", 5, 12),
    ]


def test_columns_count_characters_not_bytes():
    header = read_header("#\u00a0@label é\n# ünï @x\n/* ü */ # @nice 5\n".encode())
    assert [(found.line, found.column) for found in header.directives] == [(1, 10), (3, 17)]


def test_a_header_that_is_not_utf8_names_the_byte():
    header = read_header("# @schedule 0 5 * * *\n# Räume auf\n# über\n".encode("latin-1"))
    assert reasons(header) == [(2, 4, "the header is not UTF-8 (byte 0xe4): save the file as UTF-8")]
    assert header.get("schedule") is not None


@pytest.mark.parametrize(
    "line", [b"# @schedul\xe9 x", b"# @schedul\x1be x", b"/* @schedule */5 \xe9", b"# @nice \xe9\x07"]
)
def test_what_is_said_of_odd_bytes_can_be_printed_and_sent(line):
    header = read_header(line + b"\n")
    said = [problem.reason for problem in header.problems + header.warnings]
    assert said
    assert all(reason.isprintable() and reason.encode() for reason in said)


def test_code_that_is_not_utf8_is_the_codes_own_affair():
    assert read_header(b"# @schedule 0 5 * * *\nexit\n\xff\xfe\x00\n").problems == ()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_recognised_rather_than_overlooked(encoding):
    data = "\ufeff# @schedule 0 5 * * *\r\n".encode(encoding)
    assert has_schedule(data)
    header = read_header(data)
    assert header.get("schedule").value == "0 5 * * *"
    assert reasons(header) == [(1, 1, "the header is not UTF-8 (UTF-16): save the file as UTF-8")]


@pytest.mark.parametrize("control", ["\0", "\r", "\x1b"])
def test_a_control_character_in_a_value_is_a_problem(control):
    header = read_header(f"# @label a{control}b\n".encode())
    assert reasons(header) == [(1, 10, f"@label holds the control character U+{ord(control):04X}: remove it")]
    assert header.get("label").value == "ab"


def test_nothing_behind_the_first_16_kib_is_read_and_that_is_said():
    filler = "# padding\n" * (HEADER_BYTES // 10)
    header = read_header(f"# @schedule 0 5 * * *\n{filler}# @timeout 5m\n".encode())
    assert [found.name for found in header.directives] == ["schedule"]
    assert [warning.reason for warning in header.warnings] == [
        "the header goes on beyond 16 KiB: nothing behind line 1637 is read"
    ]


def test_the_line_that_the_limit_cuts_is_not_read_in_part():
    start = b"# @schedule 0 5 * * *\n"
    line = b"# @label " + b"x" * HEADER_BYTES
    assert [found.name for found in read_header(start + line).directives] == ["schedule"]


def test_long_code_behind_a_short_header_is_no_matter():
    header = read_header(b"# @schedule 0 5 * * *\nx = 1\n" + b"# y\n" * HEADER_BYTES)
    assert header.warnings == ()


def test_ten_megabytes_of_header_cost_what_16_kib_cost():
    data = b"# @schedule 0 5 * * *\n" + b"# @label x\n" * 1_000_000
    start = time.process_time()
    header = read_header(data)
    assert time.process_time() - start < 0.5
    assert header.get("schedule").value == "0 5 * * *"
    assert "stands twice" in header.problems[-1].reason


@pytest.mark.parametrize(
    "piece", ["#", " ", "*", "/*", "\t#", "@", "# @", "*/", "-- ", "# @a ", "\n", "/**/", "'"]
)
def test_no_line_however_odd_takes_long(piece):
    data = (piece * HEADER_BYTES)[:HEADER_BYTES].encode()
    start = time.process_time()
    read_header(data)
    may_have_directives(data)
    has_schedule(data)
    assert time.process_time() - start < 1.0


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise_and_the_quick_tests_miss_nothing(data):
    _miss_nothing(data)


PIECES = [
    "#",
    "#!",
    "\r",
    "//",
    "--",
    ";",
    "/*",
    "*/",
    " * ",
    " ",
    "\n",
    "\r\n",
    "@",
    "schedule",
    "@schedule ",
    "@tag ",
    "\u00a0",
]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*PIECES, "é", "\u2028", "\x1f", "\ufeff", "'", '"', "*/5", "0"])).map("".join)
)
def test_no_mixture_of_pieces_does_either(text):
    _miss_nothing(text.encode())


def _miss_nothing(data: bytes) -> None:
    header = read_header(data, "x")
    if header.get("schedule"):
        assert has_schedule(data)
    if header.directives or header.warnings:
        assert may_have_directives(data)
    for found in header.directives:
        assert found.value == found.value.strip() or found.value[0] in "'\""
        assert found.line >= 1
        assert found.column >= 1


def test_a_problem_reads_like_a_compilers():
    assert str(Problem("a.py", "wrong", 3, 7)) == "a.py:3:7: wrong"
    assert str(Problem("a.py", "unsafe")) == "a.py: unsafe"


def test_no_name_is_both_supported_and_not():
    assert not set(SUPPORTED) & set(UNSUPPORTED)
