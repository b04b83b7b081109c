"""Whatever a header says: it is registered, or each of its faults has a place; and it can be recalled."""

from hypothesis import example, given
from hypothesis import strategies as st

from schedd.schedule import FileStamp
from schedd.scripts import expectations, limits
from schedd.scripts.accounts import Accounts
from schedd.scripts.directives import REPEATABLE, SUPPORTED, UNSUPPORTED, read_header
from schedd.scripts.registration import Defaults, Finding, Registrar, Source

GOOD = {
    "lock": ["database", "database:2"],
    "requires": ["cmd:pg_dump file:/mnt/b env:PGHOST", "file:../data"],
    "expect": [
        "exit 0,3",
        "stdout /copied [0-9]+/i",
        'json .rows["a b"][0] >= 1.5',
        "json .ok",
        "file out.sql size>1M age<1h",
        """file "a b" size<1K""",
    ],
    "user": ["backup"],
    "group": ["tape"],
    "memory": ["512M"],
    "cpu": ["50%"],
    "pids": ["64"],
    "shell-limit": ["64"],
    "files": ["1024"],
    "mode": ["warm", "cold"],
    "detach": ["", "false"],
    "cwd": ["..", "/var/lib"],
    "env": ["A=1"],
    "overlap": ["allow"],
    "concurrent": ["3"],
    "runtime": ["program"],
}
PIECES = [
    *("exit", "stdout", "json", "file", "/", "(", "[", "{", "{9}", "a{9999}", "*", "+", "\\", "|", "$", "^"),
    *(".", "..", ".a", '["b"]', "[0]", "[-1]", "==", "=", "!=", "<", "<=", ">", ">=", "1", "1e999", '"x"'),
    *("true", "null", "size", "age", "1M", "1h", "0-3", "300", ",", ":", "%", "cmd:", "env:X", "~", "'", '"'),
    *(
        "(?R)",
        "(?P<n>",
        "\\p{L}",
        "]",
        "}",
        ")",
        "ü",
        "\t",
        "\x01",
        "٣",
        "512",
        "M",
        "backup",
        "root",
        "\ud800",
    ),
]
DIRECTIVES = st.sampled_from([*SUPPORTED, *UNSUPPORTED])
ACCOUNTS = Accounts(allowed_users=("backup",), own_user="root", own_groups=("root", "tape"))

random_values = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=12).flatmap(
    lambda pieces: st.sampled_from(["", " "]).map(lambda between: between.join(pieces))
)
random_lines = st.tuples(DIRECTIVES, random_values)
good_lines = st.sampled_from([(name, value) for name, values in GOOD.items() for value in values])


def register(lines: list[tuple[str, str]]) -> tuple[Finding, str]:
    text = "".join(f"# @{name} {value}".replace("\n", " ").replace("\r", " ") + "\n" for name, value in lines)
    data = text.encode("utf-8", "surrogateescape" if "\udc80" in text else "surrogatepass")
    return Registrar(Defaults(accounts=ACCOUNTS)).register(read_header(data, "d/job"), source()), text


def source(sha256: str = "ab") -> Source:
    return Source(script="d/job", path="/srv/d/job", sha256=sha256, stamp=FileStamp(0, 0, 0))


@given(st.lists(random_lines | good_lines, max_size=8))
@example([("expect", "stdout /(?P<n>/")])
def test_every_fault_of_any_header_has_a_line_and_a_column_in_it(lines):
    finding, text = register([("schedule", "0 5 * * *"), *lines])
    assert (finding.schedule is None) == bool(finding.problems)
    rows = text.split("\n")
    for said in (*finding.problems, *finding.warnings):
        assert said.line is not None
        assert said.column is not None
        assert 1 <= said.column <= len(rows[said.line - 1]) + 1
        assert said.reason.isprintable()


@given(st.lists(good_lines, max_size=12, unique=True))
def test_what_was_registered_is_the_same_after_a_restart(lines):
    finding, _ = register([("schedule", "0 5 * * *"), *without_repeats(lines)])
    schedule = finding.schedule
    assert schedule is not None
    registrar = Registrar(Defaults(accounts=ACCOUNTS))
    recalled = registrar.recall("d/job", "/srv/d/job", header=schedule.header, sha256=schedule.sha256)
    assert recalled == schedule


def without_repeats(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    seen = {"schedule"}
    kept = []
    for name, value in lines:
        meaning = "pids" if name == "shell-limit" else name
        if meaning not in seen or name in REPEATABLE:
            kept.append((name, value))
        seen.add(meaning)
    return kept


@given(st.integers(1, limits.MOST_BYTES - 1), st.integers(1, 3_000_000_000))
def test_bounds_of_a_file_are_those_that_were_written(size, age_ms):
    written = f"file /a size>{size - 1} size<{size + 1} age<{age_ms + 1}ms"
    test = expectations.read(written, directory="/").file
    assert (test.larger_than_bytes, test.smaller_than_bytes) == (size - 1, size + 1)
    assert (test.younger_than_ms, test.older_than_ms) == (age_ms + 1, None)
