"""What is asked and answered about the record: why, gaps and replay; `types` has the rules."""

import msgspec

from schedd.fire import Reason, RunId, Status
from schedd.insight.gaps import Only
from schedd.insight.verdict import Word
from schedd.web.types import Answer, Request


class EvidenceItem(Answer, frozen=True, kw_only=True):
    """Something that is on record, or follows from the timetable."""

    at: str
    what: str


class WhyAnswer(Answer, frozen=True, kw_only=True):
    """`GET /why`."""

    script_path: str
    asked: str | None
    verdict: Word
    sentence: str
    timezone: str
    slot: str | None
    before: str | None
    after: str | None
    run_id: RunId | None
    next: str | None
    evidence: tuple[EvidenceItem, ...]
    journalctl: str
    complete: bool


class GapItem(Answer, frozen=True, kw_only=True):
    """Slots of one script, in a row, that stand by the same lines."""

    script_path: str
    slot: str
    last_slot: str
    count: int
    status: Status | None
    reason: Reason | None
    run_ids: tuple[RunId, ...]


class GapsAnswer(Answer, frozen=True, kw_only=True):
    """`GET /gaps`."""

    since: str
    until: str
    only: Only
    total: int
    gaps: tuple[GapItem, ...]
    truncated: bool


class ReplayRequest(Request, frozen=True, rename={"script_path": "scriptPath"}, kw_only=True):
    """`POST /replay`. `dry_run` is in snake case, as in a reload."""

    since: str
    until: str | None = None
    script_path: str | None = None
    only: str = "missing"
    dry_run: bool = False


class ReplayItem(Answer, frozen=True, kw_only=True):
    """One slot that is run again, or would be."""

    script_path: str
    slot: str
    run_id: RunId | None
    """Null in a dry run, and for one that was left out."""


class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /replay`."""

    dry_run: bool
    since: str
    until: str
    only: Only
    total: int
    queued: int
    slots: tuple[ReplayItem, ...]
    truncated: bool
