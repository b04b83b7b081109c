"""Failed fires that will be tried again: who gets another try, and when.

EX_TEMPFAIL and EX_CONFIG are those of sysexits.h(3head): a script that knows its failure to be temporary asks
for a retry, one that knows it to be permanent forbids it.
"""

import heapq
from collections.abc import Callable

from schedd.fire import Fire, Kind, Outcome, Reason, RunId, Status
from schedd.schedule import Retry, Schedule

EX_TEMPFAIL = 75
EX_CONFIG = 78
ASKED = Retry(limit=3, first_ms=60_000, most_ms=600_000)
"""What a script gets that exits with 75 and has no `@retry`."""
KINDS = (Kind.SCHEDULE, Kind.CATCHUP, Kind.REPLAY, Kind.RETRY, Kind.STARTUP)
"""A person who triggers by hand sees the failure, and decides."""
REASONS = frozenset(
    {
        Reason.EXIT,
        Reason.SIGNAL,
        Reason.EXCEPTION,
        Reason.UNEXPECTED,
        Reason.SPAWN,
        Reason.OUT_OF_MEMORY,
        Reason.INTERRUPTED,
        Reason.TIMEOUT,
    }
)


def delay_ms(fire: Fire, outcome: Outcome, schedule: Schedule) -> int | None:
    """Return how long to wait before this fire is tried again; None if it is not."""
    if fire.kind not in KINDS or outcome.status is Status.OK or outcome.reason not in REASONS:
        return None
    if outcome.exit_code == EX_CONFIG:
        return None
    retry = schedule.retry
    if retry is None and outcome.exit_code == EX_TEMPFAIL:
        retry = ASKED
    if retry is None or fire.attempt > retry.limit:
        return None
    return retry.delay_ms(fire.attempt)


class Retries:
    """Owns the fires that wait for their next try."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Fire]] = []
        self._of: dict[str, dict[RunId, tuple[int, Fire]]] = {}
        """The same by script, with when they are due: the list of all scripts asks for those of each."""
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._heap)

    def __contains__(self, script: str) -> bool:
        return script in self._of

    def add(self, fire: Fire, due_ms: int) -> None:
        """Let a fire wait until then."""
        self._arrivals += 1
        heapq.heappush(self._heap, (due_ms, self._arrivals, fire))
        self._of.setdefault(fire.script, {})[fire.run_id] = (due_ms, fire)

    def next_ms(self) -> int | None:
        """Return when the next of them is due."""
        return self._heap[0][0] if self._heap else None

    def due(self, now_ms: int) -> list[Fire]:
        """Take out those that are due."""
        fires = []
        while self._heap and self._heap[0][0] <= now_ms:
            fires.append(heapq.heappop(self._heap)[2])
            self._forget(fires[-1])
        return fires

    def all(self) -> tuple[Fire, ...]:
        """Return all that waits, the next first."""
        return tuple(fire for _, _, fire in sorted(self._heap, key=lambda item: item[:2]))

    def of(self, script: str) -> tuple[Fire, ...]:
        """Return what waits of a script, the next first."""
        waiting = sorted(self._of.get(script, {}).values(), key=lambda item: item[0])
        return tuple(fire for _, fire in waiting)

    def due_ms(self, fire: Fire) -> int | None:
        """Return when a fire is due; None if it does not wait."""
        waits = self._of.get(fire.script, {}).get(fire.run_id)
        return None if waits is None else waits[0]

    def drop(self, unwanted: Callable[[Fire], bool]) -> list[Fire]:
        """Remove and return the fires that are unwanted."""
        if not self._heap:
            return []
        dropped = [fire for fire in self.all() if unwanted(fire)]
        for fire in dropped:
            self._forget(fire)
        gone = {fire.run_id for fire in dropped}
        self._heap = [item for item in self._heap if item[2].run_id not in gone]
        heapq.heapify(self._heap)
        return dropped

    def _forget(self, fire: Fire) -> None:
        left = self._of[fire.script]
        del left[fire.run_id]
        if not left:
            del self._of[fire.script]
