"""The promise: every due slot of every registered script ends as exactly one line.

A state machine drives the planner beside a plain model: no wheel, no watermark, only what each script's
expression and calendar mean, second by second. The planner's actions are turned into the ledger's facts and
folded as the ledger folds them, so that a restart, and a crash in the middle of a write, are what they are in
life. After each step every due second of every script is counted: it must be in exactly one place.
"""

import os
from collections import Counter
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schedd.daemon import record
from schedd.fire import Entry, Fire, Kind, Outcome, RunId, ran
from schedd.ledger import facts
from schedd.ledger.state import State
from schedd.planner.actions import Action, Start, Stop
from schedd.planner.planner import Planner
from schedd.planner.view import Pause
from schedd.schedule import Schedule
from schedd.timetable.instant import Slot, to_ms
from tests.pure.lives import EDITED, ENDS, LATE, NAMES, QUIET, Owed, as_edited, headers, is_due, observed
from tests.pure.making import T0_MS, counted_ids

MAX_RUNNING = 3
MAX_HELD = 4
HOST = "here"
OF_A_SLOT = (Kind.SCHEDULE, Kind.CATCHUP)
"""Retries and replays are fires besides."""
EXAMPLES = int(os.environ.get("SCHEDD_TEST_EXAMPLES", "300"))


class Conservation(RuleBasedStateMachine):
    """One life of schedd, restarts included, in the hands of an adversary."""

    @initialize(first=st.lists(headers, min_size=2, max_size=5))
    def first_start(self, first: list[Schedule]) -> None:
        self.now_ms = T0_MS
        self.latest = T0_MS // 1000
        self.new_run_id = counted_ids()
        self.files: dict[str, Schedule] = {}
        self.registered: dict[str, Schedule] = {}
        self.owed: dict[str, list[Owed]] = {name: [] for name in NAMES}
        self.lines: list[Entry] = []
        self.written: list[facts.AnyFact] = []
        self.state = State()
        self.alive: dict[RunId, Fire] = {}
        self.limits: dict[RunId, int | None] = {}
        self.locked: dict[RunId, set[str]] = {}
        self.replaced: set[RunId] = set()
        self.draining = False
        self.quiet = QUIET
        self.edited = 0
        self.planner = self._new_planner()
        self._do(self.planner.restore(record.past_of(self.state), {}, self.now_ms))
        for header in first:
            self.files[header.script] = header
        self.reload()

    # What can happen.

    @rule(header=headers, then_reload=st.booleans())
    def a_script_is_written(self, header: Schedule, then_reload: bool) -> None:
        self.files[header.script] = as_edited(header, self.quiet)
        if then_reload:
            self.reload()

    @rule(then_reload=st.booleans())
    def a_calendar_is_edited(self, then_reload: bool) -> None:
        self.quiet = EDITED if self.quiet is QUIET else QUIET
        self.files = {name: as_edited(header, self.quiet) for name, header in self.files.items()}
        if then_reload:
            self.reload()

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def a_script_is_switched_on_or_off(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.files)))
        self.files[name] = replace(self.files[name], enabled=not self.files[name].enabled, sha256="switched")
        self.reload()

    @rule(name=st.sampled_from(NAMES), then_reload=st.booleans())
    def a_script_is_deleted(self, name: str, then_reload: bool) -> None:
        self.files.pop(name, None)
        if then_reload:
            self.reload()

    @rule()
    def reload(self) -> None:
        self._tick()
        actions = self.planner.reconcile(self.files, self.now_ms)
        self._note_registrations()
        self._do(actions)

    @rule(milliseconds=st.one_of(st.integers(0, 3_000), st.integers(0, 70_000), st.integers(0, 7_300_000)))
    def time_passes(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self._tick()

    @rule(seconds=st.integers(1, 3 * 3600 - 1))
    def the_clock_is_set_back(self, seconds: int) -> None:
        self.now_ms = max(self.now_ms - seconds * 1000, (self.latest - 3 * 3600 + 1) * 1000)
        self._tick()

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), how=st.sampled_from(sorted(ENDS)))
    def a_run_ends(self, data: st.DataObject, how: str) -> None:
        self._end(data.draw(st.sampled_from(sorted(self.alive))), ENDS[how])

    @rule(name=st.sampled_from([*NAMES, None]), for_s=st.sampled_from([None, 30, 3_000]))
    def a_person_pauses(self, name: str | None, for_s: int | None) -> None:
        until_ms = None if for_s is None else self.now_ms + for_s * 1000
        pause = Pause(script=name, since_ms=self.now_ms, by="somebody", until_ms=until_ms)
        self._do(self.planner.pause(pause, self.now_ms))

    @rule(name=st.sampled_from([*NAMES, None]))
    def a_person_resumes(self, name: str | None) -> None:
        self._do(self.planner.resume(name, "somebody", self.now_ms))
        assert name not in {pause.script for pause in self.planner.pauses()}

    @rule(name=st.sampled_from(NAMES), ago_s=st.lists(st.integers(0, 900), min_size=1, max_size=4))
    def a_person_replays(self, name: str, ago_s: list[int]) -> None:
        slots = [(name, Slot(self.latest - ago)) for ago in ago_s]
        made, actions = self.planner.replay(slots, self.now_ms)
        self._do(actions)
        assert {fire.slot for fire in made} <= {slot for _, slot in slots}

    @rule(at_once=st.integers(0, 4))
    def the_host_is_busy_or_idle(self, at_once: int) -> None:
        self.planner.pace(at_once)

    @rule()
    def deadlines_are_looked_after(self) -> None:
        self._do(self.planner.expire(self.now_ms))

    @precondition(lambda self: self.registered and not self.draining)
    @rule(data=st.data())
    def a_person_triggers(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.registered)))
        made, actions = self.planner.trigger(name, self.now_ms)
        assert made.slot is None
        self._do(actions)

    @precondition(lambda self: self.planner.held())
    @rule(data=st.data())
    def a_person_drops_a_held_fire(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.planner.held()))
        self._do(self.planner.drop(held.run_id, "not now"))
        assert held not in self.planner.held()

    @rule()
    def drain_begins(self) -> None:
        self.draining = True
        self._do(self.planner.drain(self.now_ms))
        assert not self.planner._places.held_count

    @rule()
    def stop_and_start(self) -> None:
        """An orderly stop: the runs end first."""
        self._do(self.planner.drain(self.now_ms))
        for run_id in sorted(self.alive):
            self._end(run_id, ENDS["ok"])
        self._do(self.planner.finish(self.now_ms))
        self._start_again()

    @rule(portions=st.integers(0, 4), kept=st.integers(0, 6), milliseconds=st.integers(0, 200_000))
    def crash(self, portions: int, kept: int, milliseconds: int) -> None:
        """Time passes; of what is decided some portions reach the disk, and then only the first facts."""
        self.now_ms += milliseconds
        for _ in range(portions):
            self._write(self._facts(self.planner.tick(self.now_ms, whole=False)))
        facts_of_turn = self._facts(self.planner.tick(self.now_ms))
        self.latest = max(self.latest, self.now_ms // 1000)
        self._write(facts_of_turn[:kept])
        self._start_again()

    @rule(kept=st.integers(0, 12))
    def crash_in_a_reload(self, kept: int) -> None:
        self._write(self._facts(self.planner.reconcile(self.files, self.now_ms))[:kept])
        self._start_again()

    @rule(milliseconds=st.integers(0, 400_000))
    def kill(self, milliseconds: int) -> None:
        """Killed at rest; it comes back later, and files may have changed in between."""
        self.now_ms += milliseconds
        self._start_again()

    # What must hold.

    @invariant()
    def every_due_slot_is_in_exactly_one_place(self) -> None:
        if not hasattr(self, "planner"):
            return
        for name in NAMES:
            told = self._told(name)
            due = self._due(name)
            for second in [s for s in told if s > self.latest]:
                # Decided before the clock was set back and the daemon restarted.
                assert told.pop(second) == 1
            assert told == due, (
                name,
                {s: (told[s], due[s]) for s in told.keys() | due.keys() if told[s] != due[s]},
            )

    @invariant()
    def no_script_runs_more_often_than_it_may(self) -> None:
        if hasattr(self, "planner"):
            for name in NAMES:
                limits = [self.limits[run] for run, fire in self.alive.items() if fire.script == name]
                bound = max((limit for limit in limits if limit is not None), default=None)
                assert None in limits or bound is None or len(limits) <= bound
            assert len(self.alive) <= MAX_RUNNING
            assert set(self.alive) == {fire.run_id for fire in self.planner.running()}

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        if hasattr(self, "planner") and not self.draining:
            places = self.planner._places
            assert self.alive or not places.held_count, "a deadlock"
            assert not places.at_door or len(self.alive) >= MAX_RUNNING
            for name in places.locks.names():
                assert len(places.locks.holders(name)) >= self._slots(name)
            for name in places.scripts_behind():
                limit = self.registered[name].max_runs
                assert limit is not None
                assert places.occupied(name) >= limit

    @invariant()
    def whoever_looks_sees_who_has_a_lock(self) -> None:
        if hasattr(self, "planner"):
            for view in self.planner.views(self.now_ms):
                if view.lock is not None:
                    seen = {holder.fire.run_id for holder in view.lock.holders}
                    assert seen == {run for run in self.alive if view.lock.name in self.locked[run]}
                    assert view.lock.slots == self._slots(view.lock.name)
                assert {fire.run_id for fire in view.held} >= set(view.in_line)

    @invariant()
    def the_ledger_knows_all_that_runs_and_all_that_waits(self) -> None:
        if hasattr(self, "planner"):
            assert {fire.run_id for fire in self.planner.held()} == set(self.state.held)
            assert set(self.alive) == set(self.state.claimed)
            assert {pause.script for pause in self.planner.pauses()} == set(self.state.paused)
            assert set(self.planner.lagging()) == set(self.state.lagging)

    @invariant()
    def nothing_is_tried_more_often_than_its_header_says(self) -> None:
        if hasattr(self, "planner"):
            assert all((line.attempt or 1) <= 4 for line in self.lines)

    @invariant()
    def no_fire_has_two_lines(self) -> None:
        if hasattr(self, "planner"):
            ids = Counter(line.run_id for line in self.lines)
            assert all(count == 1 for count in ids.values()), ids.most_common(3)

    # The shell around the planner.

    def _new_planner(self) -> Planner:
        made = Planner(new_run_id=self.new_run_id, max_running=MAX_RUNNING, max_held=MAX_HELD)
        made.portion = 5
        return made

    def _tick(self) -> None:
        self._carry_out(self.planner.tick(self.now_ms, whole=False))
        while self.planner._turning is not None:
            self._carry_out(self.planner.tick(self.now_ms, whole=False))
        self._do([])

    def _do(self, actions: list[Action], first: "list[facts.AnyFact] | None" = None) -> None:
        self._carry_out(actions, first)
        assert self.planner.watermark == self.latest

    def _carry_out(self, actions: list[Action], first: "list[facts.AnyFact] | None" = None) -> None:
        self.latest = max(self.latest, self.now_ms // 1000)
        self._write([*(first or []), *self._facts(actions)])
        for action in actions:
            if isinstance(action, Start):
                self._start(action)
            elif isinstance(action, Stop):
                assert action.run_id in self.alive
                self.replaced.add(action.run_id)

    def _end(self, run_id: RunId, outcome: Outcome) -> None:
        ended = self.alive.pop(run_id)
        self.replaced.discard(run_id)
        decided = self.planner.ended(ended, outcome, self.now_ms)
        line = ran(ended, replace(outcome, ended_ms=self.now_ms, started_ms=self.now_ms), host=HOST)
        self._do(decided, first=[facts.Ended(entry=line)])

    def _start(self, action: Start) -> None:
        assert action.fire.run_id not in self.alive
        assert action.fire.slot is None or action.fire.slot <= self.latest, "before its time"
        if action.fire.kind in OF_A_SLOT and (action.fire.slot or 0) > self.edited:
            assert action.schedule.timetable.closed_by(action.fire.slot) is None, "closed"
        self.alive[action.fire.run_id] = action.fire
        self.limits[action.fire.run_id] = action.schedule.max_runs
        lock = action.schedule.lock
        if lock is not None:
            having = [run for run in self.alive if lock.name in self.locked.get(run, ())]
            assert len(having) < self._slots(lock.name), "more than the lock allows"
        self.locked[action.fire.run_id] = set() if lock is None else {lock.name}

    def _slots(self, name: str) -> int:
        """Return how many may have a lock: what the most careful script says."""
        locks = (header.lock for header in self.registered.values())
        return min(lock.slots for lock in locks if lock is not None and lock.name == name)

    def _facts(self, actions: list[Action]) -> list[facts.AnyFact]:
        told = [record.fact_of(action, now_ms=self.now_ms, host=HOST) for action in actions]
        return [fact for fact in told if fact is not None]

    def _write(self, told: list[facts.AnyFact]) -> None:
        for fact in told:
            self.state.apply(fact)
            if isinstance(fact, facts.Ended):
                self.lines.append(fact.entry)

    def _start_again(self) -> None:
        self.latest = max(self.state.watermark or 0, self.now_ms // 1000)
        self.draining = False
        self.alive.clear()
        died = [claim.fire() for claim in self.state.claimed.values()]
        for claim in list(self.state.claimed.values()):
            self._write([record.interrupted(claim, now_ms=self.now_ms, host=HOST, rebooted=False, found=())])
        kept = State()
        kept.apply(self.state.checkpoint(self.now_ms))
        self.state = kept
        self.planner = self._new_planner()
        observances = {str(each): each for each in (self.quiet, LATE)}
        past = record.past_of(self.state, died, observances.get)
        actions = self.planner.restore(past, self.files, self.now_ms)
        self._note_registrations(restart=True)
        self._do(actions)

    # The model.

    def _note_registrations(self, *, restart: bool = False) -> None:
        """Note who owes lines from now on, and who no longer does."""
        self.latest = max(self.latest, self.now_ms // 1000)
        for name in NAMES:
            old, new = self.registered.get(name), self.files.get(name)
            same = old is not None and new is not None and old.timetable == new.timetable
            if restart and old is not None and new is not None:
                same = (old.expression, observed(old)) == (new.expression, observed(new))
            if restart and same and old is not None and new is not None and old.enabled != new.enabled:
                same = False
            if old is not None and not same:
                self.owed[name][-1].until = self.latest
            if new is not None and not same:
                self.owed[name].append(Owed(new.expression, observed(new), self.latest))
            if old is None or new is None or old.timetable != new.timetable:
                self.edited = self.latest
        self.registered = dict(self.files)
        for run_id, fire in self.alive.items():
            header = self.registered.get(fire.script)
            if header is not None and header.lock is not None:
                self.locked[run_id].add(header.lock.name)

    def _due(self, name: str) -> Counter[int]:
        due: Counter[int] = Counter()
        for owed in self.owed[name]:
            until = self.latest if owed.until is None else owed.until
            seconds = range(owed.after + 1, until + 1)
            due.update(second for second in seconds if is_due(owed.expression, owed.how, second))
        return due

    def _told(self, name: str) -> Counter[int]:
        told: Counter[int] = Counter()
        for fire in (*self.planner.running(), *self.planner.held()):
            if fire.script == name and fire.slot is not None and fire.kind in OF_A_SLOT:
                told[fire.slot] += 1
        for line in self.lines:
            if line.script_path == name and line.slot is not None and line.kind in OF_A_SLOT:
                told.update(self._slots_of(line))
        stretch = self.state.stretches.get(name)
        if stretch is not None:
            told.update(self._between(name, stretch.first, self.latest))
        return told

    def _slots_of(self, line: Entry) -> list[int]:
        assert line.slot is not None
        first = to_ms(line.slot) // 1000
        if line.last_slot is None or line.count is None:
            return [first]
        slots = self._between(line.script_path, first, to_ms(line.last_slot) // 1000)
        assert len(slots) == line.count, (line, len(slots))
        return slots

    def _between(self, name: str, first: int, last: int) -> list[int]:
        owed = next(o for o in reversed(self.owed[name]) if o.after < first)
        return [second for second in range(first, last + 1) if is_due(owed.expression, owed.how, second)]


TestConservation = Conservation.TestCase
TestConservation.settings = settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)
