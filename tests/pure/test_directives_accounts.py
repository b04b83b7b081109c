"""Whom a script may run as: `@user` and `@group`, by the header, the configuration and the daemon."""

import pytest

from schedd.scripts.accounts import Accounts
from tests.pure.headers import accepted, found, refused

ROOT = Accounts(
    allowed_users=("backup", "www-data", "ACME\\ann", "ann@acme.example"),
    own_user="root",
    own_groups=("root",),
)
ORDINARY = Accounts(allowed_users=("backup",), own_user="cron", own_groups=("adm", "cron"), may_switch=False)


def test_without_a_user_a_script_runs_as_the_daemon_does():
    schedule = accepted(accounts=ROOT)
    assert (schedule.user, schedule.group) == (None, None)


@pytest.mark.parametrize("name", ROOT.allowed_users)
def test_a_user_that_is_allowed_is_taken(name):
    assert accepted(f"@user {name}", accounts=ROOT).user == name


def test_a_user_that_is_not_allowed_is_refused_with_the_setting_that_would_allow_it():
    reason, there = refused("@user postgres", accounts=ROOT)
    assert there == "postgres"
    assert reason == (
        "@user: 'postgres' is not in the setting allowed_users: "
        "whoever runs schedd has to add 'postgres' to it, or remove @user"
    )


@pytest.mark.parametrize("accounts", [ROOT, ORDINARY])
def test_the_daemons_own_user_is_no_other_user(accounts):
    assert accepted(f"@user {accounts.own_user}", accounts=accounts).user is None


def test_a_daemon_that_may_not_switch_says_so():
    assert refused("@user backup", accounts=ORDINARY) == (
        "@user: schedd runs as cron and cannot become 'backup': run schedd as root, or remove @user",
        "backup",
    )
    assert refused("@group adm", accounts=ORDINARY) == (
        "@group: schedd runs as cron and cannot become 'adm': run schedd as root, or remove @group",
        "adm",
    )


def test_a_group_goes_with_its_user():
    schedule = accepted("@group tape", "@user backup", accounts=ROOT)
    assert (schedule.user, schedule.group) == ("backup", "tape")


def test_a_group_alone_has_to_be_one_of_the_daemons():
    assert accepted("@group root", accounts=ROOT).group == "root"
    assert refused("@group tape", accounts=ROOT) == (
        "@group: root, as whom the script runs, is not in 'tape': write a group of that user, or add @user",
        "tape",
    )


def test_a_user_that_is_refused_does_not_make_its_group_wrong():
    problems = found("@schedule 0 5 * * *", "@user postgres", "@group tape", accounts=ROOT).problems
    assert [problem.line for problem in problems] == [2]


@pytest.mark.parametrize("name", ["user", "group"])
@pytest.mark.parametrize("written", ["", "a b", "../x", "-x", "x" * 300, "0x1f", "a\tb", "böse"])
def test_what_cannot_be_a_name_is_refused(name, written):
    reason, _ = refused(f"@{name} {written}".rstrip(), accounts=ROOT)
    assert reason.endswith(f" is not a {name}'s name")
    assert len(reason) < 200


@pytest.mark.parametrize("name", ["user", "group"])
def test_a_number_is_not_looked_up(name):
    assert (
        refused(f"@{name} 1000", accounts=ROOT)[0] == f"@{name}: '1000' is a number: write the {name}'s name"
    )


def test_user_and_group_in_one_are_taken_apart_for_whoever_wrote_them():
    assert refused("@user backup:tape", accounts=ROOT)[0] == (
        "@user: 'backup:tape' are two: write @user backup and @group tape"
    )


def test_what_only_the_daemons_host_knows_is_no_problem_elsewhere():
    elsewhere = ORDINARY.elsewhere()
    assert accepted("@user backup", accounts=elsewhere).user == "backup"
    assert accepted("@group tape", accounts=elsewhere).group == "tape"
    assert "allowed_users" in refused("@user postgres", accounts=elsewhere)[0]
