"""The application: the route table, and the parts that its handlers share."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from aiohttp import web

from schedd.web import body, gate, health, insight, pauses, runs, schedules, state
from schedd.web.auth import Access
from schedd.web.control import Control
from schedd.web.state import OPEN, Rules, State, Wants
from schedd.web.tokens import Scope

SCHEDULES = "/api/v1/exec/schedules"
RUNS = "/api/v1/exec/runs"


class Route(NamedTuple):
    """One line of the route table."""

    method: str
    path: str
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
    wants: Wants


ROUTES = (
    Route("GET", f"{SCHEDULES}/list", schedules.list_all, Scope.READ),
    Route("GET", f"{SCHEDULES}/history", schedules.history, Scope.READ),
    Route("POST", f"{SCHEDULES}/reload", schedules.reload, Scope.ADMIN),
    Route("POST", f"{SCHEDULES}/trigger", schedules.trigger, Scope.TRIGGER),
    Route("POST", f"{SCHEDULES}/pause", pauses.pause, Scope.ADMIN),
    Route("POST", f"{SCHEDULES}/resume", pauses.resume, Scope.ADMIN),
    Route("GET", f"{SCHEDULES}/pauses", pauses.list_all, Scope.READ),
    Route("GET", f"{SCHEDULES}/preview", schedules.preview, Scope.READ),
    Route("GET", f"{SCHEDULES}/why", insight.why, Scope.READ),
    Route("GET", f"{SCHEDULES}/gaps", insight.gaps, Scope.READ),
    Route("POST", f"{SCHEDULES}/replay", insight.replay, Scope.TRIGGER),
    Route("GET", RUNS, runs.list_all, Scope.READ),
    Route("GET", RUNS + "/{runId}", runs.one, Scope.READ),
    Route("GET", RUNS + "/{runId}/output", runs.output, Scope.READ),
    Route("POST", RUNS + "/{runId}/stop", runs.stop, Scope.TRIGGER),
    Route("GET", "/api/v1/exec/health", health.alive, OPEN),
    Route("GET", "/healthz", health.alive, OPEN),
    Route("GET", "/readyz", health.ready, Scope.READ),
    Route("GET", "/", health.front_door, OPEN),
)
"""Every route; a GET answers HEAD too. `docs/http-api.md` is tested against it."""


def build(
    control: Control,
    access: Access,
    *,
    cors_origins: Iterable[str] = (),
    allowed_hosts: Iterable[str] = (),
    now_s: Callable[[], float] | None = None,
) -> web.Application:
    """Return the application that answers for this daemon; `server.serve` opens its sockets.

    Args:
        control: the daemon.
        access: the tokens, and who may use the Unix socket.
        cors_origins: origins (`https://status.example.org`) whose pages may use the API.
        allowed_hosts: names besides `localhost` and IP addresses that may stand in a Host header.
        now_s: seconds that nobody can set; None = the running loop's.
    """
    app = web.Application(middlewares=[gate.gate], client_max_size=body.MAX_BODY_BYTES)
    app[state.STATE] = State(
        control=control,
        access=access,
        rules=Rules.of(cors_origins=cors_origins, allowed_hosts=allowed_hosts),
        scopes={route.answer: route.wants for route in ROUTES},
        now_s=now_s or asyncio.get_running_loop().time,
    )
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.answer)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, route.answer)
    app.on_response_prepare.append(gate.dress)
    app.on_shutdown.append(_close)
    return app


def apply(
    app: web.Application,
    *,
    cors_origins: Iterable[str],
    allowed_hosts: Iterable[str],
    allowed_uids: Iterable[int],
) -> None:
    """Let a running application go by other settings from the next request on."""
    app[state.STATE].rules = Rules.of(cors_origins=cors_origins, allowed_hosts=allowed_hosts)
    app[state.STATE].access.allow(allowed_uids)


async def _close(app: web.Application) -> None:
    """End all streams: the server waits for its handlers, and theirs would never end by themselves."""
    app[state.STATE].closing.set()
