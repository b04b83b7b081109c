"""`allowed_users` in the configuration, as the daemon's scanner follows it from reload to reload."""

import os
from pathlib import Path

import pytest

from schedd import config
from schedd.config import Config
from schedd.daemon.settings import LiveScanner, tools_of
from schedd.host import identity
from schedd.host.clock import SystemClock
from schedd.runner.preflight import Preflight


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    directory = tmp_path / "scripts"
    directory.mkdir(mode=0o755)
    script = directory / "a.sh"
    script.write_text("# @schedule 0 5 * * *\n# @user nobody\ntrue\n")
    script.chmod(0o755)
    return directory


def settings(scripts: Path, *allowed: str) -> Config:
    return config.load(
        environ={
            "SCHEDD_CONFIG": os.devnull,
            "SCHEDD_SCRIPTS_DIR": str(scripts),
            "SCHEDD_ALLOWED_USERS": ",".join(allowed),
        }
    )


def live(first: Config) -> LiveScanner:
    clock = SystemClock()
    preflight = Preflight(tools_of(first), scripts_dir=first.scripts_dir, monotonic=clock.monotonic)
    return LiveScanner(first, preflight)


def test_a_name_that_is_allowed_or_forbidden_counts_at_the_next_reload(scripts: Path) -> None:
    scanner = live(settings(scripts))
    (problem,) = scanner.scan().problems
    assert (problem.line, problem.column) == (2, 9)
    assert "'nobody' is not in the setting allowed_users" in problem.reason

    scanner.apply(settings(scripts, "nobody"))
    found = scanner.scan()
    if identity.may_switch_user():
        assert [schedule.user for schedule in found.schedules] == ["nobody"]
    else:
        assert "cannot become 'nobody'" in found.problems[0].reason

    scanner.apply(settings(scripts, "backup"))
    assert "'nobody' is not in the setting allowed_users" in scanner.scan().problems[0].reason


def test_what_is_recalled_after_a_restart_still_has_to_be_allowed(scripts: Path) -> None:
    header = "# @schedule 0 5 * * *\n# @user nobody"
    assert live(settings(scripts)).recall("a.sh", header=header, sha256="") is None
    recalled = live(settings(scripts, "nobody")).recall("a.sh", header=header, sha256="")
    assert (recalled is not None) is identity.may_switch_user()
