"""The list of schedules, encoded: one fragment for each script, made again only when something of it changed.

With 10,000 scripts a list made anew holds the event loop for a fifth of a second, and held it is late for
slots. Most scripts did not change between two polls, so their JSON is kept; between batches the loop may
run what is due.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from schedd.ledger.facts import LastOutcome
from schedd.planner.view import ScheduleView
from schedd.scripts import catalogue
from schedd.timetable import instant
from schedd.timetable.timetable import Timetable
from schedd.web import answers
from schedd.web.types import ScheduleItem

BATCH = 50
"""Scripts between two breaths of the loop."""

MAX_WORDS = 10_000

CATCHUP = "none"
"""What happens to missed slots; there is no other policy yet."""

Last = Callable[[str], LastOutcome | None]


@dataclass(frozen=True, slots=True)
class Encoded:
    """The body of `GET /list` (`types.ListAnswer`) in parts, and its tag without putting them together."""

    tag: str
    fragments: tuple[bytes, ...]

    def body(self) -> bytes:
        """Put the parts together: milliseconds for 10,000 scripts, and not for a client that has them."""
        return b'{"total":%d,"schedules":[%s]}' % (len(self.fragments), b",".join(self.fragments))


@dataclass(frozen=True, slots=True)
class _Fragment:
    made_of: tuple[ScheduleView, LastOutcome | None]
    encoded: bytes
    digest: bytes


class Listing:
    """The fragments of the last list, by script."""

    def __init__(self) -> None:
        self._kept: dict[str, _Fragment] = {}
        self._words: dict[Timetable, str] = {}

    async def encode(self, views: Sequence[ScheduleView], last: Last, sees: Callable[[str], bool]) -> Encoded:
        """Return the list: of these schedules, those that `sees` lets through."""
        kept: dict[str, _Fragment] = {}
        for index, view in enumerate(views):
            script = view.schedule.script
            kept[script] = self._fragment(view, last(script))
            if index % BATCH == BATCH - 1:
                await asyncio.sleep(0)
        self._kept = kept
        seen = [fragment for script, fragment in kept.items() if sees(script)]
        tag = answers.etag(b"".join(fragment.digest for fragment in seen))
        return Encoded(tag, tuple(fragment.encoded for fragment in seen))

    def _fragment(self, view: ScheduleView, last: LastOutcome | None) -> _Fragment:
        known = self._kept.get(view.schedule.script)
        if known is not None and known.made_of == (view, last):
            return known
        encoded = msgspec.json.encode(item(view, last, self._explained(view)))
        return _Fragment((view, last), encoded, hashlib.blake2b(encoded, digest_size=16).digest())

    def _explained(self, view: ScheduleView) -> str:
        """Thousands of scripts share few timetables, and words cost more than all the rest."""
        timetable = view.schedule.timetable
        if timetable not in self._words:
            if len(self._words) >= MAX_WORDS:
                self._words.clear()
            self._words[timetable] = timetable.words()
        return self._words[timetable]


def item(view: ScheduleView, last: LastOutcome | None, words: str) -> ScheduleItem:
    """Return what the list says of one schedule."""
    schedule = view.schedule
    placement = catalogue.placement(schedule.script)
    fires = tuple(instant.from_slot(slot) for slot in view.next_slots)
    return ScheduleItem(
        script_path=schedule.path,
        script_rel=schedule.script,
        subdomain=placement.subdomain,
        exec_id=placement.exec_id,
        vm_cache_key=catalogue.vm_cache_key(schedule.script),
        expression=schedule.expression,
        timeout_ms=schedule.schedule_timeout_ms,
        registered_at=instant.from_ms(view.registered_at_ms),
        next_fire=fires[0] if fires else None,
        last_fire_at=last.ts if last else None,
        last_fire_status=last.status if last else None,
        last_fire_run_id=last.run_id if last else None,
        id=schedule.script,
        name=schedule.name,
        status=view.status,
        timezone=schedule.timezone,
        description=schedule.description,
        tags=schedule.tags,
        words=words,
        overlap=schedule.overlap.value,
        catchup=CATCHUP,
        running=len(view.running),
        held=len(view.held),
        next_fires=fires,
        sha256=schedule.sha256,
        warnings=_warnings(view),
    )


def _warnings(view: ScheduleView) -> tuple[str, ...]:
    warnings, stale = view.schedule.warnings, view.schedule.stale
    return warnings if stale is None or stale in warnings else (*warnings, stale)
