"""Which slots are to come: of which schedules, and from when on, as the list's `nextFires` have it."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from schedd.insight.load import Coming
from schedd.planner.view import Pause
from schedd.schedule import Schedule
from schedd.web import in_force


def of(
    schedules: Iterable[Schedule], pauses: Sequence[Pause], sees: Callable[[str], bool], *, now_ms: int
) -> Iterator[Coming]:
    """Yield those of the schedules that will fire, and that may be seen.

    One that is disabled, or paused without an end, has no slots to come.
    """
    maintenance = in_force.of_all(pauses)
    own = {pause.script: pause for pause in pauses}
    now_s = -(-now_ms // 1000)
    for schedule in schedules:
        if not schedule.enabled or not sees(schedule.script):
            continue
        covered = in_force.last_covered(own.get(schedule.script), maintenance)
        if covered is not None:
            yield Coming(schedule.script, schedule.timetable, max(now_s, covered + 1))
