"""Coming back to `GET /events`: what was missed is told first, from what is kept or from the fires log."""

from pathlib import Path
from typing import Any

from tests.api import serving
from tests.machine.listening import feed_of, line, listening, numbers, publish


async def test_who_comes_back_gets_what_was_missed(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        publish(api, *(line(n) for n in range(1, 6)))
        async with listening(api, after=f"{line(2).run_id}.0") as listener:
            hello = await listener.until("hello")
            found = [await listener.until("ended") for _ in range(3)]
            publish(api, line(6))
            found.append(await listener.until("ended"))
    assert hello.data["resumed"]
    assert numbers(found) == [3, 4, 5, 6]


async def test_the_hello_of_who_comes_back_has_no_id(tmp_path: Path) -> None:
    """Who is cut right behind it must come back to where it was."""
    async with serving(tmp_path) as api:
        publish(api, line(1), line(2))
        async with listening(api, after=f"{line(1).run_id}.0") as listener:
            assert (await listener.until("hello")).id is None


async def test_after_a_restart_what_was_missed_comes_from_the_log(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.entries = [line(n) for n in range(5, 0, -1)]
        feed_of(api).take_up(line(5).run_id)
        publish(api, line(6))
        async with listening(api, after=f"{line(2).run_id}.3") as listener:
            hello = await listener.until("hello")
            found = [await listener.until("ended") for _ in range(4)]
            publish(api, line(7))
            found.append(await listener.until("ended"))
    assert hello.data["resumed"]
    assert numbers(found) == [3, 4, 5, 6, 7]
    assert [event.id for event in found] == [f"{line(n).run_id}.0" for n in range(3, 8)]


async def test_many_who_come_back_after_a_restart_have_the_log_read_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.entries = [line(n) for n in range(5, 0, -1)]
        reads = 0
        read = api.control.history

        async def counted(query: Any) -> Any:
            nonlocal reads
            reads += 1
            return await read(query)

        api.control.history = counted  # type: ignore[method-assign]
        for n in (1, 2, 3):
            async with listening(api, after=f"{line(n).run_id}.0") as listener:
                found = [await listener.until("ended") for _ in range(5 - n)]
                assert numbers(found) == list(range(n + 1, 6))
    assert reads == 1


async def test_who_comes_back_with_what_nobody_knows_begins_anew(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        publish(api, line(1))
        for after in ("nonsense", "x" * 999, f"{line(99).run_id}.0"):
            async with listening(api, after=after) as listener:
                hello = await listener.until("hello")
                publish(api, line(2))
                assert numbers([await listener.until("ended")]) == [2]
            assert (hello.data["resumed"], hello.id) == (False, hello.data["position"])


async def test_who_has_heard_of_nothing_yet_can_come_back_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        async with listening(api) as listener:
            hello = await listener.until("hello")
        publish(api, line(1))
        async with listening(api, after=hello.id) as listener:
            assert (await listener.until("hello")).data["resumed"]
            assert numbers([await listener.until("ended")]) == [1]
