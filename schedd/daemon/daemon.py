"""The daemon: one inbox, one loop, one decision after the other.

Everything that can happen enters by the inbox and is handled whole before the next: the planner decides, the
ledger writes, then what was decided is done. docs/architecture.md tells the same life as a list.
"""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from functools import partial
from typing import TypeVar

from schedd import fire
from schedd.config import Config
from schedd.daemon import record
from schedd.daemon.messages import (
    Drain,
    HangUp,
    Message,
    Rang,
    Scanned,
    Started,
    StopAsked,
    StopRuns,
    TriggerAsked,
)
from schedd.daemon.parts import Ledger, Runner, Scanner
from schedd.fire import Ended, Entry, Fire, Reason, RunId
from schedd.host.clock import Clock
from schedd.host.journald import Event, about
from schedd.host.systemd import Notifier
from schedd.ledger import facts
from schedd.planner.actions import Action, Start, Stop
from schedd.planner.planner import Planner
from schedd.runner.launch import Launch
from schedd.schedule import Schedule
from schedd.scripts import catalogue
from schedd.timetable.instant import from_slot
from schedd.web.control import Failure, Phase, ReloadReport

log = logging.getLogger("schedd")
T = TypeVar("T")

HEARTBEAT_S = 30
"""The longest sleep: no trust in timers, and a sign of life for the watchdog."""
OVERDUE_S = 10
"""A slot undecided for longer means that the loop is stuck: the watchdog is no longer told otherwise."""
PRUNE_EVERY_S = 3600
COMPLAIN_EVERY_S = 60.0


class Daemon:
    """Owns the inbox and the phase; tells the planner what happens, and does what it decides.

    `end_orphans` stops what a dead daemon left running, of these run ids, and returns which were found.
    `prune` gives up old outputs, but none of these runs; both block and run in a thread. `refresh` takes over
    what has changed in the configuration, and returns what is to be said about it.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        planner: Planner,
        ledger: Ledger,
        runner: Runner,
        scanner: Scanner,
        notifier: Notifier,
        inbox: "asyncio.Queue[Message]",
        end_orphans: Callable[[Collection[RunId]], Collection[RunId]],
        prune: Callable[[Collection[RunId]], None],
        refresh: Callable[[], Awaitable[tuple[str, ...]]],
        host: str,
        boot_id: str,
        version: str,
        drain_s: float,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._clock = clock
        self.planner = planner
        self._ledger = ledger
        self._runner = runner
        self._scanner = scanner
        self._notifier = notifier
        self._inbox = inbox
        self._end_orphans = end_orphans
        self._prune = prune
        self._refresh = refresh
        self._host = host
        self._boot_id = boot_id
        self._version = version
        self.drain_s = drain_s
        self._heartbeat_s = heartbeat_s
        self.phase = Phase.STARTING
        self.started_ms = clock.now_ms()
        self.failed: tuple[Failure, ...] = ()
        self.alive: dict[RunId, Started] = {}
        self._waiting: dict[RunId, asyncio.Future[Entry]] = {}
        self._not_durable: set[RunId] = set()
        self._scanning = asyncio.Lock()
        self._pruned_at = clock.monotonic()
        self._complained_at = -COMPLAIN_EVERY_S
        self._side = asyncio.TaskGroup()
        self._side_tasks: set[asyncio.Task[None]] = set()

    # A life.

    async def run(self) -> None:
        """Live until drained. A side task that dies takes the daemon with it, loudly."""
        alarm = self._clock.alarm(lambda: self._inbox.put_nowait(Rang()))
        try:
            async with self._side:
                self._beside(_watch(self._ledger.tasks), "watch the ledger's writers")
                await self._start()
                while self.phase is Phase.RUNNING or self.planner.running_count:
                    alarm.set(self._next_alarm_ms())
                    await self._handle(await self._inbox.get())
                await self._finish()
                for task in self._side_tasks:
                    task.cancel()
        finally:
            alarm.close()

    async def _start(self) -> None:
        await self._close_interrupted()
        scan = await asyncio.to_thread(self._scanner.scan)
        diff = catalogue.compare({}, scan)
        self._note_problems(diff)
        now_ms = self._clock.now_ms()
        past = record.past_of(self._ledger.state)
        rebooted = self._ledger.state.boot_id != self._boot_id
        actions = self.planner.restore(past, _by_script(diff.schedules), now_ms)
        if rebooted:
            actions += self.planner.startup(now_ms)
        up = facts.Up(at=now_ms, boot_id=self._boot_id, version=self._version)
        await self._carry_out(actions, now_ms, last=[up])
        self.phase = Phase.RUNNING
        gc.freeze()  # what was made so far lives long: the collector need not look at it again
        self._notifier.ready(self._status())
        log.info("up: %d schedules, %d failed", len(self.planner), len(self.failed), extra=about(Event.UP))

    async def _close_interrupted(self) -> None:
        """End the fires that a daemon before this one claimed and did not live to end."""
        claims = list(self._ledger.state.claimed.values())
        if not claims:
            return
        rebooted = self._ledger.state.boot_id not in (None, self._boot_id)
        found = await asyncio.to_thread(self._end_orphans, frozenset(claim.run_id for claim in claims))
        now_ms = self._clock.now_ms()
        entries = [
            record.interrupted(
                claim, now_ms=now_ms, host=self._host, rebooted=rebooted, killed=claim.run_id in found
            )
            for claim in claims
        ]
        await self._ledger.write([facts.Ended(entry=entry) for entry in entries], durable=True)
        for entry in entries:
            record.tell(entry)

    async def _finish(self) -> None:
        now_ms = self._clock.now_ms()
        await self._carry_out(self.planner.finish(now_ms), now_ms)
        await self._ledger.write([facts.Down(at=now_ms, why="drained")], durable=True)
        self.phase = Phase.STOPPED
        self._refuse_the_rest()
        log.info("down", extra=about(Event.DOWN))

    # What can happen.

    async def _handle(self, message: Message) -> None:
        now_ms = self._clock.now_ms()
        match message:
            case Rang():
                await self._carry_out(self.planner.tick(now_ms), now_ms)
                self._heartbeat()
            case Started(run_id=run_id):
                self.alive[run_id] = message
            case Ended():
                await self._ended(message, now_ms)
            case TriggerAsked():
                await self._trigger(message, now_ms)
            case StopAsked():
                await self._stop_asked(message, now_ms)
            case Scanned():
                await self._scanned(message, now_ms)
            case HangUp():
                self._notifier.reloading(int(self._clock.monotonic() * 1_000_000))
                self._beside(self._hang_up(), "reload")
            case Drain(why=why):
                await self._drain(why, now_ms)
            case StopRuns(why=why):
                self._stop_runs(why)

    async def _ended(self, ended: Ended, now_ms: int) -> None:
        run_id = ended.fire.run_id
        self.alive.pop(run_id, None)
        entry = fire.ran(ended.fire, ended.outcome, host=self._host, durable=run_id not in self._not_durable)
        self._not_durable.discard(run_id)
        decided = self.planner.ended(run_id, ended.fire.script, now_ms)
        await self._carry_out(decided, now_ms, first=[facts.Ended(entry=entry)])

    async def _trigger(self, asked: TriggerAsked, now_ms: int) -> None:
        actions: list[Action] = []
        if asked.found is not None and asked.script not in self.planner:
            added = {**self.planner.schedules(), asked.script: asked.found}
            actions += self.planner.reconcile(added, now_ms)
        if asked.script not in self.planner or self.phase is not Phase.RUNNING:
            await self._carry_out(actions, now_ms)
            _answer(asked.reply, None)
            return
        made, decided = self.planner.trigger(asked.script, now_ms)
        self._waiting[made.run_id] = asked.done
        log.info("%s triggered by %s", made.script, asked.by, extra=about(fire=made))
        _answer(asked.reply, made)
        await self._carry_out(actions + decided, now_ms)

    async def _stop_asked(self, asked: StopAsked, now_ms: int) -> None:
        error = f"stopped by {asked.by}"
        dropped = self.planner.drop(asked.run_id, error)
        await self._carry_out(dropped, now_ms)
        _answer(asked.reply, bool(dropped) or self._runner.stop(asked.run_id, Reason.STOPPED, error))

    async def _scanned(self, scanned: Scanned, now_ms: int) -> None:
        diff = catalogue.compare(self.planner.schedules(), scanned.scan)
        if not scanned.dry_run:
            self._note_problems(diff)
            decided = self.planner.reconcile(_by_script(diff.schedules), now_ms)
            await self._carry_out(decided, now_ms, last=[record.reloaded(diff, now_ms)])
            record.tell_reloaded(diff)
            gc.freeze()
            self._notifier.status(self._status())
        _answer(scanned.reply, record.report_of(diff, scanned.said, dry_run=scanned.dry_run))

    def apply(self, config: Config) -> None:
        """Go by other limits."""
        self.drain_s = config.drain_ms / 1000
        self.planner.limit(max_running=config.max_running, max_held=config.max_held)
        logging.getLogger().setLevel(config.log_level.value.upper())

    async def reload(self, *, dry_run: bool) -> ReloadReport:
        """Read the scripts directory again; one reload at a time."""
        async with self._scanning:
            said = () if dry_run else await self._refresh()
            scan = await asyncio.to_thread(self._scanner.scan)
            reply: asyncio.Future[ReloadReport] = asyncio.get_running_loop().create_future()
            self._inbox.put_nowait(Scanned(scan, said, dry_run, reply))
            return await reply

    async def _hang_up(self) -> None:
        await self.reload(dry_run=False)
        self._notifier.ready(self._status())

    # Stopping.

    async def _drain(self, why: str, now_ms: int) -> None:
        if self.phase is Phase.DRAINING:
            self._stop_runs(why)
            return
        self.phase = Phase.DRAINING
        self._notifier.stopping(self._status())
        log.info("draining (%s): %d runs in flight", why, self.planner.running_count)
        await self._carry_out(self.planner.drain(now_ms), now_ms)
        asyncio.get_running_loop().call_later(
            self.drain_s, self._inbox.put_nowait, StopRuns("the drain limit is over")
        )
        self._heartbeat()

    def _stop_runs(self, why: str) -> None:
        for run in self.planner.running():
            self._runner.stop(run.run_id, Reason.STOPPED, f"stopped: schedd was shutting down ({why})")

    # Doing what was decided.

    async def _carry_out(
        self,
        actions: list[Action],
        now_ms: int,
        *,
        first: "list[facts.AnyFact] | None" = None,
        last: "list[facts.AnyFact] | None" = None,
    ) -> None:
        """Write what was decided, then do it: claims are durable before anything is spawned."""
        told = [record.fact_of(action, now_ms=now_ms, host=self._host) for action in actions]
        written = [*(first or ()), *(fact for fact in told if fact is not None), *(last or ())]
        starts = [action for action in actions if isinstance(action, Start)]
        durable = True
        if written:
            done = self._ledger.write(written, durable=bool(starts))
            self._announce(written, done)
            durable = await done if starts else True
        for start in starts:
            self._launch(start.fire, start.schedule, durable=durable)
        for action in actions:
            if isinstance(action, Stop):
                self._runner.stop(action.run_id, Reason.STOPPED, action.error)

    def _announce(self, written: "list[facts.AnyFact]", done: "asyncio.Future[bool]") -> None:
        """Tell of the fires that are over; who waits for one is told when its line can be read."""
        for fact in written:
            if isinstance(fact, facts.Ended):
                record.tell(fact.entry)
                waiting = self._waiting.pop(fact.entry.run_id, None)
                if waiting is not None:
                    done.add_done_callback(partial(_answer_later, waiting, fact.entry))

    def _launch(self, started: Fire, schedule: Schedule, *, durable: bool) -> None:
        if not durable:
            self._not_durable.add(started.run_id)
        last = self._ledger.state.last.get(started.script)
        self._runner.start(
            Launch(
                fire=started,
                schedule=schedule,
                prev_slot=last.prev_slot if last else None,
                last_ok_slot=last.last_ok_slot if last else None,
            )
        )

    def _refuse_the_rest(self) -> None:
        """Answer what came too late to be handled."""
        while not self._inbox.empty():
            match self._inbox.get_nowait():
                case TriggerAsked(reply=trigger_reply):
                    _answer(trigger_reply, None)
                case StopAsked(reply=stop_reply):
                    _answer(stop_reply, value=False)
                case Scanned(reply=scan_reply):
                    scan_reply.cancel()

    # Signs of life.

    @property
    def overdue_s(self) -> float:
        """For how long a slot has been due that is not decided yet, in seconds; 0 when there is none."""
        slot = self.planner.next_slot()
        return 0 if slot is None else max(0, self._clock.now_ms() / 1000 - slot)

    def _next_alarm_ms(self) -> int:
        beat_ms = self._clock.now_ms() + int(self._heartbeat_s * 1000)
        slot = self.planner.next_slot()
        return beat_ms if slot is None else min(slot * 1000, beat_ms)

    def _heartbeat(self) -> None:
        if self.overdue_s < OVERDUE_S:
            self._notifier.alive()
        if self.phase is Phase.DRAINING:
            self._notifier.extend_timeout(2 * self._heartbeat_s)
        self._complain()
        if self._clock.monotonic() - self._pruned_at >= PRUNE_EVERY_S:
            self._pruned_at = self._clock.monotonic()
            self._beside(asyncio.to_thread(self._prune, frozenset(self.alive)), "prune outputs")
        self._notifier.status(self._status())

    def _complain(self) -> None:
        """Say loudly, but once a minute, that what happens is not on the disk."""
        now_s = self._clock.monotonic()
        if self._ledger.failing and now_s - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = now_s
            log.critical("%s", "; ".join(self._ledger.failing), extra=about(Event.DEGRADED))

    def _status(self) -> str:
        text = f"{len(self.planner)} schedules, {self.planner.running_count} running"
        if self.phase is Phase.DRAINING:
            return f"draining, {text}"
        slot = self.planner.next_slot()
        return text if slot is None else f"{text}, next at {from_slot(slot)}"

    def _note_problems(self, diff: catalogue.Diff) -> None:
        self.failed = tuple(map(record.failure_of, diff.failed))
        for failure in self.failed:
            record.tell_failed(failure)

    def _beside(self, work: "Coroutine[object, object, None]", name: str) -> None:
        task = self._side.create_task(work, name=name)
        self._side_tasks.add(task)
        task.add_done_callback(self._side_tasks.discard)


async def _watch(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Die as soon as one of these ends: nothing would be recorded any more."""
    if tasks:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        raise RuntimeError(f"{', '.join(task.get_name() for task in ended)} ended")


def _by_script(schedules: Iterable[Schedule]) -> dict[str, Schedule]:
    return {schedule.script: schedule for schedule in schedules}


def _answer(future: "asyncio.Future[T]", value: T) -> None:
    """Answer, unless whoever asked has gone."""
    if not future.done():
        future.set_result(value)


def _answer_later(future: "asyncio.Future[Entry]", entry: Entry, _: object) -> None:
    _answer(future, entry)
