"""A listener to `GET /events`, and what it is told of: for the tests of the stream."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from schedd.fire import Entry, Fire, Kind, Outcome, RunId, Status, ran
from schedd.web import state
from schedd.web.feed import Feed
from tests.api import DEADLINE_S, Api
from tests.fake_control import NOW_MS

EVENTS = "/api/v1/exec/events"


@dataclass(frozen=True)
class Event:
    name: str
    id: str | None
    data: Any


class Listener:
    """Reads events as a page does."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> Event | None:
        """Return the next event; None at the end."""
        name, mark, data = "message", None, ""
        async for raw in self.response.content:
            field, _, value = raw.decode().removesuffix("\n").partition(": ")
            match field:
                case "event":
                    name = value
                case "id":
                    mark = value
                case "data":
                    data = value
                case "" if data:
                    return Event(name, mark, json.loads(data))
        return None

    async def until(self, name: str) -> Event:
        """Return the next event of this name."""
        while (event := await self.next()) is not None:
            if event.name == name:
                return event
        raise AssertionError(f"the stream ended before {name}")

    async def rest(self) -> list[Event]:
        """Return all events to the end."""
        found = []
        while (event := await self.next()) is not None:
            found.append(event)
        return found


@contextlib.asynccontextmanager
async def listening(
    api: Api, *, after: str | None = None, token: str | None = None
) -> AsyncIterator[Listener]:
    """Listen from the first event on, which was read."""
    headers = {"Authorization": f"Bearer {token or api.admin}"}
    if after is not None:
        headers["Last-Event-ID"] = after
    url = f"{api.bound.url}{EVENTS}"
    async with asyncio.timeout(DEADLINE_S), api.session.get(url, headers=headers) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        yield Listener(response)


def feed_of(api: Api) -> Feed:
    return api.app[state.STATE].events.feed


def line(number: int, script: str = "a.py", *, error: str | None = None) -> Entry:
    """Return the line of the fire with this number."""
    run_id = RunId(f"{number:08x}-0000-7000-8000-000000000000")
    status = Status.OK if error is None else Status.ERROR
    outcome = Outcome(status=status, error=error, started_ms=NOW_MS, ended_ms=NOW_MS + number)
    return ran(Fire(run_id, script, "@hourly", Kind.SCHEDULE, None), outcome, host="here")


def publish(api: Api, *entries: Entry) -> None:
    """Let fires end, as the ledger tells of it."""
    for entry in entries:
        api.control.entries.insert(0, entry)
        feed_of(api).published(entry)


def numbers(found: list[Event]) -> list[int]:
    return [int(event.data["runId"][:8], 16) for event in found]
