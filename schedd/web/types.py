"""Every request and answer of the API, as types: what validates, what is encoded, what the docs list.

Keys of the contract never change name, type or meaning, and a key that may be null is there as null. The
entries of the history are `fire.Entry`, byte for byte as they are in the fires log. Answers are written by
msgspec from these types and from nothing else.

Rejected: leaving out what is null (clients of the contract read `nextFire` without asking whether it is
there), and an envelope around the answers (clients take the trio statusCode, message, data for one).
"""

from typing import Literal

import msgspec

from schedd.fire import Entry, Kind, Reason, RunId, Status
from schedd.timetable.observance import How


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body of a POST: a JSON object; no body, an empty one and `null` are the same as `{}`."""


class ReloadRequest(Request, frozen=True, kw_only=True):
    """`POST /reload`. The one body whose key is in snake case, as the contract has it."""

    dry_run: bool = False


class TriggerRequest(Request, frozen=True, rename="camel", kw_only=True):
    """`POST /trigger`."""

    script_path: str
    force: bool = False
    wait: bool = True


class PauseRequest(Request, frozen=True, rename="camel", kw_only=True):
    """`POST /pause`: of one script or, spelt out, of all."""

    script_path: str | None = None
    all: bool = False
    note: str | None = None
    until: str | None = None


class ResumeRequest(Request, frozen=True, rename="camel", kw_only=True):
    """`POST /resume`: the counterpart of one pause."""

    script_path: str | None = None
    all: bool = False


class StopRequest(Request, frozen=True, kw_only=True):
    """`POST /runs/{runId}/stop`: nothing to say."""


class Answer(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The body of a success."""


class PauseItem(Answer, frozen=True, kw_only=True):
    """A pause in force, and the answer to `POST /pause`."""

    script_path: str | None
    all: bool
    since: str
    by: str
    note: str | None
    until: str | None


class PausesAnswer(Answer, frozen=True, kw_only=True):
    """`GET /pauses`, that of all first."""

    total: int
    pauses: tuple[PauseItem, ...]


class ResumeAnswer(Answer, frozen=True, kw_only=True):
    """`POST /resume`."""

    resumed: bool
    script_path: str | None
    all: bool
    pause: PauseItem | None
    """What keeps the script from firing all the same: the pause of all."""


class RetryItem(Answer, frozen=True, kw_only=True):
    """How a failed fire is tried again."""

    limit: int
    first_ms: int
    most_ms: int


class HolderItem(Answer, frozen=True, kw_only=True):
    """A run that has a lock."""

    script_path: str
    run_id: RunId
    since: str


class WaiterItem(Answer, frozen=True, kw_only=True):
    """A fire that stands in line for a lock."""

    script_path: str
    run_id: RunId


class LockItem(Answer, frozen=True, kw_only=True):
    """The lock of a script, as it stands now: for all the scripts that share it the same."""

    name: str
    slots: int
    taken: int
    holders: tuple[HolderItem, ...]
    waiting: int
    waiters: tuple[WaiterItem, ...]


class CadenceItem(Answer, frozen=True, kw_only=True):
    """How a script gets along whose runs outlast its interval."""

    slots_per_day: int
    ran_per_day: int
    p50_ms: int
    since: str


class CalendarItem(Answer, frozen=True, kw_only=True):
    """The calendar that a script observes, and what becomes of a slot that it closes."""

    file: str
    how: How


class ScheduleItem(Answer, frozen=True, kw_only=True):
    """One registered script in the list."""

    script_path: str
    script_rel: str
    subdomain: str
    exec_id: str | None
    vm_cache_key: str
    expression: str
    timeout_ms: int
    registered_at: str
    next_fire: str | None
    last_fire_at: str | None
    last_fire_status: Status | None
    last_fire_run_id: RunId | None
    id: str
    name: str
    status: str
    timezone: str
    description: str | None
    tags: tuple[str, ...]
    words: str
    overlap: str
    catchup: str
    catchup_within_ms: int | None
    deadline_ms: int | None
    jitter_ms: int
    calendar: CalendarItem | None
    retry: RetryItem | None
    pause: PauseItem | None
    running: int
    held: int
    next_fires: tuple[str, ...]
    lock: LockItem | None
    cadence: CadenceItem | None
    sha256: str
    warnings: tuple[str, ...]


class ListAnswer(Answer, frozen=True, kw_only=True):
    """`GET /list`."""

    total: int
    schedules: tuple[ScheduleItem, ...]


class HistoryAnswer(Answer, frozen=True, kw_only=True):
    """`GET /history`. `cursor` is there only when there is more to read."""

    total: int
    limit: int
    include_rotated: bool
    entries: tuple[Entry, ...]
    truncated: bool
    cursor: str | msgspec.UnsetType = msgspec.UNSET
    bad_lines: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Where lines of the log were passed over because they cannot be read; there only if there are any."""


class FailureItem(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """A script that is not registered as it is now, or a remark about one that is."""

    path: str
    reason: str
    line: int | None = None
    column: int | None = None


class RefusedItem(FailureItem, frozen=True, kw_only=True):
    """What is wrong with a file."""

    stale: bool
    """Whether the script fires as it was when it was last right."""


class RefusedAnswer(Answer, frozen=True, kw_only=True):
    """`GET /refused`."""

    total: int
    failed: tuple[RefusedItem, ...]


class ReloadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /reload`."""

    dry_run: bool
    added: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    failed: tuple[FailureItem, ...]
    changed: tuple[str, ...]
    warnings: tuple[FailureItem, ...]


class TriggerAnswer(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """`POST /trigger` when the fire is over. `error` is there for every status but `ok`."""

    triggered: bool
    script_path: str
    run_id: RunId
    status: Status
    duration_ms: int
    error: str | None = None
    reason: Reason | None = None
    return_preview: str | None = None


class AcceptedAnswer(Answer, frozen=True, kw_only=True):
    """`POST /trigger` with `wait: false`: the fire is taken, its end is at `Location`."""

    accepted: bool
    script_path: str
    run_id: RunId


class PreviewAnswer(Answer, frozen=True, kw_only=True):
    """`GET /preview`: what the expression would do, by the engine that fires."""

    expression: str
    timezone: str
    from_: str = msgspec.field(name="from")
    count: int
    calendar: CalendarItem | None
    fires: tuple[str, ...]
    words: str
    warnings: tuple[str, ...]


class WaitItem(Answer, frozen=True, kw_only=True):
    """What a held fire waits for; script and run are those that are in the way, as far as one is."""

    what: Literal["lock", "run", "place", "time", "turn"]
    lock: str | None
    script_path: str | None
    run_id: RunId | None


RunState = Literal["running", "starting", "held", "ended"]


class RunItem(Answer, frozen=True, kw_only=True):
    """A run in flight, or a fire that waits for its turn (`held`) or its process (`starting`)."""

    run_id: RunId
    state: RunState
    script_path: str
    expression: str
    kind: Kind
    slot: str | None
    attempt: int
    due: str | None
    waits_for: WaitItem | None
    started_at: str | None
    pid: int | None
    timeout_ms: int | None


class RunsAnswer(Answer, frozen=True, kw_only=True):
    """`GET /runs`, oldest first; `total` counts also those beyond the 1,000 that are listed."""

    total: int
    runs: tuple[RunItem, ...]


class RunAnswer(RunItem, frozen=True, kw_only=True):
    """`GET /runs/{runId}`. `entry` is its line in the fires log, null until it ended."""

    entry: Entry | None
    result: msgspec.Raw
    """What the script returned, as the JSON that it is; null when it returned nothing."""


class StopAnswer(Answer, frozen=True, kw_only=True):
    """`POST /runs/{runId}/stop`: it was asked to end; its line in the history says when it did."""

    run_id: RunId
    stopping: bool


class HealthAnswer(Answer, frozen=True, kw_only=True):
    """`GET /health` and `/healthz`, for everybody: it is alive."""

    status: Literal["ok", "degraded"]
    phase: str
    ready: bool
    version: str
    started_at: str


class ReadyAnswer(HealthAnswer, frozen=True, kw_only=True):
    """`GET /readyz`: how it is, for those who may read."""

    host: str
    pid: int
    scripts_dir: str
    schedules: int
    running: int
    held: int
    paused: int
    failed: int
    limits: dict[str, str]
    maintenance: PauseItem | None


class RootAnswer(Answer, frozen=True, kw_only=True):
    """`GET /`: who answers here, and where to go on."""

    name: str
    version: str
    api: str
    health: str


class ErrorAnswer(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """The body of everything that is not a success. No key of it is called `message`, on purpose."""

    error: str
    code: str
    timestamp: str
    retry_after: int | None = None
    details: dict[str, str | int | bool | list[str]] | None = None
