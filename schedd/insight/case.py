"""What a question is about: which slot, by which registration, and what the clocks did that night. Pure.

People ask by the minute and by the clock on their wall. So an instant names the slot of its minute, and a
time without an offset is one on the clock of the script's zone, where it may not exist, or come twice.
"""

from dataclasses import dataclass, replace

from schedd.fire import Entry
from schedd.insight import slots
from schedd.insight.telling import Teller
from schedd.ledger.annals import Chronicle, Registration
from schedd.planner.view import ScheduleView
from schedd.timetable import cautions
from schedd.timetable import zone as zones
from schedd.timetable.instant import Slot
from schedd.timetable.parts import Cron
from schedd.timetable.timetable import Timetable
from schedd.timetable.zone import Change, Zone

MINUTE_S = 60
NIGHT_S = 3 * 3600
"""So near to a change of the clock it may be what the question is about."""
_NEARBY_S = 3 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An instant in ms, or seconds on the wall clock of the script's zone; neither = the newest slot."""

    at_ms: int | None = None
    wall_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The question, made precise."""

    script: str
    now_ms: int
    asked_ms: int | None
    """The instant that was asked about; None = the newest slot."""
    lost_wall_s: int | None = None
    """What was asked about never stood on the wall: the clock was moved past it."""
    zone: str
    registration: Registration | None
    """The one that was in force."""
    timetable: Timetable | None
    slot: Slot | None = None
    before: Slot | None = None
    """The slot before that one, or before the instant."""
    after: Slot | None = None
    change: str | None = None
    """What a change of the clock, that night, does to the slots of the script."""
    change_at: int | None = None
    moved: tuple[tuple[Slot, str], ...] = ()
    """The slots that a calendar has moved to this one, and what closed them."""

    @property
    def at_ms(self) -> int:
        """The instant that the answer is about."""
        if self.slot is not None:
            return self.slot * 1000
        return self.now_ms if self.asked_ms is None else self.asked_ms


@dataclass(frozen=True, slots=True)
class Records:
    """A case, and all that is on record that may bear on it."""

    case: Case
    view: ScheduleView | None
    """The script as it is registered now; None if it is not."""
    chronicle: Chronicle
    """What the ledger tells about the time of the question, and from then on."""
    entries: tuple[Entry, ...]
    """Lines of the script: those of the slot, and of the runs around it."""
    teller: Teller


def locate(
    script: str, asked: Asked, *, now_ms: int, view: ScheduleView | None, chronicle: Chronicle
) -> Case:
    """Find what a question is about; `view` is what is registered now."""
    told = _registrations(view, chronicle, script)
    newest = told[-1] if told else None
    zone = newest.timezone if newest is not None else "UTC"
    at_ms, lost_wall_s = asked.at_ms, None
    if asked.wall_s is not None:
        at_ms, lost_wall_s = _instant(zones.load(zone), asked.wall_s, newest, chronicle)
    registration = in_force(told, now_ms if at_ms is None else at_ms)
    if at_ms is None and view is None:
        registration = None  # gone since less than a second: its last slot is not what is asked about
    case = Case(
        script=script,
        now_ms=now_ms,
        asked_ms=at_ms,
        lost_wall_s=lost_wall_s,
        zone=registration.timezone if registration is not None else zone,
        registration=registration,
        timetable=None if registration is None else slots.timetable_of(registration, chronicle),
    )
    return case if case.timetable is None else _placed(case, case.timetable)


def in_force(told: tuple[Registration, ...], at_ms: int) -> Registration | None:
    """Return the registration by which a slot at this instant was due."""
    second = at_ms // 1000
    for each in reversed(told):
        until = each.until_ms
        if each.since_ms // 1000 < second and (until is None or second <= until // 1000):
            return each
    return None


def _registrations(view: ScheduleView | None, chronicle: Chronicle, script: str) -> tuple[Registration, ...]:
    """Return what the ledger tells of the script; while it cannot be written, what the planner knows."""
    told = chronicle.of(script)
    if told or view is None:
        return told
    schedule = view.schedule
    registered = Registration(
        script=script,
        since_ms=view.registered_at_ms,
        registered_at_ms=view.registered_at_ms,
        expression=schedule.expression,
        timezone=schedule.timezone,
        enabled=schedule.enabled,
        jitter_s=schedule.timetable.jitter_s,
        calendar=str(schedule.timetable.observance or ""),
        calendar_sha256=schedule.timetable.calendar_sha256,
    )
    return (registered,)


def _placed(case: Case, timetable: Timetable) -> Case:
    assert case.registration is not None
    since = case.registration.since_ms // 1000
    at = case.at_ms // 1000
    slot = slots.latest(timetable, at, after=since)
    if case.asked_ms is not None:
        slot = _meant(timetable, at, slot)
    around = at if slot is None else slot
    change, told = _change(timetable, case.zone, around if slot is not None else at)
    return replace(
        case,
        slot=slot,
        before=slots.latest(timetable, around if slot is None else around - 1, after=since),
        after=timetable.next_after(Slot(around)),
        change=told,
        change_at=None if change is None else change.at,
        moved=() if slot is None else tuple(timetable.origins(slot)),
    )


def _meant(timetable: Timetable, at: int, latest: Slot | None) -> Slot | None:
    """Return the slot that an instant names: that of its minute, also as it was before it was moved."""
    if latest is not None and at - latest < MINUTE_S:
        return latest
    if (landing := _landing(timetable, at - at % MINUTE_S)) is not None:
        return landing
    coming = timetable.next_after(Slot(at))
    if coming is None:
        return None
    whole_minute = at % MINUTE_S == 0 and coming < at + MINUTE_S
    moved = 0 <= at - (coming - timetable.offset_s) < MINUTE_S and timetable.offset_s > 0
    return coming if whole_minute or moved else None


def _landing(timetable: Timetable, minute: int) -> Slot | None:
    """Return where the calendar, if there is one, moves the slot that would be due in a minute."""
    if timetable.observance is None:
        return None
    for start in (minute, minute + timetable.offset_s):
        regular = timetable.plain.next_after(Slot(start - 1))
        if regular is not None and regular < start + MINUTE_S:
            return timetable.landing(regular)
    return None


def _instant(
    zone: Zone, wall_s: int, registration: Registration | None, chronicle: Chronicle
) -> tuple[int, int | None]:
    """Return the instant of a time on the wall, and the time again if the clock never showed it.

    Of two instants it is the one that is a slot, else the first.
    """
    offsets = {zone.segment(wall_s + shift).offset for shift in (-86_400, 86_400)}
    found = sorted(wall_s - offset for offset in offsets if zone.segment(wall_s - offset).offset == offset)
    if not found:
        return _moved_past(zone, wall_s) * 1000, wall_s
    timetable = None if registration is None else slots.timetable_of(registration, chronicle)
    if timetable is not None:
        due = [at for at in found if timetable.next_after(Slot(at - 1)) == at]
        found = due or found
    return found[0] * 1000, None


def _moved_past(zone: Zone, wall_s: int) -> int:
    for change in zone.changes(wall_s - _NEARBY_S, wall_s + _NEARBY_S):
        if change.left <= wall_s < change.reached:
            return change.at
    return wall_s - zone.segment(wall_s).offset


def _change(timetable: Timetable, zone: str, at: int) -> tuple[Change | None, str | None]:
    """Return the change of the clock that night, if it did something to the slots, and what."""
    for change in zones.load(zone).changes(at - NIGHT_S, at + NIGHT_S):
        told = [cautions.of_change(p.expression, change) for p in timetable.parts if isinstance(p, Cron)]
        said = [sentence for sentence in told if sentence is not None]
        if said:
            return change, " ".join(said)
    return None, None
