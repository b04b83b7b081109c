"""A run as another user: it is that user through and through, and finds its files its own."""

import grp
import json
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from schedd.fire import Reason, Status
from schedd.runner import accounts
from schedd.runner.command import CannotStartError
from schedd.runner.starts import Means
from schedd.schedule import Limits
from tests.machine.running import Workshop, workshop

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody can get to, unlike pytest's own."""
    assert os.geteuid() == 0, "only root may become somebody else: run `sudo make test`"
    directory = Path(tempfile.mkdtemp(prefix="schedd-users-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest_asyncio.fixture
async def shop(place: Path) -> AsyncIterator[Workshop]:
    async with workshop(place, means=Means(allowed_users=("nobody", "nemo-x"))) as made:
        made.state.mkdir(mode=0o750)
        yield made


async def printed(shop: Workshop, name: str, text: str, **fields: object) -> list[str]:
    run_id = shop.start(shop.script(name, text, user="nobody", **fields))
    outcome = await shop.ended(run_id)
    output = (await shop.runner.output(run_id) or b"").decode()
    assert outcome.status is Status.OK, (outcome, output)
    return output.splitlines()


def test_a_user_brings_his_groups() -> None:
    found = accounts.resolve("nobody", None)
    assert found is not None
    assert (found.user, found.uid, found.gid, found.home) == (
        "nobody",
        NOBODY.pw_uid,
        NOBODY.pw_gid,
        NOBODY.pw_dir,
    )
    assert set(found.groups) == set(os.getgrouplist("nobody", NOBODY.pw_gid))


def test_a_group_of_its_own_goes_with_the_daemons_user() -> None:
    found = accounts.resolve(None, "daemon")
    assert found is not None
    assert (found.uid, found.gid) == (os.geteuid(), grp.getgrnam("daemon").gr_gid)
    assert set(os.getgroups()) <= set(found.groups)


def test_nobody_in_particular_is_the_daemon() -> None:
    assert accounts.resolve(None, None) is None


@pytest.mark.parametrize(
    ("user", "group", "sentence"),
    [
        (
            "nemo-x",
            None,
            "cannot run as nemo-x: there is no such user on this host; make it, or correct @user",
        ),
        (
            "nobody",
            "nemo-x",
            "cannot run in the group nemo-x: there is none on this host; make it, or correct @group",
        ),
    ],
)
def test_who_is_not_there_is_named(user: str, group: str | None, sentence: str) -> None:
    with pytest.raises(CannotStartError) as raised:
        accounts.resolve(user, group)
    assert str(raised.value) == sentence


async def test_a_run_whose_user_is_not_there_does_not_start(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("prints.sh", "echo here\n", user="nemo-x"))
    assert (outcome.status, outcome.reason) == (Status.ERROR, Reason.SPAWN)
    assert outcome.error is not None
    assert "nemo-x" in outcome.error


@pytest.mark.parametrize("name", ["is_nobody.sh", "is_nobody.py"])
async def test_a_script_is_that_user_and_can_not_go_back(shop: Workshop, name: str) -> None:
    text = {
        "is_nobody.sh": "id -u\nid -g\nid -G\ngrep -c '^CapEff:.0*$' /proc/self/status\n",
        "is_nobody.py": (
            "import os\nprint(os.geteuid())\nprint(os.getegid())\nprint(*os.getgroups())\n"
            "try:\n    os.setuid(0)\nexcept PermissionError:\n    print(1)\n"
        ),
    }[name]
    groups = " ".join(map(str, sorted(os.getgrouplist("nobody", NOBODY.pw_gid))))
    assert await printed(shop, name, text) == [str(NOBODY.pw_uid), str(NOBODY.pw_gid), groups, "1"]


async def test_another_group_is_the_one_that_it_runs_in(shop: Workshop) -> None:
    lines = await printed(shop, "is_in_daemon.sh", "id -un\nid -gn\n", group="daemon")
    assert lines == ["nobody", "daemon"]


@pytest.mark.parametrize("name", ["has_env.sh", "has_env.py"])
async def test_the_environment_is_that_users(shop: Workshop, name: str) -> None:
    text = {
        "has_env.sh": 'echo "$HOME"\necho "$USER"\necho "$LOGNAME"\necho "$SHELL"\n',
        "has_env.py": "import os\nfor n in ('HOME', 'USER', 'LOGNAME', 'SHELL'): print(os.environ[n])\n",
    }[name]
    assert await printed(shop, name, text) == [NOBODY.pw_dir, "nobody", "nobody", "/bin/sh"]


@pytest.mark.parametrize("name", ["shop/returns.sh", "shop/returns.py", "shop/returns.mjs"])
async def test_its_result_and_its_state_are_its_own(shop: Workshop, name: str) -> None:
    text = {
        ".sh": "echo 1 >>$SCHEDD_STATE_DIR/count\nwc -l <$SCHEDD_STATE_DIR/count >$SCHEDD_RESULT\n",
        ".py": (
            "import os, pathlib\ndef main():\n"
            "    count = pathlib.Path(os.environ['SCHEDD_STATE_DIR'], 'count')\n"
            "    with count.open('a') as file: file.write('1')\n    return len(count.read_text())\n"
        ),
        ".mjs": (
            "import fs from 'node:fs';\nexport default () => {\n"
            "  const count = process.env.SCHEDD_STATE_DIR + '/count';\n"
            "  fs.appendFileSync(count, '1');\n  return fs.readFileSync(count, 'utf8').length;\n};\n"
        ),
    }[Path(name).suffix]
    script = shop.script(name, text, user="nobody")
    for times in (1, 2):
        run_id = shop.start(script)
        outcome = await shop.ended(run_id)
        assert outcome.status is Status.OK, (outcome, await shop.runner.output(run_id))
        assert json.loads(outcome.result or "") == times
        assert json.loads(await shop.runner.result(run_id) or "") == times
    assert (shop.state / "scripts" / name).owner() == "nobody"
    assert list((shop.state / "users/nobody").iterdir()) == []


async def test_an_exception_of_such_a_run_is_told_too(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("raises.py", "raise ValueError('no')\n", user="nobody"))
    assert (outcome.reason, outcome.error) == (Reason.EXCEPTION, "ValueError: no")


async def test_nothing_else_in_the_state_directory_is_open_to_such_a_run(shop: Workshop) -> None:
    (shop.state / "tokens.json").write_text("{}")
    (shop.state / "tokens.json").chmod(0o600)
    await shop.run(shop.script("prints.sh", "echo secret\n"))
    text = (
        f"for p in {shop.state} {shop.state}/output {shop.state}/scripts {shop.state}/users; do ls $p; done\n"
    )
    text += f"cat {shop.state}/tokens.json\ntouch {shop.state}/mine {shop.state}/users/mine\nexit 0\n"
    lines = await printed(shop, "looks_around.sh", text)
    assert len(lines) == 7
    assert all(line.endswith("Permission denied") for line in lines), lines
    assert stat.S_IMODE(shop.state.stat().st_mode) == 0o751


async def test_a_link_in_the_place_of_the_result_is_not_followed(shop: Workshop) -> None:
    secret = shop.state / "secret"
    secret.write_text('"of root"')
    secret.chmod(0o600)
    linked = await shop.run(shop.script("links.sh", f"ln -s {secret} $SCHEDD_RESULT\n", user="nobody"))
    assert linked.result is None
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


async def test_what_root_owns_is_no_result_of_such_a_run(shop: Workshop) -> None:
    text = "mkfifo $SCHEDD_STATE_DIR/go\necho $SCHEDD_RESULT\nread go <$SCHEDD_STATE_DIR/go\n"
    run_id = shop.start(shop.script("waits.sh", text, user="nobody"))
    await shop.printed(run_id, b".result")
    place = (await shop.runner.output(run_id) or b"").decode().strip()
    with open(place, "w", encoding="ascii") as file:  # noqa: ASYNC230 - it is small
        file.write('"of root"')
    (shop.state / "scripts/waits.sh/go").write_text("\n")
    outcome = await shop.ended(run_id)
    assert (outcome.status, outcome.result) == (Status.OK, None)


async def test_a_fork_bomb_of_a_user_is_bounded(shop: Workshop) -> None:
    # It is of a kind that ends by itself: each tries to make 40 more, once.
    text = "i=0\nwhile [ $i -lt 40 ]; do i=$((i+1)); sleep 1 & done\nwait\n"
    run_id = shop.start(shop.script("bombs.sh", text, user="nobody", limits=Limits(pids=8)))
    outcome = await shop.ended(run_id)
    assert outcome.status is Status.ERROR
    assert b"fork" in (await shop.runner.output(run_id) or b"").lower()


async def test_a_user_who_is_no_longer_allowed_is_not_run_as(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("prints.sh", "id -un\n", user="daemon"))
    assert (outcome.status, outcome.reason) == (Status.ERROR, Reason.SPAWN)
    assert outcome.error == "cannot run as daemon: it is no longer in allowed_users"
