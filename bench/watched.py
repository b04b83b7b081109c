"""The daemon with a watch on its event loop: `python -m bench.watched FILE [JOURNAL_SOCKET]`.

The time between two waits for events is how long the loop was held. The longest since the last SIGUSR2 is
written to the file at the end, with the peak memory. With a socket, that is the daemon's journal.
"""

import asyncio
import json
import os
import selectors
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from schedd import config
from schedd.daemon import compose
from schedd.host import journald


class Watch(selectors.EpollSelector):
    """Measures how long it is not asked."""

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def reset(self, *_: object) -> None:
        """Begin anew."""
        self.longest_s, self.longest_cpu_s = 0.0, 0.0
        self._since_s, self._since_cpu_s = time.perf_counter(), time.thread_time()

    def select(self, timeout: float | None = None) -> list[Any]:
        """Wait, as it does."""
        self.longest_s = max(self.longest_s, time.perf_counter() - self._since_s)
        self.longest_cpu_s = max(self.longest_cpu_s, time.thread_time() - self._since_cpu_s)
        try:
            return super().select(timeout)
        finally:
            self._since_s, self._since_cpu_s = time.perf_counter(), time.thread_time()


class Policy(asyncio.DefaultEventLoopPolicy):
    """Makes loops that wait with this."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return such a loop."""
        return asyncio.SelectorEventLoop(self._watch)


def main(file: str, socket: str | None = None) -> None:
    """Serve until SIGTERM."""
    watch = Watch()
    signal.signal(signal.SIGUSR2, watch.reset)
    asyncio.set_event_loop_policy(Policy(watch))
    if socket is not None:
        stderr = os.fstat(2)
        as_service = {"JOURNAL_STREAM": f"{stderr.st_dev}:{stderr.st_ino}"}
        journald.configure = partial(journald.configure, environ=as_service, journal_socket=socket)  # type: ignore[assignment]
    # What the daemon would do last: die of its signal.
    os.kill = lambda *_: None  # type: ignore[assignment]
    compose.run(config.load)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    figures = {"hold_s": watch.longest_s, "hold_cpu_s": watch.longest_cpu_s, "peak_kb": int(peak.split()[1])}
    Path(file).write_text(json.dumps(figures))


main(*sys.argv[1:])
