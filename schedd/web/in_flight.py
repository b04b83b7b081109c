"""A run in flight, or a fire that waits, as answers and events show it."""

from schedd.planner.view import Wait
from schedd.timetable import instant
from schedd.web import types
from schedd.web.control import RunView


def item(view: RunView) -> types.RunItem:
    """Return a run as `GET /runs` lists it."""
    fire = view.fire
    return types.RunItem(
        run_id=fire.run_id,
        state=_state(view),
        script_path=fire.script,
        expression=fire.expression,
        kind=fire.kind,
        slot=None if fire.slot is None else instant.from_slot(fire.slot),
        attempt=fire.attempt,
        due=None if view.due_ms is None else instant.from_ms(view.due_ms),
        waits_for=None if view.wait is None else _wait(view.wait),
        started_at=None if view.started_ms is None else instant.from_ms(view.started_ms),
        pid=view.pid,
        timeout_ms=view.timeout_ms,
    )


def _wait(wait: Wait) -> types.WaitItem:
    return types.WaitItem(
        what=wait.what.value,
        lock=wait.lock,
        script_path=None if wait.fire is None else wait.fire.script,
        run_id=None if wait.fire is None else wait.fire.run_id,
    )


def _state(view: RunView) -> types.RunState:
    if view.held:
        return "held"
    return "starting" if view.started_ms is None else "running"
