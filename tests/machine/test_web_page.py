"""The dashboard as it is served: to whom, how, and what a browser is told to let it do."""

import base64
import gzip
import hashlib
import re
from pathlib import Path

import pytest

from schedd.web import front
from tests.api import is_error, serving

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding": "gzip, br"}
PLAIN = {**BROWSER, "Accept-Encoding": "identity"}


async def test_a_browser_gets_the_page_without_a_token(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get("/", token=None, headers=PLAIN)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.raw.startswith(b"<!doctype html>")
    assert {"Accept", "Accept-Encoding"} <= {
        word.strip() for value in answer.headers.getall("Vary") for word in value.split(",")
    }


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
async def test_a_program_still_gets_json(tmp_path: Path, accept: str) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get("/", token=None, headers={"Accept": accept})
    assert answer.body["name"] == "schedd"


async def test_only_the_import_map_may_stand_in_the_page_itself(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get("/", token=None, headers=PLAIN)
    policy = answer.headers.getall("Content-Security-Policy")
    (inline,) = re.findall(rb"<script[^>]*>(.+?)</script>", answer.raw)
    digest = base64.b64encode(hashlib.sha256(inline).digest()).decode()
    assert len(policy) == 1
    assert f"script-src 'self' 'sha256-{digest}';" in policy[0]
    assert "unsafe" not in policy[0]
    assert b"style=" not in answer.raw


async def test_the_policy_of_data_stays_as_it_was(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.get("/healthz", token=None)
    policy = answer.headers.getall("Content-Security-Policy")
    assert policy == ["default-src 'none'; frame-ancestors 'none'"]


@pytest.mark.parametrize("name", sorted(front.files()))
async def test_each_file_is_sent_compressed_and_then_not_again(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path) as api:
        first = await api.get(f"/page/{name}", token=None, headers=BROWSER, auto_decompress=False)
        known = {**BROWSER, "If-None-Match": first.headers["ETag"]}
        again = await api.get(f"/page/{name}", token=None, headers=known)
        other = await api.get(f"/page/{name}", token=None, headers=PLAIN)
    assert first.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(first.raw) == other.raw
    assert (again.status, again.raw) == (304, b"")
    assert "Content-Encoding" not in other.headers
    assert other.headers["ETag"] != first.headers["ETag"]


async def test_head_has_the_headers_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.ask("HEAD", "/page/main.js", token=None, headers=PLAIN)
    assert (answer.status, answer.raw) == (200, b"")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "vendor/LICENSE.htm",
        "vendor/PROVENANCE",
        "..%2ffront.py",
        "%2e%2e/front.py",
        "vendor%2fpreact.mjs%00",
        "vendor/%2e%2e%2fmain.js",
    ],
)
async def test_nothing_else_is_there(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path) as api:
        said = await api.raw(
            f"GET /page/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        answer = await api.get("/page/nothing.js", token=None)
    assert b" 404 " in said.split(b"\r\n", 1)[0] or b" 401 " in said.split(b"\r\n", 1)[0]
    assert is_error(answer, 404, "NOT_FOUND")
