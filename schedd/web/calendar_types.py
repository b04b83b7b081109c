"""What `GET /calendar` and `GET /recent` answer."""

from typing import Annotated

import msgspec

from schedd.fire import Kind, Reason, RunId, Status
from schedd.web.types import Answer

Pairs = tuple[tuple[int, int], ...]
"""A step, and how many; steps with none are left out."""
Count = Annotated[int, msgspec.Meta(ge=0)]


class ScriptCounts(Answer, frozen=True, kw_only=True):
    """The steps of one script in which there is anything."""

    script_path: str
    slots: Pairs
    fires: dict[Status, Pairs]
    missed: Pairs


class CalendarAnswer(Answer, frozen=True, kw_only=True):
    """`GET /calendar`. `scripts` is there only with `by=script`."""

    from_: str = msgspec.field(name="from")
    to: str
    step_ms: int
    now: str
    slots: tuple[Count, ...]
    fires: dict[Status, tuple[Count, ...]]
    missed: tuple[Count, ...]
    """Those of the errors that are slots which nobody was there to decide."""
    scripts: tuple[ScriptCounts, ...] | msgspec.UnsetType = msgspec.UNSET


class OutcomeItem(Answer, frozen=True, kw_only=True):
    """How one fire ended."""

    ts: str
    run_id: RunId
    status: Status
    reason: Reason | None
    duration_ms: int
    kind: Kind


class RecentItem(Answer, frozen=True, kw_only=True):
    """The last outcomes of one script."""

    script_path: str
    usual_ms: int | None
    outcomes: tuple[OutcomeItem, ...]


class RecentAnswer(Answer, frozen=True, kw_only=True):
    """`GET /recent`."""

    total: int
    scripts: tuple[RecentItem, ...]
