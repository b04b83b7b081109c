"""A daemon for the web's tests: it registers, fires, ends and records, in memory and when it is told to.

A trigger starts a run that ends when the test says so (`end`), or at once if `ends_at_once` says how.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from schedd import fire as fires
from schedd.fire import Entry, Fire, Kind, Outcome, Reason, RunId, Status
from schedd.host import identity
from schedd.insight.recent import Recent
from schedd.ledger.annals import Chronicle
from schedd.ledger.facts import LastOutcome
from schedd.ledger.history import Page, Query
from schedd.ledger.tally import Tally, Wanted
from schedd.planner.view import Pause, ScheduleView, Wait
from schedd.runner.audience import Audience
from schedd.runner.lines import Item
from schedd.runner.output import HeadAndTail
from schedd.schedule import FileStamp, Schedule
from schedd.timetable import instant
from schedd.timetable.instant import Slot
from schedd.timetable.observance import Observance
from schedd.timetable.timetable import Timetable
from schedd.web.control import Failure, Health, Phase, RefusedError, ReloadReport, RunView, Ticket, Why
from schedd.web.meters import Now
from tests import fake_log

KEPT = 1000
"""How much of an output is kept at either end."""
SCRIPTS_DIR = "/srv/scripts"
NOW_MS = 1_795_514_400_123
"""2026-11-24T10:00:00.123Z"""

_new_run_id = identity.run_ids()


@dataclass
class _Run:
    fire: Fire
    done: "asyncio.Future[Entry]"
    held: bool = False
    due_ms: int | None = None
    wait: Wait | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    output: HeadAndTail = field(default_factory=lambda: HeadAndTail(head_bytes=KEPT, tail_bytes=KEPT))

    def __post_init__(self) -> None:
        self.audience = Audience(self.output)


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
        """Every trigger, stop, pause and resume that was accepted: verb, script (`*` = all) or run, who."""
        self.paused: dict[str | None, Pause] = {}
        """The pauses in force, by script; None = that of all."""
        self.keys: dict[str, tuple[RunId, str]] = {}
        """The fires that were asked for under a key, with their script."""
        self.seen: dict[str, dict[str, Any]] = {}
        """What else there is to be seen of a script: its lock, its pace."""
        self.told = Chronicle(since_ms=0, until_ms=NOW_MS)
        """What the ledger tells, whatever is asked for."""
        self.calendars: dict[str, Observance] = {}
        self.counted = Tally()
        """What the fires log counts, whatever is asked for."""
        self.tallied: list[Wanted] = []
        self.lately: dict[str, Recent] = {}
        self.report = ReloadReport(dry_run=False, added=(), kept=(), removed=(), changed=(), failed=())
        self.reload_may_end = asyncio.Event()
        self.reload_may_end.set()
        self.reload_ended = asyncio.Event()
        self.triggered = asyncio.Event()
        self.followed = asyncio.Event()
        self.unfollowed = asyncio.Event()
        self.still = False  # whether nothing changes; else something always may have
        self._revision = 0
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
        run.audience.close()
        run.done.set_result(entry)
        run.changed.set()
        return entry

    def print(self, run_id: RunId, text: bytes) -> None:
        """Let a run print."""
        self.outputs[run_id] = self.outputs.get(run_id, b"") + text
        run = self._runs[run_id]
        run.output.feed(text)
        run.audience.feed(text, NOW_MS)
        run.changed.set()

    def begin(self, run_id: RunId) -> None:
        """Let a fire that was held start."""
        self._runs[run_id].held = False

    def hold(
        self, run_id: RunId, *, due_ms: int | None = None, wait: Wait | None = None, **fire: object
    ) -> None:
        """Let a fire wait for its turn, until `due_ms` at least; `fire` says what else is different of it."""
        run = self._runs[run_id]
        run.held, run.due_ms, run.wait = True, due_ms, wait
        run.fire = msgspec.structs.replace(run.fire, **fire)

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
            running=sum(not run.held for run in self._runs.values()),
            held=sum(run.held for run in self._runs.values()),
            failed=0,
            limits={"memory": "cgroup", "cpu": "cgroup", "pids": "cgroup", "files": "setrlimit"},
        )

    def now_ms(self) -> int:
        return NOW_MS

    def revision(self) -> int:
        self._revision += not self.still
        return self._revision

    def schedule(self, script: str) -> ScheduleView | None:
        return self._view(self.registered[script]) if script in self.registered else None

    def schedules_of(self, scripts: Collection[str]) -> Sequence[Schedule]:
        return [self.registered[script] for script in scripts or self.registered if script in self.registered]

    def failures(self) -> Sequence[Failure]:
        return self.report.failed

    def last_outcome(self, script: str) -> LastOutcome | None:
        for entry in self.entries:
            if entry.script_path == script:
                return LastOutcome(ts=entry.ts, status=entry.status, run_id=entry.run_id)
        return None

    def metrics_now(self) -> Now:
        return Now(
            version="0.1.0",
            host="here",
            states={"scheduled": len(self.registered)},
            failed=0,
            running=len(self._runs),
            held=0,
            up_since_s=NOW_MS / 1000,
            next_fire_s=dict.fromkeys(self.registered, 1_795_515_000.0),
        )

    def runs(self) -> Sequence[RunView]:
        return [
            RunView(
                fire=run.fire,
                started_ms=None if run.held else NOW_MS,
                pid=None if run.held else 77,
                timeout_ms=0,
                held=run.held,
                due_ms=run.due_ms,
                wait=run.wait,
            )
            for run in self._runs.values()
        ]

    def run(self, run_id: RunId) -> RunView | None:
        return next((view for view in self.runs() if view.fire.run_id == run_id and not view.held), None)

    def relative(self, path: str) -> str:
        relative = path.removeprefix(f"{SCRIPTS_DIR}/")
        if relative.startswith("/"):
            raise RefusedError(Why.INVALID, "scriptPath must be inside scripts directory")
        return relative

    async def reload(self, *, dry_run: bool) -> ReloadReport:
        await self.reload_may_end.wait()
        self.reload_ended.set()
        return replace(self.report, dry_run=dry_run)

    async def trigger(self, script: str, *, force: bool, by: str, key: str | None = None) -> Ticket:
        if key in self.keys:
            return self._again(script, *self.keys[key])
        self._require_running()
        schedule = self.registered.get(script) or self._found(script)
        if schedule.guarded and not force:
            raise RefusedError(Why.FORBIDDEN, "script has @token: force must be true")
        self.asked.append(("trigger", script, by))
        self.triggered.set()
        run_id = _new_run_id(NOW_MS)
        if key is not None:
            self.keys[key] = (run_id, script)
        fire = Fire(run_id, script, schedule.expression, Kind.MANUAL, None)
        done: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._runs[run_id] = _Run(fire, done)
        pause = self._pause_of(script)
        if pause is not None and not force:
            self._skip(run_id, Reason.MAINTENANCE if pause.script is None else Reason.PAUSED)
        elif self.ends_at_once is not None:
            self.end(run_id, self.ends_at_once)
        return Ticket(run_id, script, done)

    async def stop(self, run_id: RunId, *, by: str) -> bool:
        if run_id not in self._runs:
            return False
        self.asked.append(("stop", run_id, by))
        stopped = Outcome(status=Status.ERROR, reason=Reason.STOPPED, error="stopped", ended_ms=NOW_MS)
        self.end(run_id, stopped)
        return True

    def pauses(self) -> Sequence[Pause]:
        return sorted(self.paused.values(), key=lambda pause: pause.script or "")

    async def pause(self, script: str | None, *, note: str | None, until_ms: int | None, by: str) -> Pause:
        self._require_running()
        if script is not None and script not in self.registered:
            raise RefusedError(Why.NOT_FOUND, "script is not registered")
        if until_ms is not None and until_ms <= NOW_MS:
            raise RefusedError(Why.INVALID, "until must lie in the future")
        self.asked.append(("pause", script or "*", by))
        self.paused[script] = Pause(script=script, since_ms=NOW_MS, by=by, note=note, until_ms=until_ms)
        return self.paused[script]

    async def resume(self, script: str | None, *, by: str) -> bool:
        self._require_running()
        self.asked.append(("resume", script or "*", by))
        return self.paused.pop(script, None) is not None

    async def replay(self, slots: Sequence[tuple[str, Slot]], *, by: str) -> Sequence[Fire]:
        self._require_running()
        made = []
        for script, slot in slots:
            schedule = self.registered.get(script)
            if schedule is not None:
                self.asked.append(("replay", script, by))
                fire = Fire(_new_run_id(NOW_MS), script, schedule.expression, Kind.REPLAY, slot)
                done: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
                self._runs[fire.run_id] = _Run(fire, done, held=True)
                made.append(fire)
        return made

    async def history(self, query: Query) -> Page:
        return fake_log.page(self.entries, query, scan=self.scan, bad=self.bad_lines)

    async def tally(self, wanted: Wanted) -> Tally:
        self.tallied.append(wanted)
        return self.counted

    async def recent(self, scripts: Sequence[str]) -> Mapping[str, Recent]:
        return {script: self.lately.get(script, Recent()) for script in scripts}

    async def chronicle(self, since_ms: int, until_ms: int, *, script: str | None) -> Chronicle:
        return self.told

    async def observance(self, text: str) -> Observance:
        if text not in self.calendars:
            raise RefusedError(Why.INVALID, f"calendar: there is no {text}")
        return self.calendars[text]

    async def output(self, run_id: RunId) -> bytes | None:
        return self.outputs.get(run_id)

    async def result(self, run_id: RunId) -> str | None:
        return self.results.get(run_id)

    async def follow(self, run_id: RunId) -> AsyncIterator[bytes]:
        run, sent = self._runs[run_id], 0
        self.followed.set()
        if run.held:
            return
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

    async def lines(self, run_id: RunId, after: int) -> AsyncIterator[list[Item]]:
        run = self._runs.get(run_id)
        if run is not None and not run.held:
            self.followed.set()
            try:
                async for batch in run.audience.lines(after):
                    yield batch
            finally:
                self.unfollowed.set()

    def end_of(self, run_id: RunId) -> "asyncio.Future[Entry] | None":
        run = self._runs.get(run_id)
        return None if run is None else run.done

    def _require_running(self) -> None:
        if self.phase is not Phase.RUNNING:
            raise RefusedError(Why.UNAVAILABLE, "scheduler unavailable")

    def _again(self, script: str, run_id: RunId, owner: str) -> Ticket:
        if script != owner:
            raise RefusedError(Why.CONFLICT, "this Idempotency-Key was used for another script", reason=owner)
        run = self._runs.get(run_id)
        return Ticket(run_id, script, None if run is None else run.done)

    def _skip(self, run_id: RunId, reason: Reason) -> None:
        run = self._runs.pop(run_id)
        entry = fires.not_run(
            run.fire, at_ms=NOW_MS, status=Status.DISABLED, reason=reason, error="paused", host="here"
        )
        self.entries.insert(0, entry)
        run.done.set_result(entry)

    def _pause_of(self, script: str) -> Pause | None:
        return self.paused.get(script) or self.paused.get(None)

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
        slots = schedule.timetable.to_run(Slot(NOW_MS // 1000), 5) if schedule.enabled else []
        runs = [run for run in self._runs.values() if run.fire.script == schedule.script]
        return ScheduleView(
            schedule=schedule,
            registered_at_ms=NOW_MS - 1_000,
            next_slots=tuple(slots),
            running=tuple(run.fire for run in runs if not run.held),
            held=tuple(run.fire for run in runs if run.held),
            pause=self._pause_of(schedule.script),
            **self.seen.get(schedule.script, {}),
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
