"""`GET /events`: what happens, as server-sent events, from where the listener was when it comes back."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
from aiohttp import HttpVersion11, hdrs, web

from schedd.fire import Entry, RunId
from schedd.ledger import facts
from schedd.timetable import instant
from schedd.web import answers, auth, event_types, live, query, state
from schedd.web.answers import AnswerError
from schedd.web.control import Phase, RefusedError
from schedd.web.listeners import MAX_LISTENERS, PIECE_BYTES, Listener
from schedd.web.tokens import Scope

MAX_ID_CHARS = 64
MAX_ROUNDS = 64
"""Pieces that a listener may be behind; one that gets no nearer will not arrive."""


async def stream(request: web.Request) -> web.StreamResponse:
    """Answer `GET /events`: until the client leaves, is too slow or not welcome any more, or all ends."""
    query.read(request)
    here = state.of(request)
    _admit(here)
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: live.EVENTS, hdrs.CACHE_CONTROL: "no-store"})
    # Proxies that buffer would make a live stream a late one.
    response.headers["X-Accel-Buffering"] = "no"
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    with _present(request, here) as listener:
        try:
            await _catch_up(request, response, here, listener)
            here.events.listeners.join(listener)
            await _stay(here, listener)
        except (ConnectionError, TimeoutError):
            listener.cut()
    if listener.transport.is_closing():
        response.force_close()
    return response


def _admit(here: state.State) -> None:
    """Raise AnswerError (503) unless somebody more may listen."""
    if here.control.health().phase is Phase.STARTING:
        raise answers.unavailable("schedd is starting: ask again in a moment")
    if len(here.events.listeners) >= MAX_LISTENERS:
        raise answers.unavailable(f"{MAX_LISTENERS} listen already")
    if here.closing.is_set():
        raise answers.unavailable()


@contextmanager
def _present(request: web.Request, here: state.State) -> Iterator[Listener]:
    if request.transport is None:
        raise ConnectionResetError
    listener = Listener(
        caller=request[state.CALLER],
        transport=request.transport,
        chunked=request.version >= HttpVersion11,
        welcome=lambda: _is_welcome(request, here),
    )
    here.events.listeners.arrive(listener)
    try:
        yield listener
    finally:
        here.events.listeners.leave(listener)


def _is_welcome(request: web.Request, here: state.State) -> bool:
    """Ask again, as at the beginning: the token may have been revoked since."""
    try:
        caller = here.access.caller(request, now_s=here.now_s())
        auth.require(caller, Scope.READ)
    except AnswerError:
        return False
    return caller == request[state.CALLER]


async def _catch_up(
    request: web.Request, response: web.StreamResponse, here: state.State, listener: Listener
) -> None:
    """Send the first event and what was missed, until nothing is left to send.

    Raises TimeoutError when the client takes nothing, ConnectionError when it has gone or is too far behind.
    """
    feed, sees = here.events.feed, listener.caller.sees
    given = request.headers.get("Last-Event-ID", "")[:MAX_ID_CHARS]
    listener.got = feed.newest
    missed: list[Entry] = []
    found = feed.find(given) if given else None
    if given and found is None:
        with suppress(RefusedError):
            back = await here.events.past.since(here.control, given)
            if back is not None:
                missed, found = back
    if found is not None:
        listener.got = found
    await _write(response, _hello(here, resumed=found is not None, anew=found is None))
    for piece in _pieces(entry for entry in missed if sees(entry.script_path)):
        await _write(response, piece)
    told: frozenset[RunId] = frozenset(entry.run_id for entry in missed)
    for _ in range(MAX_ROUNDS):
        if listener.got == feed.newest:
            return
        following = feed.piece(sees, listener.got, PIECE_BYTES, but=told)
        if following is None:
            break
        piece, listener.got = following
        if piece:
            await _write(response, piece)
    raise ConnectionResetError


def _hello(here: state.State, *, resumed: bool, anew: bool) -> bytes:
    """Return the first event. Only with one that begins `anew` goes an id: what was missed comes yet."""
    health, position = here.control.health(), here.events.feed.position
    hello = event_types.HelloEvent(
        position=position,
        now=instant.from_ms(here.control.now_ms()),
        version=health.version,
        host=health.host,
        resumed=resumed,
    )
    mark = b"id: %s\n" % position.encode() if anew else b""
    return live.RETRY + b"event: hello\n%sdata: %s\n\n" % (mark, msgspec.json.encode(hello))


def _pieces(entries: Iterator[Entry]) -> Iterator[bytes]:
    """Yield ends that were read from the log as events, some at a time."""
    parts: list[bytes] = []
    size = 0
    for entry in entries:
        data = b"event: ended\nid: %s.0\ndata: %s\n\n" % (entry.run_id.encode(), facts.encode(entry)[:-1])
        parts.append(data)
        size += len(data)
        if size >= PIECE_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    async with asyncio.timeout(live.WRITE_S):
        await response.write(piece)


async def _stay(here: state.State, listener: Listener) -> None:
    """Wait until it is over; when all ends, what there is still to say is sent first."""
    closed = asyncio.ensure_future(here.closing.wait())
    try:
        await asyncio.wait((closed, listener.over), return_when=asyncio.FIRST_COMPLETED)
        if listener.over.done():
            return listener.over.result()
        await here.events.listeners.say_farewell()
    finally:
        closed.cancel()
