"""What is known of scripts' files, so that each is looked at once for each of its versions.

One thread looks at them. Those that are asked for meanwhile are one errand, since a thousand new scripts may
be due in the same second, and each errand costs as much as a look. An errand ends early when a look takes
long (an interpreter may have to be asked for its version): what was found until then is told.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial

from schedd.host.clock import Clock
from schedd.host.threads import Threads
from schedd.runner import plan
from schedd.runner.command import CannotStartError
from schedd.runner.languages.choice import Languages
from schedd.runner.plan import Plan, UnreadableError
from schedd.schedule import Schedule

MOST_KNOWN = 65_536
ERRAND_S = 0.002
"""No look begins in an errand after this."""

Found = Plan | UnreadableError | CannotStartError | OSError
Asked = tuple[Schedule, Callable[[Found], None]]


class Plans:
    """Owns the thread that looks. Make it on the event loop that it is to use."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._thread = Threads(1, "runner-plan")
        self._known: dict[str, Plan] = {}
        self._asked: list[Asked] = []
        self._looking = False
        self._languages: Languages | None = None

    def adopt(self, languages: Languages) -> None:
        """Forget what was found with other settings."""
        self._languages, self._known = languages, {}

    def known(self, schedule: Schedule) -> Plan | None:
        """Return the plan of a file as it is now, if it was looked at. Raises OSError when it is gone."""
        stamp = plan.stamp_of(os.stat(schedule.path))
        known = self._known.get(schedule.path)
        return known if known is not None and known.stamp == stamp else None

    def forget(self, path: str) -> None:
        """Have it looked at again."""
        self._known.pop(path, None)

    def find(self, schedule: Schedule, then: Callable[[Found], None]) -> None:
        """Look at a file, then tell what was found, or why nothing."""
        self._asked.append((schedule, then))
        if not self._looking:
            self._send()

    def close(self) -> None:
        """Look no more."""
        self._thread.shutdown()

    def _send(self) -> None:
        asked, self._asked = self._asked, []
        assert self._languages is not None
        self._looking = bool(asked)
        if asked:
            look = partial(_look, [schedule for schedule, _ in asked], self._languages, self._clock)
            found = self._loop.run_in_executor(self._thread, look)
            found.add_done_callback(partial(self._looked, asked, self._known))

    def _looked(
        self, asked: Sequence[Asked], known: dict[str, Plan], found: "asyncio.Future[list[Found]]"
    ) -> None:
        """Remember the plans among those that were made with the same settings."""
        told = found.result()
        self._asked[:0] = asked[len(told) :]
        self._send()
        for (schedule, then), each in zip(asked, told, strict=False):
            if isinstance(each, Plan):
                if len(known) >= MOST_KNOWN:
                    del known[next(iter(known))]
                known[schedule.path] = each
            then(each)


def _look(schedules: Sequence[Schedule], languages: Languages, clock: Clock) -> list[Found]:
    """Look at these in a thread: at the first one in any case, and at more as long as that is quick."""
    until_s = clock.monotonic() + ERRAND_S
    found: list[Found] = []
    for schedule in schedules:
        try:
            found.append(plan.make(schedule, languages))
        except (UnreadableError, CannotStartError, OSError) as error:
            found.append(error)
        if clock.monotonic() > until_s:
            break
    return found
