"""What docs/running.md says is what the code does."""

import errno
import os
import re
from pathlib import Path

from schedd.fire import REASONS, Reason, Status
from schedd.runner import deaths, environment, leftovers, nurseries, result, store
from schedd.runner.languages.choice import NODE_SUFFIXES, PYTHON_SUFFIXES
from schedd.runner.languages.node import OLDEST
from schedd.runner.languages.program import SHELLS
from schedd.runner.languages.python import WARM_BYTES
from schedd.runner.turns import PATIENCE_S

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "running.md").read_text()


def section(title: str) -> str:
    return TEXT.split(f"## {title}\n")[1].split("\n## ")[0]


def test_the_table_of_variables_is_the_codes() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section("The environment"), re.MULTILINE)
    assert rows == list(environment.VARIABLES.items())


def test_each_end_is_a_status_with_one_of_its_reasons() -> None:
    rows = re.findall(r"^\| [^|]+ \| `(\w+)` \| *`?(\w*)`? *\|", section("How it ends"), re.MULTILINE)
    assert len(rows) == 12
    for status, reason in rows:
        assert (not reason and status == "ok") or Reason(reason) in REASONS[Status(status)]


def test_the_extensions_are_the_codes() -> None:
    listed = set(re.findall(r"\.\w+", TEXT.split("3. The extension:")[1].split("\n")[0]))
    assert listed == {*PYTHON_SUFFIXES, *NODE_SUFFIXES, *SHELLS}


def test_the_numbers_are_the_codes() -> None:
    assert f"Node {OLDEST[0]}.{OLDEST[1]} or newer" in TEXT
    assert f"at most {store.RESULT_BYTES // 1024} KiB" in section("The result")
    assert f"first {result.START_CHARS:,} characters" in section("The result")
    assert leftovers.PATIENCE_S == 0.1
    assert "a tenth of a second" in section("How it ends")
    assert PATIENCE_S == 10
    assert "up to ten seconds" in section("Many at once")


def test_the_limits_of_nurseries_are_the_codes() -> None:
    text = " ".join(section("What runs it").split())
    assert f"more than {WARM_BYTES // 1024} KiB" in text
    assert (deaths.COLD_S, nurseries.IDLE_S) == (600, 600)
    assert "for ten minutes, or until a reload" in text
    assert "nobody used for ten minutes goes" in text
    assert (deaths.MOST, deaths.WITHIN_S) == (3, 60)
    assert "died three times in a minute" in text
    for name in (*nurseries.AT_START, *nurseries.AT_START_PREFIXES):
        assert f"`{name}`" in text or f"`{name}…`" in text, name


def test_each_sentence_in_the_table_of_faults_is_the_codes_or_the_kernels() -> None:
    ours = " ".join(path.read_text() for path in (ROOT / "schedd").rglob("*.py"))
    kernels = {os.strerror(number) for number in errno.errorcode}
    rows = re.findall(
        r"^\| [^|]+ \| [^|]+ \| ([^|]+) \| [^|]+ \|$", section("When things fail"), re.MULTILINE
    )
    said = {text for row in rows for text in row.split("`")[1::2] if " " in text}
    assert len(rows) == 19, "eighteen faults and the heading"
    assert len(said) > 10
    for text in said:
        for part in text.split(" …: "):
            assert part in ours or part in kernels, part
