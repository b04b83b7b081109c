"""The dashboard's files: read once, compressed once, and served from memory.

The page is a folder of modules that a browser runs as they are. They are package data, found through
importlib.resources, and `GET /page/{file}` knows their names from the start: what is not in the table is
a 404, so no path is ever built from what a client sent. Everybody may have them: they tell nothing of this
host.

The page has a Content-Security-Policy of its own. Its one inline script is the import map, allowed by its
hash.

Rejected: aiohttp's static routes (they ask the file system for each request, and compress nothing).
"""

import base64
import functools
import gzip
import hashlib
import re
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from aiohttp import hdrs, web

from schedd.web import answers, health, query

TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
}
"""What the page is made of. Licences and provenance lie beside it, and are not served."""

INDEX = "index.html"
GZIP_LEVEL = 9

_IMPORT_MAP = re.compile(rb'<script type="importmap">(.*?)</script>', re.DOTALL)


class File(NamedTuple):
    """One file of the page, as it is sent."""

    content_type: str
    plain: bytes
    packed: bytes
    etag: str


@functools.cache
def files() -> Mapping[str, File]:
    """Return all files of the page by their names relative to its folder (`vendor/preact.mjs`); read once."""
    folder = resources.files("schedd.web") / "page"
    return {name: _file(name, found.read_bytes()) for name, found in _below(folder)}


@functools.cache
def policy(index: bytes) -> str:
    """Return the Content-Security-Policy of the page with this index."""
    maps = [base64.b64encode(hashlib.sha256(text).digest()).decode() for text in _IMPORT_MAP.findall(index)]
    scripts = " ".join(["'self'", *(f"'sha256-{digest}'" for digest in maps)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


async def door(request: web.Request) -> web.Response:
    """Answer `GET /`: the page for browsers, and for all others name and version."""
    query.read(request)
    if "text/html" not in request.headers.get(hdrs.ACCEPT, ""):
        response = await health.front_door(request)
    else:
        response = _sent(request, files()[INDEX])
    response.headers.add(hdrs.VARY, hdrs.ACCEPT)
    return response


async def file(request: web.Request) -> web.Response:
    """Answer `GET /page/{file}`."""
    return _named(request, request.match_info["file"])


async def vendored(request: web.Request) -> web.Response:
    """Answer `GET /page/vendor/{file}`: what others wrote."""
    return _named(request, f"vendor/{request.match_info['file']}")


def _named(request: web.Request, name: str) -> web.Response:
    query.read(request)
    found = files().get(name)
    if found is None:
        raise answers.not_found("not found")
    return _sent(request, found)


def _below(folder: Traversable, before: str = "") -> "list[tuple[str, Traversable]]":
    found: list[tuple[str, Traversable]] = []
    for one in folder.iterdir():
        if one.is_dir():
            found += _below(one, f"{before}{one.name}/")
        elif PurePosixPath(one.name).suffix in TYPES:
            found.append((before + one.name, one))
    return found


def _file(name: str, plain: bytes) -> File:
    packed = gzip.compress(plain, GZIP_LEVEL, mtime=0)
    return File(TYPES[PurePosixPath(name).suffix], plain, packed, answers.etag(plain))


def _sent(request: web.Request, found: File) -> web.Response:
    """Send a file, compressed if the browser can: each form with a tag of its own, as strong tags need."""
    packs = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")
    tag = f"{found.etag}-gz" if packs else found.etag
    if answers.has(request, tag):
        response = web.Response(status=304)
    else:
        body = found.packed if packs else found.plain
        response = web.Response(body=body, content_type=found.content_type, charset="utf-8")
        if packs:
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    response.headers[hdrs.ETAG] = f'"{tag}"'
    response.headers[hdrs.CACHE_CONTROL] = "no-cache"
    response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
    response.headers["Content-Security-Policy"] = policy(files()[INDEX].plain)
    return response
