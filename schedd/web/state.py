"""What the handlers of one application share: made in `app.build`, found under one key."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from aiohttp import web

from schedd.insight.load import Load
from schedd.web.auth import Access, Caller
from schedd.web.control import Control
from schedd.web.feed import Feed
from schedd.web.listeners import Listeners
from schedd.web.listing import Listing
from schedd.web.meters import Meters
from schedd.web.past import Past
from schedd.web.tokens import Scope


class Wanted(Enum):
    """What a route may want instead of a scope."""

    OPEN = "nobody needs to say who they are"
    ANY = "any caller that is known"


OPEN: Final = Wanted.OPEN
ANY: Final = Wanted.ANY

Wants = Scope | Wanted


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may ask by name and from where: the settings that a running daemon may change."""

    cors_origins: frozenset[str]
    allowed_hosts: frozenset[str]

    @classmethod
    def of(cls, *, cors_origins: Iterable[str], allowed_hosts: Iterable[str]) -> "Rules":
        """Normalise: lower case, no slash after an origin, no dot after a host name."""
        return cls(
            frozenset(origin.lower().rstrip("/") for origin in cors_origins),
            frozenset(host.lower().rstrip(".") for host in allowed_hosts),
        )


class Events:
    """What those who listen to what happens share."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.listeners = Listeners(feed)
        self.past = Past(feed)


@dataclass(slots=True)
class State:
    """The parts that a handler may use. Only `rules` is ever replaced, and only by `app.apply`."""

    control: Control
    access: Access
    rules: Rules
    scopes: Mapping[object, Wants]
    """What each handler wants; what is not in it (unknown paths, wrong methods) wants `ANY`."""
    now_s: Callable[[], float]
    """Seconds that nobody can set."""
    basic: frozenset[object] = frozenset()
    """The handlers that take Basic, too."""
    description: bytes = b"{}"
    """What `GET /openapi.json` answers."""
    meters: Meters = field(default_factory=Meters)
    listing: Listing = field(default_factory=Listing)
    load: Load = field(default_factory=Load)
    counting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by who counts with `load`: one thread at a time."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the sockets close: streams end, nothing new begins."""
    streams: int = 0
    events: Events = field(default_factory=lambda: Events(Feed()))


STATE = web.AppKey("schedd.state", State)
CALLER = web.RequestKey("schedd.caller", Caller)


def of(request: web.Request) -> State:
    """Return the state of the application that a request came to."""
    return request.app[STATE]
