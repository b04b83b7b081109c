"""Scripts' files: each version is looked at once, many in one errand, and each is told by itself."""

import asyncio
import os
from pathlib import Path

import pytest

from schedd.host.clock import SystemClock
from schedd.runner.command import Tools
from schedd.runner.environment import DEFAULT_PATH
from schedd.runner.languages.choice import Languages
from schedd.runner.plan import Plan, UnreadableError
from schedd.runner.plans import Found, Plans
from schedd.schedule import FileStamp, Schedule
from schedd.timetable.timetable import Timetable

TIMETABLE = Timetable.parse("@yearly", "UTC")


@pytest.fixture
async def plans():
    made = Plans(asyncio.get_running_loop(), SystemClock())
    made.adopt(languages())
    yield made
    made.close()


def languages() -> Languages:
    return Languages(Tools(DEFAULT_PATH, None, None, ""))


def schedule(path: Path) -> Schedule:
    return Schedule(
        script=path.name,
        path=str(path),
        expression="@yearly",
        timezone="UTC",
        timetable=TIMETABLE,
        sha256="0" * 64,
        stamp=FileStamp(0, 0, 0),
    )


def written(path: Path, text: str = "#!/bin/sh\n") -> Schedule:
    path.write_text(text)
    return schedule(path)


async def found(plans: Plans, *schedules: Schedule) -> list[Found]:
    asked: list[asyncio.Future[Found]] = []
    for each in schedules:
        answer: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        plans.find(each, answer.set_result)
        asked.append(answer)
    async with asyncio.timeout(10):
        return list(await asyncio.gather(*asked))


async def test_hundreds_that_are_asked_for_at_once_are_each_told_their_own(plans, tmp_path) -> None:
    many = [written(tmp_path / f"{number}.sh") for number in range(300)]
    told = await found(plans, *many)
    assert [each.argv[-1] for each in told if isinstance(each, Plan)] == [each.path for each in many]


async def test_one_that_cannot_be_read_keeps_none_of_the_others(plans, tmp_path) -> None:
    one, gone, other = written(tmp_path / "1.sh"), schedule(tmp_path / "2.sh"), written(tmp_path / "3.sh")
    first, second, third = await found(plans, one, gone, other)
    assert isinstance(second, UnreadableError)
    assert isinstance(first, Plan)
    assert isinstance(third, Plan)


async def test_what_was_looked_at_is_known_until_the_file_changes(plans, tmp_path) -> None:
    script = written(tmp_path / "a.sh")
    assert plans.known(script) is None
    [told] = await found(plans, script)
    assert plans.known(script) is told
    os.utime(script.path, ns=(1, 1))
    assert plans.known(script) is None


async def test_what_was_found_with_other_settings_is_not_known(plans, tmp_path) -> None:
    script = written(tmp_path / "a.sh")
    asked = asyncio.ensure_future(found(plans, script))
    await asyncio.sleep(0)
    plans.adopt(languages())
    await asked
    assert plans.known(script) is None


async def test_a_file_that_is_gone_is_not_known_but_an_error(plans, tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        plans.known(schedule(tmp_path / "a.sh"))
