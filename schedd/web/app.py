"""The application: the route table, and the parts that its handlers share."""

import asyncio
from collections.abc import Callable, Iterable

from aiohttp import web

from schedd.web import (
    body,
    calendar,
    calendar_types,
    events,
    front,
    gate,
    health,
    ics,
    insight,
    insight_types,
    metrics,
    openapi,
    pauses,
    query,
    recent,
    runs,
    schedules,
    script,
    state,
    types,
)
from schedd.web.auth import Access
from schedd.web.control import Control
from schedd.web.feed import Feed
from schedd.web.meters import Meters
from schedd.web.route import Route
from schedd.web.state import OPEN, Rules, State
from schedd.web.tokens import Scope

SCHEDULES = "/api/v1/exec/schedules"
RUNS = "/api/v1/exec/runs"


ROUTES = (
    Route(
        "GET",
        f"{SCHEDULES}/list",
        schedules.list_all,
        Scope.READ,
        types.ListAnswer,
        what="all registered scripts",
    ),
    Route(
        "GET",
        f"{SCHEDULES}/history",
        schedules.history,
        Scope.READ,
        types.HistoryAnswer,
        asks=query.HISTORY_KEYS,
        also=(404,),
        what="the fires log, newest first",
    ),
    Route(
        "GET",
        f"{SCHEDULES}/script",
        script.one,
        Scope.READ,
        script.ScriptAnswer,
        asks=script.SCRIPT_KEYS,
        needs=("scriptPath",),
        also=(404,),
        what="one script, with its header",
    ),
    Route(
        "GET",
        f"{SCHEDULES}/refused",
        schedules.refused,
        Scope.READ,
        types.RefusedAnswer,
        what="the files that could not be registered",
    ),
    Route(
        "GET",
        f"{SCHEDULES}/recent",
        recent.recent,
        Scope.READ,
        calendar_types.RecentAnswer,
        asks=recent.RECENT_KEYS,
        needs=("scriptPath",),
        several=("scriptPath",),
        also=(404,),
        what="how scripts ended lately",
    ),
    Route(
        "GET",
        f"{SCHEDULES}/calendar",
        calendar.calendar,
        Scope.READ,
        calendar_types.CalendarAnswer,
        asks=calendar.CALENDAR_KEYS,
        several=("scriptPath",),
        also=(404,),
        what="how much fired and how much comes, by the step",
    ),
    Route(
        "GET",
        f"{SCHEDULES}/calendar.ics",
        ics.feed,
        Scope.READ,
        (ics.MEDIA,),
        asks=ics.ICS_KEYS,
        several=("scriptPath",),
        basic=True,
        also=(404,),
        what="the coming slots for calendar programs",
    ),
    Route(
        "POST",
        f"{SCHEDULES}/reload",
        schedules.reload,
        Scope.ADMIN,
        types.ReloadAnswer,
        takes=types.ReloadRequest,
        what="read the scripts directory again",
    ),
    Route(
        "POST",
        f"{SCHEDULES}/trigger",
        schedules.trigger,
        Scope.TRIGGER,
        types.TriggerAnswer,
        takes=types.TriggerRequest,
        also=(202, 404, 409),
        what="run a script now",
    ),
    Route(
        "POST",
        f"{SCHEDULES}/pause",
        pauses.pause,
        Scope.ADMIN,
        types.PauseItem,
        takes=types.PauseRequest,
        also=(404,),
        what="let a script, or all, skip their slots",
    ),
    Route(
        "POST",
        f"{SCHEDULES}/resume",
        pauses.resume,
        Scope.ADMIN,
        types.ResumeAnswer,
        takes=types.ResumeRequest,
        also=(404,),
        what="let them fire again",
    ),
    Route(
        "GET",
        f"{SCHEDULES}/pauses",
        pauses.list_all,
        Scope.READ,
        types.PausesAnswer,
        what="the pauses in force",
    ),
    Route(
        "GET",
        f"{SCHEDULES}/preview",
        schedules.preview,
        Scope.READ,
        types.PreviewAnswer,
        asks=schedules.PREVIEW_KEYS,
        needs=("expression",),
        what="when an expression would fire",
    ),
    Route(
        "GET",
        f"{SCHEDULES}/why",
        insight.why,
        Scope.READ,
        insight_types.WhyAnswer,
        asks=insight.WHY_KEYS,
        needs=("scriptPath",),
        also=(404,),
        what="why a script did or did not run",
    ),
    Route(
        "GET",
        f"{SCHEDULES}/gaps",
        insight.gaps,
        Scope.READ,
        insight_types.GapsAnswer,
        asks=insight.GAPS_KEYS,
        also=(404,),
        what="slots without an `ok`",
    ),
    Route(
        "POST",
        f"{SCHEDULES}/replay",
        insight.replay,
        Scope.TRIGGER,
        insight_types.ReplayAnswer,
        takes=insight_types.ReplayRequest,
        also=(404,),
        what="run them",
    ),
    Route("GET", RUNS, runs.list_all, Scope.READ, types.RunsAnswer, what="what is in flight"),
    Route(
        "GET",
        RUNS + "/{runId}",
        runs.one,
        Scope.READ,
        types.RunAnswer,
        also=(404,),
        what="one run, in flight or ended",
    ),
    Route(
        "GET",
        RUNS + "/{runId}/output",
        runs.output,
        Scope.READ,
        ("text/plain", "text/event-stream"),
        asks=runs.OUTPUT_KEYS,
        also=(404, 416),
        what="what it printed, also live",
    ),
    Route(
        "POST",
        RUNS + "/{runId}/stop",
        runs.stop,
        Scope.TRIGGER,
        types.StopAnswer,
        takes=types.StopRequest,
        also=(404, 409),
        what="stop it",
    ),
    Route(
        "GET",
        "/api/v1/exec/events",
        events.stream,
        Scope.READ,
        ("text/event-stream",),
        what="what happens, as it happens",
    ),
    Route("GET", "/api/v1/exec/health", health.alive, OPEN, types.HealthAnswer, what="it is alive"),
    Route(
        "GET", "/healthz", health.alive, OPEN, types.HealthAnswer, what="the same, where probes look for it"
    ),
    Route(
        "GET",
        "/readyz",
        health.ready,
        Scope.READ,
        types.ReadyAnswer,
        what="it decides slots and can write them down",
    ),
    Route(
        "GET",
        "/metrics",
        metrics.metrics,
        Scope.READ,
        ("text/plain", "application/openmetrics-text"),
        what="numbers for Prometheus",
    ),
    Route(
        "GET",
        "/openapi.json",
        openapi.describe,
        Scope.READ,
        ("application/json",),
        what="this description, as OpenAPI 3.1",
    ),
    Route("GET", "/", front.door, OPEN, types.RootAnswer, what="the dashboard, or where the API is"),
    Route(
        "GET",
        "/page/{file}",
        front.file,
        OPEN,
        ("text/html", "text/css", "text/javascript"),
        also=(404,),
        what="the files of the dashboard",
    ),
    Route(
        "GET",
        "/page/vendor/{file}",
        front.vendored,
        OPEN,
        ("text/javascript",),
        also=(404,),
        what="those of others among them",
    ),
)
"""Every route; a GET answers HEAD too. `docs/http-api.md` is tested against it."""


def build(
    control: Control,
    access: Access,
    *,
    cors_origins: Iterable[str] = (),
    allowed_hosts: Iterable[str] = (),
    meters: Meters | None = None,
    feed: Feed | None = None,
    now_s: Callable[[], float] | None = None,
) -> web.Application:
    """Return the application that answers for this daemon; `server.serve` opens its sockets.

    Args:
        control: the daemon.
        access: the tokens, and who may use the Unix socket.
        cors_origins: origins (`https://status.example.org`) whose pages may use the API.
        allowed_hosts: names besides `localhost` and IP addresses that may stand in a Host header.
        meters: what counts; None = counters of its own.
        feed: what happens; None = nothing ever does.
        now_s: seconds that nobody can set; None = the running loop's.
    """
    app = web.Application(middlewares=[gate.gate], client_max_size=body.MAX_BODY_BYTES)
    app[state.STATE] = State(
        control=control,
        access=access,
        rules=Rules.of(cors_origins=cors_origins, allowed_hosts=allowed_hosts),
        scopes={route.answer: route.wants for route in ROUTES},
        now_s=now_s or asyncio.get_running_loop().time,
        basic=frozenset(route.answer for route in ROUTES if route.basic),
        meters=meters or Meters(),
        description=openapi.document(ROUTES),
        events=state.Events(feed or Feed()),
    )
    app[state.STATE].events.feed.attach(control, app[state.STATE].listing)
    front.files()
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
