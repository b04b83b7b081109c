"""Threads that are all there at once, or a sentence."""

import asyncio
import threading

from schedd.host.threads import Threads


def test_all_threads_are_there_before_there_is_work() -> None:
    before = threading.active_count()
    pool = Threads(3, "there")
    assert threading.active_count() == before + 3
    assert {thread.name[:5] for thread in threading.enumerate()} >= {"there"}
    for _ in range(20):
        pool.submit(int)
    assert threading.active_count() == before + 3
    pool.shutdown()


def test_nobody_waits_for_a_thread_that_hangs() -> None:
    gate = threading.Event()
    pool = Threads(1, "hangs")
    hanging = pool.submit(gate.wait, 20)
    pool.shutdown(wait=True)
    assert not hanging.done()
    gate.set()
    assert hanging.result(5)


def test_a_loop_may_have_them_as_its_own_and_end() -> None:
    async def main() -> int:
        asyncio.get_running_loop().set_default_executor(Threads(1, "loop"))
        return await asyncio.to_thread(int, "7")

    assert asyncio.run(main()) == 7
