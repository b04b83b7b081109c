"""The daemon: one inbox, one loop, one decision after the other.

Everything that can happen enters by the inbox and is handled whole before the next: the planner decides, the
ledger writes, then what was decided is done. docs/architecture.md tells the same life as a list.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from schedd import fire
from schedd.config import Config
from schedd.daemon import clockwatch, messages, record, vitals
from schedd.daemon.clockwatch import ClockWatch
from schedd.daemon.parts import Ledger, Runner, Scanner
from schedd.daemon.vitals import Vitals, Work
from schedd.fire import Ended, Entry, Fire, Reason, RunId
from schedd.host.clock import Clock
from schedd.host.journald import Event, about
from schedd.host.systemd import Notifier
from schedd.ledger import facts
from schedd.planner import backlog
from schedd.planner.actions import Action, Start, Stop
from schedd.planner.planner import Planner
from schedd.runner.launch import Launch
from schedd.schedule import Schedule
from schedd.scripts import catalogue
from schedd.web.control import Failure, Phase, ReloadReport
from schedd.web.feed import Feed
from schedd.web.meters import Meters

log = logging.getLogger("schedd")

HEARTBEAT_S = 30
"""The longest sleep: no trust in timers, a sign of life for the watchdog."""


class Daemon:
    """Owns the inbox and the phase; tells the planner what happens, and does what it decides.

    `end_orphans` stops what a dead daemon left running, of these run ids, and returns which were found; it
    blocks, and runs in a thread. `prune` gives up old outputs, when it is time, but none of these runs.
    `refresh` takes over what has changed in the configuration, and returns what is to be said about it.
    `pressure` tells how busy the host is, in percent. `watch` calls what it is given whenever scripts may
    have changed.
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
        meters: Meters,
        feed: Feed,
        inbox: "asyncio.Queue[messages.Message]",
        end_orphans: Callable[[Collection[RunId]], Collection[RunId]],
        prune: Callable[[Collection[RunId]], Work | None],
        refresh: Callable[[], Awaitable[tuple[str, ...]]],
        pressure: Callable[[], float],
        watch: Callable[[Callable[[], Awaitable[None]]], Coroutine[object, object, None]] | None = None,
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
        self._meters = meters
        self._feed = feed
        self.vitals = Vitals(clock=clock, planner=planner, ledger=ledger, notifier=notifier, prune=prune)
        self._inbox = inbox
        self._end_orphans = end_orphans
        self._refresh = refresh
        self._pressure = pressure
        self._watch_scripts = watch
        self._watch = ClockWatch(clock.reading())
        self._host = host
        self._boot_id = boot_id
        self._version = version
        self.drain_s = drain_s
        self._heartbeat_s = heartbeat_s
        self._alarm_ms = 0
        self.phase = Phase.STARTING
        self.started_ms = clock.now_ms()
        self.failed: tuple[Failure, ...] = ()
        self.alive: dict[RunId, messages.Started] = {}
        self._waiting: dict[RunId, list[asyncio.Future[Entry]]] = {}
        self._not_durable: set[RunId] = set()
        self._scanning = asyncio.Lock()
        self._side = asyncio.TaskGroup()
        self._side_tasks: set[asyncio.Task[None]] = set()

    # A life.

    async def run(self) -> None:
        """Live until drained. A side task that dies takes the daemon with it, loudly."""
        alarm = self._clock.alarm(lambda: self._inbox.put_nowait(messages.Rang()))
        try:
            async with self._side:
                self._beside(vitals.outlive(self._ledger.tasks), "watch the ledger's writers")
                await self._start()
                while self.phase is Phase.RUNNING or self.planner.running_count:
                    self._alarm_ms = self._next_alarm_ms()
                    alarm.set(self._alarm_ms)
                    await self._handle(await self._inbox.get())
                await self._finish()
                for task in self._side_tasks:
                    task.cancel()
        finally:
            alarm.close()

    async def _start(self) -> None:
        interrupted = await self._close_interrupted()
        recalled = record.recalled(self._ledger.state, self._scanner.recall)
        scan = await asyncio.to_thread(self._scanner.scan)
        diff = catalogue.compare(recalled, scan)
        self.failed = record.note_problems(diff)
        now_ms = self._clock.now_ms()
        past = record.past_of(self._ledger.state, interrupted, self._scanner.observance)
        rebooted = self._ledger.state.boot_id != self._boot_id
        actions = self.planner.restore(past, record.by_script(diff.schedules), now_ms)
        if rebooted:
            actions += self.planner.startup(now_ms)
        up = facts.Up(at=now_ms, boot_id=self._boot_id, version=self._version)
        await self._carry_out(actions, now_ms, last=[up])
        self.phase = Phase.RUNNING
        self._meters.reloaded(self.planner.schedules(), now_ms)
        self._feed.reloaded(self.planner.schedules())
        vitals.settle_memory()
        self._notifier.ready(self.vitals.status())
        if watch := self._watch_scripts:
            self._beside(watch(self._look), "watch the scripts")
        log.info("up: %d schedules, %d failed", len(self.planner), len(self.failed), extra=about(Event.UP))

    async def _close_interrupted(self) -> list[Fire]:
        """End the fires that a daemon before this one claimed and did not live to end."""
        claims = list(self._ledger.state.claimed.values())
        if not claims:
            return []
        rebooted = self._ledger.state.boot_id not in (None, self._boot_id)
        found = await asyncio.to_thread(self._end_orphans, frozenset(claim.run_id for claim in claims))
        now_ms = self._clock.now_ms()
        entries = [
            record.interrupted(
                claim, now_ms=now_ms, host=self._host, rebooted=rebooted, killed=claim.run_id in found
            )
            for claim in claims
        ]
        ended = [facts.Ended(entry=entry) for entry in entries]
        written = self._ledger.write(ended, durable=True)
        self._announce(ended, written)
        await written
        return [claim.fire() for claim in claims]

    async def _finish(self) -> None:
        now_ms = self._clock.now_ms()
        await self._carry_out(self.planner.finish(now_ms), now_ms)
        await self._ledger.write([facts.Down(at=now_ms, why="drained")], durable=True)
        self.phase = Phase.STOPPED
        while not self._inbox.empty():
            messages.refuse(self._inbox.get_nowait())
        log.info("down", extra=about(Event.DOWN))

    # What can happen.

    async def _handle(self, message: messages.Message) -> None:
        reading = self._clock.reading()
        now_ms = reading.now_ms
        for jump in self._watch.look(reading):
            clockwatch.tell(jump)
            self._meters.heard(jump)
            self._ledger.write([jump], durable=False)
        match message:
            case messages.Rang():
                await self._rang(now_ms)
            case messages.Started(run_id=run_id):
                self.alive[run_id] = message
                self._feed.started(run_id)
            case Ended():
                await self._ended(message, now_ms)
            case messages.TriggerAsked():
                await self._trigger(message, now_ms)
            case messages.StopAsked():
                await self._stop_asked(message, now_ms)
            case messages.PauseAsked(pause=pause, reply=paused):
                await self._carry_out(self.planner.pause(pause, now_ms), now_ms, durable=True)
                messages.answer(paused, None)
            case messages.ResumeAsked(script=script, by=by, reply=resumed):
                there = any(pause.script == script for pause in self.planner.pauses())
                await self._carry_out(self.planner.resume(script, by, now_ms), now_ms, durable=True)
                messages.answer(resumed, there)
            case messages.ReplayAsked(slots=slots, reply=replayed):
                made, actions = self.planner.replay(slots, now_ms)
                await self._carry_out(actions, now_ms, durable=True)
                messages.answer(replayed, made)
            case messages.Scanned():
                await self._scanned(message, now_ms)
            case messages.HangUp():
                self._notifier.reloading(int(self._clock.monotonic() * 1_000_000))
                self._beside(self._hang_up(), "reload")
            case messages.Drain(why=why):
                await self._drain(why, now_ms)
            case messages.StopRuns(why=why):
                self._stop_runs(why)

    async def _rang(self, now_ms: int) -> None:
        self._meters.lagged((now_ms - self._alarm_ms) / 1000)
        pressure = self._pressure() if self.planner.held_count else 0.0
        self.planner.pace(backlog.at_once_under(pressure))
        actions = self.planner.tick(now_ms) + self.planner.expire(now_ms)
        record.tell_caught_up(actions)
        await self._carry_out(actions, now_ms)
        self.vitals.beat(draining=self.phase is Phase.DRAINING)
        if self.phase is Phase.DRAINING:
            self._notifier.extend_timeout(2 * self._heartbeat_s)
        work = self.vitals.housekeeping(frozenset(self.alive))
        if work is not None:
            self._beside(work, "prune outputs")

    async def _ended(self, ended: Ended, now_ms: int) -> None:
        run_id = ended.fire.run_id
        self.alive.pop(run_id, None)
        durable = run_id not in self._not_durable
        self._not_durable.discard(run_id)
        entry = fire.ran(ended.fire, ended.outcome, host=self._host, durable=durable)
        decided = self.planner.ended(ended.fire, ended.outcome, now_ms)
        await self._carry_out(decided, now_ms, first=[facts.Ended(entry=entry)])

    async def _trigger(self, asked: messages.TriggerAsked, now_ms: int) -> None:
        actions: list[Action] = []
        if asked.found is not None and asked.script not in self.planner:
            added = {**self.planner.schedules(), asked.script: asked.found}
            actions += self.planner.reconcile(added, now_ms)
        if asked.script not in self.planner or self.phase is not Phase.RUNNING:
            await self._carry_out(actions, now_ms)
            messages.answer(asked.reply, None)
            return
        made, decided = self.planner.trigger(asked.script, now_ms, force=asked.force)
        self._waiting[made.run_id] = [asked.done]
        log.info("%s triggered by %s", made.script, asked.by, extra=about(fire=made))
        keys = {} if asked.key is None else {made.run_id: asked.key}
        await self._carry_out(actions + decided, now_ms, keys=keys, durable=True)
        messages.answer(asked.reply, made.run_id)

    def end_of(self, run_id: RunId) -> "asyncio.Future[Entry] | None":
        """Return what gets the line of a fire that runs or waits; None when it is over."""
        live = (*self.planner.running(), *self.planner.held())
        if all(fire.run_id != run_id for fire in live):
            return None
        waiting = self._waiting.setdefault(run_id, [asyncio.get_running_loop().create_future()])
        return waiting[0]

    async def _stop_asked(self, asked: messages.StopAsked, now_ms: int) -> None:
        error = f"stopped by {asked.by}"
        dropped = self.planner.drop(asked.run_id, error)
        await self._carry_out(dropped, now_ms)
        messages.answer(asked.reply, bool(dropped) or self._runner.stop(asked.run_id, Reason.STOPPED, error))

    async def _scanned(self, scanned: messages.Scanned, now_ms: int) -> None:
        registered = self.planner.schedules()
        diff = catalogue.compare(registered, scanned.scan)
        if not scanned.dry_run and not (scanned.quiet and self._is_old(diff, registered)):
            self.failed = record.note_problems(diff)
            decided = self.planner.reconcile(record.by_script(diff.schedules), now_ms)
            await self._carry_out(decided, now_ms, last=[record.reloaded(diff, now_ms)], durable=True)
            record.tell_reloaded(diff)
            self._meters.reloaded(self.planner.schedules(), now_ms)
            self._feed.reloaded(self.planner.schedules())
            vitals.settle_memory()
            self._notifier.status(self.vitals.status())
        lagging = self.planner.lagging()
        report = record.report_of(diff, scanned.said, dry_run=scanned.dry_run, lagging=lagging)
        messages.answer(scanned.reply, report)

    def _is_old(self, diff: catalogue.Diff, registered: Mapping[str, Schedule]) -> bool:
        failed = tuple(map(record.failure_of, diff.failed))
        return record.by_script(diff.schedules) == registered and failed == self.failed

    def apply(self, config: Config) -> None:
        """Go by other limits."""
        self.drain_s = config.drain_ms / 1000
        self.planner.limit(max_running=config.max_running, max_held=config.max_held)
        logging.getLogger().setLevel(config.log_level.value.upper())

    async def reload(self, *, dry_run: bool, quiet: bool = False) -> ReloadReport:
        """Read the scripts directory again; one reload at a time. A `quiet` one tells only of what is new."""
        async with self._scanning:
            said = () if dry_run or quiet else await self._refresh()
            scan = await asyncio.to_thread(self._scanner.scan)
            reply: asyncio.Future[ReloadReport] = asyncio.get_running_loop().create_future()
            self._inbox.put_nowait(messages.Scanned(scan, said, reply, dry_run=dry_run, quiet=quiet))
            return await reply

    async def _look(self) -> None:
        if self.phase is Phase.RUNNING:
            await self.reload(dry_run=False, quiet=True)

    async def _hang_up(self) -> None:
        await self.reload(dry_run=False)
        self._notifier.ready(self.vitals.status())

    # Stopping.

    async def _drain(self, why: str, now_ms: int) -> None:
        if self.phase is Phase.DRAINING:
            self._stop_runs(why)
            return
        self.phase = Phase.DRAINING
        self._notifier.stopping(self.vitals.status(draining=True))
        record.tell_draining(why, self.planner.running_count)
        await self._carry_out(self.planner.drain(now_ms), now_ms)
        asyncio.get_running_loop().call_later(
            self.drain_s, self._inbox.put_nowait, messages.StopRuns("the drain limit is over")
        )
        self.vitals.beat(draining=True)

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
        keys: Mapping[RunId, str] = MappingProxyType({}),
        durable: bool = False,
    ) -> None:
        """Write what was decided, then do it: claims are durable before anything is spawned."""
        told = [record.fact_of(action, now_ms=now_ms, host=self._host, keys=keys) for action in actions]
        written = [*(first or ()), *(fact for fact in told if fact is not None), *(last or ())]
        starts = [action for action in actions if isinstance(action, Start)]
        waits = durable or bool(starts)
        on_disk = True
        if written:
            done = self._ledger.write(written, durable=waits)
            self._announce(written, done)
            on_disk = await done if waits else True
        record.tell_lagging(actions, self.planner.schedule)
        for start in starts:
            self._launch(start.fire, start.schedule, durable=on_disk)
        for action in actions:
            if isinstance(action, Stop):
                self._runner.stop(action.run_id, Reason.STOPPED, action.error)

    def _announce(self, written: "Sequence[facts.AnyFact]", done: "asyncio.Future[bool]") -> None:
        """Tell of the fires that are over; who waits for one is told when its line can be read."""
        for fact in written:
            self._meters.heard(fact)
            self._feed.heard(fact)
            if isinstance(fact, facts.Ended):
                record.tell(fact.entry)
                for waiting in self._waiting.pop(fact.entry.run_id, ()):
                    done.add_done_callback(partial(messages.answer_when, waiting, fact.entry))
            elif isinstance(fact, facts.Resumed):
                record.tell_resumed(fact)

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

    # What is seen to beside.

    def _next_alarm_ms(self) -> int:
        beat_ms = self._clock.now_ms() + int(self._heartbeat_s * 1000)
        due_ms = self.planner.next_ms()
        return beat_ms if due_ms is None else min(due_ms, beat_ms)

    def _beside(self, work: "Coroutine[object, object, None]", name: str) -> None:
        task = self._side.create_task(work, name=name)
        self._side_tasks.add(task)
        task.add_done_callback(self._side_tasks.discard)
