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
from schedd.daemon.reloading import Reloading
from schedd.daemon.vitals import Vitals, Work
from schedd.daemon.waking import Waking
from schedd.daemon.watching import Look
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
from schedd.web.control import Phase
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
    `pressure` tells how busy the host is, in percent. `beside` gives what is seen to beside when all is up,
    by name; it may call what it is given whenever scripts may have changed.
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
        beside: Callable[[Look], Mapping[str, Coroutine[object, object, None]]],
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
        self.reloading = Reloading(planner=planner, scanner=scanner, inbox=inbox, refresh=refresh)
        self._pressure = pressure
        self._chores = beside
        self._watch = ClockWatch(clock.reading())
        self._host = host
        self._boot_id = boot_id
        self._version = version
        self.drain_s = drain_s
        self._heartbeat_s = heartbeat_s
        alarm = clock.alarm(lambda: inbox.put_nowait(messages.Rang()))
        self._waking = Waking(alarm, clock, heartbeat_s=heartbeat_s)
        self.revision = 0  # grows with all that changes what is registered, runs, is paused or has ended
        self.phase = Phase.STARTING
        self.started_ms = clock.now_ms()
        self.alive: dict[RunId, messages.Started] = {}
        self._waiting: dict[RunId, list[asyncio.Future[Entry]]] = {}
        self._not_durable: set[RunId] = set()
        self._side = asyncio.TaskGroup()
        self._side_tasks: set[asyncio.Task[None]] = set()

    # A life.

    async def run(self) -> None:
        """Live until drained. A side task that dies takes the daemon with it, loudly."""
        try:
            async with self._side:
                self._beside(vitals.outlive(self._ledger.tasks), "watch the ledger's writers")
                await self._start()
                while self.phase is Phase.RUNNING or self.planner.running_count:
                    self._waking.by(self.planner.next_ms())
                    await self._hear()
                await self._finish()
                for task in self._side_tasks:
                    task.cancel()
        finally:
            self._waking.close()

    async def _start(self) -> None:
        interrupted = await self._close_interrupted()
        for told in self._ledger.state.registered.values():
            self._scanner.trust(told.path, header=told.header, sha256=told.sha256)
        scan = await asyncio.to_thread(self._scanner.scan)
        recalled = record.recalled(self._ledger.state, self._scanner.recall, scan.schedules)
        diff = catalogue.compare(recalled, scan)
        self.reloading.failed = record.note_problems(diff)
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
        for name, work in self._chores(self._look).items():
            self._beside(work, name)
        record.tell_up(len(self.planner), len(self.reloading.failed))

    async def _close_interrupted(self) -> list[Fire]:
        """End the fires that a daemon before this one claimed and did not live to end."""
        claims = list(self._ledger.state.claimed.values())
        if not claims:
            return []
        rebooted = self._ledger.state.boot_id not in (None, self._boot_id)
        found = await asyncio.to_thread(self._end_orphans, frozenset(claim.run_id for claim in claims))
        now_ms = self._clock.now_ms()
        ended = [
            record.interrupted(each, now_ms=now_ms, host=self._host, rebooted=rebooted, found=found)
            for each in claims
        ]
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

    async def _hear(self) -> None:
        """Handle what comes next; what runs tell one after the other is one decision, and one write."""
        told, message = await messages.taken(self._inbox)
        reading = self._clock.reading()
        for jump in self._watch.look(reading):
            clockwatch.tell(jump)
            self._meters.heard(jump)
            self._ledger.write([jump], durable=False)
        if told:
            await self._runs_told(told, reading.now_ms)
        if message is not None:
            await self._handle(message, self._clock.now_ms())
        await asyncio.sleep(0)  # others get their turn between many

    async def _handle(self, message: messages.Message, now_ms: int) -> None:
        match message:
            case messages.Rang():
                await self._rang(now_ms)
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
            case messages.Edited():
                await self._edited(message, now_ms)
            case messages.HangUp():
                self._notifier.reloading(int(self._clock.monotonic() * 1_000_000))
                self._beside(self._hang_up(), "reload")
            case messages.Drain(why=why):
                await self._drain(why, now_ms)
            case messages.StopRuns(why=why):
                self._stop_runs(why)

    async def _rang(self, now_ms: int) -> None:
        self._meters.lagged(self._waking.rang(now_ms))
        pressure = self._pressure() if self.planner.held_count else 0.0
        self.planner.pace(backlog.at_once_under(pressure))
        actions = self.planner.tick(now_ms, whole=False) + self.planner.expire(now_ms)
        record.tell_caught_up(actions)
        await self._carry_out(actions, now_ms)
        self.vitals.beat(draining=self.phase is Phase.DRAINING)
        if self.phase is Phase.DRAINING:
            self._notifier.extend_timeout(2 * self._heartbeat_s)
        work = self.vitals.housekeeping(frozenset(self.alive))
        if work is not None:
            self._beside(work, "prune outputs")

    async def _runs_told(self, told: Sequence[messages.Started | Ended], now_ms: int) -> None:
        over: list[facts.AnyFact] = []
        decided: list[Action] = []
        for each in told:
            if isinstance(each, messages.Started):
                self.alive[each.run_id] = each
                self._feed.started(each.run_id)
                continue
            run_id = each.fire.run_id
            self.alive.pop(run_id, None)
            durable = run_id not in self._not_durable
            self._not_durable.discard(run_id)
            entry = fire.ran(each.fire, each.outcome, host=self._host, durable=durable)
            over.append(facts.Ended(entry=entry))
            decided += self.planner.ended(each.fire, each.outcome, now_ms)
        if over:
            await self._carry_out(decided, now_ms, first=over)

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
        if not scanned.dry_run and not (scanned.quiet and self.reloading.is_old(diff, registered)):
            self.reloading.failed = record.note_problems(diff)
            decided = self.planner.reconcile(record.by_script(diff.schedules), now_ms)
            await self._carry_out(decided, now_ms, last=[record.reloaded(diff, now_ms)], durable=True)
            self.reloading.tell(diff)
            self._meters.reloaded(self.planner.schedules(), now_ms)
            self._feed.reloaded(self.planner.schedules())
            vitals.settle_memory()
            self._notifier.status(self.vitals.status())
        lagging = self.planner.lagging()
        report = record.report_of(diff, scanned.said, dry_run=scanned.dry_run, lagging=lagging)
        messages.answer(scanned.reply, report)

    async def _edited(self, edited: messages.Edited, now_ms: int) -> None:
        told = self.reloading.told_of(edited.schedules, now_ms)
        decided = self.planner.update(edited.schedules, now_ms)
        await self._carry_out(decided, now_ms, last=[told], durable=True)
        self._feed.edited(edited.schedules)
        messages.answer(edited.reply, None)

    def apply(self, config: Config) -> None:
        """Go by other limits."""
        self.drain_s = config.drain_ms / 1000
        self.planner.limit(max_running=config.max_running, max_held=config.max_held)
        logging.getLogger().setLevel(config.log_level.value.upper())

    async def _look(self, named: Collection[str]) -> None:
        if self.phase is Phase.RUNNING:
            await self.reloading.look(named)

    async def _hang_up(self) -> None:
        await self.reloading.reload(dry_run=False)
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
        self.revision += 1  # before anybody else can look: the planner has decided, and nothing was awaited
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

    def _beside(self, work: "Coroutine[object, object, None]", name: str) -> None:
        task = self._side.create_task(work, name=name)
        self._side_tasks.add(task)
        task.add_done_callback(self._side_tasks.discard)
