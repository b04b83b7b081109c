"""The answer to "why did it run, or why not?": a word for programs, a sentence for people, the evidence."""

from dataclasses import dataclass
from enum import StrEnum

from schedd.fire import RunId
from schedd.timetable.instant import Slot


class Word(StrEnum):
    """What became of the slot: a closed list."""

    RAN_OK = "ran_ok"
    RAN_FAILED = "ran_failed"
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    NOT_STARTED = "not_started"
    RUNNING = "running"
    HELD = "held"
    RETRYING = "retrying"
    MISSED = "missed"
    SKIPPED_OVERLAP = "skipped_overlap"
    SUPERSEDED = "superseded"
    OVERLOAD = "overload"
    LOCKED = "locked"
    TOO_LATE = "too_late"
    DRAINING = "draining"
    DISABLED = "disabled"
    PAUSED = "paused"
    BLACKOUT = "blackout"
    LOAD_ERROR = "load_error"
    INCOMPATIBLE = "incompatible"
    NOT_DUE = "not_due"
    NOT_YET = "not_yet"
    NOT_REGISTERED = "not_registered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class Evidence:
    """Something that is on record, or follows from the timetable; the instant is ms since the epoch."""

    at_ms: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The whole answer."""

    script: str
    word: Word
    sentence: str
    """One sentence, its instants on the wall clock of `zone`; what a change of the clock did is a second."""
    zone: str
    evidence: tuple[Evidence, ...]
    """In the order of time."""
    journalctl: str
    """The command that shows what the journal has on it."""
    asked_ms: int | None
    slot: Slot | None
    before: Slot | None
    after: Slot | None
    """The slots next to that one, or to the instant that is none."""
    run_id: RunId | None
    next: Slot | None
    """The next slot from now on; None when there is none, or it will not run."""
    complete: bool
    """False when not all that was written could be read."""
