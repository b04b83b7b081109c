"""Who is asking: a bearer token over TCP, the kernel's word over the Unix socket.

A peer of the Unix socket has passed the file's mode already, so it needs no token; `SO_PEERCRED` says who
it is. With `allowed_uids` only these, root and the daemon's own user get further. A token that is sent over
the socket is honoured all the same: a proxy that forwards a reader's token must not make an admin of him.

Wrong tokens are counted for each address, and from the eleventh in a minute on answered with 429 and not
logged any more. A right token always passes: with 256 random bits there is nothing to guess, the limit is
there to keep the log readable, and a stranger must not be able to lock out who shares a proxy with him.

Calendar programs can send a password and no bearer token, so the one route that is for them takes the token
as the password of Basic, with any user name. No other route ever does: a browser keeps such a password and
sends it by itself, and then any page on the web could ask in its user's name. What that one route gives out
cannot be read by another origin, and it changes nothing.
"""

import base64
import binascii
import ipaddress
import logging
import math
import os
import socket
import struct
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import hdrs, web

from schedd.errors import StateError
from schedd.web import answers
from schedd.web.answers import AnswerError
from schedd.web.tokens import Scope, Token, TokenFile, digest

LOG = logging.getLogger(__name__)

FAILURES_ALLOWED = 10
FAILURE_WINDOW_S = 60.0
MAX_ADDRESSES = 1_024
HASH_CHARS_LOGGED = 6
MAX_TOKEN_CHARS = 512
CHALLENGE = 'Bearer realm="schedd"'
BASIC = 'Basic realm="schedd", charset="UTF-8"'

_UCRED = struct.Struct("3i")
"""pid, uid, gid: struct ucred of unix(7)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they may: the token, or nobody's limits over the Unix socket."""

    name: str
    """The token's name, or `uid:1000`."""
    token: Token | None = None

    def may(self, scope: Scope) -> bool:
        """Return whether they have this scope."""
        return self.token is None or self.token.may(scope)

    def sees(self, script: str) -> bool:
        """Return whether they may know of the script at this relative path."""
        return self.token is None or self.token.sees(script)

    @property
    def audience(self) -> str | None:
        """The glob of the scripts that they may see; None = all."""
        return None if self.token is None else self.token.scripts

    @property
    def limited(self) -> bool:
        """Whether there may be scripts that they do not see."""
        return self.token is not None and self.token.scripts is not None


class Access:
    """Tells callers apart, and remembers who failed lately."""

    def __init__(
        self, tokens: TokenFile, *, allowed_uids: Iterable[int] = (), behind_proxy: bool = False
    ) -> None:
        self._tokens = tokens
        self._uids = _admitted(allowed_uids)
        self._behind_proxy = behind_proxy
        self._failures = Failures()
        self._complaint = ""

    def allow(self, uids: Iterable[int]) -> None:
        """Replace the uids that may use the Unix socket, besides root and the daemon's own."""
        self._uids = _admitted(uids)

    def standing(self) -> "tuple[tuple[Token, ...], frozenset[int]]":
        """Return all that a verdict depends on, besides the request. Raises StateError."""
        return self._tokens.current(), self._uids

    def caller(self, request: web.Request, *, now_s: float, basic: bool = False) -> Caller:
        """Return who asks; with `basic`, the token may also come as the password of Basic.

        Raises AnswerError: 401 without a good token, 403 for a uid that is not welcome, 429 after too many
        wrong tokens, 503 while the tokens file cannot be used.
        """
        uid = peer_uid(request)
        if uid is not None and self._uids and uid not in self._uids:
            raise AnswerError(403, f"uid {uid} may not use this socket")
        given = request.headers.getall(hdrs.AUTHORIZATION, [])
        if given:
            return self._known(given, address=self._address(request, uid), now_s=now_s, basic=basic)
        if uid is not None:
            return Caller(f"uid:{uid}")
        raise AnswerError(
            401,
            "a bearer token is required: make one with schedd token add",
            headers={hdrs.WWW_AUTHENTICATE: f"{CHALLENGE}, {BASIC}" if basic else CHALLENGE},
        )

    def _known(self, given: list[str], *, address: str, now_s: float, basic: bool) -> Caller:
        scheme, _, token = given[0].partition(" ")
        token = token.strip(" ")
        if basic and scheme.lower() == "basic":
            scheme, token = "bearer", _password(token)
        found = None
        if len(given) == 1 and scheme.lower() == "bearer" and 0 < len(token) <= MAX_TOKEN_CHARS:
            found = self._find(token)
        if found is not None:
            return Caller(found.name, found)
        wait_s = self._failures.note(address, now_s=now_s)
        if wait_s > 0:
            raise AnswerError(429, "too many wrong tokens from this address", retry_after_s=wait_s)
        LOG.warning("wrong token from %s (sha256 %s…)", address, digest(token)[:HASH_CHARS_LOGGED])
        raise AnswerError(
            401,
            "the token is not valid",
            headers={
                hdrs.WWW_AUTHENTICATE: CHALLENGE + ', error="invalid_token"' + (f", {BASIC}" if basic else "")
            },
        )

    def _find(self, token: str) -> Token | None:
        try:
            found = self._tokens.find(token)
        except StateError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                LOG.error("no token is accepted: %s", error)  # noqa: TRY400 # the sentence says it all
            raise answers.unavailable() from error
        self._complaint = ""
        return found

    def _address(self, request: web.Request, uid: int | None) -> str:
        """Return what failures are counted by: the uid, or the host, of which IPv6 gives each a /64."""
        if uid is not None:
            return f"uid:{uid}"
        text = request.remote or "unknown"
        if self._behind_proxy:
            # The last entry is the declared proxy's own; those before it are whatever the client wrote.
            text = request.headers.get("X-Forwarded-For", text).rpartition(",")[2].strip()
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return "unknown"
        if address.version == 4 or address.is_loopback:
            return str(address)
        return str(ipaddress.ip_network((address, 64), strict=False))


class Failures:
    """Wrong tokens for each address within a window; the longest silent address is forgotten first."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def note(self, address: str, *, now_s: float) -> int:
        """Count one failure; return 0, or after how many whole seconds the next attempt is worth it."""
        began_s, count = self._seen.pop(address, (now_s, 0))
        if now_s - began_s >= FAILURE_WINDOW_S:
            began_s, count = now_s, 0
        count += 1
        self._seen[address] = (began_s, count)
        if len(self._seen) > MAX_ADDRESSES:
            self._seen.popitem(last=False)
        if count <= FAILURES_ALLOWED:
            return 0
        return max(1, math.ceil(began_s + FAILURE_WINDOW_S - now_s))


def require(caller: Caller, scope: Scope) -> None:
    """Raise AnswerError (403) unless the caller has the scope."""
    if not caller.may(scope):
        raise AnswerError(
            403,
            f"the token {caller.name} lacks the scope {scope}",
            details={"scope": scope.value},
            headers={hdrs.WWW_AUTHENTICATE: f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'},
        )


def require_script(caller: Caller, script: str) -> None:
    """Raise AnswerError (403) unless the caller may know of the script."""
    if not caller.sees(script):
        raise AnswerError(
            403, f"the token {caller.name} is not for this script", details={"scriptPath": script}
        )


def peer_uid(request: web.BaseRequest) -> int | None:
    """Return the uid at the other end of a Unix socket; None over TCP."""
    transport = request.transport
    sock = None if transport is None else transport.get_extra_info("socket")
    if sock is None or sock.family != socket.AF_UNIX:
        return None
    _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)


def _password(credentials: str) -> str:
    """Return the password of Basic credentials (RFC 7617); empty for what are none."""
    if len(credentials) > 4 * MAX_TOKEN_CHARS:
        return ""
    try:
        pair = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return pair.partition(":")[2]


def _admitted(uids: Iterable[int]) -> frozenset[int]:
    """Return the uids that are let in; empty = whom the socket's mode lets in."""
    chosen = frozenset(uids)
    return chosen | {0, os.geteuid()} if chosen else chosen
