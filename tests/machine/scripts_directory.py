"""A scripts directory on disk for the tests of the scanner, with modes that do not depend on the umask."""

import os
from pathlib import Path

from schedd.scripts.catalogue import Scan
from schedd.scripts.registration import Defaults
from schedd.scripts.scan import Scanner

SCRIPT = "#!/bin/sh\n# @schedule 0 5 * * *\nexit 0\n"


def made(tmp_path: Path) -> Path:
    """Make an empty scripts directory that only this user may write."""
    directory = tmp_path / "scripts"
    directory.mkdir()
    directory.chmod(0o755)
    return directory


def put(directory: Path, name: str, text: str | bytes = SCRIPT) -> Path:
    """Write a file, with the directories above it, that only this user may write."""
    path = directory / name
    for above in reversed(path.relative_to(directory).parents[:-1]):
        (directory / above).mkdir(exist_ok=True)
        (directory / above).chmod(0o755)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o644)
    return path


def scanner(directory: Path) -> Scanner:
    """Make a scanner that trusts this user."""
    return Scanner(str(directory), defaults=Defaults(), trusted_uids={os.geteuid()})


def scan(directory: Path) -> Scan:
    """Scan a directory once."""
    return scanner(directory).scan()


def names(found: Scan) -> list[str]:
    """Return the scripts that a scan found."""
    return [schedule.script for schedule in found.schedules]
