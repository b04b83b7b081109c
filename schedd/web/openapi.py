"""`GET /openapi.json`: the API described by the very types that validate and encode it (OpenAPI 3.1).

Nothing is described twice: routes, scopes and query keys come from the route table, bodies and answers from
the types, their words from the docstrings. Written here is only what those cannot say: what the values of
query keys look like.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec
from aiohttp import web

from schedd import __version__
from schedd.fire import Kind, Reason, Status
from schedd.web import answers, query, state
from schedd.web.route import Route
from schedd.web.types import AcceptedAnswer, ErrorAnswer

EMPTY = {"const": ""}
"""As good as not given: forms send it."""
INSTANT = {"anyOf": [{"type": "string", "format": "date-time"}, EMPTY]}
PATH = {"type": "string", "minLength": 1, "maxLength": query.MAX_PATH_BYTES}
BOOLEAN = {"type": "string", "enum": ["true", "false"]}

MOST_REPEATED = 200

KEYS: Mapping[str, tuple[Mapping[str, object], str]] = {
    "scriptPath": (PATH, "A script, absolute or relative to the scripts directory."),
    "since": (INSTANT, "From this instant on; ISO 8601, `+` written as `%2B`."),
    "until": (INSTANT, "Before this instant."),
    "slotSince": (INSTANT, "Slots from this instant on."),
    "slotUntil": (INSTANT, "Slots before this instant."),
    "at": ({"type": "string", "minLength": 1}, "An instant, or a time on the clock of the script's zone."),
    "from": (INSTANT, "From this instant on (a preview: after it)."),
    "to": (INSTANT, "Before this instant."),
    "step": ({"type": "string", "minLength": 1}, "Seconds, or a duration such as `5m`."),
    "by": ({"type": "string", "enum": ["", "script"]}, "Also for each script that is named."),
    "tag": ({"type": "string"}, "Only schedules with this tag."),
    "limit": ({"type": "integer", "minimum": 1, "default": query.HISTORY_LIMIT}, "1000 at most."),
    "count": ({"type": "integer", "minimum": 1}, "How many."),
    "includeRotated": (BOOLEAN, "Look into rotated files too."),
    "cursor": ({"type": "string", "maxLength": query.MAX_CURSOR_CHARS}, "From a truncated answer."),
    "status": ({"type": "string", "enum": [each.value for each in Status]}, "Only fires that ended so."),
    "reason": ({"type": "string", "enum": [each.value for each in Reason]}, "Only fires that ended so."),
    "kind": ({"type": "string", "enum": [each.value for each in Kind]}, "Only fires of this kind."),
    "runId": ({"type": "string", "format": "uuid"}, "Only this fire."),
    "only": ({"type": "string", "enum": ["missing", "failed", "all"]}, "Which gaps."),
    "follow": (BOOLEAN, "Go on until the run is over."),
    "format": ({"type": "string", "enum": ["text", "sse"]}, "Bytes as they are, or events."),
    "expression": ({"type": "string", "minLength": 1, "maxLength": 256}, "As after `@schedule`."),
    "timezone": ({"type": "string", "minLength": 1}, "An IANA name."),
    "calendar": ({"type": "string", "minLength": 1}, "As after `@calendar`: a name and what to do."),
}
"""What each query key holds, wherever it is asked for."""

ALWAYS = (400, 401, 403, 429, 503)
"""What any route may answer with that is not open."""
WORDS = {
    400: "The request is not understood; the sentence says why.",
    401: "A token is needed.",
    403: "The token, or the origin, may not.",
    404: "There is no such thing.",
    408: "The request took too long to arrive.",
    409: "Not in this state.",
    413: "The body is larger than 64 KiB.",
    416: "There is no such range.",
    429: "Too many wrong tokens.",
    500: "A mistake of schedd's; the journal has it.",
    503: "Not now: starting, draining, or the record cannot be written.",
}


async def describe(request: web.Request) -> web.Response:
    """Answer `GET /openapi.json`."""
    query.read(request)
    body = state.of(request).description
    return answers.found_tagged(request, answers.etag(body), lambda: body)


@lru_cache(maxsize=4)
def document(routes: tuple[Route, ...]) -> bytes:
    """Return the description of these routes (`app.Route`) as JSON."""
    kinds: set[type[msgspec.Struct]] = {
        kind for route in routes for kind in (route.takes, route.gives) if isinstance(kind, type)
    }
    kinds |= {ErrorAnswer, AcceptedAnswer}
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    refs, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(ordered, refs, strict=True))
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "schedd",
                "version": __version__,
                "description": "The cron daemon whose jobs are scripts that schedule themselves.",
                "license": {"name": "MIT"},
            },
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {
                    "token": {"type": "http", "scheme": "bearer"},
                    "password": {
                        "type": "http",
                        "scheme": "basic",
                        "description": "The token is the password.",
                    },
                },
            },
        }
    )


def _operation(route: Route, schemas: Mapping[type, object]) -> dict[str, object]:
    operation: dict[str, object] = {
        "operationId": _name(route),
        "summary": route.what,
        "parameters": [*_in_path(route.path), *_in_query(route)],
        "responses": _responses(route, schemas),
        "security": _security(route),
    }
    if route.takes is not None:
        required = any(field.required for field in msgspec.structs.fields(route.takes))
        schema = schemas[route.takes]
        operation["requestBody"] = {
            "required": required,
            # Where nothing is needed, `null` is as good as no body at all.
            "content": {
                "application/json": {"schema": schema if required else {"anyOf": [schema, {"type": "null"}]}}
            },
        }
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.wants is state.OPEN:
        return []
    schemes = ("token", "password") if route.basic else ("token",)
    return [{scheme: [str(route.wants)]} for scheme in schemes]


def _name(route: Route) -> str:
    """Return a unique name: two paths may have one handler (`/health` and `/healthz`)."""
    room = route.answer.__module__.rpartition(".")[2]
    path = route.path.rpartition("/")[2]
    return f"{room}_{route.answer.__name__}" + ("_z" if path == "healthz" else "")


_IN_PATH: dict[str, dict[str, object]] = {
    "runId": {"type": "string", "format": "uuid"},
    "file": {"type": "string"},
}


def _in_path(path: str) -> list[dict[str, object]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _IN_PATH[name]}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _in_query(route: Route) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for key in route.asks:
        schema, words = KEYS[key]
        if key in route.several:
            schema = {"type": "array", "items": schema, "maxItems": MOST_REPEATED}
        required = key in route.needs
        if not required and (schema.get("minLength") or schema.get("format")):
            schema = {"anyOf": [schema, EMPTY]}
        found.append(
            {"name": key, "in": "query", "required": required, "schema": schema, "description": words}
        )
    return found


def _responses(route: Route, schemas: Mapping[type, object]) -> dict[str, object]:
    """Return what may come back; an answer that is no JSON is told by its media type."""
    if isinstance(route.gives, type):
        content: dict[str, object] = {"application/json": {"schema": schemas[route.gives]}}
    else:
        content = {media: {"schema": {"type": "string"}} for media in route.gives}
    responses: dict[str, object] = {"200": {"description": "Done.", "content": content}}
    if route.method == "GET":
        responses["304"] = {"description": "Not changed since the given ETag."}
    if "text/plain" in content and "follow" in route.asks:
        responses["206"] = {"description": "The range that was asked for.", "content": content}
    for status in sorted({*route.also, *_usual(route)} - {202}):
        error = {"application/json": {"schema": schemas[ErrorAnswer]}}
        responses[str(status)] = {"description": WORDS[status], "content": error}
    if 202 in route.also:
        accepted = {"application/json": {"schema": schemas[AcceptedAnswer]}}
        responses["202"] = {"description": "It runs.", "content": accepted}
    return responses


def _usual(route: Route) -> Iterable[int]:
    if route.wants is state.OPEN:
        return (400, 403)
    return (*ALWAYS, 408, 413) if route.method == "POST" else ALWAYS
