"""A limit that is weaker on this host than its name says is warned of where it is written."""

import pytest

from schedd.schedule import Keepers
from schedd.scripts.accounts import Accounts
from tests.pure.headers import EXPRESSION, found

NOTHING = Keepers.by_controllers(())
OF_ROOT = Accounts(own_user="root", allowed_users=("backup",))


def said(
    *lines: str, keepers: Keepers = NOTHING, accounts: Accounts | None = None
) -> list[tuple[int | None, str]]:
    result = found(EXPRESSION, *lines, keepers=keepers, accounts=accounts or Accounts())
    assert result.schedule is not None
    return [(warning.line, warning.reason) for warning in result.warnings]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("@cpu 50%", "@cpu is not enforced here: it takes a delegated cgroup v2 with the cpu controller"),
        ("@memory 64M", "@memory holds for each process of a run by itself here, not for all together"),
        ("@pids 9", "@pids counts by user here: what others of that user start uses it up, too"),
        (
            "@shell-limit 9",
            "@shell-limit counts by user here: what others of that user start uses it up, too",
        ),
    ],
)
def test_without_cgroups_each_limit_says_what_it_is_worth(line: str, reason: str) -> None:
    assert said("@label x", line) == [(3, reason)]


def test_root_is_not_held_to_a_number_of_processes() -> None:
    (only,) = said("@pids 9", accounts=OF_ROOT)
    assert only[1] == "@pids is not enforced for root here: it takes a delegated cgroup v2, or another @user"
    (only,) = said("@user backup", "@pids 9", accounts=OF_ROOT)
    assert "counts by user" in only[1]


def test_with_cgroups_there_is_nothing_to_say() -> None:
    lines = ("@cpu 50%", "@memory 64M", "@pids 9", "@files 99")
    assert said(*lines, keepers=Keepers.by_controllers({"cpu", "memory", "pids"})) == []
    assert [line for line, _ in said(*lines, keepers=Keepers.by_controllers({"memory", "pids"}))] == [2]


def test_the_number_of_files_is_kept_everywhere() -> None:
    assert said("@files 99") == []
