"""What a fire is and how it ends: the closed lists, and the line that records it.

A *fire* is the decision on one slot (or on one manual trigger). It ends as exactly one line in the fires
log, the `Entry`; the entry is written once, read back as it is, and served over HTTP unchanged, so its
keys are those of the HTTP contract. A *run* is one execution of a script for a fire and ends as an
`Outcome`; a fire that never ran has a status and a reason all the same.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

import msgspec

from schedd.timetable.instant import Slot, from_ms, from_slot

RunId = NewType("RunId", str)
"""Names a fire: a UUID of version 7 (RFC 9562), so that ids sort by time."""

RETURN_PREVIEW_CHARS = 200
ERROR_CHARS = 500


class Kind(StrEnum):
    """Why a fire exists."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    CATCHUP = "catchup"
    REPLAY = "replay"
    RETRY = "retry"
    STARTUP = "startup"


class Status(StrEnum):
    """How a fire ended. The last three are answers to a trigger only and never reach the fires log."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    DISABLED = "disabled"
    LOAD_ERROR = "load_error"
    INCOMPATIBLE = "incompatible"
    SKIPPED_OVERLOAD = "skipped_overload"
    STALE_GENERATION = "stale_generation"
    UNREGISTERED = "unregistered"
    SCHEDULER_NOT_READY = "scheduler_not_ready"


class Reason(StrEnum):
    """Why it ended so; `REASONS` says which reasons go with which status."""

    EXIT = "exit"
    SIGNAL = "signal"
    EXCEPTION = "exception"
    UNEXPECTED = "unexpected"
    SPAWN = "spawn"
    OUT_OF_MEMORY = "out_of_memory"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    MISSED = "missed"
    TIMEOUT = "timeout"
    DISABLED = "disabled"
    PAUSED = "paused"
    MAINTENANCE = "maintenance"
    BLACKOUT = "blackout"
    PREFLIGHT = "preflight"
    UNREADABLE = "unreadable"
    UNSAFE = "unsafe"
    WEBSOCKET = "websocket"
    OVERLAP = "overlap"
    OVERLOAD = "overload"
    LOCK = "lock"
    HOLD_FULL = "hold_full"
    SUPERSEDED = "superseded"
    TOO_LATE = "too_late"
    DRAINING = "draining"


REASONS: dict[Status, tuple[Reason, ...]] = {
    Status.OK: (),
    Status.ERROR: (
        Reason.EXIT,
        Reason.SIGNAL,
        Reason.EXCEPTION,
        Reason.UNEXPECTED,
        Reason.SPAWN,
        Reason.OUT_OF_MEMORY,
        Reason.STOPPED,
        Reason.INTERRUPTED,
        Reason.MISSED,
    ),
    Status.TIMEOUT: (Reason.TIMEOUT,),
    Status.DISABLED: (Reason.DISABLED, Reason.PAUSED, Reason.MAINTENANCE, Reason.BLACKOUT),
    Status.LOAD_ERROR: (Reason.PREFLIGHT, Reason.UNREADABLE, Reason.UNSAFE),
    Status.INCOMPATIBLE: (Reason.WEBSOCKET,),
    Status.SKIPPED_OVERLOAD: (
        Reason.OVERLAP,
        Reason.OVERLOAD,
        Reason.LOCK,
        Reason.HOLD_FULL,
        Reason.SUPERSEDED,
        Reason.TOO_LATE,
        Reason.DRAINING,
    ),
    Status.STALE_GENERATION: (),
    Status.UNREGISTERED: (),
    Status.SCHEDULER_NOT_READY: (),
}


class Fire(msgspec.Struct, frozen=True, gc=False):
    """The decision on one slot, or on one manual trigger (then `slot` is None).

    A Struct, since a hundred thousand may be made in one second: it costs a fifth of a dataclass.
    """

    run_id: RunId
    script: str
    expression: str
    kind: Kind
    slot: Slot | None
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended, as the runner saw it. Instants are milliseconds since the epoch."""

    status: Status
    reason: Reason | None = None
    error: str | None = None
    started_ms: int | None = None
    ended_ms: int
    duration_ms: int = 0
    exit_code: int | None = None
    signal: str | None = None
    result: str | None = None
    cpu_ms: int | None = None
    max_rss_kb: int | None = None
    output_bytes: int = 0
    output_truncated: bool = False
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A run is over: what the runner reports, once for each fire that it was given."""

    fire: Fire
    outcome: Outcome


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """One line of the fires log, and one entry of `GET /history`: the same keys, nothing converted."""

    ts: str
    script_path: str
    expression: str
    run_id: RunId
    status: Status
    duration_ms: int
    kind: Kind
    reason: Reason | None = None
    return_preview: str | None = None
    error: str | None = None
    slot: str | None = None
    last_slot: str | None = None
    count: int | None = None
    started_at: str | None = None
    lateness_ms: int | None = None
    attempt: int | None = None
    exit_code: int | None = None
    signal: str | None = None
    cpu_ms: int | None = None
    max_rss_kb: int | None = None
    output_bytes: int | None = None
    output_truncated: bool | None = None
    sha256: str | None = None
    host: str | None = None
    durable: bool | None = None


def ran(fire: Fire, outcome: Outcome, *, host: str, durable: bool = True) -> Entry:
    """Return the line for a fire that was handed to the runner (it may have failed to start).

    `durable` is False when the claim could not be written before the start; only then is it in the line.
    """
    started_ms = outcome.started_ms
    late = None if fire.slot is None or started_ms is None else max(0, started_ms - fire.slot * 1000)
    ok = outcome.status is Status.OK
    return Entry(
        ts=from_ms(outcome.ended_ms),
        script_path=fire.script,
        expression=fire.expression,
        run_id=fire.run_id,
        status=outcome.status,
        duration_ms=outcome.duration_ms,
        kind=fire.kind,
        reason=outcome.reason,
        return_preview=outcome.result[:RETURN_PREVIEW_CHARS] if ok and outcome.result is not None else None,
        error=None if ok else (outcome.error or outcome.status.value)[:ERROR_CHARS],
        slot=None if fire.slot is None else from_slot(fire.slot),
        started_at=None if started_ms is None else from_ms(started_ms),
        lateness_ms=late,
        attempt=fire.attempt,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        cpu_ms=outcome.cpu_ms,
        max_rss_kb=outcome.max_rss_kb,
        output_bytes=outcome.output_bytes or None,
        output_truncated=outcome.output_truncated or None,
        sha256=outcome.sha256,
        host=host,
        durable=None if durable else False,
    )


def not_run(
    fire: Fire,
    *,
    at_ms: int,
    status: Status,
    reason: Reason,
    error: str,
    host: str,
    last_slot: Slot | None = None,
    count: int | None = None,
) -> Entry:
    """Return the line for a fire that was decided but never ran; with `count`, for a whole span of slots."""
    return Entry(
        ts=from_ms(at_ms),
        script_path=fire.script,
        expression=fire.expression,
        run_id=fire.run_id,
        status=status,
        duration_ms=0,
        kind=fire.kind,
        reason=reason,
        error=error[:ERROR_CHARS],
        slot=None if fire.slot is None else from_slot(fire.slot),
        last_slot=None if last_slot is None else from_slot(last_slot),
        count=count,
        host=host,
    )
