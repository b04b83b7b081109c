"""The fires log of the fake daemon: a list of lines, newest first, read in pages as the real one is."""

from collections.abc import Sequence

from schedd.fire import Entry
from schedd.ledger.history import Page, Query
from schedd.timetable import instant


def page(entries: Sequence[Entry], query: Query, *, scan: int, bad: tuple[str, ...]) -> Page:
    """Return a page; `scan` is how many lines one answer looks at. Raises ValueError for a bad cursor."""
    skip = 0
    if query.cursor is not None:
        if not query.cursor.startswith("after-"):
            raise ValueError("cursor is not one that this log gave out")
        skip = int(query.cursor.removeprefix("after-"))
    found: list[Entry] = []
    at = skip
    for at, entry in enumerate(entries[skip : skip + scan], start=skip + 1):  # noqa: B007
        if _matches(entry, query):
            found.append(entry)
        if len(found) == query.limit:
            break
    more = at < len(entries)
    return Page(tuple(found), more, f"after-{at}" if more else None, bad)


def _matches(entry: Entry, query: Query) -> bool:
    at_ms = instant.to_ms(entry.ts)
    wanted = ((query.script, entry.script_path), (query.status, entry.status), (query.reason, entry.reason))
    return (
        all(want is None or want == has for want, has in wanted)
        and (query.kind is None or entry.kind is query.kind)
        and (query.run_id is None or entry.run_id == query.run_id)
        and (query.since_ms is None or at_ms >= query.since_ms)
        and (query.until_ms is None or at_ms < query.until_ms)
        and _has_slot(entry, query)
    )


def _has_slot(entry: Entry, query: Query) -> bool:
    if query.slot_since_ms is None and query.slot_until_ms is None:
        return True
    if entry.slot is None:
        return False
    first_ms, last_ms = instant.to_ms(entry.slot), instant.to_ms(entry.last_slot or entry.slot)
    return (query.slot_since_ms is None or last_ms >= query.slot_since_ms) and (
        query.slot_until_ms is None or first_ms < query.slot_until_ms
    )
