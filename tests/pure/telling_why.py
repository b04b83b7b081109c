"""A script's past, told in facts and lines, and the question why: what the tests of `why` share."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from schedd.fire import Entry, Fire, Kind, Reason, RunId, Status
from schedd.insight import case, why
from schedd.insight.case import Asked, Records
from schedd.insight.telling import Teller
from schedd.insight.verdict import Verdict
from schedd.ledger import facts
from schedd.ledger.annals import Annals
from schedd.ledger.facts import AnyFact, Stretch
from schedd.planner.view import Pause, ScheduleView
from schedd.schedule import Catchup, FileStamp, Schedule
from schedd.timetable.instant import Slot, from_ms, from_slot
from schedd.timetable.observance import Observance
from schedd.timetable.timetable import Timetable

SCRIPT = "shop/export.sh"
BERLIN = "Europe/Berlin"


def ms(text: str, zone: str = BERLIN) -> int:
    """Return an instant from the clock on the wall of a zone (`Z` behind it: from UTC's), in ms."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return round(moment.astimezone(UTC).timestamp() * 1000)


def slot(text: str) -> Slot:
    return Slot(ms(text) // 1000)


def run(number: int) -> RunId:
    """Return the id of the n-th fire."""
    return RunId(f"01a20dac-0000-7000-8000-{number:012d}")


def line(
    status: Status,
    reason: Reason | None = None,
    *,
    ended: str,
    at: str | None = None,
    started: str | None = None,
    kind: Kind = Kind.SCHEDULE,
    error: str | None = None,
    to: str | None = None,
    count: int | None = None,
    attempt: int = 1,
    number: int = 1,
) -> Entry:
    """Return a line of the fires log."""
    ended_ms, started_ms = ms(ended), None if started is None else ms(started)
    late = None if started_ms is None or at is None else started_ms - ms(at)
    return Entry(
        ts=from_ms(ended_ms),
        script_path=SCRIPT,
        expression="30 2 * * *",
        run_id=run(number),
        status=status,
        duration_ms=0 if started_ms is None else ended_ms - started_ms,
        kind=kind,
        reason=reason,
        error=error,
        slot=None if at is None else from_slot(slot(at)),
        last_slot=None if to is None else from_slot(slot(to)),
        count=count,
        started_at=None if started_ms is None else from_ms(started_ms),
        lateness_ms=late,
        attempt=None if started_ms is None else attempt,
    )


def fire(at: str | None, kind: Kind = Kind.SCHEDULE, *, attempt: int = 1, number: int = 1) -> Fire:
    return Fire(run(number), SCRIPT, "30 2 * * *", kind, None if at is None else slot(at), attempt)


def claimed(fired: Fire, at: str) -> facts.Claimed:
    return facts.Claimed(
        at=ms(at),
        run_id=fired.run_id,
        path=SCRIPT,
        expression=fired.expression,
        kind=fired.kind,
        slot=fired.slot,
        attempt=fired.attempt,
    )


def held(fired: Fire, at: str, *, due: str | None = None) -> facts.Held:
    return facts.Held(
        at=ms(at),
        run_id=fired.run_id,
        path=SCRIPT,
        expression=fired.expression,
        kind=fired.kind,
        slot=fired.slot,
        attempt=fired.attempt,
        due=None if due is None else ms(due),
    )


def up(at: str, boot: str = "a") -> facts.Up:
    return facts.Up(at=ms(at), boot_id=boot, version="1")


def down(at: str) -> facts.Down:
    return facts.Down(at=ms(at), why="drained")


@dataclass
class Past:
    """What happened to one script, which was registered at midnight on Monday 2026-11-23, Berlin."""

    now: str = "2026-11-24T12:00"
    expression: str = "30 2 * * *"
    zone: str = BERLIN
    registered: str = "2026-11-23T00:00"
    enabled: bool = True
    catchup: Catchup = Catchup.NONE
    jitter_s: int = 0
    observance: Observance | None = None
    edited: bool = False
    """Its calendar was another one when it was registered."""
    gone: bool = False
    """Not registered now."""
    told: list[AnyFact | tuple[facts.Up, int]] = field(default_factory=list)
    """Facts after the registration; an `up` after a crash with the last sign of life, in ms."""
    lines: list[Entry] = field(default_factory=list)
    running: tuple[Fire, ...] = ()
    held: tuple[Fire, ...] = ()
    pause: Pause | None = None
    stretch: Stretch | None = None
    problem: str | None = None
    seen: dict[str, Any] = field(default_factory=dict)
    """What else there is to be seen of it now: its lock."""
    never: bool = False
    """Never registered at all."""

    def why(self, at: str | None = None, *, wall: str | None = None) -> Verdict:
        """Ask why, about an instant or a time on the wall."""
        annals = Annals(0)
        if not self.never:
            annals.take(self._registered(), None)
        annals.take(up(self.registered), None)
        for fact in self.told:
            if isinstance(fact, tuple):
                annals.take(*fact)
            else:
                annals.take(fact, None)
        chronicle = annals.chronicle(ms(self.now), complete=True)
        if self.observance is not None:
            chronicle = replace(chronicle, observances={str(self.observance): self.observance})
        if self.stretch is not None:
            chronicle = replace(chronicle, stretches=(self.stretch,))
        view = None if self.gone or self.never else self._view()
        wall_s = None if wall is None else ms(f"{wall}+00:00") // 1000
        asked = Asked(at_ms=None if at is None else ms(at), wall_s=wall_s)
        place = case.locate(SCRIPT, asked, now_ms=ms(self.now), view=view, chronicle=chronicle)
        teller = Teller(place.zone, place.at_ms)
        records = Records(place, view, chronicle, tuple(self.lines), teller)
        return why.explain(records, problem=self.problem)

    def _registered(self) -> facts.Registered:
        return facts.Registered(
            at=ms(self.registered),
            path=SCRIPT,
            expression=self.expression,
            timezone=self.zone,
            enabled=self.enabled,
            sha256="0",
            jitter_s=self.jitter_s,
            calendar=str(self.observance or ""),
            calendar_sha256=self._calendar_sha256(),
        )

    def _calendar_sha256(self) -> str:
        if self.observance is None:
            return ""
        return "another" if self.edited else self.observance.calendar.sha256

    def _view(self) -> ScheduleView:
        timetable = Timetable.parse(
            self.expression, self.zone, seed=SCRIPT, jitter_s=self.jitter_s, observance=self.observance
        )
        return ScheduleView(
            schedule=Schedule(
                script=SCRIPT,
                path=f"/scripts/{SCRIPT}",
                expression=self.expression,
                timezone=self.zone,
                timetable=timetable,
                enabled=self.enabled,
                catchup=self.catchup,
                sha256="0",
                stamp=FileStamp(1, 1, 1),
            ),
            registered_at_ms=ms(self.registered),
            next_slots=tuple(timetable.to_run(Slot(ms(self.now) // 1000), 5)),
            running=self.running,
            held=self.held,
            pause=self.pause,
            **self.seen,
        )
