"""The list of schedules, encoded: one fragment for each script, made again only when something of it changed.

With 10,000 scripts a list made anew holds the event loop for a fifth of a second, and held it is late for
slots. Most scripts did not change between two polls, so their JSON is kept; every few milliseconds the loop
may run what is due. So each script is as it stood at a moment of its own, no earlier than the request.

Between two things that happen to the daemon nothing is made at all: its revision says so, and the list is
given out as it is. Who asks while it is made waits for it, and is content with it if it was begun later.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from schedd.insight import keeping_up
from schedd.ledger.facts import LastOutcome
from schedd.planner.locks import Holder
from schedd.planner.view import LockView, Pace, Pause, ScheduleView
from schedd.schedule import Retry, Schedule
from schedd.scripts import catalogue
from schedd.timetable import instant
from schedd.timetable.instant import Slot
from schedd.timetable.observance import Observance
from schedd.timetable.timetable import Timetable
from schedd.web import answers, in_force
from schedd.web.auth import Caller
from schedd.web.control import Control
from schedd.web.types import (
    CadenceItem,
    CalendarItem,
    HolderItem,
    LockItem,
    RetryItem,
    ScheduleItem,
    WaiterItem,
)

BREATH_S = 0.003
"""So long is worked between two breaths of the loop."""

MAX_WORDS = 10_000
MAX_AUDIENCES = 8
"""So many lists are kept, for tokens that see other scripts."""
MOST_KEPT_BYTES = 16 * 1024 * 1024
"""A list that is longer is put together for each who asks."""

REDACTED = "[redacted]"
"""As in outputs."""

NEXT_SLOTS = 5
MAX_RESUMPTIONS = 10_000


class Encoded:
    """The body of `GET /list` (`types.ListAnswer`) and its tag, without the body being put together."""

    __slots__ = ("_body", "_fragments", "tag")

    def __init__(self, tag: str, fragments: tuple[bytes, ...]) -> None:
        self.tag = tag
        self._fragments = fragments
        self._body: bytes | None = None

    def body(self) -> bytes:
        """Put the parts together, once; it takes milliseconds for 10,000 scripts."""
        if self._body is not None:
            return self._body
        body = b'{"total":%d,"schedules":[%s]}' % (len(self._fragments), b",".join(self._fragments))
        if len(body) <= MOST_KEPT_BYTES:
            self._body = body
        return body


@dataclass(frozen=True, slots=True)
class Described:
    """What the author says of a schedule, for everybody to read."""

    name: str
    description: str | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Fragment:
    made_of: tuple[ScheduleView, LastOutcome | None, Pause | None]
    encoded: bytes
    digest: bytes


class Listing:
    """The fragments of the last list, by script, and the lists that were made of them."""

    def __init__(self) -> None:
        self._kept: dict[str, _Fragment] = {}
        self._words: dict[Timetable, str] = {}
        self._resumptions: dict[tuple[Timetable, Slot], tuple[Slot, ...]] = {}
        self._making = asyncio.Lock()
        self._revision = -1
        """What is kept is no older than this revision of the daemon."""
        self._made: dict[str | None, Encoded] = {}

    def ready(self, control: Control, audience: str | None) -> Encoded | None:
        """Return the list for the tokens with this glob if there is one, and nothing has happened since."""
        return self._made.get(audience) if control.revision() == self._revision else None

    async def encode(self, control: Control, caller: Caller) -> Encoded:
        """Return the list of what the caller may see, no older than this call.

        Raises RefusedError before the first scan.
        """
        asked = control.revision()
        async with self._making:
            if self._revision < asked:
                await self._make(control)
            return self._of(caller)

    async def _make(self, control: Control) -> None:
        revision, maintenance = control.revision(), in_force.of_all(control.pauses())
        kept: dict[str, _Fragment] = {}
        loop = asyncio.get_running_loop()
        breath_s = loop.time() + BREATH_S
        for script in sorted(each.script for each in control.schedules_of(())):
            view = control.schedule(script)
            if view is not None:
                kept[script] = self._fragment(view, control.last_outcome(script), maintenance)
            if loop.time() >= breath_s:
                await asyncio.sleep(0)
                breath_s = loop.time() + BREATH_S
        self._kept, self._made, self._revision = kept, {}, revision

    def _of(self, caller: Caller) -> Encoded:
        found = self._made.get(caller.audience)
        if found is None:
            seen = [fragment for script, fragment in self._kept.items() if caller.sees(script)]
            tag = answers.etag(b"".join(fragment.digest for fragment in seen))
            found = Encoded(tag, tuple(fragment.encoded for fragment in seen))
            if len(self._made) < MAX_AUDIENCES:
                self._made[caller.audience] = found
        return found

    def made(
        self, view: ScheduleView, last: LastOutcome | None, *, maintenance: Pause | None
    ) -> ScheduleItem:
        """Return one item exactly as the list has it."""
        coming = self._coming(view, maintenance)
        return item(view, last, words=self._explained(view), coming=coming)

    def _fragment(self, view: ScheduleView, last: LastOutcome | None, maintenance: Pause | None) -> _Fragment:
        known = self._kept.get(view.schedule.script)
        made_of = (view, last, maintenance)
        if known is not None and known.made_of == made_of:
            return known
        coming = self._coming(view, maintenance)
        encoded = msgspec.json.encode(item(view, last, words=self._explained(view), coming=coming))
        return _Fragment(made_of, encoded, hashlib.blake2b(encoded, digest_size=16).digest())

    def _explained(self, view: ScheduleView) -> str:
        """Thousands of scripts share few timetables, and words cost more than all the rest."""
        timetable = view.schedule.timetable
        if timetable not in self._words:
            if len(self._words) >= MAX_WORDS:
                self._words.clear()
            self._words[timetable] = timetable.words()
        return self._words[timetable]

    def _coming(self, view: ScheduleView, maintenance: Pause | None) -> tuple[Slot, ...]:
        """Return the slots that will fire: none before the pauses are over, and none if one has no end."""
        after = in_force.last_covered(view.pause, maintenance)
        if after is None or not view.next_slots:
            return ()
        if view.next_slots[0] > after:
            return view.next_slots
        return self._resumed(view.schedule.timetable, after)

    def _resumed(self, timetable: Timetable, after: Slot) -> tuple[Slot, ...]:
        """Ten thousand scripts in maintenance share few timetables and one end of it."""
        if (timetable, after) not in self._resumptions:
            if len(self._resumptions) >= MAX_RESUMPTIONS:
                self._resumptions.clear()
            self._resumptions[timetable, after] = tuple(timetable.to_run(after, NEXT_SLOTS))
        return self._resumptions[timetable, after]


def item(view: ScheduleView, last: LastOutcome | None, *, words: str, coming: Sequence[Slot]) -> ScheduleItem:
    """Return what the list says of one schedule."""
    schedule = view.schedule
    placement, told = catalogue.placement(schedule.script), described(schedule)
    fires = tuple(instant.from_slot(slot) for slot in coming)
    return ScheduleItem(
        script_path=schedule.path,
        script_rel=schedule.script,
        subdomain=placement.subdomain,
        exec_id=placement.exec_id,
        vm_cache_key=schedule.vm_cache_key,
        expression=schedule.expression,
        timeout_ms=schedule.schedule_timeout_ms,
        registered_at=instant.from_ms(view.registered_at_ms),
        next_fire=fires[0] if fires else None,
        last_fire_at=last.ts if last else None,
        last_fire_status=last.status if last else None,
        last_fire_run_id=last.run_id if last else None,
        id=schedule.script,
        name=told.name,
        status=view.status,
        timezone=schedule.timezone,
        description=told.description,
        tags=told.tags,
        words=words,
        overlap=schedule.overlap.value,
        catchup=schedule.catchup.value,
        catchup_within_ms=schedule.catchup_within_ms,
        deadline_ms=schedule.deadline_ms,
        jitter_ms=schedule.timetable.jitter_s * 1000,
        calendar=calendar_item(schedule.timetable.observance),
        retry=None if schedule.retry is None else _retry(schedule.retry),
        pause=None if view.pause is None else in_force.item(view.pause),
        running=len(view.running),
        held=len(view.held),
        next_fires=fires,
        lock=None if view.lock is None else _lock(view.lock),
        cadence=None if view.pace is None else _cadence(view.pace),
        sha256=schedule.sha256,
        warnings=_warnings(view),
    )


def described(schedule: Schedule) -> Described:
    """Return what the author says of a schedule, without its secrets."""
    return Described(
        name=schedule.name if schedule.label is None else _redacted(schedule.name, schedule),
        description=None if schedule.description is None else _redacted(schedule.description, schedule),
        tags=tuple(_redacted(tag, schedule) for tag in schedule.tags),
    )


def _redacted(text: str, schedule: Schedule) -> str:
    """Return what the author wrote for everybody to read, without the secrets that slipped into it."""
    for secret in sorted(schedule.secrets, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text


def calendar_item(observance: Observance | None) -> CalendarItem | None:
    """Return the calendar of a timetable, as answers have it."""
    if observance is None:
        return None
    return CalendarItem(file=observance.calendar.file, how=observance.how)


def _retry(retry: Retry) -> RetryItem:
    return RetryItem(limit=retry.limit, first_ms=retry.first_ms, most_ms=retry.most_ms)


def _lock(lock: LockView) -> LockItem:
    return LockItem(
        name=lock.name,
        slots=lock.slots,
        taken=lock.taken,
        holders=tuple(map(_holder, lock.holders)),
        waiting=lock.waiting,
        waiters=tuple(WaiterItem(script_path=f.script, run_id=f.run_id) for f in lock.waiters),
    )


def _holder(holder: Holder) -> HolderItem:
    since = instant.from_ms(holder.since_ms or 0)
    return HolderItem(script_path=holder.fire.script, run_id=holder.fire.run_id, since=since)


def _cadence(pace: Pace) -> CadenceItem:
    return CadenceItem(
        slots_per_day=pace.slots_per_day,
        ran_per_day=pace.ran_per_day,
        p50_ms=pace.p50_ms,
        since=instant.from_slot(pace.since),
    )


def _warnings(view: ScheduleView) -> tuple[str, ...]:
    warnings, stale = view.schedule.warnings, view.schedule.stale
    told = () if stale is None or stale in warnings else (stale,)
    slow = () if view.pace is None else (keeping_up.sentence(view.pace, view.schedule),)
    return (*warnings, *told, *view.cautions, *slow)
