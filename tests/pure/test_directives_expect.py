"""What a run has to bring about, as `@expect` says it: what each form means, and where it is wrong."""

import json

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from schedd.schedule import Expectation, FileTest, JsonTest
from schedd.scripts import expectations
from tests.pure.headers import accepted, found, refused, warned

MIB = 1024 * 1024
HOUR_MS = 3_600_000


def expected(written: str, *lines: str) -> Expectation:
    (test,) = accepted(*lines, f"@expect {written}").expect
    assert test.text == written
    return test


def test_a_script_without_expect_has_no_tests():
    assert accepted().expect == ()


def test_tests_are_kept_in_the_order_of_the_lines():
    tests = accepted("@expect json .a", "@expect exit 0,1", "@expect stdout /x/", "@expect json .a").expect
    assert [test.text for test in tests] == ["json .a", "exit 0,1", "stdout /x/", "json .a"]


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("exit 3", (3,)),
        ("exit 0,3", (0, 3)),
        ("exit 0-3", (0, 1, 2, 3)),
        ("exit 3, 0..1 255", (0, 1, 3, 255)),
        ("exit 3,3,2-3", (2, 3)),
        ("exit 7-7", (7,)),
    ],
)
def test_exit_codes_are_a_list_with_ranges(written, codes):
    assert expected(written) == Expectation(text=written, exit_codes=codes)


@pytest.mark.parametrize(
    ("written", "reason", "there"),
    [
        ("exit", "it names no exit code: write codes, as in `exit 0,3` or `exit 0-3`", ""),
        ("exit ,", "it names no exit code: write codes, as in `exit 0,3` or `exit 0-3`", ","),
        (
            "exit 0,256",
            "'256' is no exit code: write codes from 0 to 255, as in `exit 0,3` or `exit 0-3`",
            "256",
        ),
        ("exit ok", "'ok' is no exit code: write codes from 0 to 255, as in `exit 0,3` or `exit 0-3`", "ok"),
        ("exit -1", "'-1' is no exit code: write codes from 0 to 255, as in `exit 0,3` or `exit 0-3`", "-1"),
        ("exit 1 9-3", "'9-3' runs backwards: write 3-9", "9-3"),
    ],
)
def test_what_is_no_exit_code_is_pointed_at(written, reason, there):
    assert refused(f"@expect {written}") == (f"@expect: {reason}", there)


def test_exit_codes_stand_in_one_place():
    problems = found("@schedule 0 5 * * *", "@expect exit 0", "@expect stdout /x/", "@expect exit 3").problems
    assert [(problem.line, problem.reason) for problem in problems] == [
        (4, "@expect: exit stands twice: write all codes in one, as in `exit 0,3`")
    ]


def test_what_is_expected_anyway_is_pointed_out_at_its_line():
    reason = "@expect exit 0 changes nothing: every run is held to that"
    assert warned("@expect json .a", "@expect exit 0") == [(2, reason)]
    assert warned("@expect exit 0,0") == [(1, reason)]
    assert warned("@expect exit 0,3", "@expect stdout /exit 0/") == []


@pytest.mark.parametrize(
    ("written", "text", "is_found"),
    [
        ("/copied [0-9]+ files/", "has copied 12 files", True),
        ("/copied [0-9]+ files/", "has copied no files", False),
        ("/DONE/i", "done", True),
        ("/DONE/", "done", False),
        ("/^done$/m", "first\ndone\n", True),
        ("/^done$/", "first\ndone\n", False),
        ("/a.b/s", "a\nb", True),
        ("/a.b/", "a\nb", False),
        ("/A.B$/smi", "a\nb\nc", True),
        ("/usr/bin/", "in usr/bin", True),
        (r"/usr\/bin/", "in usr/bin", True),
        ("/ /", "a b", True),
    ],
)
def test_a_pattern_stands_between_slashes_with_its_flags_behind(written, text, is_found):
    pattern = expected(f"stdout {written}").stdout
    assert bool(regex.search(pattern, text)) is is_found


@pytest.mark.parametrize(
    ("written", "reason", "there"),
    [
        ("stdout", "'' is no pattern: write it between slashes, as in /copied [0-9]+/", ""),
        ("stdout //", "'//' is no pattern: write it between slashes, as in /copied [0-9]+/", "//"),
        ("stdout done", "'done' is no pattern: write it between slashes, as in /copied [0-9]+/", "done"),
        ("stdout /done", "'/done' is no pattern: write it between slashes, as in /copied [0-9]+/", "/done"),
        ("stdout /a/ b", "'/a/ b' is no pattern: write it between slashes, as in /copied [0-9]+/", "/a/ b"),
        ("stdout /a/ig", "'g' is not a flag: write none of them, or some of ims", "g"),
        ("stdout /a[b/", "the pattern does not compile: unterminated character set", "b/"),
        ("stdout /x*+*y/", "the pattern does not compile: multiple repeat", "*y/"),
        ("stdout /a(b/", "the pattern does not compile: missing )", "b/"),
        ("stdout /(?a)(?u)b/", "the pattern does not compile: ASCII, LOCALE and UNICODE flags", "(?a)(?u)b/"),
        ("stdout /a(?R)?b/", "a pattern must not call itself: write it without", "R)?b/"),
        (r"stdout /\\(?R)/", "a pattern must not call itself: write it without", "R)/"),
        ("stdout /(?<n>a(?&n)?)/", "a pattern must not call itself: write it without", "&n)?)/"),
    ],
)
def test_what_is_no_pattern_is_pointed_at(written, reason, there):
    said, where = refused(f"@expect {written}")
    assert said.startswith(f"@expect: {reason}")
    assert where == there


def test_a_pattern_has_a_length():
    assert expected(f"stdout /{'a' * 500}/").stdout == "a" * 500
    assert (
        "a pattern of 501 characters is too long: write 500 or fewer"
        in refused(f"@expect stdout /{'a' * 501}/")[0]
    )


@pytest.mark.parametrize(
    "pattern",
    [
        "a{100001}",
        "(a{999}){999}",
        "(?:(?:a{99}){99}){99}",
        "(a{9999}) {99}",
        "a{999}{999}",
        "(?:a{999})+{999}",
    ],
)
def test_a_pattern_that_would_fill_the_memory_is_not_compiled(pattern):
    reason, there = refused(f"@expect stdout /{pattern}/")
    assert reason == "@expect: the repeats make the pattern too large: write smaller numbers, or + or *"
    assert there == f"{pattern}/"


@pytest.mark.parametrize(
    "pattern",
    [r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a{0,99999}"],
)
def test_patterns_with_numbers_are_usual(pattern):
    assert expected(f"stdout /{pattern}/").stdout == pattern


@pytest.mark.parametrize(
    ("written", "test"),
    [
        (".rows > 0", JsonTest(("rows",), ">", 0)),
        (".rows>0", JsonTest(("rows",), ">", 0)),
        (".rows >= 1.5", JsonTest(("rows",), ">=", 1.5)),
        (".rows<=-3", JsonTest(("rows",), "<=", -3)),
        (".rows < 1e3", JsonTest(("rows",), "<", 1000.0)),
        (".ok == true", JsonTest(("ok",), "==", True)),
        (".error = null", JsonTest(("error",), "==", None)),
        ('.state != "a > b"', JsonTest(("state",), "!=", "a > b")),
        ('.state > "b"', JsonTest(("state",), ">", "b")),
        (".rows", JsonTest(("rows",), "")),
        (".a.b_2.größe", JsonTest(("a", "b_2", "größe"), "")),
        (".exit-code == 0", JsonTest(("exit-code",), "==", 0)),
        (".a[0][-1].b", JsonTest(("a", 0, -1, "b"), "")),
        ('["any name"].x', JsonTest(("any name", "x"), "")),
        ('.a["]\\"."] == 1', JsonTest(("a", ']".'), "==", 1)),
        ('.["a"][ 0 ]', JsonTest(("a", 0), "")),
        ("[0] > 1", JsonTest((0,), ">", 1)),
        (". > 3", JsonTest((), ">", 3)),
        (".", JsonTest((), "")),
        ("$.rows > 0", JsonTest(("rows",), ">", 0)),
    ],
)
def test_a_member_of_the_result_is_named_by_its_path_and_compared(written, test):
    read = expected(f"json {written}").json
    assert read == test
    assert type(read.value) is type(test.value)


@pytest.mark.parametrize(
    ("written", "reason", "there"),
    [
        ("json", "'' is no path into the result: write it like .rows or .days[0]", ""),
        (
            "json rows > 0",
            "'rows > 0' is no path into the result: write it like .rows or .days[0]",
            "rows > 0",
        ),
        ("json ..rows", "'..rows' is no path into the result: write it like .rows or .days[0]", "..rows"),
        ("json $", "'$' is no path into the result: write it like .rows or .days[0]", "$"),
        ("json .a.", "'.' does not go on with the path: write .name, [\"any name\"] or [0]", "."),
        ("json .a[x] > 1", "'[x] > 1' does not go on with the path: write .name", "[x] > 1"),
        ("json .a['b']", "\"['b']\" does not go on with the path: write .name", "['b']"),
        ('json .a["\\q"]', '\'"\\\\q"\' is no name in JSON: write it like "any name"', '["\\q"]'),
        ("json .a ~ 1", "'~ 1' compares nothing: write ==, !=, <, <=, > or >= and a value", "~ 1"),
        ("json .a is 1", "'is 1' compares nothing: write ==, !=, <, <=, > or >= and a value", "is 1"),
        ("json .a >", '> compares with nothing: write a number, a "text", true, false or null', ""),
        ("json .a == ok", "'ok' is no value: write a number, a \"text\", true, false or null", "ok"),
        ("json .a === 1", "'= 1' is no value: write a number, a \"text\", true, false or null", "= 1"),
        ("json .a == 'ok'", "\"'ok'\" is no value: write a number", "'ok'"),
        ("json .a == [1]", "'[1]' is no value: write a number", "[1]"),
        ("json .a == NaN", "'NaN' is no value: write a number", "NaN"),
        ("json .a == 1 and .b == 2", "'1 and .b == 2' is no value: write a number", "1 and .b == 2"),
        ("json .a > 1e999", "'1e999' is no value: write a number", "1e999"),
        ("json .a > true", "> has no meaning for true: write == or !=", "> true"),
        ("json .a <= null", "<= has no meaning for null: write == or !=", "<= null"),
    ],
)
def test_what_compares_nothing_is_pointed_at(written, reason, there):
    said, where = refused(f"@expect {written}")
    assert said.startswith(f"@expect: {reason}")
    assert where == there


steps = st.lists(st.text() | st.integers(-999_999_999, 999_999_999), min_size=1, max_size=6)
literals = (
    st.text()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
)


@given(steps, st.sampled_from(["==", "!="]), literals)
def test_any_path_and_value_can_be_written_as_json_writes_them(path, operator, value):
    written = "".join(f"[{json.dumps(step)}]" for step in path) + f" {operator} {json.dumps(value)}"
    assert expectations.read(f"json {written}", directory="/").json == JsonTest(tuple(path), operator, value)


@pytest.mark.parametrize(
    ("written", "test"),
    [
        ("/b/x.sql", FileTest(path="/b/x.sql")),
        ("/b/x.sql size>1M", FileTest(path="/b/x.sql", larger_than_bytes=MIB)),
        ("/b size<1", FileTest(path="/b", smaller_than_bytes=1)),
        ("/b size>0 age<1h", FileTest(path="/b", larger_than_bytes=0, younger_than_ms=HOUR_MS)),
        (
            "/b age > 1h age < 1h30m",
            FileTest(path="/b", older_than_ms=HOUR_MS, younger_than_ms=HOUR_MS * 3 // 2),
        ),
        (
            "/b age<2h size<2M size>1M age>1h",
            FileTest(
                path="/b",
                larger_than_bytes=MIB,
                smaller_than_bytes=2 * MIB,
                younger_than_ms=2 * HOUR_MS,
                older_than_ms=HOUR_MS,
            ),
        ),
        ('"/b/my dump.sql" size>1M', FileTest(path="/b/my dump.sql", larger_than_bytes=MIB)),
        ("'it is'", FileTest(path="/srv/default/cron/it is")),
        ("../out/x", FileTest(path="/srv/default/out/x")),
    ],
)
def test_a_file_has_a_path_and_bounds(written, test):
    assert expected(f"file {written}").file == test


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ([], "/srv/default/cron/out"),
        (["@cwd /var/lib/x"], "/var/lib/x/out"),
        (["@cwd .."], "/srv/default/out"),
    ],
)
def test_a_relative_path_is_seen_from_where_the_script_runs(lines, path):
    assert expected("file out", *lines).file == FileTest(path=path)


@pytest.mark.parametrize(
    ("written", "reason", "there"),
    [
        ("file", "it names no file: write its path behind `file`", ""),
        ("file size>1M", "it names no file: write its path behind `file`", "size>1M"),
        ("file ~/x", "'~/x': ~ means nobody's home here, write an absolute path", "~/x"),
        ("file /a b", "'b' is no bound: write size>1M, size<1G, age<1h or age>1d", "b"),
        ("file /a mtime<1h", "'mtime<1h' is no bound: write size>1M, size<1G, age<1h or age>1d", "mtime<1h"),
        ("file /a size", "'size' is no bound: write size>1M, size<1G, age<1h or age>1d", "size"),
        ("file /a size>=1M", "'>=' is no bound: write > or <", ">=1M"),
        ("file /a size=1M", "'=' is no bound: write > or <", "=1M"),
        ("file /a age<1h size>", "'' is not a size: write it like 64K, 512M or 1.5G", ""),
        ("file /a size>1X", "'1X' is not a size: write it like 64K, 512M or 1.5G", "1X"),
        ("file /a age<5", "'5' has no unit, write 5s or use m, h, d", "5"),
        ("file /a size>1M size>2M", "size> stands twice: keep one", "size>2M"),
        (
            "file /a size>2M size<2M",
            "no file has that size: write bounds with something between",
            "size<2M",
        ),
        ("file /a size>1 size<2", "no file has that size: write bounds with something between", "size<2"),
        ("file /a size<0", "no file has that size: write bounds with something between them", "size<0"),
        ("file /a age<0s", "no file has that age: write bounds with something between them", "age<0s"),
        ("file /a age>2h age<1h", "no file has that age: write bounds with something between", "age<1h"),
    ],
)
def test_what_no_file_can_be_is_pointed_at(written, reason, there):
    said, where = refused(f"@expect {written}")
    assert said.startswith(f"@expect: {reason}")
    assert where == there


@pytest.mark.parametrize("written", ["", "stderr /x/", "0", "Exit 0", "exit:0", "stdout/x/"])
def test_another_test_is_answered_with_those_that_there_are(written):
    reason, _ = refused(f"@expect {written}".rstrip())
    assert reason == f"@expect: {written!r} is not understood: write {expectations.FORMS}"


def test_the_place_is_right_behind_a_quote_too():
    assert refused("@expect  'stdout /a(/'")[1] == "(/'"


def test_tests_have_an_end():
    lines = [f"@expect json .a{number}" for number in range(21)]
    assert len(accepted(*lines[:20]).expect) == 20
    problems = found("@schedule 0 5 * * *", *lines).problems
    assert [(problem.line, problem.reason) for problem in problems] == [
        (22, "@expect: more than 20 tests: make the others in the script")
    ]
