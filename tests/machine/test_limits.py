"""What a run may use at most, where there is no control group: by setrlimit(2), as far as that goes."""

import asyncio
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from schedd.fire import Reason, Status
from schedd.host.cgroup import Groups
from schedd.runner.limits import Keeping
from schedd.schedule import Keeper, Keepers, Limits
from tests.machine.running import Workshop, workshop

MB = 1 << 20
EVERYTHING = Limits(memory_bytes=512 * MB, cpu_percent=50, pids=64, files=99)
CAT = ("/bin/cat",)
BY_SETRLIMIT = "memory and pids limits by setrlimit, cpu limits are not enforced"
SOMEBODY = 54321
"""Nobody runs as this user."""


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path) as made:
        yield made


async def printed_by(shop: Workshop, name: str, text: str, **fields: object) -> str:
    run_id = shop.start(shop.script(name, text, **fields))
    await shop.ended(run_id)
    return (await shop.runner.output(run_id) or b"").decode()


@pytest.mark.parametrize(
    ("keeping", "sentence"),
    [
        (
            Keeping(Groups("/x", frozenset({"memory", "cpu", "pids"})), ""),
            "limits by cgroup v2 (memory, cpu, pids)",
        ),
        (
            Keeping(None, "cgroup v2 is not mounted"),
            f"no delegated cgroup (cgroup v2 is not mounted): {BY_SETRLIMIT}",
        ),
        (
            Keeping(Groups("/x", frozenset({"memory", "pids"})), ""),
            "limits by cgroup v2 (memory, pids), cpu limits are not enforced",
        ),
        (
            Keeping(Groups("/x"), ""),
            f"a delegated cgroup v2 without controllers: {BY_SETRLIMIT}",
        ),
    ],
)
def test_what_keeps_the_limits_is_said_in_one_sentence(keeping: Keeping, sentence: str) -> None:
    assert keeping.sentence() == sentence


def test_what_has_no_controller_falls_back_by_itself() -> None:
    assert Keepers.by_controllers({"memory"}) == Keepers(
        memory=Keeper.CGROUP, cpu=Keeper.NOBODY, pids=Keeper.SETRLIMIT, files=Keeper.SETRLIMIT
    )


def test_what_a_group_limits_is_not_limited_twice() -> None:
    everything = Keeping(Groups("/x", frozenset({"memory", "cpu", "pids"})), "")
    assert everything.rlimits(EVERYTHING, CAT, uid=SOMEBODY) == ((resource.RLIMIT_NOFILE, 99, 99),)


def test_without_a_group_there_is_an_rlimit_for_all_but_the_processor() -> None:
    assert set(Keeping().rlimits(EVERYTHING, CAT, uid=SOMEBODY)) == {
        (resource.RLIMIT_NOFILE, 99, 99),
        (resource.RLIMIT_DATA, 512 * MB, 512 * MB),
        (resource.RLIMIT_NPROC, 64, 64),
    }


def test_what_a_user_has_already_does_not_count_against_a_run() -> None:
    # Root is never limited by it, but has processes to count.
    (limit,) = Keeping().rlimits(Limits(pids=64), CAT, uid=1)
    assert limit[1] >= 64
    assert Keeping().rlimits(Limits(pids=64), CAT, uid=0) == ()


def test_without_limits_nothing_is_asked() -> None:
    assert Keeping().rlimits(Limits(), CAT, uid=SOMEBODY) == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("counts.sh", "ulimit -n\nulimit -Hn\n"),
        (
            "counts.py",
            "import resource\nfor limit in resource.getrlimit(resource.RLIMIT_NOFILE): print(limit)\n",
        ),
    ],
)
async def test_each_process_may_open_so_many_files(shop: Workshop, name: str, text: str) -> None:
    assert await printed_by(shop, name, text, limits=Limits(files=99)) == "99\n99\n"


async def test_a_python_script_that_wants_too_much_memory_gets_an_exception(shop: Workshop) -> None:
    script = shop.script(
        "wants_much.py", "data = bytearray(300 << 20)\n", limits=Limits(memory_bytes=128 * MB)
    )
    outcome = await shop.run(script)
    assert (outcome.status, outcome.reason, outcome.error) == (Status.ERROR, Reason.EXCEPTION, "MemoryError")


async def test_a_program_that_wants_too_much_memory_does_not_get_it(shop: Workshop) -> None:
    text = "head -c 300M /dev/zero | tail -c 200M | wc -c\n"
    free = await printed_by(shop, "wants_much.sh", text)
    limited = await printed_by(shop, "wants_much_too.sh", text, limits=Limits(memory_bytes=64 * MB))
    assert free.strip() == str(200 * MB)
    assert "memory exhausted" in limited


async def test_node_starts_within_a_limit_that_is_far_below_the_addresses_that_it_reserves(
    shop: Workshop,
) -> None:
    outcome = await shop.run(
        shop.script("adds.mjs", "export default () => 41 + 1\n", limits=Limits(memory_bytes=64 * MB))
    )
    assert (outcome.status, outcome.result) == (Status.OK, "42")


async def test_limits_of_one_script_are_not_those_of_the_next(shop: Workshop) -> None:
    free, limited = (
        "import resource\nprint(resource.getrlimit(resource.RLIMIT_DATA)[0])\n",
        Limits(memory_bytes=256 * MB),
    )
    assert await printed_by(shop, "is_limited.py", free, limits=limited) == f"{256 * MB}\n"
    assert await printed_by(shop, "is_free.py", free) == "-1\n"


async def test_many_limited_runs_at_once_are_all_limited(shop: Workshop) -> None:
    script = shop.script("counts.sh", "ulimit -n\n", limits=Limits(files=77), max_runs=None)
    run_ids = [shop.start(script) for _ in range(20)]
    await asyncio.gather(*map(shop.ended, run_ids))
    assert {await shop.runner.output(run_id) for run_id in run_ids} == {b"77\n"}
