"""Threads that are there before they are needed.

A pool of the standard library starts its threads as work comes, and what it raises when the host has no
process left is a RuntimeError in the middle of whatever asked: the daemon would die of a fork bomb in a
script. So all threads are started at once, at the start, where a failure is a sentence.

At the end nobody waits for a thread: one that hangs on a dead disk would keep the daemon from stopping.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

from schedd.errors import StateError

START_WITHIN_S = 30


class Threads(ThreadPoolExecutor):
    """So many threads, all started. Raises StateError when there is no room for them."""

    def __init__(self, count: int, name: str) -> None:
        super().__init__(count, thread_name_prefix=name)
        gate = threading.Barrier(count + 1)
        try:
            for _ in range(count):
                self.submit(gate.wait, START_WITHIN_S)
            gate.wait(START_WITHIN_S)
        except RuntimeError as error:
            gate.abort()
            raise StateError(
                "there is no room for another thread; raise the limit of processes (TasksMax in the unit, "
                f"ulimit -u), or end what has taken them: {error}"
            ) from error

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002
        """Take no more work; what is being done goes on, and nobody waits for it."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
