"""Is it alive, is it ready, who is it: the routes for probes, and the front door."""

import msgspec
from aiohttp import web

import schedd
from schedd.timetable import instant
from schedd.web import answers, in_force, query, state, types
from schedd.web.control import Health, Phase

API = "/api/v1/exec"


async def alive(request: web.Request) -> web.Response:
    """Answer `GET /health` and `/healthz`: 200 as long as anything answers at all."""
    query.read(request)
    return answers.found(request, _seen_by_all(state.of(request).control.health()))


async def ready(request: web.Request) -> web.Response:
    """Answer `GET /readyz`: 200, or 503 with the reasons why it is not ready."""
    query.read(request)
    control = state.of(request).control
    health = control.health()
    if not health.ready:
        raise answers.unavailable(reasons=health.reasons)
    pauses = control.pauses()
    maintenance = in_force.of_all(pauses)
    return answers.found(
        request,
        types.ReadyAnswer(
            **msgspec.structs.asdict(_seen_by_all(health)),
            host=health.host,
            pid=health.pid,
            scripts_dir=health.scripts_dir,
            schedules=health.schedules,
            running=health.running,
            held=health.held,
            paused=sum(pause.script is not None for pause in pauses),
            failed=health.failed,
            limits=dict(health.limits),
            maintenance=None if maintenance is None else in_force.item(maintenance),
        ),
    )


async def front_door(request: web.Request) -> web.Response:
    """Answer `GET /`."""
    query.read(request)
    found = types.RootAnswer(
        name="schedd", version=schedd.__version__, api=f"{API}/schedules", health=f"{API}/health"
    )
    return answers.found(request, found)


def _seen_by_all(health: Health) -> types.HealthAnswer:
    """Return what strangers may know. The reasons name scripts and directories, so they are not among it."""
    well = health.ready and health.phase is Phase.RUNNING
    return types.HealthAnswer(
        status="ok" if well else "degraded",
        phase=health.phase.value,
        ready=health.ready,
        version=health.version,
        started_at=instant.from_ms(health.started_ms),
    )
