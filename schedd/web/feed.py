"""What happens, as events: each framed once for all who listen, and kept a while for who comes back.

Two kinds of events go by one queue. A fire that starts or ends is a fact, kept whether anybody listens or
not; its id names the newest line of the fires log and counts the starts since, so that it means something
after a restart too. What a script, the pauses or the health have become is a state: it is put together only
while somebody listens, at most once a second, and what changed twice meanwhile is told once.

A line is told when it is in the ledger, so nobody hears of what a crash could take back.

Rejected: a queue for each listener (a thousand of them would frame everything a thousand times), the number
of the event as its id (the next daemon begins to count anew), and the whole list of schedules after each
change.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from schedd.fire import Entry, RunId
from schedd.ledger import facts
from schedd.planner.view import Pause
from schedd.schedule import Schedule
from schedd.web import event_types, in_flight, in_force, types
from schedd.web.control import Control, Health
from schedd.web.listing import Listing

KEPT = 4_096
"""Events that are kept: some 3 MB."""

LOOK_S = 1.0
"""How often the health is looked at, and the same script may be told of."""

SCRIPTS_AT_ONCE = 100
FEWEST_AT_ONCE = 10
SENT_AT_ONCE = 20_000
"""Scripts in one piece, times those who get it: a pause of all must not be all that the loop does."""

MOST_SHARERS = 100
"""Of a lock that more scripts share each is told of only when it changes itself."""

BREATH = 50
"""Scripts between two breaths of the loop."""

NOTHING = "-"
"""Stands in a position for the newest line of a log that is empty."""

_OF_A_SCRIPT = (
    facts.Claimed,
    facts.Held,
    facts.Stretch,
    facts.Registered,
    facts.Unregistered,
    facts.Lagging,
    facts.KeptUp,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One event, ready to be sent; the pauses are framed for each who may see others of them."""

    data: bytes | tuple[Pause, ...]
    script: str | None = None
    """Whose listeners it is for; None = for all."""
    position: str | None = None
    """Its id, if it has one."""
    ended: RunId | None = None
    """The fire whose end it tells."""


class Feed:
    """Takes what the daemon and its ledger tell, and gives it out as frames, numbered from 1."""

    def __init__(self) -> None:
        self._kept: list[Frame | None] = [None] * KEPT
        self.newest = 0
        """The number of the last frame."""
        self.news = asyncio.Event()
        """Set when there is something to send, or to look at."""
        self.watched = False
        """Whether somebody listens."""
        self._line: str = NOTHING
        self._starts = 0
        self._first = self.position
        self._control: Control | None = None
        self._listing = Listing()
        self._known: dict[str, Schedule | None] = {}
        self._sharers: dict[str, list[str]] = {}
        """The scripts that share a lock."""
        self._dirty: dict[str, None] = {}
        self._due: dict[str, None] = {}
        self._pauses_changed = False
        self._health: tuple[object, ...] | None = None
        self._looked_s = 0.0

    def attach(self, control: Control, listing: Listing) -> None:
        """Take states from here."""
        self._control, self._listing = control, listing

    def take_up(self, newest: RunId | None) -> None:
        """Count from this line of the fires log on: the last one of the daemon before."""
        self._line = newest or NOTHING
        self._first = self.position

    @property
    def position(self) -> str:
        """The id of the newest fact: `<runId of the newest line>.<starts since>`."""
        return f"{self._line}.{self._starts}"

    # What happens.

    def published(self, entry: Entry) -> None:
        """A line is on its way into the fires log, and nothing but a dead disk can stop it."""
        self._line, self._starts = entry.run_id, 0
        self._put_fact(b"ended", _json(entry), entry.script_path, ended=entry.run_id)

    def started(self, run_id: RunId) -> None:
        """A run is alive."""
        view = None if self._control is None else self._control.run(run_id)
        if view is not None:
            self._starts += 1
            self._put_fact(b"started", _json(in_flight.item(view)), view.fire.script)

    def heard(self, fact: facts.AnyFact) -> None:
        """Note what a fact has changed."""
        if isinstance(fact, _OF_A_SCRIPT):
            self._touch(fact.path, *self._sharing(fact.path))
        elif isinstance(fact, facts.Ended):
            self._touch(fact.entry.script_path, *self._sharing(fact.entry.script_path))
        elif isinstance(fact, facts.Paused | facts.Resumed):
            self._pauses_changed = True
            self._touch(*(self._known if fact.path is None else (fact.path,)))
        if isinstance(fact, facts.Registered):
            self._known.setdefault(fact.path, None)
        elif isinstance(fact, facts.Unregistered):
            self._known.pop(fact.path, None)

    def reloaded(self, schedules: Mapping[str, Schedule]) -> None:
        """These are registered now; a header may have changed in what the ledger does not keep."""
        if self.watched:
            self._touch(*(s for s, now in schedules.items() if _changed(self._known.get(s), now)))
        self._known, self._sharers = dict(schedules), {}
        for script, schedule in schedules.items():
            if schedule.lock is not None:
                self._sharers.setdefault(schedule.lock.name, []).append(script)

    def edited(self, schedules: Mapping[str, Schedule]) -> None:
        """These are registered now as well, by these headers; none of them names a lock."""
        self._touch(*(script for script, now in schedules.items() if _changed(self._known.get(script), now)))
        self._known.update(schedules)

    # What it has become.

    def begin_to_watch(self) -> None:
        """Somebody listens: from now on changes are noted."""
        self.watched = True
        self._dirty, self._due, self._pauses_changed = {}, {}, False
        self._health = None if self._control is None else _of_health(self._control.health())

    def looks_in_s(self) -> float:
        """Return when it is time to look again, in seconds from now."""
        return max(0.0, self._looked_s + LOOK_S - asyncio.get_running_loop().time())

    async def look(self, *, listeners: int) -> None:
        """Frame the states that have changed, as many as so many listeners can be sent."""
        control = self._control
        if control is None:
            return
        if not self.looks_in_s():
            self._looked_s = asyncio.get_running_loop().time()
            self.look_at_health()
            if not self._due:
                self._due, self._dirty = self._dirty, {}
        if self._pauses_changed:
            self._pauses_changed = False
            self._put(Frame(tuple(control.pauses())))
        most = max(FEWEST_AT_ONCE, min(SCRIPTS_AT_ONCE, SENT_AT_ONCE // max(1, listeners)))
        for count in range(1, min(most, len(self._due)) + 1):
            script = next(iter(self._due))
            del self._due[script]
            self._put_schedule(control, script)
            if count % BREATH == 0:
                await asyncio.sleep(0)
        if self._due:
            self.news.set()

    def look_at_health(self) -> None:
        """Frame the health if it is another than the last that was told."""
        if self._control is None:
            return
        health = self._control.health()
        if self._health != (seen := _of_health(health)):
            self._health = seen
            told = event_types.HealthEvent(
                ready=health.ready, reasons=health.reasons, phase=health.phase.value
            )
            self._put(Frame(b"event: health\ndata: %s\n\n" % _json(told)))

    def ping(self) -> None:
        """Let everybody know that the link is alive, and how far they have come."""
        self._put(Frame(b": ping\nid: %s\n\n" % self.position.encode()))

    # What is kept.

    def piece(
        self, sees: Callable[[str], bool], after: int, most_bytes: int, *, but: frozenset[RunId] = frozenset()
    ) -> tuple[bytes, int] | None:
        """Return what follows on this number, in one piece, and the number that it goes to.

        Left out is what `sees` does not let through, and the ends of the fires in `but`. A piece is ended by
        the event with which it gets to `most_bytes`. None = what follows is not kept any more.
        """
        if self.newest - after > KEPT:
            return None
        parts: list[bytes] = []
        size = 0
        while after < self.newest and size < most_bytes:
            after += 1
            frame = self._kept[after % KEPT]
            assert frame is not None
            if (frame.script is None or sees(frame.script)) and (
                frame.ended is None or frame.ended not in but
            ):
                data = frame.data if isinstance(frame.data, bytes) else pauses(frame.data, sees)
                parts.append(data)
                size += len(data)
        return b"".join(parts), after

    def find(self, position: str) -> int | None:
        """Return the number of the event with this id, None if it is not kept (any more)."""
        for number in range(self.newest, max(0, self.newest - KEPT), -1):
            frame = self._kept[number % KEPT]
            if frame is not None and frame.position == position:
                return number
        return 0 if position == self._first and self.newest <= KEPT else None

    # Inside.

    def _sharing(self, script: str) -> list[str]:
        """Return the scripts whose lock another state of this one may have changed."""
        schedule = self._known.get(script)
        sharers = [] if schedule is None or schedule.lock is None else self._sharers[schedule.lock.name]
        return sharers if len(sharers) <= MOST_SHARERS else []

    def _touch(self, *scripts: str) -> None:
        if self.watched:
            self._dirty.update(dict.fromkeys(scripts))
            self.news.set()

    def _put_schedule(self, control: Control, script: str) -> None:
        view = control.schedule(script)
        if view is None:
            told, name = _json(event_types.GoneEvent(script_rel=script)), b"gone"
        else:
            maintenance = in_force.of_all(control.pauses())
            made = self._listing.made(view, control.last_outcome(script), maintenance=maintenance)
            told, name = _json(made), b"schedule"
        self._put(Frame(b"event: %s\ndata: %s\n\n" % (name, told), script))

    def _put_fact(self, name: bytes, told: bytes, script: str, *, ended: RunId | None = None) -> None:
        position = self.position
        data = b"event: %s\nid: %s\ndata: %s\n\n" % (name, position.encode(), told)
        self._put(Frame(data, script, position, ended))

    def _put(self, frame: Frame) -> None:
        self.newest += 1
        self._kept[self.newest % KEPT] = frame
        self.news.set()


def pauses(found: tuple[Pause, ...], sees: Callable[[str], bool]) -> bytes:
    """Return the event of the pauses, of those that may be seen."""
    seen = tuple(in_force.item(pause) for pause in found if pause.script is None or sees(pause.script))
    told = _json(types.PausesAnswer(total=len(seen), pauses=seen))
    return b"event: pauses\ndata: %s\n\n" % told


def _json(told: msgspec.Struct) -> bytes:
    """Encode what cannot be refused: one that failed would end the stream of everybody."""
    return facts.encode(told)[:-1]


def _changed(before: Schedule | None, now: Schedule) -> bool:
    return before is not now and before != now


def _of_health(health: Health) -> tuple[object, ...]:
    """Return what makes a health another; how many scripts are refused is seen where it is asked for."""
    return health.ready, health.reasons, health.phase, health.failed
