"""Preflight: what is wrong with a script is found out, with its place, and nothing of it is run."""

import os
import time
from pathlib import Path

import pytest

from schedd.runner import checkers
from schedd.runner.command import Tools
from schedd.runner.environment import DEFAULT_PATH
from schedd.runner.languages.node import packaged
from schedd.runner.preflight import Preflight
from schedd.scripts.catalogue import Scan
from schedd.scripts.directives import Problem
from schedd.scripts.preflight import examined
from schedd.scripts.scan import Scanner
from tests.machine import scripts_directory

PY = b"# @schedule 0 5 * * *\n"
JS = b"// @schedule 0 5 * * *\n"
PYTHON = "/usr/bin/python3"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return scripts_directory.made(tmp_path)


class Looks:
    """A scanner and a preflight that live as long as a daemon does."""

    def __init__(self, root: Path, *, path: str = DEFAULT_PATH, node: str | None = None) -> None:
        self.scanner: Scanner = scripts_directory.scanner(root)
        self.preflight = Preflight(Tools(path, PYTHON, node), scripts_dir=str(root), monotonic=time.monotonic)

    def look(self) -> Scan:
        return examined(self.scanner.scan(), self.preflight)


def only_problem(root: Path) -> Problem:
    found = Looks(root).look()
    (problem,) = found.problems
    return problem


BROKEN: dict[str, tuple[bytes, int | None, int | None, str]] = {
    "paren.py": (PY + b"x = (1,\ny = 2\n", 2, 5, "SyntaxError: '(' was never closed"),
    "indent.py": (PY + b"if 1:\npass\n", 3, 1, "IndentationError: expected an indented block"),
    "form_feed.py": (PY + b"x = 1\n\x0c\ny = (\n", 4, None, "SyntaxError: '(' was never closed"),
    "bom.py": (b"\xef\xbb\xbf" + PY + b"y = (\n", 2, None, "SyntaxError: '(' was never closed"),
    "bom_and_cookie.py": (b"\xef\xbb\xbf# coding: latin-1\n" + PY, 1, None, "SyntaxError: encoding problem"),
    "no_such_encoding.py": (b"# coding: klingon\n" + PY, 1, None, "SyntaxError: unknown encoding: klingon"),
    "not_utf8.py": (PY + b"x = 1\ny = '\xff'\n", 3, None, "SyntaxError: (unicode error) 'utf-8' codec"),
    "null.py": (PY + b"x = 1\ny = \0\n", 3, None, "source code string cannot contain null bytes"),
    "nested.py": (PY + b"(" * 5000 + b")" * 5000, 2, None, "SyntaxError: too many nested parentheses"),
    "unfinished.sh": (PY + b"if true; then\n  echo\n", 4, None, "sh: Syntax error: end of file unexpected"),
    "array.sh": (PY + b"x=(1 2)\n", 2, None, 'sh: Syntax error: "(" unexpected'),
    "done.bash": (PY + b"for i in a; do\nfi\n", 3, None, "bash: syntax error near unexpected token `fi'"),
    "redirected.sh": (PY + b"exec >/dev/null 2>&1\nif x; then\n", 4, None, "sh: Syntax error"),
    "in_a_function.sh": (PY + b"f() {\n  exit 1\n}\nfi\n", 5, None, 'sh: Syntax error: "fi" unexpected'),
    "top_level.js": (JS + b"let x = ;\nreturn x;\n", 2, 9, "SyntaxError: Unexpected token ';'"),
    "brace.cjs": (JS + b"module.exports = async () => {\n};\n}\n", 4, 1, "SyntaxError: Unexpected token '}'"),
    "module.mjs": (JS + b"import 'node:fs';\nlet y = 08n;\nexport default 1;\n", 3, None, "SyntaxError: "),
    "returning.mjs": (
        JS + b"import 'node:fs';\nlet x = ;\nreturn 1;\n",
        3,
        9,
        "SyntaxError: Unexpected token",
    ),
    "types.ts": (JS + b"const a: number = 1;\nconst b: = 2;\nreturn a;\n", 3, None, "SyntaxError: "),
    "enum.ts": (JS + b"\n  enum X { A }\n", 3, 3, "SyntaxError: TypeScript enum is not supported"),
    "crlf.sh": (b"#!/bin/sh\r\n" + PY + b"echo\r\n", 1, None, "the #! line ends in CR LF"),
    "quote.py": (b"#!/usr/bin/python3 -X 'dev\n" + PY, 1, None, "the #! line has a quote that is not closed"),
    "gone.py": (b"#!/opt/none/bin/python3\n" + PY, 1, None, "the #! line of "),
    "nobody": (PY + b"hello\n", None, None, "nothing says how to run it"),
    "requires.sh": (PY + b"# @requires cmd:no-such\n", 2, None, "@requires cmd:no-such: no such program"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_named_with_its_line(root: Path, name: str) -> None:
    source, line, column, text = BROKEN[name]
    scripts_directory.put(root, name, source)
    problem = only_problem(root)
    assert (problem.path, problem.line) == (name, line)
    assert text in problem.reason
    assert column is None or problem.column == column


FINE = {
    "latin1.py": b"# coding: latin-1\n" + PY + b"x = '\xe9'\n",
    "options.py": b"#!/usr/bin/env -S python3 -I\n" + PY + b"x = 1\n",
    "windows.py": b"#!/usr/bin/env python3\r\n# @schedule 0 5 * * *\r\nx = 1\r\n",
    "archive.sh": PY + b"echo\nexit 0\n(((\x01\x02 binary\n",
    "two_languages.sh": PY + b"''''exec python3 -- \"$0\" # '''\nimport os\nprint('(')\n",
    "extglob.bash": PY + b"shopt -s extglob\nls !(a)\n",
    "return.js": JS + b"const x = await 1;\nreturn { x };\n",
    "handler.mjs": JS + b"import fs from 'node:fs';\nexport default () => import.meta.url;\n",
    "handler.js": JS + b"export default () => 1;\nawait 2;\n",
    "import_and_return.mjs": JS + b"import fs from 'node:fs';\nreturn fs.sep;\n",
    "types.ts": JS + b"import { type Stats } from 'node:fs';\nconst a: number = 1;\nreturn a as const;\n",
    "enum.ts": b"#!/usr/bin/env -S node --experimental-transform-types\n" + JS + b"enum X { A }\n",
    "loader.ts": b"#!/usr/bin/env -S node --import tsx\n" + JS + b"enum X { A }\nlet <>;\n",
    "other.pl": b"#!/usr/bin/env perl\n" + PY + b"BEGIN { (((\n",
}


@pytest.mark.parametrize("name", FINE)
def test_what_would_run_is_not_refused(root: Path, name: str) -> None:
    scripts_directory.put(root, name, FINE[name])
    found = Looks(root, path=with_node(root.parent)).look()
    assert (found.problems, scripts_directory.names(found)) == ((), [name])


def with_node(base: Path) -> str:
    """Return a PATH on which `node` is one that is new enough."""
    directory = base / "bin"
    directory.mkdir()
    node = packaged()
    assert node is not None, "run: pip install -e '.[node]'"
    (directory / "node").symlink_to(node)
    return f"{directory}:{DEFAULT_PATH}"


def test_nothing_of_a_script_is_run(root: Path) -> None:
    witness = root.parent / "witness"
    scripts_directory.put(root, "a.py", PY + f"open({str(witness)!r}, 'w')\n".encode())
    scripts_directory.put(root, "b.sh", PY + f"touch {witness}\n".encode())
    scripts_directory.put(
        root, "c.mjs", JS + f"import fs from 'fs'; fs.writeFileSync('{witness}', '');".encode()
    )
    scripts_directory.put(root, "d.bash", PY + f"x=$(touch {witness})\nif [ $(touch {witness}) ]\n".encode())
    found = Looks(root).look()
    assert len(found.schedules) == 3
    assert not witness.exists()


def test_an_interpreter_in_the_scripts_directory_is_not_started(root: Path) -> None:
    witness = root.parent / "witness"
    evil = scripts_directory.put(root, "bin/python3", f"#!/bin/sh\ntouch {witness}\n")
    evil.chmod(0o755)
    scripts_directory.put(root, "a.py", f"#!{evil}\n".encode() + PY + b"(\n")
    assert scripts_directory.names(Looks(root).look()) == ["a.py"]
    assert not witness.exists()


def test_an_interpreter_that_others_may_write_is_not_started(root: Path, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    evil = scripts_directory.put(tmp_path, "python3", f"#!/bin/sh\ntouch {witness}\n")
    evil.chmod(0o777)
    scripts_directory.put(root, "a.py", f"#!{evil}\n".encode() + PY)
    Looks(root).look()
    assert not witness.exists()


def fake_python(directory: Path, body: str) -> bytes:
    """Make an interpreter that says and does this instead of compiling; return a #! line for it."""
    path = scripts_directory.put(directory, "python3", f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return f"#!{path}\n".encode()


def test_the_interpreter_of_the_script_decides_what_is_right(root: Path, tmp_path: Path) -> None:
    # It knows a syntax that the daemon's Python does not.
    newer = fake_python(tmp_path, 'while read -r path; do echo \'["fine", null, null, ""]\'; done')
    scripts_directory.put(root, "newer.py", newer + PY + b"x = from the future\n")
    assert scripts_directory.names(Looks(root).look()) == ["newer.py"]


def test_a_checker_that_dies_of_a_file_is_a_doubt_about_that_file_alone(root: Path, tmp_path: Path) -> None:
    fine = """echo '["fine", null, null, ""]'"""
    body = f"while read -r path; do case $path in *bad*) kill -SEGV $$;; esac; {fine}; done"
    dies = fake_python(tmp_path, body)
    for name in ("a.py", "bad1.py", "bad2.py", "c.py"):
        scripts_directory.put(root, name, dies + PY)
    looks = Looks(root)
    for _ in range(2):
        found = looks.look()
        assert len(found.schedules) == 4
        assert [warning.path for warning in found.warnings] == ["bad1.py", "bad2.py"]
        assert "ended by signal 11" in found.warnings[0].reason


def test_a_checker_that_cannot_be_used_is_given_up_soon(root: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    useless = fake_python(tmp_path, f"echo >>{log}; exit 3")
    for number in range(20):
        scripts_directory.put(root, f"s{number:02}.py", useless + PY)
    found = Looks(root).look()
    assert (len(found.schedules), len(found.warnings)) == (20, 20)
    assert len(log.read_text().splitlines()) == checkers.MOST_SILENT


def test_a_checker_that_says_anything_else_is_not_listened_to(root: Path, tmp_path: Path) -> None:
    babbles = fake_python(tmp_path, "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done")
    scripts_directory.put(root, "a.py", babbles + PY)
    (warning,) = Looks(root).look().warnings
    assert "could not be checked" in warning.reason


def test_a_file_that_takes_too_long_is_a_doubt(root: Path, tmp_path: Path) -> None:
    hangs = fake_python(tmp_path, "exec sleep 60")
    scripts_directory.put(root, "a.py", hangs + PY)
    looks = Looks(root)
    seconds = iter(range(0, 100_000, 4))
    looks.preflight = Preflight(
        Tools(DEFAULT_PATH), scripts_dir=str(root), monotonic=lambda: float(next(seconds))
    )
    (warning,) = looks.look().warnings
    assert "took more than 10 s" in warning.reason


@pytest.mark.parametrize("source", [b"x=" + b"-" * 200_000 + b"1", b"a" + b".b" * 200_000])
def test_what_the_compiler_cannot_cope_with_is_a_doubt(root: Path, source: bytes) -> None:
    scripts_directory.put(root, "deep.py", PY + source)
    scripts_directory.put(root, "z.py", PY + b"(\n")
    found = Looks(root).look()
    assert [warning.path for warning in found.warnings] == ["deep.py"]
    assert [problem.path for problem in found.problems] == ["z.py"]


def test_what_node_cannot_cope_with_is_a_doubt_and_the_next_file_is_looked_at(root: Path) -> None:
    scripts_directory.put(root, "a.ts", JS + b"(" * 100_000)
    scripts_directory.put(root, "b.js", JS + b"(" * 1_000_000)
    scripts_directory.put(root, "c.ts", JS + b"let a: = 1;\n")
    found = Looks(root).look()
    assert [warning.path for warning in found.warnings] == ["a.ts", "b.js"]
    assert [problem.path for problem in found.problems] == ["c.ts"]


def test_an_unfinished_here_document_is_a_warning(root: Path) -> None:
    scripts_directory.put(root, "a.bash", PY + b"cat <<EOF\nabc\n")
    (warning,) = Looks(root).look().warnings
    assert "here-document at line 2 delimited by end-of-file" in warning.reason


def test_without_node_a_script_says_what_to_install(root: Path, tmp_path: Path) -> None:
    scripts_directory.put(root, "a.js", JS)
    none = str(tmp_path / "none")
    (problem,) = Looks(root, node=none).look().problems
    assert none in problem.reason
    old = scripts_directory.put(tmp_path, "node", "#!/bin/sh\necho v18.0.0\n")
    old.chmod(0o755)
    (problem,) = Looks(root, node=str(old)).look().problems
    assert "install Node.js 22.18 or newer, or `pip install 'schedd[node]'`" in problem.reason


def counting_python(directory: Path) -> tuple[bytes, Path]:
    log = directory / "read"
    body = f'while read -r path; do echo "$path" >>{log}; echo \'["fine", null, null, ""]\'; done'
    return fake_python(directory, body), log


def test_a_file_that_nobody_touched_is_read_once(root: Path, tmp_path: Path) -> None:
    line, log = counting_python(tmp_path)
    scripts_directory.put(root, "a.py", line + PY)
    looks = Looks(root)
    for _ in range(3):
        looks.look()
    assert len(log.read_text().splitlines()) == 1
    scripts_directory.put(root, "a.py", line + PY + b"#\n")
    looks.look()
    assert len(log.read_text().splitlines()) == 2


def test_another_scanner_needs_no_second_reading(root: Path, tmp_path: Path) -> None:
    line, log = counting_python(tmp_path)
    scripts_directory.put(root, "a.py", line + PY)
    looks = Looks(root)
    looks.look()
    looks.scanner = scripts_directory.scanner(root)
    looks.look()
    assert len(log.read_text().splitlines()) == 1


def test_another_version_of_the_interpreter_reads_again(root: Path, tmp_path: Path) -> None:
    line, log = counting_python(tmp_path)
    scripts_directory.put(root, "a.py", line + PY)
    looks = Looks(root)
    looks.look()
    os.utime(tmp_path / "python3", (1, 1))
    looks.look()
    assert len(log.read_text().splitlines()) == 2


def test_what_was_registered_before_is_trusted_until_it_changes(root: Path, tmp_path: Path) -> None:
    line, log = counting_python(tmp_path)
    scripts_directory.put(root, "a.py", line + PY)
    scripts_directory.put(root, "b.py", line + PY)
    looks = Looks(root)
    known, changed = looks.scanner.scan().schedules
    looks.preflight.trust(known.script, known.sha256)
    looks.preflight.trust(changed.script, "0" * 64)
    looks.look()
    looks.look()
    assert log.read_text().splitlines() == [changed.path]


def test_an_interpreter_that_goes_away_is_noticed_at_the_next_look(root: Path, tmp_path: Path) -> None:
    line, _ = counting_python(tmp_path)
    scripts_directory.put(root, "a.py", line + PY)
    looks = Looks(root)
    assert looks.look().problems == ()
    (tmp_path / "python3").unlink()
    (problem,) = looks.look().problems
    assert "does not exist" in problem.reason


def test_a_file_that_changes_while_it_is_read_is_not_judged(root: Path, tmp_path: Path) -> None:
    line = fake_python(tmp_path, 'read -r path; echo "#" >>$path; echo \'["wrong", 1, 1, "x"]\'')
    scripts_directory.put(root, "a.py", line + PY)
    found = Looks(root).look()
    assert (found.problems, len(found.warnings)) == ((), 1)
    assert "written to in the meantime" in found.warnings[0].reason


def test_all_virtual_environments_of_one_python_are_read_by_it(root: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        venv = tmp_path / name / "bin"
        venv.mkdir(parents=True)
        (venv / "python3").symlink_to(PYTHON)
        scripts_directory.put(root, f"{name}.py", f"#!{venv}/python3\n".encode() + PY + b"(\n")
    assert [problem.line for problem in Looks(root).look().problems] == [3, 3]


def test_hundreds_of_scripts_are_checked_in_a_second(root: Path) -> None:
    for number in range(300):
        scripts_directory.put(root, f"{number}.py", PY + b"def f(a):\n    return a\n" * 20)
    begun = time.monotonic()
    assert len(Looks(root).look().schedules) == 300
    assert time.monotonic() - begun < 5
