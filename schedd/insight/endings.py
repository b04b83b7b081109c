"""How a fire ended, in the words that follow its subject: `failed after 1.2 s: exit code 7`."""

from schedd.fire import Entry, Kind, Reason, Status
from schedd.insight.telling import Teller, length
from schedd.insight.verdict import Word

_WORDS = {
    Reason.SPAWN: Word.NOT_STARTED,
    Reason.STOPPED: Word.STOPPED,
    Reason.INTERRUPTED: Word.INTERRUPTED,
    Reason.MISSED: Word.MISSED,
    Reason.DISABLED: Word.DISABLED,
    Reason.BLACKOUT: Word.BLACKOUT,
    Reason.OVERLAP: Word.SKIPPED_OVERLAP,
    Reason.OVERLOAD: Word.OVERLOAD,
    Reason.HOLD_FULL: Word.OVERLOAD,
    Reason.LOCK: Word.LOCKED,
    Reason.SUPERSEDED: Word.SUPERSEDED,
    Reason.TOO_LATE: Word.TOO_LATE,
    Reason.DRAINING: Word.DRAINING,
}
_BY_STATUS = {
    Status.OK: Word.RAN_OK,
    Status.ERROR: Word.RAN_FAILED,
    Status.TIMEOUT: Word.TIMED_OUT,
    Status.DISABLED: Word.PAUSED,
    Status.LOAD_ERROR: Word.LOAD_ERROR,
    Status.INCOMPATIBLE: Word.INCOMPATIBLE,
}
_BRIEFLY = {
    Word.RAN_OK: "ended ok",
    Word.RAN_FAILED: "failed",
    Word.TIMED_OUT: "timed out",
    Word.STOPPED: "was stopped",
    Word.INTERRUPTED: "was interrupted",
    Word.NOT_STARTED: "could not be started",
    Word.MISSED: "was missed",
    Word.DISABLED: "was disabled",
    Word.PAUSED: "was paused",
    Word.BLACKOUT: "was closed by its calendar",
}


def word_of(status: Status, reason: Reason | None) -> Word:
    """Return the word for a status and its reason."""
    found = None if reason is None else _WORDS.get(reason)
    return found or _BY_STATUS.get(status, Word.UNKNOWN)


def briefly(entry: Entry) -> str:
    """Say in two words what became of a slot."""
    return _BRIEFLY.get(word_of(entry.status, entry.reason), "was skipped")


def ended(entry: Entry, teller: Teller) -> str:
    """Say how a run ended: a predicate, without a subject."""
    took = length(entry.duration_ms)
    error = teller.text(entry.error or "")
    if entry.status is Status.OK:
        return f"ended ok after {took}"
    if entry.status is Status.TIMEOUT:
        return f"was stopped after {took}: it {error}"
    match entry.reason:
        case Reason.SPAWN:
            return f"could not be started: {error}"
        case Reason.STOPPED:
            by = error.removeprefix("stopped").removeprefix(":").strip()
            return (
                f"was stopped {by}, after {took}"
                if by.startswith("by ")
                else f"was stopped after {took}: {by}"
            )
        case Reason.INTERRUPTED:
            return f"was cut off: {error}"
        case _:
            return f"failed after {took}: {error}"


def attempt(entry: Entry, teller: Teller) -> str:
    """Say how a later attempt ended, with its subject."""
    at = "" if entry.started_at is None else f" at {teller.text(entry.started_at)}"
    what = f"attempt {entry.attempt or 1}" if entry.kind is Kind.RETRY else f"a {entry.kind.value}"
    if entry.started_at is None:
        return f"{what} did not run: {teller.text(entry.error or entry.status.value)}"
    return f"{what}{at} {ended(entry, teller)}"
