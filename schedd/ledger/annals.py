"""The facts of a range of time, put in order: what was in force from when to when. Pure.

A fact says what changed; a question is about what was so at some moment. So the facts are folded into
stretches of time: registrations, lives of the daemon, pauses.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from schedd.ledger import facts
from schedd.ledger.facts import AnyFact, Claimed, ClockStep, Held, Lost, Reloaded, Stretch, Suspended
from schedd.timetable.observance import Observance


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What was registered for a script, unchanged, from `since_ms` until before `until_ms` (None = still)."""

    script: str
    since_ms: int
    until_ms: int | None = None
    registered_at_ms: int
    """Slots are due from then on; it may be long before `since_ms`, when only the header changed."""
    expression: str
    timezone: str
    enabled: bool
    jitter_s: int = 0
    calendar: str = ""
    """Which calendar was observed, and how: `holidays.ics next`."""
    calendar_sha256: str = ""
    """Of that calendar's file as it was then."""
    removed: bool = False
    """It ended because the script was gone, not because another registration took its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """The daemon was up from `up_ms` (None = longer than is known) to `down_ms` (None = still).

    After a crash `down_ms` is when it was last heard of; None there too if that is not known.
    """

    up_ms: int | None
    down_ms: int | None = None
    crashed: bool = False
    why: str | None = None
    """Why it stopped in order."""
    boot_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pausing:
    """A pause of one script, or of all (None), and how it ended (`until_ms` None = it has not)."""

    script: str | None
    since_ms: int
    by: str
    note: str | None = None
    planned_end_ms: int | None = None
    until_ms: int | None = None
    ended_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chronicle:
    """What is known of a range of time. All tuples are in the order of the ledger."""

    since_ms: int
    """From here on it is known; later than was asked for when the ledger does not reach back so far."""
    until_ms: int
    complete: bool = True
    """False when older segments were left unread, because there was too much in them."""
    registrations: tuple[Registration, ...] = ()
    lives: tuple[Life, ...] = ()
    pauses: tuple[Pausing, ...] = ()
    steps: tuple[ClockStep, ...] = ()
    suspends: tuple[Suspended, ...] = ()
    reloads: tuple[Reloaded, ...] = ()
    lost: tuple[Lost, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    """Those that are open now; they are not read, the state has them."""
    observances: Mapping[str, Observance] = field(default_factory=dict)
    """The calendars that the registrations name, as they are now; those that cannot be read are not there."""
    claimed: tuple[Claimed, ...] = ()
    held: tuple[Held, ...] = ()

    def of(self, script: str) -> tuple[Registration, ...]:
        """Return the registrations of one script, oldest first."""
        return tuple(each for each in self.registrations if each.script == script)


class Annals:
    """The fold of the facts of some segments, oldest first, into a chronicle."""

    def __init__(self, since_ms: int) -> None:
        self._since_ms = since_ms
        self._known_from_ms: int | None = None
        self._first = True
        self._over: list[Registration] = []
        self._now: dict[str, Registration] = {}
        self._changed: list[str] = []
        """Scripts whose newest registration says when it was made, and not yet when it came into force."""
        self._lives: list[Life] = []
        self._pauses: list[Pausing] = []
        self._paused: dict[str | None, Pausing] = {}
        self._steps: list[ClockStep] = []
        self._suspends: list[Suspended] = []
        self._reloads: list[Reloaded] = []
        self._lost: list[Lost] = []
        self._claimed: dict[str, Claimed] = {}
        self._held: dict[str, Held] = {}

    def begin(self, base: Iterable[AnyFact], *, began_ms: int | None, lived_before: bool) -> None:
        """Begin a segment with the facts of its checkpoint (`began_ms` None: it has none)."""
        if self._first and began_ms is not None:
            self._known_from_ms = began_ms
            if lived_before:
                self._lives.append(Life(up_ms=None))
        for fact in base:
            if isinstance(fact, facts.Registered):
                self._carried(fact, began_ms or fact.at)
            else:
                self.take(fact, None)
        self._first = False

    def take(self, fact: AnyFact, seen_ms: int | None) -> None:
        """Take one more fact in; `seen_ms`: when the daemon before an `up` was last heard of."""
        match fact:
            case facts.Registered():
                self._register(fact)
            case facts.Unregistered():
                self._unregister(fact.path, fact.at)
            case facts.Up():
                self._settle(fact.at)
                self._up(fact, seen_ms)
            case facts.Down():
                self._down(fact)
            case facts.Paused():
                self._pause(fact)
            case facts.Resumed():
                self._resume(fact)
            case facts.ClockStep():
                self._steps.append(fact)
            case facts.Suspended():
                self._suspends.append(fact)
            case facts.Reloaded():
                self._settle(fact.at)
                self._reloads.append(fact)
            case facts.Lost():
                self._lost.append(fact)
            case facts.Claimed():
                self._claimed[fact.run_id] = fact
            case facts.Held():
                self._held.setdefault(fact.run_id, fact)
            case _:
                pass  # the rest says nothing that is asked for here

    def chronicle(self, until_ms: int, *, complete: bool) -> Chronicle:
        """Return what the facts add up to."""
        return Chronicle(
            since_ms=max(self._since_ms, self._known_from_ms or self._since_ms),
            until_ms=until_ms,
            complete=complete,
            registrations=(*self._over, *self._now.values()),
            lives=tuple(self._lives),
            pauses=(*self._pauses, *self._paused.values()),
            steps=tuple(self._steps),
            suspends=tuple(self._suspends),
            reloads=tuple(self._reloads),
            lost=tuple(self._lost),
            claimed=tuple(self._claimed.values()),
            held=tuple(self._held.values()),
        )

    # Registrations.

    def _carried(self, fact: facts.Registered, at_ms: int) -> None:
        """Take a registration from a checkpoint: new only if the facts before it are not known."""
        old = self._now.get(fact.path)
        if self._first or old is None:
            self._now[fact.path] = _registration(fact, fact.at)
        elif not _same(old, fact):
            self._replace(old, at_ms)
            self._now[fact.path] = _registration(fact, at_ms)

    def _register(self, fact: facts.Registered) -> None:
        old = self._now.get(fact.path)
        if old is None:
            self._now[fact.path] = _registration(fact, fact.at)
        elif not _same(old, fact):
            if fact.at == old.registered_at_ms:
                # Its header changed, and its slots did not: the fact tells only since when they are due.
                self._changed.append(fact.path)
            self._replace(old, fact.at)
            self._now[fact.path] = _registration(fact, fact.at)

    def _replace(self, old: Registration, at_ms: int) -> None:
        self._over.append(replace(old, until_ms=max(at_ms, old.since_ms)))

    def _settle(self, at_ms: int) -> None:
        """Date the changes of headers: they came into force with the reload, or the start, behind them."""
        for script in self._changed:
            new = self._now.get(script)
            if new is None or new.since_ms > at_ms:
                continue
            self._now[script] = replace(new, since_ms=at_ms)
            for index in range(len(self._over) - 1, -1, -1):
                if self._over[index].script == script:
                    self._over[index] = replace(self._over[index], until_ms=at_ms)
                    break
        self._changed.clear()

    def _unregister(self, script: str, at_ms: int) -> None:
        old = self._now.pop(script, None)
        if old is not None:
            self._over.append(replace(old, until_ms=max(at_ms, old.since_ms), removed=True))

    # Lives and pauses.

    def _up(self, fact: facts.Up, seen_ms: int | None) -> None:
        last = self._lives[-1] if self._lives else None
        if last is not None and last.down_ms is None and not last.crashed:
            self._lives[-1] = replace(last, down_ms=seen_ms, crashed=True)
        self._lives.append(Life(up_ms=fact.at, boot_id=fact.boot_id))

    def _down(self, fact: facts.Down) -> None:
        last = self._lives.pop() if self._lives else Life(up_ms=None)
        self._lives.append(replace(last, down_ms=fact.at, why=fact.why))

    def _pause(self, fact: facts.Paused) -> None:
        old = self._paused.pop(fact.path, None)
        if old is not None and old.since_ms != fact.at:
            self._pauses.append(replace(old, until_ms=fact.at, ended_by=fact.by))
        self._paused[fact.path] = Pausing(
            script=fact.path, since_ms=fact.at, by=fact.by, note=fact.note, planned_end_ms=fact.until
        )

    def _resume(self, fact: facts.Resumed) -> None:
        old = self._paused.pop(fact.path, None)
        if old is not None:
            self._pauses.append(replace(old, until_ms=fact.at, ended_by=fact.by))


def _registration(fact: facts.Registered, since_ms: int) -> Registration:
    return Registration(
        script=fact.path,
        since_ms=since_ms,
        registered_at_ms=fact.at,
        expression=fact.expression,
        timezone=fact.timezone,
        enabled=fact.enabled,
        jitter_s=fact.jitter_s,
        calendar=fact.calendar,
        calendar_sha256=fact.calendar_sha256,
    )


def _same(old: Registration, fact: facts.Registered) -> bool:
    """Whether a fact says of a registration what is known (a changed file alone is none of our business)."""
    return old == replace(_registration(fact, old.since_ms), until_ms=old.until_ms)
