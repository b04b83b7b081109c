"""Reading the fires log backwards."""

from dataclasses import dataclass

from schedd.fire import Entry, Kind, Reason, RunId, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which entries are wanted. Instants are milliseconds since the epoch; None = no such bound."""

    script: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    status: Status | None = None
    reason: Reason | None = None
    kind: Kind | None = None
    run_id: RunId | None = None
    limit: int = 100
    include_rotated: bool = False
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first; `cursor` continues exactly behind the last one when the scan was cut short."""

    entries: tuple[Entry, ...]
    truncated: bool = False
    cursor: str | None = None
