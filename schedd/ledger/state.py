"""What the facts add up to: pure, and the same whether folded line by line or from a checkpoint.

The state answers what a starting daemon must know (what was registered, claimed, held, and how far the
decisions had come) and what a running one is asked (the newest outcome of a script). Facts may be applied
twice without harm: recovery may repeat what a crash cut short.
"""

from typing import assert_never

from schedd.fire import Entry, Kind, RunId, Status
from schedd.ledger.facts import (
    AnyFact,
    Checkpoint,
    Claimed,
    ClockStep,
    Down,
    Ended,
    Held,
    KeptUp,
    Keyed,
    Lagging,
    LastOutcome,
    Lost,
    Paused,
    Registered,
    Reloaded,
    Resumed,
    Stretch,
    Suspended,
    Unregistered,
    Up,
    Watermark,
)
from schedd.timetable.instant import Slot, to_ms

MAX_BYGONE = 10_000
"""Outcomes remembered of scripts that are no longer registered: they may come back, but not all for ever."""
MAX_KEYS = 10_000
KEY_MS = 24 * 3600 * 1000
"""How long a key stands for its fire; when there are too many, the oldest are given up before."""
DECIDING = (Kind.SCHEDULE, Kind.CATCHUP)


class State:
    """The fold of the facts. Only the ledger applies; others read."""

    def __init__(self) -> None:
        self.registered: dict[str, Registered] = {}
        """What is registered, by path."""
        self.claimed: dict[RunId, Claimed] = {}
        """Fires that were taken and have not ended."""
        self.held: dict[RunId, Held] = {}
        """Fires that wait behind a running one."""
        self.stretches: dict[str, Stretch] = {}
        """Open stretches, by path; a stretch covers its own slots, also those beyond the watermark."""
        self.paused: dict[str | None, Paused] = {}
        """What is paused, by path; None = all."""
        self.lagging: dict[str, Lagging] = {}
        """The scripts whose runs outlast their interval, by path."""
        self.keys: dict[str, Keyed] = {}
        """The fires that were asked for under a key, oldest first; `fire_of` knows which still count."""
        self.last: dict[str, LastOutcome] = {}
        """The newest outcome of each script, by path."""
        self.watermark: Slot | None = None
        self.spent = Slot(0)
        """The highest watermark that was given up: the clock was set back by hours. All below it is told."""
        self.boot_id: str | None = None
        """The boot of the host in which the daemon last started."""
        self.beyond: dict[str, Slot] = {}
        """The newest slot of each script that was decided after the watermark, by path.

        The facts of a turn are written before its watermark, and a crash may come between. The slots of one
        script are decided in their order, so all up to this one are.
        """
        self.newest: RunId | None = None
        """The fire that ended last."""

    def apply(self, fact: AnyFact) -> None:
        """Take one more fact in. Never raises, whatever a file may hold."""
        match fact:
            # The cases are tried one after the other: those that come most are first.
            case Claimed():
                self.held.pop(fact.run_id, None)
                self.claimed[fact.run_id] = fact
                self._decided(fact.kind, fact.path, fact.slot)
                self._keep(fact.key, fact.at, fact.run_id, fact.path)
            case Ended():
                self._end(fact.entry)
                if fact.key is not None:
                    self._keep(fact.key, _ms(fact.entry.ts), fact.entry.run_id, fact.entry.script_path)
            case Up():
                self.boot_id = fact.boot_id
            case Registered():
                self._register(fact)
            case Unregistered():
                self.registered.pop(fact.path, None)
                self._forget()
            case Held():
                self.held[fact.run_id] = fact
                self._decided(fact.kind, fact.path, fact.slot)
                self._keep(fact.key, fact.at, fact.run_id, fact.path)
            case Stretch():
                self.stretches[fact.path] = fact
                self._decided(Kind.SCHEDULE, fact.path, fact.first)
            case Paused():
                self.paused[fact.path] = fact
            case Resumed():
                self.paused.pop(fact.path, None)
            case Lagging():
                self.lagging[fact.path] = fact
            case KeptUp():
                self.lagging.pop(fact.path, None)
            case Watermark():
                if self.watermark is not None and fact.slot < self.watermark:
                    self.spent = max(self.spent, self.watermark)
                self.watermark = fact.slot
                # A daemon that started with its clock set back knows a lower one than was reached before.
                self.beyond = {path: slot for path, slot in self.beyond.items() if slot > fact.slot}
            case Checkpoint():
                self._restore(fact)
            case Reloaded() | Down() | Lost() | ClockStep() | Suspended():
                pass
            case _:
                assert_never(fact)

    def _register(self, fact: Registered) -> None:
        """Register anew, or go on: only what is dated anew owes nothing to what was decided before."""
        old = self.registered.get(fact.path)
        if old is not None and old.at != fact.at:
            self.beyond.pop(fact.path, None)
        self.registered[fact.path] = fact

    def fire_of(self, key: str, now_ms: int) -> Keyed | None:
        """Return the fire that was made under this key in the last 24 hours, whatever became of it."""
        known = self.keys.get(key)
        return known if known is not None and now_ms < known.at + KEY_MS else None

    def checkpoint(self, at_ms: int) -> Checkpoint:
        """Return the state as one fact: applied to any other state it gives this one."""
        return Checkpoint(
            at=at_ms,
            boot_id=self.boot_id,
            watermark=self.watermark,
            registered=tuple(self.registered.values()),
            claimed=tuple(self.claimed.values()),
            held=tuple(self.held.values()),
            stretches=tuple(self.stretches.values()),
            paused=tuple(self.paused.values()),
            keys=tuple(self.keys.values()),
            last=dict(self.last),
            beyond=dict(self.beyond),
            spent=self.spent,
            newest=self.newest,
            lagging=tuple(self.lagging.values()),
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.boot_id = checkpoint.boot_id
        self.watermark = checkpoint.watermark
        self.registered = {fact.path: fact for fact in checkpoint.registered}
        self.claimed = {fact.run_id: fact for fact in checkpoint.claimed}
        self.held = {fact.run_id: fact for fact in checkpoint.held}
        self.stretches = {fact.path: fact for fact in checkpoint.stretches}
        self.paused = {fact.path: fact for fact in checkpoint.paused}
        self.keys = {keyed.key: keyed for keyed in checkpoint.keys}
        self.last = dict(checkpoint.last)
        self.beyond = dict(checkpoint.beyond)
        self.spent = checkpoint.spent
        self.newest = checkpoint.newest
        self.lagging = {fact.path: fact for fact in checkpoint.lagging}

    def _end(self, entry: Entry) -> None:
        path, run_id = entry.script_path, entry.run_id
        self.claimed.pop(run_id, None)
        self.held.pop(run_id, None)
        stretch = self.stretches.get(path)
        if stretch is not None and stretch.run_id == run_id:
            del self.stretches[path]
        slot = _slot(entry.slot)
        for decided in (slot, _slot(entry.last_slot)):
            self._decided(entry.kind, path, decided)
        self._remember(entry, slot if entry.started_at is not None else None)
        self.newest = run_id

    def _decided(self, kind: Kind, path: str, slot: Slot | None) -> None:
        if slot is not None and kind in DECIDING and (self.watermark is None or slot > self.watermark):
            self.beyond[path] = max(slot, self.beyond.get(path, slot))

    def _keep(self, key: str | None, at_ms: int, run_id: RunId, path: str) -> None:
        """Note under which key a fire was made; later facts of the same fire say nothing new."""
        known = None if key is None else self.keys.get(key)
        if key is None or (known is not None and known.run_id == run_id):
            return
        self.keys.pop(key, None)
        self.keys[key] = Keyed(key=key, at=at_ms, run_id=run_id, path=path)
        while len(self.keys) > MAX_KEYS or next(iter(self.keys.values())).at + KEY_MS <= at_ms:
            del self.keys[next(iter(self.keys))]

    def _remember(self, entry: Entry, ran: Slot | None) -> None:
        """Note the newest outcome; the scripts that ended last are last in the dict."""
        old = self.last.pop(entry.script_path, None)
        prev_slot, last_ok_slot = (None, None) if old is None else (old.prev_slot, old.last_ok_slot)
        self.last[entry.script_path] = LastOutcome(
            ts=entry.ts,
            status=entry.status,
            run_id=entry.run_id,
            reason=entry.reason,
            error=entry.error,
            prev_slot=_later(prev_slot, ran),
            last_ok_slot=_later(last_ok_slot, ran if entry.status is Status.OK else None),
        )

    def _forget(self) -> None:
        if len(self.last) > len(self.registered) + MAX_BYGONE:
            oldest = next((path for path in self.last if path not in self.registered), None)
            self.last.pop(oldest or "", None)


def _slot(text: str | None) -> Slot | None:
    try:
        return None if text is None else Slot(to_ms(text) // 1000)
    except (ValueError, OverflowError):
        return None


def _ms(text: str) -> int:
    try:
        return to_ms(text)
    except (ValueError, OverflowError):
        return 0


def _later(one: Slot | None, other: Slot | None) -> Slot | None:
    return one if other is None or (one is not None and one > other) else other
