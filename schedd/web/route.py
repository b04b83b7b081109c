"""One line of the route table, with all that the description of the API says about it."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
from aiohttp import web

from schedd.web.state import Wants


class Route(NamedTuple):
    """Who answers what, for whom."""

    method: str
    path: str
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
    wants: Wants
    gives: "type[msgspec.Struct] | tuple[str, ...]"
    """The type of a success, or its media types where it is no JSON."""
    what: str = ""
    """A few words on it."""
    takes: type[msgspec.Struct] | None = None
    """The type of the body of a POST."""
    asks: tuple[str, ...] = ()
    """The keys that may stand in the query."""
    needs: tuple[str, ...] = ()
    """Those of them that must."""
    several: tuple[str, ...] = ()
    """Those of them that may be repeated."""
    basic: bool = False
    """It takes the token as the password of Basic, too (see `auth`)."""
    also: tuple[int, ...] = ()
    """Statuses besides the usual ones."""
