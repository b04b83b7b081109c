"""The output of a run as it comes: as text, or as server-sent events, one for each line.

Whoever listens is never waited for. What a listener has not read is bounded by the runner, and what it is
too slow for is counted there; a connection that takes nothing for `WRITE_S` is cut. An event's id is the
offset in the output behind it: who comes back with `Last-Event-ID` goes on there, from what is kept.

Rejected: a list of lines for each run, from which listeners read at their own pace (a run that nobody listens
to would pay for it), and a task for each listener that pushes (the response's own writing is one).
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing

import msgspec
from aiohttp import hdrs, web

from schedd.fire import Entry, Reason, RunId, Status
from schedd.runner import lines
from schedd.runner.lines import Backlog, Gap, Item
from schedd.timetable import instant
from schedd.web import answers, state
from schedd.web.control import Control
from schedd.web.types import Answer

MAX_STREAMS = 128
"""Listeners at once; each holds a connection and a place at its run."""

LOOK_S = 5.0
"""How long a listener may be gone before the silence of its run lets us notice."""

PING_S = 15.0
"""How long nothing may be sent: proxies cut what is silent, and a client sees that the link is alive."""

WRITE_S = 20.0
"""A listener that takes nothing for so long is cut."""

HELD_S = 0.5
"""How often it is looked whether a fire that waits has been started."""

RETRY = b"retry: 2000\n\n"
"""After how many milliseconds a browser connects again."""

MOST_LINES = 500
"""In one piece of an answer."""

FLOOD_S = 0.25
"""How long a listener that was too slow is told nothing."""

TEXT = "text/plain; charset=utf-8"
EVENTS = "text/event-stream"
PING = b": ping\n\n"

_OFFSET = re.compile("[0-9]{1,18}")


class LineEvent(Answer, frozen=True):
    """A line, or a piece of one."""

    text: str
    at: str | None
    n: int | None
    part: bool


class GapEvent(Answer, frozen=True):
    """What is missing."""

    bytes: int
    lines: int | None


class EndEvent(Answer, frozen=True):
    """The run is over."""

    status: Status
    reason: Reason | None
    exit_code: int | None
    duration_ms: int


async def text(request: web.Request, here: state.State, run_id: RunId) -> web.StreamResponse:
    """Send the output of a live run as it comes, until it ends, the client leaves or the sockets close."""
    return await _send(request, here, here.control.follow(run_id), TEXT)


async def events(
    request: web.Request, here: state.State, found: "tuple[RunId, asyncio.Future[Entry]] | Entry"
) -> web.StreamResponse:
    """Send the output of a run as events to its end: one that is over, or one with what gets its line."""
    after = _last_event_id(request)
    frames = _kept(here.control, found, after) if isinstance(found, Entry) else _live(here, *found, after)
    return await _send(request, here, frames, EVENTS, ping=PING)


def wants_events(request: web.Request) -> bool:
    """Whether the client would rather have server-sent events than text."""
    return request.headers.get(hdrs.ACCEPT, "").partition(",")[0].partition(";")[0].strip() == EVENTS


async def _live(
    here: state.State, run_id: RunId, done: "asyncio.Future[Entry]", after: int
) -> AsyncGenerator[bytes, None]:
    """Yield the events of a fire that runs, or waits for its start."""
    yield RETRY
    heard = False
    while not heard and not done.done():
        async with aclosing(_batches(here.control, run_id, after)) as batches:
            async for batch in batches:
                heard = True
                if batch:
                    yield _frames(batch)
                    # A script that never pauses must not keep the others waiting; and one that prints faster
                    # than anybody reads is not to be slowed down by telling of it.
                    await asyncio.sleep(FLOOD_S if any(isinstance(item, Gap) for item in batch) else 0)
        # Over, and soon told; or not started yet.
        await asyncio.wait((done,), timeout=None if heard else HELD_S)
    if done.cancelled():
        return
    # What was over before anybody listened is told from what is kept.
    frames = _end(done.result()) if heard else _kept(here.control, done.result(), after)
    async for frame in frames:
        yield frame


async def _kept(control: Control, entry: Entry, after: int) -> AsyncGenerator[bytes, None]:
    """Yield the events of a run that is over."""
    yield RETRY
    kept = await control.output(entry.run_id) or b""
    backlog = Backlog(lines.stretches(kept, truncated=bool(entry.output_truncated)), after=after)
    for batch in lines.batches(backlog, MOST_LINES):
        yield _frames(batch)
        await asyncio.sleep(0)
    async for frame in _end(entry):
        yield frame


async def _batches(control: Control, run_id: RunId, after: int) -> AsyncGenerator[list[Item], None]:
    """Yield what the daemon yields, and let go of it at the end."""
    following = control.lines(run_id, after)
    try:
        async for batch in following:
            yield batch
    finally:
        if isinstance(following, AsyncGenerator):
            await following.aclose()


async def _end(entry: Entry) -> AsyncIterator[bytes]:
    end = EndEvent(
        status=entry.status, reason=entry.reason, exit_code=entry.exit_code, duration_ms=entry.duration_ms
    )
    yield b"event: end\ndata: %s\n\n" % msgspec.json.encode(end)


def _frames(items: Iterable[Item]) -> bytes:
    return b"".join(map(_frame, items))


def _frame(item: Item) -> bytes:
    if isinstance(item, Gap):
        gap = GapEvent(bytes=item.size_bytes, lines=item.lines)
        return b"event: gap\nid: %d\ndata: %s\n\n" % (item.end, msgspec.json.encode(gap))
    at = None if item.at_ms is None else instant.from_ms(item.at_ms)
    line = LineEvent(text=item.text, at=at, n=item.number, part=not item.whole)
    return b"event: line\nid: %d\ndata: %s\n\n" % (item.end, msgspec.json.encode(line))


def _last_event_id(request: web.Request) -> int:
    """Return how far the client has got; 0 for what is no offset: refused, a browser would not come back."""
    given = request.headers.get("Last-Event-ID", "")
    return int(given) if _OFFSET.fullmatch(given) else 0


async def _send(
    request: web.Request,
    here: state.State,
    chunks: AsyncIterator[bytes],
    content_type: str,
    *,
    ping: bytes = b"",
) -> web.StreamResponse:
    if here.streams >= MAX_STREAMS or here.closing.is_set():
        raise answers.unavailable()
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: "no-store"})
    # Proxies that buffer would make a live stream a late one.
    response.headers["X-Accel-Buffering"] = "no"
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    here.streams += 1
    try:
        await _copy(request, response, here.closing, chunks, ping=ping)
    except (ConnectionError, TimeoutError):
        # The client left, or takes nothing: either way there is nobody to tell.
        response.force_close()
        if request.transport is not None:
            request.transport.abort()
    finally:
        here.streams -= 1
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    return response


async def _copy(
    request: web.Request,
    response: web.StreamResponse,
    closing: asyncio.Event,
    chunks: AsyncIterator[bytes],
    *,
    ping: bytes,
) -> None:
    """Copy chunks to the response; a client that left is noticed at the next chunk, or the next look."""
    now_s = asyncio.get_running_loop().time
    sent_s = now_s()
    closed = asyncio.ensure_future(closing.wait())
    chunk = asyncio.ensure_future(_next(chunks))
    try:
        while not closing.is_set():
            await asyncio.wait((chunk, closed), timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            if request.transport is None or request.transport.is_closing():
                return
            piece = chunk.result() if chunk.done() else ping
            if piece is None:
                return
            if not chunk.done() and (not ping or now_s() - sent_s < PING_S):
                continue
            async with asyncio.timeout(WRITE_S):
                await response.write(piece)
            sent_s = now_s()
            if chunk.done():
                chunk = asyncio.ensure_future(_next(chunks))
    finally:
        for task in (closed, chunk):
            task.cancel()
        await asyncio.gather(closed, chunk, return_exceptions=True)


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    """Return the next chunk that is not empty; None at the end."""
    async for piece in chunks:
        if piece:
            return piece
    return None
