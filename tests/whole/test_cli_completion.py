"""Shell completion: the shipped loader, in a real bash."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine.cli import child_environment

LOADER = Path(__file__).parents[2] / "etc/completion/schedd.bash"
COMPLETE = """
source "$1"
COMP_WORDS=($2 "$3"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_schedd_completion schedd
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def path(tmp_path):
    """A PATH on which `schedd` is this one."""
    program = tmp_path / "schedd"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m schedd "$@"\n')
    program.chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


@pytest.mark.parametrize(
    ("before", "typed", "offered"),
    [
        ("schedd", "hi", ["history"]),
        ("schedd", "r", ["runs", "resume", "replay", "reload", "run"]),
        ("schedd token", "", ["add", "list", "revoke"]),
        ("schedd history --kind", "re", ["replay", "retry"]),
        ("schedd reload", "--dry", ["--dry-run"]),
    ],
)
def test_bash_offers_what_can_come_next(path, before, typed, offered):
    told = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE, "-", str(LOADER), before, typed],
        capture_output=True,
        text=True,
        env=child_environment(PATH=path),
        check=True,
    )
    assert (told.stdout.split(), told.stderr) == (offered, "")
