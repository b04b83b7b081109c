"""The rules of style that a linter does not know; each is first shown something that it must refuse.

A rule looks at one file and yields what is wrong there, with the line. The words that must not stand in the
tree are put together here, so that this file may look at itself.
"""

import ast
import fnmatch
import io
import os
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MODULE_LINES = 400
FUNCTION_LINES = 60
SENTENCE_WORDS = 3
VAGUE = re.compile(
    r"(^|_)(base|common|core|helpers?|lib|managers?|handlers?|misc|services?|shared|stuff|tools?|utils?)$"
)
# A class of one letter keeps a pattern from finding itself.
LEFT_OVER = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b")
ELSEWHERE = re.compile(r"\.\./share[d](/|\W?$|\W? )|/wor[k]/(shared|main|\.library)")
REGISTRIES = re.compile(r"\b(pypi\.or[g]|pythonhosted\.or[g]|registry\.npmj[s]|deb\.debian\.or[g])")
CLOCKS = frozenset({"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"})
CLOCKS_OF_DATES = frozenset({"now", "utcnow", "today"})
MAY_CATCH_ALL = (
    "schedd/daemon/",
    # In the script's own process: what it raises is its result.
    "schedd/runner/languages/python_script.py",
    "schedd/runner/languages/python_ending.py",
    "schedd/runner/languages/python_nursery.py",
)
FLOORS = ("pure", "shell", "machine", "whole")

Finding = tuple[int, str]


@dataclass(frozen=True)
class File:
    """One file of the tree."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The file as Python."""
        return ast.parse(self.text, self.path)

    @property
    def ours(self) -> bool:
        """It is a module of the program."""
        return self.path.startswith("schedd/") and self.path.endswith(".py")

    @property
    def python(self) -> bool:
        """It is Python, and not a script that somebody schedules."""
        return self.path.endswith(".py") and not self.path.startswith("etc/")

    @property
    def tests(self) -> bool:
        """It holds tests."""
        return self.path.startswith("tests/") and os.path.basename(self.path).startswith("test_")

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Yield all nodes of these kinds."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))


Check = Callable[[File], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """What must not be, and an example of it."""

    check: Check
    bad: File

    def __str__(self) -> str:
        return self.check.__name__


RULES: list[Rule] = []


def rule(path: str, bad: str) -> Callable[[Check], Check]:
    """Register a rule, with a file that it must refuse."""

    def register(check: Check) -> Check:
        RULES.append(Rule(check, File(path, bad)))
        return check

    return register


@rule("schedd/long.py", '"""Long."""\n' + "x = 1\n" * MODULE_LINES)
def modules_can_be_read_in_one_go(file: File) -> Iterator[Finding]:
    lines = file.text.count("\n")
    if file.python and lines > MODULE_LINES:
        yield (
            MODULE_LINES + 1,
            f"{lines} lines; {MODULE_LINES} are enough for one subject: find the second one",
        )


@rule("schedd/long.py", "def f():\n" + "    x = 1\n" * FUNCTION_LINES)
def functions_can_be_seen_at_once(file: File) -> Iterator[Finding]:
    if file.python:
        for node in file.nodes(ast.FunctionDef, ast.AsyncFunctionDef):
            assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {lines} lines; {FUNCTION_LINES} are the most"


@rule("schedd/mute.py", "x = 1\n")
def modules_say_what_they_are_for(file: File) -> Iterator[Finding]:
    if file.python and file.text.strip() and not ast.get_docstring(file.tree):
        yield 1, "the module has no docstring"


@rule("schedd/runner/utils.py", '"""Things."""\n')
def names_say_what_is_inside(file: File) -> Iterator[Finding]:
    for part in file.path.removesuffix(".py").split("/") if file.python else ():
        if VAGUE.search(part):
            yield 1, f"{part!r} says nothing; name what it owns"


@rule("schedd/later.py", "x = 1  # TOD\x4f: more\n")
def nothing_is_left_for_later(file: File) -> Iterator[Finding]:
    for number, line in enumerate(file.text.splitlines(), start=1):
        if LEFT_OVER.search(line):
            yield number, "do it now, or write an issue"


@rule("schedd/stub.py", "def f():\n    raise NotImplementedError\n")
def nothing_is_a_stub(file: File) -> Iterator[Finding]:
    if file.ours:
        for node in file.nodes(ast.Name):
            assert isinstance(node, ast.Name)
            if node.id == "NotImplementedError":
                yield node.lineno, "what is not there yet should not be there"


@rule("tests/pure/test_x.py", "import pytest\n@pytest.mark.skipif(True)\ndef test_a_b_c_d(): ...\n")
def no_test_is_skipped(file: File) -> Iterator[Finding]:
    if file.tests:
        for node in file.nodes(ast.Attribute):
            assert isinstance(node, ast.Attribute)
            if node.attr in ("skip", "skipif", "xfail", "importorskip") and "pytest" in ast.unparse(
                node.value
            ):
                yield node.lineno, "a test runs, or says what to install and fails"


@rule("schedd/old.py", "def f():\n    # x = compute(1)\n    # return x\n    return 2\n")
def no_code_is_commented_out(file: File) -> Iterator[Finding]:
    if not file.ours:
        return
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        code = token.string.lstrip("# ")
        if token.type == tokenize.COMMENT and re.match(
            r"(return \w+|\w+ = \w+\(.*\)|import \w+|def \w+\()$", code
        ):
            yield token.start[0], "git remembers it"


@rule("schedd/planner/now.py", "import time\nnow = time.time()\n")
def the_clock_is_read_in_one_place(file: File) -> Iterator[Finding]:
    if not file.ours or file.path == "schedd/host/clock.py":
        return
    for node in file.nodes(ast.Attribute, ast.ImportFrom):
        if isinstance(node, ast.ImportFrom):
            read = node.module == "time" and CLOCKS & {alias.name for alias in node.names}
        else:
            assert isinstance(node, ast.Attribute)
            owner = ast.unparse(node.value)
            read = owner == "time" and node.attr in CLOCKS
            read = read or (owner.rpartition(".")[2] in ("datetime", "date") and node.attr in CLOCKS_OF_DATES)
        if read:
            yield node.lineno, "only schedd.host.clock tells the time; take a clock, or `now`"


@rule("schedd/runner/deaf.py", "try:\n    f()\nexcept (ValueError, Exception):\n    pass\n")
def only_the_daemon_catches_everything(file: File) -> Iterator[Finding]:
    if not file.ours or file.path.startswith(MAY_CATCH_ALL):
        return
    for node in file.nodes(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        caught = "" if node.type is None else ast.unparse(node.type)
        broad = node.type is None or re.search(r"\b(Base)?Exception\b", caught)
        passes_on = any(isinstance(each, ast.Raise) and each.exc is None for each in ast.walk(node))
        if broad and not passes_on:
            yield node.lineno, "name what can go wrong here; the rest is the daemon's to handle"


@rule("README.md", "see ../share\x64/notes\n")
def the_tree_stands_alone(file: File) -> Iterator[Finding]:
    for number, line in enumerate(file.text.splitlines(), start=1):
        if ELSEWHERE.search(line):
            yield number, "points out of the tree"
        if REGISTRIES.search(line):
            yield number, "names a registry; which one is used is a setting of pip, apt or npm"


@rule("README.md", "# schedd\n\nA daemon.\n")
def the_readme_begins_with_how_to_try_it(file: File) -> Iterator[Finding]:
    if file.path == "README.md":
        opening = file.text.splitlines()[:40]
        for command in ("make run", "make test"):
            if not any(line.strip().startswith(command) for line in opening):
                yield 1, f"the first 40 lines do not show `{command}`"


@rule("tests/pure/test_wheel.py", "def test_add():\n    pass\n")
def each_test_is_named_as_a_sentence(file: File) -> Iterator[Finding]:
    if file.tests:
        for node in file.nodes(ast.FunctionDef, ast.AsyncFunctionDef):
            assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            words = node.name.split("_")[1:]
            if node.name.startswith("test_") and len(words) < SENTENCE_WORDS:
                yield node.lineno, f"{node.name} is no sentence: which promise does it keep?"


@rule("tests/pure/test_wheel_more.py", '"""More."""\n')
def files_of_tests_are_named_by_a_behaviour(file: File) -> Iterator[Finding]:
    if file.tests and re.search(r"_(more|extra|coverage|misc|new|\d+)\.py$", file.path):
        yield 1, "put these tests where the promise is kept already"


@rule("tests/test_wheel.py", '"""Where?"""\n')
def every_test_stands_on_a_floor(file: File) -> Iterator[Finding]:
    if file.tests and file.path.split("/")[1] not in FLOORS and file.path != "tests/test_tidy.py":
        yield 1, f"tests are in tests/{{{','.join(FLOORS)}}}"


def tree() -> list[File]:
    """Return all text files that belong to the project: what git would not ignore."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
    files = []
    for directory, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name != ".git" and not _matches(name, ignored)]
        for name in names:
            path = Path(directory, name)
            if _matches(name, ignored) or path.is_symlink():
                continue
            data = path.read_bytes()
            if b"\0" not in data:
                files.append(File(path.relative_to(ROOT).as_posix(), data.decode()))
    return files


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


TREE = tree()


@pytest.mark.parametrize("kept", RULES, ids=str)
def test_the_tree_keeps_the_rule(kept: Rule) -> None:
    findings = [f"{file.path}:{line}: {text}" for file in TREE for line, text in kept.check(file)]
    assert not findings, "\n" + "\n".join(findings)


@pytest.mark.parametrize("kept", RULES, ids=str)
def test_the_rule_refuses_what_it_is_there_for(kept: Rule) -> None:
    assert list(kept.check(kept.bad))


def test_the_program_its_tests_and_its_papers_are_looked_at() -> None:
    paths = {file.path for file in TREE}
    assert {"schedd/fire.py", "tests/test_tidy.py", "README.md", "Makefile", ".ci/run"} <= paths
    assert not [path for path in paths if path.startswith((".venv/", ".git/", "var/"))]
