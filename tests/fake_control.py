"""A daemon for the web's tests: it registers, fires, ends and records, in memory and when it is told to.

A trigger starts a run that ends when the test says so (`end`), or at once if `ends_at_once` says how.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from schedd import fire as fires
from schedd.fire import Entry, Fire, Kind, Outcome, Reason, RunId, Status
from schedd.host import identity
from schedd.ledger.facts import LastOutcome
from schedd.ledger.history import Page, Query
from schedd.planner.view import ScheduleView
from schedd.schedule import FileStamp, Schedule
from schedd.timetable import instant
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable
from schedd.web.control import Failure, Health, Phase, RefusedError, ReloadReport, RunView, Ticket, Why

SCRIPTS_DIR = "/srv/scripts"
NOW_MS = 1_795_514_400_123
"""2026-11-24T10:00:00.123Z"""

_new_run_id = identity.run_ids()


@dataclass
class _Run:
    fire: Fire
    done: "asyncio.Future[Entry]"
    held: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class FakeControl:
    """`web.control.Control`, with a hand on everything that a daemon would do by itself."""

    def __init__(self) -> None:
        self.phase = Phase.RUNNING
        self.not_ready: tuple[str, ...] = ()
        self.registered: dict[str, Schedule] = {}
        self.on_disk: dict[str, str] = {}
        """Scripts that a trigger can register, with their expression."""
        self.ends_at_once: Outcome | None = Outcome(status=Status.OK, ended_ms=NOW_MS, duration_ms=12)
        self.entries: list[Entry] = []
        self.scan = 1_000
        """How many entries one answer of the history looks at; then it is cut short."""
        self.bad_lines: tuple[str, ...] = ()
        self.outputs: dict[RunId, bytes] = {}
        self.results: dict[RunId, str] = {}
        self.asked: list[tuple[str, str, str]] = []
        """Every trigger and stop that was accepted: verb, script or run, who."""
        self.report = ReloadReport(dry_run=False, added=(), kept=(), removed=(), changed=(), failed=())
        self.reload_may_end = asyncio.Event()
        self.reload_may_end.set()
        self.reload_ended = asyncio.Event()
        self.triggered = asyncio.Event()
        self.followed = asyncio.Event()
        self.unfollowed = asyncio.Event()
        self._runs: dict[RunId, _Run] = {}

    def register(self, script: str, *, expression: str = "0 * * * *", **more: object) -> Schedule:
        """Register a script."""
        schedule = Schedule(
            script=script,
            path=f"{SCRIPTS_DIR}/{script}",
            expression=expression,
            timezone="UTC",
            timetable=Timetable.parse(expression, "UTC"),
            sha256="ab" * 32,
            stamp=FileStamp(1, 2, 3),
        )
        self.registered[script] = replace(schedule, **more)  # type: ignore[arg-type]
        return self.registered[script]

    def end(self, run_id: RunId, outcome: Outcome) -> Entry:
        """Let a run end."""
        run = self._runs.pop(run_id)
        entry = fires.ran(run.fire, outcome, host="here")
        self.entries.insert(0, entry)
        run.done.set_result(entry)
        run.changed.set()
        return entry

    def print(self, run_id: RunId, text: bytes) -> None:
        """Let a run print."""
        self.outputs[run_id] = self.outputs.get(run_id, b"") + text
        self._runs[run_id].changed.set()

    def hold(self, run_id: RunId) -> None:
        """Let a fire wait for its turn."""
        self._runs[run_id].held = True

    def health(self) -> Health:
        return Health(
            phase=self.phase,
            ready=not self.not_ready,
            reasons=self.not_ready,
            started_ms=NOW_MS - 60_000,
            version="0.1.0",
            host="here",
            pid=4242,
            scripts_dir=SCRIPTS_DIR,
            schedules=len(self.registered),
            running=len(self._runs),
            held=0,
            failed=0,
        )

    def now_ms(self) -> int:
        return NOW_MS

    def schedules(self) -> Sequence[ScheduleView]:
        return [self._view(self.registered[script]) for script in sorted(self.registered)]

    def last_outcome(self, script: str) -> LastOutcome | None:
        for entry in self.entries:
            if entry.script_path == script:
                return LastOutcome(ts=entry.ts, status=entry.status, run_id=entry.run_id)
        return None

    def runs(self) -> Sequence[RunView]:
        return [
            RunView(
                fire=run.fire,
                started_ms=None if run.held else NOW_MS,
                pid=None if run.held else 77,
                timeout_ms=0,
                held=run.held,
            )
            for run in self._runs.values()
        ]

    def relative(self, path: str) -> str:
        relative = path.removeprefix(f"{SCRIPTS_DIR}/")
        if relative.startswith("/"):
            raise RefusedError(Why.INVALID, "scriptPath must be inside scripts directory")
        return relative

    async def reload(self, *, dry_run: bool) -> ReloadReport:
        await self.reload_may_end.wait()
        self.reload_ended.set()
        return replace(self.report, dry_run=dry_run)

    async def trigger(self, script: str, *, force: bool, by: str) -> Ticket:
        schedule = self.registered.get(script) or self._found(script)
        if schedule.guarded and not force:
            raise RefusedError(Why.FORBIDDEN, "script has @token: force must be true")
        self.asked.append(("trigger", script, by))
        self.triggered.set()
        run_id = _new_run_id(NOW_MS)
        fire = Fire(run_id, script, schedule.expression, Kind.MANUAL, None)
        done: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._runs[run_id] = _Run(fire, done)
        if self.ends_at_once is not None:
            self.end(run_id, self.ends_at_once)
        return Ticket(run_id, script, done)

    async def stop(self, run_id: RunId, *, by: str) -> bool:
        if run_id not in self._runs:
            return False
        self.asked.append(("stop", run_id, by))
        stopped = Outcome(status=Status.ERROR, reason=Reason.STOPPED, error="stopped", ended_ms=NOW_MS)
        self.end(run_id, stopped)
        return True

    async def history(self, query: Query) -> Page:
        skip = 0
        if query.cursor is not None:
            if not query.cursor.startswith("after-"):
                raise ValueError("cursor is not one that this log gave out")
            skip = int(query.cursor.removeprefix("after-"))
        found: list[Entry] = []
        at = skip
        for at, entry in enumerate(self.entries[skip : skip + self.scan], start=skip + 1):  # noqa: B007
            if _matches(entry, query):
                found.append(entry)
            if len(found) == query.limit:
                break
        more = at < len(self.entries)
        return Page(tuple(found), more, f"after-{at}" if more else None, self.bad_lines)

    async def output(self, run_id: RunId) -> bytes | None:
        return self.outputs.get(run_id)

    async def result(self, run_id: RunId) -> str | None:
        return self.results.get(run_id)

    async def follow(self, run_id: RunId) -> AsyncIterator[bytes]:
        run, sent = self._runs[run_id], 0
        self.followed.set()
        try:
            while True:
                ended = run.done.done()
                text = self.outputs.get(run_id, b"")
                if len(text) > sent:
                    yield text[sent:]
                    sent = len(text)
                elif ended:
                    return
                else:
                    run.changed.clear()
                    await run.changed.wait()
        finally:
            self.unfollowed.set()

    def _found(self, script: str) -> Schedule:
        if script not in self.on_disk:
            raise RefusedError(Why.NOT_FOUND, "script not found")
        if not self.on_disk[script]:
            raise RefusedError(Why.INVALID, "script has no @schedule directive")
        if self.on_disk[script] == "every blue moon":
            problem = "Invalid cron expression: 'every blue moon'"
            raise RefusedError(Why.INVALID, "script is not schedulable", reason=problem)
        return self.register(script, expression=self.on_disk[script])

    def _view(self, schedule: Schedule) -> ScheduleView:
        slots = schedule.timetable.upcoming(Slot(NOW_MS // 1000), 5) if schedule.enabled else []
        running = tuple(run.fire for run in self._runs.values() if run.fire.script == schedule.script)
        return ScheduleView(
            schedule=schedule,
            registered_at_ms=NOW_MS - 1_000,
            next_slots=tuple(slots),
            running=running,
            held=(),
        )


def entry(script: str, *, at_ms: int = NOW_MS, status: Status = Status.OK, **more: object) -> Entry:
    """Return a line of the fires log."""
    keys: dict[str, object] = {"expression": "0 * * * *", "duration_ms": 5, "kind": Kind.SCHEDULE} | more
    return Entry(
        ts=instant.from_ms(at_ms),
        script_path=script,
        run_id=_new_run_id(at_ms),
        status=status,
        **keys,  # type: ignore[arg-type]
    )


def failure(path: str, reason: str, line: int | None = None) -> Failure:
    """Return a script that a reload refuses."""
    return Failure(path=path, reason=reason, line=line)


def _matches(entry: Entry, query: Query) -> bool:
    at_ms = instant.to_ms(entry.ts)
    wanted = ((query.script, entry.script_path), (query.status, entry.status), (query.reason, entry.reason))
    return (
        all(want is None or want == has for want, has in wanted)
        and (query.kind is None or entry.kind is query.kind)
        and (query.run_id is None or entry.run_id == query.run_id)
        and (query.since_ms is None or at_ms >= query.since_ms)
        and (query.until_ms is None or at_ms < query.until_ms)
    )
