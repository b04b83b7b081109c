"""The route that Prometheus asks."""

import asyncio
from dataclasses import replace

from aiohttp import hdrs, web

from schedd.web import query, state


async def metrics(request: web.Request) -> web.Response:
    """Answer `GET /metrics`."""
    query.read(request)
    here = state.of(request)
    accept = request.headers.get(hdrs.ACCEPT, "")
    now = replace(here.control.metrics_now(), event_listeners=len(here.events.listeners))
    body, content_type = await asyncio.to_thread(here.meters.text, now, accept)
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})
