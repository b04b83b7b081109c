"""What every request passes before a handler sees it, and what every answer gets on its way out.

In this order: the Host is one of ours (or a rebound DNS name would make any page on the web a client of
127.0.0.1), OPTIONS is answered, a POST from a page of another origin is refused, the caller is known, the
caller may. All refusals, also those of handlers and of aiohttp itself, become the one form of errors here.
What nobody expected is not caught here: see `server`.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, hdrs, web

from schedd.web import answers, auth, body, state
from schedd.web.answers import AnswerError
from schedd.web.control import RefusedError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CORS_MAX_AGE_S = 600
CORS_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Range"
CORS_ANSWER_HEADERS = "ETag, Location, Retry-After, Content-Range, WWW-Authenticate"

CSP = "Content-Security-Policy"

SECURITY_HEADERS = {
    # The answers of an API are data: never sniffed, run, framed, or embedded by another site.
    "X-Content-Type-Options": "nosniff",
    CSP: "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    # aiohttp would tell its version and Python's.
    hdrs.SERVER: "schedd",
}

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/@\s]+)(?::[0-9]{1,5})?")
_SAFE = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through to its handler, or answer with what is wrong."""
    here = state.of(request)
    try:
        return await _through(request, handler, here)
    except AnswerError as error:
        failure = error
    except RefusedError as error:
        failure = answers.refused(error)
    except web.HTTPException as error:
        failure = _of_http(error)
    return answers.failed(failure, now_ms=here.control.now_ms())


async def dress(request: web.Request, response: web.StreamResponse) -> None:
    """Put on the headers that every answer has, and those for a page of an allowed origin."""
    # The dashboard has a Content-Security-Policy of its own.
    response.headers.update({**SECURITY_HEADERS, **_own_policy(response)})
    state.of(request).meters.requested(route(request), response.status)
    origins = state.of(request).rules.cors_origins
    if not origins:
        return
    response.headers.add(hdrs.VARY, hdrs.ORIGIN)
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and origin.lower() in origins:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = CORS_ANSWER_HEADERS


def _own_policy(response: web.StreamResponse) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name == CSP}


def route(request: web.Request) -> str:
    """Name the route that was asked for; what is none of ours is one, or strangers could make series."""
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical


async def _through(request: web.Request, handler: Handler, here: state.State) -> web.StreamResponse:
    if auth.peer_uid(request) is None:
        _check_host(request, here.rules)
    if request.method == hdrs.METH_OPTIONS:
        return _options(request)
    if request.method not in _SAFE:
        _check_origin(request, here.rules)
    scope = here.scopes.get(request.match_info.handler, state.ANY)
    if scope is not state.OPEN:
        basic = request.match_info.handler in here.basic
        caller = here.access.caller(request, now_s=here.now_s(), basic=basic)
        request[state.CALLER] = caller
        if scope is not state.ANY:
            auth.require(caller, scope)
    return await handler(request)


def _check_host(request: web.Request, rules: state.Rules) -> None:
    """Refuse names that are not ours. An IP address is: what rebinds is a name, a page's own."""
    hosts = request.headers.getall(hdrs.HOST, [])
    if not hosts and request.version < HttpVersion11:
        return
    match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if match is None:
        raise answers.invalid("exactly one well-formed Host header is required")
    name = match[1].lower().rstrip(".")
    if name != "localhost" and name not in rules.allowed_hosts and not _is_address(name):
        raise AnswerError(403, f"this is not {name}: a name must be listed in allowed_hosts")


def _check_origin(request: web.Request, rules: state.Rules) -> None:
    """Refuse what a page of another origin asks for: browsers send its Origin, other clients send none."""
    for origin in request.headers.getall(hdrs.ORIGIN, []):
        if origin.lower() not in rules.cors_origins and not _is_own(origin, request):
            raise AnswerError(403, "pages of this origin may not ask: list it in cors_origins")


def _is_own(origin: str, request: web.Request) -> bool:
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(netloc) and netloc.lower() == request.headers.get(hdrs.HOST, "").lower()


@lru_cache(maxsize=64)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _options(request: web.Request) -> web.Response:
    """Say what may be asked here; to a page of an allowed origin, also how."""
    problem = request.match_info.http_exception
    if not isinstance(problem, web.HTTPMethodNotAllowed):
        raise answers.not_found("not found")
    response = web.Response(status=204, headers={hdrs.ALLOW: _allow(problem)})
    origin = request.headers.get(hdrs.ORIGIN, "").lower()
    if origin in state.of(request).rules.cors_origins:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = _allow(problem)
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = CORS_REQUEST_HEADERS
        response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(CORS_MAX_AGE_S)
    return response


def _of_http(error: web.HTTPException) -> AnswerError:
    """Return what aiohttp itself refused, in our form."""
    match error:
        case web.HTTPMethodNotAllowed():
            allow = _allow(error)
            return AnswerError(405, f"method not allowed: use {allow}", headers={hdrs.ALLOW: allow})
        case web.HTTPNotFound():
            return answers.not_found("not found")
        case web.HTTPRequestEntityTooLarge():
            return body.too_large()
        case _:
            return answers.invalid(error.reason)


def _allow(error: web.HTTPMethodNotAllowed) -> str:
    return ", ".join(sorted({*error.allowed_methods, hdrs.METH_OPTIONS}))
